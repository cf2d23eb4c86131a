/** The receive ring (the manual's section 3.2): frames into buffers of one size, several of them if one is too small. */

import type { Dma } from "../../hw/index.ts";
import { checksumAdd, checksumOf, FRAME_BYTES_MAX, FRAME_BYTES_MIN } from "../../net/index.ts";
import { appendFrameCheckSequence, FCS_BYTES } from "../ethernet/frame-check-sequence.ts";
import { CHECKED, checkReceived } from "../ethernet/received-checksums.ts";
import { availableIn, Descriptor, descriptorGpa, sizeOf } from "./descriptor-ring.ts";
import type { RingRegisters } from "./descriptor-ring.ts";
import { filterFrame, VERDICT } from "./receive-filter.ts";
import type { Verdict } from "./receive-filter.ts";
import { CTRL, ICR, RCTL, RXCSUM } from "./registers.ts";
import type { E1000Values } from "./registers.ts";
import { COUNTER } from "./statistics.ts";
import type { Statistics } from "./statistics.ts";
import type { WordTables } from "./word-tables.ts";

/** By BSIZE, without and with BSEX. */
const BUFFER_BYTES = [2048, 1024, 512, 256] as const;
const EXTENDED_BUFFER_BYTES = [2048, 16384, 8192, 4096] as const;

/** Offsets in a descriptor. */
const AT = { length: 8, checksum: 10, status: 12, errors: 13, special: 14 } as const;
const STATUS = {
  done: 1 << 0,
  endOfPacket: 1 << 1,
  ignoreChecksum: 1 << 2,
  vlan: 1 << 3,
  transportChecked: 1 << 5,
  ipChecked: 1 << 6,
  passedInexactFilter: 1 << 7,
} as const;
const ERROR = { transport: 1 << 5, ip: 1 << 6 } as const;

const TYPE_OFFSET = 12;
const TAG_BYTES = 4;

export interface ReceiverParts {
  readonly values: E1000Values;
  readonly tables: WordTables;
  readonly statistics: Statistics;
  readonly dma: Dma;
  readonly raise: (causes: number) => void;
  /** A frame has arrived, which the driver should hear of in time. */
  readonly received: () => void;
}

export class Receiver {
  readonly #parts: ReceiverParts;
  readonly #descriptor = new Descriptor();
  /** The frame as it goes into the buffers. */
  readonly #bytes = new Uint8Array(FRAME_BYTES_MAX + FCS_BYTES);
  /** What its descriptors say. */
  readonly #report = { checksum: 0, status: 0, errors: 0, special: 0 };

  constructor(parts: ReceiverParts) {
    this.#parts = parts;
  }

  /** False: there are not enough buffers now. Frames that nobody wants, or that can never have a place, are lost. */
  receive(frame: Uint8Array): boolean {
    const { values, tables, statistics } = this.#parts;
    if ((values.rctl & RCTL.enable) === 0) return true;
    const vlan = this.#tagOf(frame);
    const verdict = filterFrame(frame, vlan, values, tables);
    if (verdict === VERDICT.rejected) return true;

    const isStripped = vlan !== undefined && (values.ctrl & CTRL.vlanMode) !== 0;
    const fcsBytes = (values.rctl & RCTL.stripCrc) === 0 ? FCS_BYTES : 0;
    const frameBytes = Math.max(frame.length, FRAME_BYTES_MIN);
    const lengthBytes = frameBytes - (isStripped ? TAG_BYTES : 0) + fcsBytes;
    const wanted = Math.ceil(lengthBytes / this.#bufferBytes);
    const ring = this.#ring;
    const available = availableIn(ring);
    if (wanted > available) {
      if (wanted < sizeOf(ring.lengthBytes)) {
        statistics.add(COUNTER.noBuffers);
        return false;
      }
      statistics.add(COUNTER.missedPackets);
      this.#parts.raise(ICR.receiverOverrun);
      return true;
    }

    const bytes = this.#bytes;
    bytes.set(frame);
    bytes.fill(0, frame.length, FRAME_BYTES_MIN);
    if (fcsBytes !== 0) appendFrameCheckSequence(bytes, frameBytes);
    if (isStripped) bytes.copyWithin(TYPE_OFFSET, TYPE_OFFSET + TAG_BYTES, frameBytes + fcsBytes);
    this.#describe(frame, verdict, isStripped ? vlan : undefined);
    this.#store(ring, lengthBytes);
    statistics.received(frame);
    this.#announce(available, wanted);
    return true;
  }

  get #ring(): RingRegisters {
    const { rdbal, rdbah, rdlen, rdh, rdt } = this.#parts.values;
    return { low: rdbal, high: rdbah, lengthBytes: rdlen, head: rdh, tail: rdt };
  }

