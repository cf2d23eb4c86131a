/**
 * The statistics registers (the manual's section 13.7): counters that a read clears, which stay at their maximum; those of
 * bytes are pairs of which the read of the upper half clears both.
 */

import type { DeviceState, StateReader } from "../../hw/index.ts";
import { FRAME_BYTES_MIN } from "../../net/index.ts";
import { isBroadcast, isGroup } from "../ethernet/addresses.ts";
import { FCS_BYTES } from "../ethernet/frame-check-sequence.ts";

const START = 0x4000;
const COUNT = 64;
const WORD_BYTES = 4;
const MAX = 0xffffffff;

const index = (offset: number): number => (offset - START) / WORD_BYTES;

/** Those that something here counts; the others, of errors that cannot happen, are zero. */
export const COUNTER = {
  missedPackets: index(0x4010),
  /** The first of six, by length: 64, to 127, to 255, to 511, to 1023, longer. */
  receivedBySize: index(0x405c),
  goodReceived: index(0x4074),
  broadcastReceived: index(0x4078),
  multicastReceived: index(0x407c),
  goodTransmitted: index(0x4080),
  goodOctetsReceived: index(0x4088),
  goodOctetsTransmitted: index(0x4090),
  noBuffers: index(0x40a0),
  totalOctetsReceived: index(0x40c0),
  totalOctetsTransmitted: index(0x40c8),
  totalReceived: index(0x40d0),
  totalTransmitted: index(0x40d4),
  transmittedBySize: index(0x40d8),
  multicastTransmitted: index(0x40f0),
  broadcastTransmitted: index(0x40f4),
  segmentationContexts: index(0x40f8),
  segmentationFailures: index(0x40fc),
} as const;
const PAIRS: ReadonlySet<number> = new Set([
  COUNTER.goodOctetsReceived,
  COUNTER.goodOctetsTransmitted,
  COUNTER.totalOctetsReceived,
  COUNTER.totalOctetsTransmitted,
]);
const SIZES = [64, 127, 255, 511, 1023] as const;

export class Statistics {
  readonly #counters = new Uint32Array(COUNT);

  static has(offset: number): boolean {
    return offset >= START && offset < START + WORD_BYTES * COUNT;
  }

  read(offset: number): number {
    const at = index(offset);
    const value = this.#counters[at] ?? 0;
    if (!PAIRS.has(at)) this.#counters[at] = 0;
    if (PAIRS.has(at - 1)) this.#counters[at - 1] = 0;
    return value;
  }

  add(counter: number): void {
    const value = this.#counters[counter] ?? 0;
    if (value < MAX) this.#counters[counter] = value + 1;
  }

  /** A good frame, without its check sequence, which the counters of bytes count. */
  received(frame: Uint8Array): void {
    const lengthBytes = Math.max(frame.length, FRAME_BYTES_MIN) + FCS_BYTES;
    this.add(COUNTER.goodReceived);
    this.add(COUNTER.totalReceived);
    this.add(COUNTER.receivedBySize + sizeClass(lengthBytes));
    this.#addOctets(COUNTER.goodOctetsReceived, lengthBytes);
    this.#addOctets(COUNTER.totalOctetsReceived, lengthBytes);
    if (isBroadcast(frame)) this.add(COUNTER.broadcastReceived);
    else if (isGroup(frame)) this.add(COUNTER.multicastReceived);
  }

  transmitted(frame: Uint8Array): void {
    const lengthBytes = Math.max(frame.length, FRAME_BYTES_MIN) + FCS_BYTES;
    this.add(COUNTER.goodTransmitted);
    this.add(COUNTER.totalTransmitted);
    this.add(COUNTER.transmittedBySize + sizeClass(lengthBytes));
    this.#addOctets(COUNTER.goodOctetsTransmitted, lengthBytes);
    this.#addOctets(COUNTER.totalOctetsTransmitted, lengthBytes);
    if (isBroadcast(frame)) this.add(COUNTER.broadcastTransmitted);
    else if (isGroup(frame)) this.add(COUNTER.multicastTransmitted);
  }

  reset(): void {
    this.#counters.fill(0);
  }

  save(): DeviceState {
    return { counters: [...this.#counters] };
  }

  restore(reader: StateReader): void {
    this.#counters.fill(0);
    this.#counters.set(reader.integers("counters", COUNT, MAX));
  }

  #addOctets(pair: number, lengthBytes: number): void {
    const low = (this.#counters[pair] ?? 0) + lengthBytes;
    this.#counters[pair] = low;
    if (low > MAX) this.#counters[pair + 1] = (this.#counters[pair + 1] ?? 0) + 1;
  }
}

function sizeClass(lengthBytes: number): number {
  const found = SIZES.findIndex((size) => lengthBytes <= size);
  return found < 0 ? SIZES.length : found;
}
