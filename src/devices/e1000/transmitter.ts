/**
 * The transmit ring (the manual's section 3.3): legacy descriptors, and those of the extended kinds, contexts and data,
 * with checksums, TCP segmentation and VLAN tags that the driver leaves to the card.
 *
 * Missing on purpose: segmentation of UDP, whose frames are lost and counted; report "packet sent" apart from "done"; and a
 * frame check sequence of the driver's own, which goes out as data.
 */

import type { DeviceState, Dma, StateReader } from "../../hw/index.ts";
import { checksumAdd, checksumOf, ETHERNET_HEADER_BYTES, FRAME_BYTES_MAX } from "../../net/index.ts";
import { TcpSegmenter, UNSEGMENTED_BYTES_MAX } from "../ethernet/tcp-segmentation.ts";
import { availableIn, Descriptor, descriptorGpa, sizeOf } from "./descriptor-ring.ts";
import type { RingRegisters } from "./descriptor-ring.ts";
import { CTRL, ICR, TCTL_ENABLE } from "./registers.ts";
import type { E1000Values } from "./registers.ts";
import { COUNTER } from "./statistics.ts";
import type { Statistics } from "./statistics.ts";
import { ChecksumContext, CONTEXT_COMMAND } from "./transmit-context.ts";

/** The command byte of every kind of descriptor; IC is of legacy ones, TSE of the others. */
const COMMAND = {
  endOfPacket: 1 << 0,
  insertChecksum: 1 << 2,
  segment: 1 << 2,
  reportStatus: 1 << 3,
  reportSent: 1 << 4,
  extended: 1 << 5,
  vlan: 1 << 6,
  delay: 1 << 7,
} as const;
const KIND = { context: 0, data: 1 } as const;
const OPTION = { ipChecksum: 1 << 0, transportChecksum: 1 << 1 } as const;
const STATUS_DONE = 1;
/** Offsets in a descriptor; the length is of 16 bits, or of 20 in extended ones, whose kind follows. */
const AT = {
  length: 8,
  checksumOffset: 10,
  command: 11,
  status: 12,
  checksumStart: 13,
  options: 13,
  special: 14,
} as const;
const LENGTH_MASK = 0xf_ffff;
const KIND_SHIFT = 20;
const TYPE_OFFSET = 12;
const TAG_BYTES = 4;
const IPV4 = { totalLength: 2, checksum: 10 } as const;
/** TXDCTL's low threshold, in units of eight descriptors. */
const LOW_THRESHOLD = { shift: 25, unit: 8 } as const;

export interface TransmitterParts {
  readonly values: E1000Values;
  readonly statistics: Statistics;
  readonly dma: Dma;
  readonly raise: (causes: number) => void;
  /** Descriptors that the driver wants to hear of have been written back; it can wait for more if `mayWait`. */
  readonly written: (mayWait: boolean) => void;
  /** Sends a frame, which may be shorter than Ethernet's; done with it when it returns. */
  readonly send: (frame: Uint8Array) => void;
  /** As SendOffload takes it; undefined while the network needs it in segments. */
  readonly unfinished: () => ((frame: Uint8Array) => void) | undefined;
}

export class Transmitter {
  readonly #parts: TransmitterParts;
  readonly #descriptor = new Descriptor();
  readonly #segmenter: TcpSegmenter;
  readonly context = new ChecksumContext();
  readonly segmentContext = new ChecksumContext();
  /** The frame that is being put together, with room for a tag. */
  readonly #bytes = new Uint8Array(UNSEGMENTED_BYTES_MAX + TAG_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  #lengthBytes = 0;
  /** Bytes of it are missing, or it is too long. */
  #isSpoilt = false;
  /** Of its first data descriptor. */
  #options = 0;
  #isSending = false;

  constructor(parts: TransmitterParts) {
    this.#parts = parts;
    this.#segmenter = new TcpSegmenter((frame) => this.#send(frame));
  }

