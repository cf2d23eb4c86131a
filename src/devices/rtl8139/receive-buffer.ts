/**
 * The receive buffer (section 6.1): frames one behind the other from RBSTART on, each behind a header of status and length,
 * with its check sequence, and beginning at a multiple of four bytes. The card writes at CBR, the driver reads at CAPR and 16.
 */

import type { Dma, RegisterValues } from "../../hw/index.ts";
import { FRAME_BYTES_MAX, FRAME_BYTES_MIN, MAC_ADDRESS_BYTES } from "../../net/index.ts";
import { isBroadcast, isFor, isGroup } from "../ethernet/addresses.ts";
import { appendFrameCheckSequence, FCS_BYTES, multicastHash } from "../ethernet/frame-check-sequence.ts";
import { ADDRESS_REGISTERS, MULTICAST_REGISTERS, RCR, RECEIVED } from "./registers.ts";
import type { Rtl8139Registers } from "./registers.ts";

const SMALLEST_BUFFER_BYTES = 8192;
const HEADER_BYTES = 4;
const ALIGNMENT = 4;
/** CAPR is so far behind what is read next. */
const READ_POINTER_LAG = 16;

export class ReceiveBuffer {
  readonly #values: RegisterValues<Rtl8139Registers>;
  readonly #dma: Dma;
  /** A frame as it goes into the buffer. */
  readonly #bytes = new Uint8Array(HEADER_BYTES + FRAME_BYTES_MAX + FCS_BYTES + ALIGNMENT);
  readonly #frame = this.#bytes.subarray(HEADER_BYTES);
  readonly #ownAddress = new Uint8Array(MAC_ADDRESS_BYTES);

  constructor(values: RegisterValues<Rtl8139Registers>, dma: Dma) {
    this.#values = values;
    this.#dma = dma;
  }

  get isEmpty(): boolean {
    return this.#values.cbr % this.#sizeBytes === this.#readPointer;
  }

  receive(frame: Uint8Array): "stored" | "no-room" | "rejected" {
    const status = this.#statusOf(frame);
    if (status === undefined) return "rejected";
    const frameBytes = Math.max(frame.length, FRAME_BYTES_MIN);
    const countBytes = frameBytes + FCS_BYTES;
    const takenBytes = Math.ceil((HEADER_BYTES + countBytes) / ALIGNMENT) * ALIGNMENT;
    const size = this.#sizeBytes;
    const at = this.#values.cbr % size;
    // A buffer of which both pointers are at one place is empty, so it never gets full.
    const free = (size + this.#readPointer - at) % size || size;
    if (takenBytes >= free) return "no-room";

    this.#bytes.set([status & 0xff, status >>> 8, countBytes & 0xff, countBytes >>> 8]);
    this.#frame.set(frame);
    this.#frame.fill(0, frame.length, frameBytes);
    appendFrameCheckSequence(this.#frame, frameBytes);
    this.#store(at, HEADER_BYTES + countBytes);
    this.#values.cbr = (at + takenBytes) % size;
    return "stored";
  }

  get #sizeBytes(): number {
    return SMALLEST_BUFFER_BYTES << this.#lengthCode;
  }

  get #lengthCode(): number {
    return (this.#values.rcr >>> RCR.bufferLength.shift) & RCR.bufferLength.mask;
  }

  get #readPointer(): number {
    return (this.#values.capr + READ_POINTER_LAG) % this.#sizeBytes;
  }

  /** With WRAP set a frame goes on behind the end of the buffer, and otherwise at its start; not in the largest one. */
  #store(at: number, lengthBytes: number): void {
    const { rbstart, rcr } = this.#values;
    const size = this.#sizeBytes;
    const isWhole = (rcr & RCR.wrap) !== 0 && this.#lengthCode !== RCR.bufferLength.mask;
    const first = isWhole ? lengthBytes : Math.min(lengthBytes, size - at);
    this.#dma.write(rbstart + at, this.#bytes.subarray(0, first));
    if (first < lengthBytes) this.#dma.write(rbstart, this.#bytes.subarray(first, lengthBytes));
  }

  /** The header's status; undefined for a frame that is not wanted. */
  #statusOf(frame: Uint8Array): number | undefined {
    const values = this.#values;
    if (isBroadcast(frame)) {
      return (values.rcr & RCR.broadcast) === 0 ? undefined : RECEIVED.ok | RECEIVED.broadcast;
    }
    if (isGroup(frame)) {
      const hash = multicastHash(frame);
      const isInTable = ((values[MULTICAST_REGISTERS[hash >>> 3] ?? "mar0"] >>> (hash & 7)) & 1) !== 0;
      return (values.rcr & RCR.multicast) === 0 || !isInTable ? undefined : RECEIVED.ok | RECEIVED.multicast;
    }
    ADDRESS_REGISTERS.forEach((name, index) => (this.#ownAddress[index] = values[name]));
    const isOwn = isFor(frame, this.#ownAddress);
    const isWanted = (values.rcr & (isOwn ? RCR.ownAddress | RCR.everyAddress : RCR.everyAddress)) !== 0;
    return isWanted ? RECEIVED.ok | (isOwn ? RECEIVED.ownAddress : 0) : undefined;
  }
}