  get #bufferBytes(): number {
    const { rctl } = this.#parts.values;
    const sizes = (rctl & RCTL.bufferSizeExtension) === 0 ? BUFFER_BYTES : EXTENDED_BUFFER_BYTES;
    return sizes[(rctl >>> RCTL.bufferSize.shift) & RCTL.bufferSize.mask] ?? BUFFER_BYTES[0];
  }

  #tagOf(frame: Uint8Array): number | undefined {
    const type = ((frame[TYPE_OFFSET] ?? 0) << 8) | (frame[TYPE_OFFSET + 1] ?? 0);
    if (type !== this.#parts.values.vet || frame.length < TYPE_OFFSET + TAG_BYTES + 2) return undefined;
    return ((frame[TYPE_OFFSET + 2] ?? 0) << 8) | (frame[TYPE_OFFSET + 3] ?? 0);
  }

  #describe(frame: Uint8Array, verdict: Verdict, tag: number | undefined): void {
    const report = this.#report;
    const { rxcsum } = this.#parts.values;
    const checksIp = (rxcsum & RXCSUM.ipOffload) !== 0;
    const checksTransport = (rxcsum & RXCSUM.transportOffload) !== 0;
    const checked = checksIp || checksTransport ? checkReceived(frame) : 0;
    report.status = verdict === VERDICT.acceptedInexactly ? STATUS.passedInexactFilter : 0;
    report.errors = 0;
    if (tag !== undefined) report.status |= STATUS.vlan;
    if (checksIp && (checked & CHECKED.ip) !== 0) {
      report.status |= STATUS.ipChecked;
      if ((checked & CHECKED.ipGood) === 0) report.errors |= ERROR.ip;
    }
    if (checksTransport && (checked & CHECKED.transport) !== 0) {
      report.status |= STATUS.transportChecked;
      if ((checked & CHECKED.transportGood) === 0) report.errors |= ERROR.transport;
    }
    const isChecked = (report.status & (STATUS.ipChecked | STATUS.transportChecked)) !== 0;
    if (!isChecked) report.status |= STATUS.ignoreChecksum;
    const start = Math.min(rxcsum & RXCSUM.startMask, frame.length);
    report.checksum = checksumOf(checksumAdd(0, frame, start, frame.length));
    report.special = tag ?? 0;
  }

  /** Where descriptors or buffers are not in RAM, what belongs there is lost, as on a bus where nobody answers. */
  #store(ring: RingRegisters, lengthBytes: number): void {
    const { values, dma } = this.#parts;
    const { view } = this.#descriptor;
    const { checksum, status, errors, special } = this.#report;
    const size = sizeOf(ring.lengthBytes);
    let index = ring.head;
    for (let done = 0; done < lengthBytes;) {
      const gpa = descriptorGpa(ring, index);
      const piece = Math.min(this.#bufferBytes, lengthBytes - done);
      const isLast = done + piece === lengthBytes;
      if (this.#descriptor.load(dma, gpa)) {
        // A buffer at 0 is none: drivers pad rings with such descriptors.
        const bufferGpa = this.#descriptor.bufferGpa;
        if (bufferGpa !== 0) dma.write(bufferGpa, this.#bytes.subarray(done, done + piece));
        view.setUint16(AT.length, piece, true);
        view.setUint16(AT.checksum, checksum, true);
        view.setUint8(AT.status, STATUS.done | (isLast ? status | STATUS.endOfPacket : 0));
        view.setUint8(AT.errors, isLast ? errors : 0);
        view.setUint16(AT.special, isLast ? special : 0, true);
        this.#descriptor.store(dma, gpa);
      }
      done += piece;
      index = (index + 1) % size;
    }
    values.rdh = index;
  }

  /** Buffers run low when they become as few as the part of the ring that RDMTS says. */
  #announce(before: number, used: number): void {
    const { rctl, rdlen } = this.#parts.values;
    const shift = ((rctl >>> RCTL.minimumThreshold.shift) & RCTL.minimumThreshold.mask) + 1;
    const threshold = sizeOf(rdlen) >>> shift;
    if (before > threshold && before - used <= threshold) this.#parts.raise(ICR.receiveDescriptorMinimum);
    this.#parts.received();
  }
}