  /** Works through the ring up to the tail. */
  run(): void {
    const { values } = this.#parts;
    // A frame that comes back can bring an interrupt, but no guest that could queue another.
    if (this.#isSending || (values.tctl & TCTL_ENABLE) === 0) return;
    const ring = this.#ring;
    const size = sizeOf(ring.lengthBytes);
    const count = availableIn(ring);
    if (count === 0) return;
    this.#isSending = true;
    let causes = 0;
    let mayWait = true;
    for (let done = 0; done < count; done++) {
      const index = (ring.head + done) % size;
      const gpa = descriptorGpa(ring, index);
      if (this.#descriptor.load(this.#parts.dma, gpa)) {
        const command = this.#process();
        if ((command & (COMMAND.reportStatus | COMMAND.reportSent)) !== 0) {
          this.#descriptor.view.setUint8(AT.status, this.#descriptor.view.getUint8(AT.status) | STATUS_DONE);
          this.#descriptor.store(this.#parts.dma, gpa);
          causes |= ICR.transmitDescriptorWritten;
          if ((command & COMMAND.delay) === 0) mayWait = false;
        }
      }
      values.tdh = (index + 1) % size;
    }
    this.#isSending = false;
    if (causes !== 0) this.#parts.written(mayWait);
    const threshold = (values.txdctl >>> LOW_THRESHOLD.shift) * LOW_THRESHOLD.unit;
    const isLow = threshold !== 0 && count >= threshold;
    this.#parts.raise(ICR.transmitQueueEmpty | (isLow ? ICR.transmitDescriptorsLow : 0));
  }

  reset(): void {
    this.context.reset();
    this.segmentContext.reset();
    this.#begin();
  }

  /** Frames are put together within run() but for those whose end the driver has not queued yet. */
  save(): DeviceState {
    return {
      context: this.context.save(),
      segmentContext: this.segmentContext.save(),
      begun: this.#bytes.slice(0, this.#lengthBytes),
      isSpoilt: this.#isSpoilt,
      options: this.#options,
    };
  }

  restore(reader: StateReader): void {
    this.context.restore(reader.child("context"));
    this.segmentContext.restore(reader.child("segmentContext"));
    const begun = reader.bytes("begun", UNSEGMENTED_BYTES_MAX);
    this.#bytes.set(begun);
    this.#lengthBytes = begun.length;
    this.#isSpoilt = reader.boolean("isSpoilt");
    this.#options = reader.u8("options");
  }

  get #ring(): RingRegisters {
    const { tdbal, tdbah, tdlen, tdh, tdt } = this.#parts.values;
    return { low: tdbal, high: tdbah, lengthBytes: tdlen, head: tdh, tail: tdt };
  }

  #begin(): void {
    this.#lengthBytes = 0;
    this.#isSpoilt = false;
    this.#options = 0;
  }

  /** What the descriptor says is done; returns its command. */
  #process(): number {
    const { view } = this.#descriptor;
    const command = view.getUint8(AT.command);
    if ((command & COMMAND.extended) === 0) {
      this.#append(view.getUint16(AT.length, true));
      if ((command & COMMAND.endOfPacket) !== 0) this.#endLegacy(command);
      return command;
    }
    const word = view.getUint32(AT.length, true);
    if (((word >>> KIND_SHIFT) & 0xf) === KIND.context) {
      const context = (command & CONTEXT_COMMAND.segment) === 0 ? this.context : this.segmentContext;
      context.load(view);
      return command;
    }
    if (((word >>> KIND_SHIFT) & 0xf) !== KIND.data) return command;
    if (this.#lengthBytes === 0) this.#options = view.getUint8(AT.options);
    this.#append(word & LENGTH_MASK);
    if ((command & COMMAND.endOfPacket) !== 0) this.#endExtended(command);
    return command;
  }

  #append(lengthBytes: number): void {
    const end = this.#lengthBytes + lengthBytes;
    if (end > UNSEGMENTED_BYTES_MAX) this.#isSpoilt = true;
    if (this.#isSpoilt || lengthBytes === 0) return;
    const source = this.#parts.dma.readable(this.#descriptor.bufferGpa, lengthBytes);
    if (source === undefined) {
      this.#isSpoilt = true;
      return;
    }
    this.#bytes.set(source, this.#lengthBytes);
    this.#lengthBytes = end;
  }

  #endLegacy(command: number): void {
    const { view } = this.#descriptor;
    if ((command & COMMAND.insertChecksum) !== 0) {
      const start = view.getUint8(AT.checksumStart);
      this.#insertChecksum(start, view.getUint8(AT.checksumOffset), 0);
    }
    this.#finish((command & COMMAND.vlan) !== 0);
  }

  #endExtended(command: number): void {
    const isTagged = (command & COMMAND.vlan) !== 0;
    if ((command & COMMAND.segment) !== 0) {
      this.#finishSegmented(isTagged);
      return;
    }
    const { ip, transport } = this.context;
    if ((this.#options & OPTION.transportChecksum) !== 0)
      this.#insertChecksum(transport.start, transport.field, transport.end);
    if ((this.#options & OPTION.ipChecksum) !== 0) this.#insertChecksum(ip.start, ip.field, ip.end);
    this.#finish(isTagged);
  }

  /** The sum of what is from `start` to `last`, or to the end if that is 0; what is not in the frame changes nothing. */
  #insertChecksum(start: number, field: number, last: number): void {
    const end = last === 0 ? this.#lengthBytes : Math.min(last + 1, this.#lengthBytes);
    if (start >= end || field + 2 > this.#lengthBytes) return;
    // 0 and FFFFh are the same sum, but UDP takes 0 for none (RFC 768).
    this.#view.setUint16(field, checksumOf(checksumAdd(0, this.#bytes, start, end)) || 0xffff);
  }

  #finish(isTagged: boolean): void {
    if (!this.#isSpoilt && this.#lengthBytes <= FRAME_BYTES_MAX) {
      const tagBytes = isTagged ? this.#insertTag() : 0;
      this.#send(this.#bytes.subarray(0, this.#lengthBytes + tagBytes));
    }
    this.#begin();
  }

  #finishSegmented(isTagged: boolean): void {
    const { statistics } = this.#parts;
    const isSent = !this.#isSpoilt && this.#sendSegmented(isTagged);
    statistics.add(isSent ? COUNTER.segmentationContexts : COUNTER.segmentationFailures);
    this.#begin();
  }

  #sendSegmented(isTagged: boolean): boolean {
    const { ip, transport, isTcp, isIpv4, headerBytes, segmentBytes } = this.segmentContext;
    if (!isTcp) return false;
    const tagBytes = isTagged ? this.#insertTag() : 0;
    const frame = this.#bytes.subarray(0, this.#lengthBytes + tagBytes);
    const unfinished = this.#parts.unfinished();
    if (
      unfinished !== undefined &&
      isIpv4 &&
      tagBytes === 0 &&
      this.#makeDatagram(ip.start, transport.start)
    ) {
      this.#parts.statistics.transmitted(frame);
      unfinished(frame);
      return true;
    }
    return this.#segmenter.send(frame, {
      isIpv6: !isIpv4,
      ipOffset: ip.start + tagBytes,
      tcpOffset: transport.start + tagBytes,
      headerBytes: headerBytes + tagBytes,
      segmentBytes,
    });
  }

  /** Lets the whole be one IPv4 datagram; drivers leave its length open. */
  #makeDatagram(ipOffset: number, tcpOffset: number): boolean {
    if (ipOffset !== ETHERNET_HEADER_BYTES || this.#lengthBytes - ipOffset > 0xffff) return false;
    if (tcpOffset !== ipOffset + ((this.#bytes[ipOffset] ?? 0) & 0x0f) * 4) return false;
    this.#view.setUint16(ipOffset + IPV4.totalLength, this.#lengthBytes - ipOffset);
    this.#view.setUint16(ipOffset + IPV4.checksum, 0);
    this.#insertChecksum(ipOffset, ipOffset + IPV4.checksum, tcpOffset - 1);
    return true;
  }

  /** Puts the descriptor's tag behind the addresses if the card is in VLAN mode; returns by how much the frame has grown. */
  #insertTag(): number {
    const { values } = this.#parts;
    if ((values.ctrl & CTRL.vlanMode) === 0 || this.#lengthBytes < TYPE_OFFSET) return 0;
    this.#bytes.copyWithin(TYPE_OFFSET + TAG_BYTES, TYPE_OFFSET, this.#lengthBytes);
    this.#view.setUint16(TYPE_OFFSET, values.vet);
    this.#view.setUint16(TYPE_OFFSET + 2, this.#descriptor.view.getUint16(AT.special, true));
    return TAG_BYTES;
  }

  #send(frame: Uint8Array): void {
    if (frame.length > FRAME_BYTES_MAX) return;
    this.#parts.statistics.transmitted(frame);
    this.#parts.send(frame);
  }
}
