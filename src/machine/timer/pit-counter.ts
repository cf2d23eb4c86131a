/**
 * One counter of an Intel 8254 (order number 231164, "Counter Programming" and "Mode Definitions"). It does not
 * tick: count and output are computed from the tick at which counting began, so that they are exact whenever they
 * are looked at and cost nothing in between. Ticks are those of the chip's clock, counted from VM creation.
 */

import { fromBcd } from "../../base/index.ts";
import type { DeviceState, StateReader } from "../../hw/index.ts";

/** Read/write modes of the control word (RW1, RW0). */
const ACCESS = { low: 1, high: 2, lowHigh: 3 } as const;

/** A stretch of counting with one initial count. */
interface Segment {
  /** The tick at which the counting element holds `count`. */
  readonly startTick: number;
  /** Initial count, 1 to 65536. */
  readonly count: number;
}

export class PitCounter {
  #mode = 0;
  #bcd = false;
  #access = 0;
  #gate: boolean;

  /** Undefined until a count is loaded (modes 0, 2, 3, 4) or triggered (1, 5). */
  #segment: Segment | undefined;
  /** What replaces the segment at `startTick` … the end of the cycle (modes 2 and 3). */
  #next: (Segment & { readonly fromTick: number }) | undefined;
  /** Ticks counted when the gate went low (modes 0 and 4); undefined while counting. */
  #pausedAfter: number | undefined;
  /** The count register: what the next load or trigger takes. Undefined until written after a control word. */
  #written: number | undefined;

  #firstByte: number | undefined;
  #readsHigh = false;
  #latchedCount: number | undefined;
  #latchedStatus: number | undefined;

  constructor(gate: boolean) {
    this.#gate = gate;
  }

  /** Control word for this counter; `word` bits 0–5. */
  control(word: number, tick: number): void {
    const access = (word >> 4) & 3;
    if (access === 0) {
      this.latchCount(tick);
      return;
    }
    const mode = (word >> 1) & 7;
    // Modes 6 and 7 are 2 and 3: the top bit is "don't care".
    this.#mode = mode > 5 ? mode - 4 : mode;
    this.#bcd = (word & 1) !== 0;
    this.#access = access;
    this.#segment = undefined;
    this.#next = undefined;
    this.#pausedAfter = undefined;
    this.#written = undefined;
    this.#firstByte = undefined;
    this.#readsHigh = false;
    this.#latchedCount = undefined;
    this.#latchedStatus = undefined;
  }

  /** Counter latch command; a second one before the first is read does nothing. */
  latchCount(tick: number): void {
    this.#latchedCount ??= this.#encodedCountAt(tick);
  }

  /** The status half of the read-back command. */
  latchStatus(tick: number): void {
    this.#latchedStatus ??=
      (this.outAt(tick) ? 0x80 : 0) |
      (this.#isNullCount(tick) ? 0x40 : 0) |
      (this.#access << 4) |
      (this.#mode << 1) |
      (this.#bcd ? 1 : 0);
  }

  read(tick: number): number {
    if (this.#latchedStatus !== undefined) {
      const status = this.#latchedStatus;
      this.#latchedStatus = undefined;
      return status;
    }
    const count = this.#latchedCount ?? this.#encodedCountAt(tick);
    const high = this.#access === ACCESS.high || (this.#access === ACCESS.lowHigh && this.#readsHigh);
    if (this.#access === ACCESS.lowHigh) this.#readsHigh = !this.#readsHigh;
    if (high || this.#access !== ACCESS.lowHigh) this.#latchedCount = undefined;
    return high ? count >> 8 : count & 0xff;
  }

  write(value: number, tick: number): void {
    switch (this.#access) {
      case ACCESS.low:
        this.#load(value, tick);
        break;
      case ACCESS.high:
        this.#load(value << 8, tick);
        break;
      case ACCESS.lowHigh:
        if (this.#firstByte === undefined) {
          this.#firstByte = value;
          // The first of two bytes stops mode 0 and drives OUT low.
          if (this.#mode === 0) this.#segment = undefined;
        } else {
          const low = this.#firstByte;
          this.#firstByte = undefined;
          this.#load(low | (value << 8), tick);
        }
        break;
      default:
        // No control word yet: the chip's state is undefined, and here it ignores the write.
        break;
    }
  }

  setGate(gate: boolean, tick: number): void {
    if (gate === this.#gate) return;
    this.#advance(tick);
    this.#gate = gate;
    const segment = this.#segment;
    switch (this.#mode) {
      case 0:
      case 4:
        if (segment === undefined) return;
        if (gate) this.#segment = { startTick: tick - (this.#pausedAfter ?? 0), count: segment.count };
        this.#pausedAfter = gate ? undefined : Math.max(0, tick - segment.startTick);
        return;
      case 1:
      case 5:
        if (gate) this.#trigger(tick);
        return;
      default:
        if (gate) this.#trigger(tick);
        else {
          this.#segment = undefined;
          this.#next = undefined;
        }
        return;
    }
  }

  /** The OUT pin. */
  outAt(tick: number): boolean {
    this.#advance(tick);
    const segment = this.#segment;
    if (segment === undefined) return this.#mode !== 0;
    const elapsed = this.#elapsed(segment, tick);
    const { count } = segment;
    switch (this.#mode) {
      case 0:
      case 1:
        return elapsed >= count;
      case 2:
        return elapsed % count !== count - 1;
      case 3:
        return elapsed % count < highTicks(count);
      default:
        return elapsed !== count;
    }
  }

  /** The first tick after `tick` at which OUT rises if nothing more is written. */
  nextRiseAfter(tick: number): number | undefined {
    const segment = this.#segment;
    if (segment === undefined || this.#pausedAfter !== undefined) return undefined;
    switch (this.#mode) {
      case 0:
      case 1:
        return later(segment.startTick + segment.count, tick);
      case 2:
      case 3: {
        const rise = nextCycle(segment, tick);
        const next = this.#next;
        if (next === undefined || rise <= next.fromTick) return rise;
        return nextCycle(next, Math.max(tick, next.fromTick));
      }
      default:
        return later(segment.startTick + segment.count + 1, tick);
    }
  }

  /** Ticks between two rises in the periodic modes, for pacing; 0 in the others. */
  get period(): number {
    return this.#mode === 2 || this.#mode === 3 ? (this.#segment?.count ?? 0) : 0;
  }

  save(tick: number): DeviceState {
    this.#advance(tick);
    return {
      mode: this.#mode,
      bcd: this.#bcd,
      access: this.#access,
      gate: this.#gate,
      segment: this.#segment === undefined ? null : { ...this.#segment },
      next: this.#next === undefined ? null : { ...this.#next },
      pausedAfter: this.#pausedAfter ?? null,
      written: this.#written ?? null,
      firstByte: this.#firstByte ?? null,
      readsHigh: this.#readsHigh,
      latchedCount: this.#latchedCount ?? null,
      latchedStatus: this.#latchedStatus ?? null,
    };
  }

  restore(reader: StateReader): void {
    this.#mode = reader.integer("mode", 5);
    this.#bcd = reader.boolean("bcd");
    this.#access = reader.integer("access", 3);
    this.#gate = reader.boolean("gate");
    this.#segment = reader.isNull("segment") ? undefined : readSegment(reader.child("segment"));
    const next = reader.isNull("next") ? undefined : reader.child("next");
    this.#next = next && { ...readSegment(next), fromTick: next.integer("fromTick", MAX_TICK) };
    const optional = (field: string, max: number): number | undefined =>
      reader.isNull(field) ? undefined : reader.integer(field, max);
    this.#pausedAfter = optional("pausedAfter", MAX_TICK);
    this.#written = optional("written", 0x1_0000);
    this.#firstByte = optional("firstByte", 0xff);
    this.#readsHigh = reader.boolean("readsHigh");
    this.#latchedCount = optional("latchedCount", 0xffff);
    this.#latchedStatus = optional("latchedStatus", 0xff);
  }

  // Workings.

  /** Counts wrap at 65536, or 10000 in BCD. */
  get #modulus(): number {
    return this.#bcd ? 10_000 : 0x1_0000;
  }

  #load(encoded: number, tick: number): void {
    this.#advance(tick);
    const value = this.#bcd ? fromBcd(encoded >> 8) * 100 + fromBcd(encoded & 0xff) : encoded;
    this.#written = value === 0 ? this.#modulus : value;
    switch (this.#mode) {
      case 0:
      case 4:
        this.#trigger(tick);
        this.#pausedAfter = this.#gate ? undefined : 0;
        break;
      case 2:
      case 3:
        if (this.#segment !== undefined) this.#next = this.#atEndOfCycle(this.#segment, this.#written, tick);
        else if (this.#gate) this.#trigger(tick);
        break;
      default:
        // Modes 1 and 5 wait for the gate.
        break;
    }
  }

  /** Counting begins anew with the written count, which the next clock pulse loads. */
  #trigger(tick: number): void {
    if (this.#written === undefined) return;
    this.#segment = { startTick: tick + 1, count: this.#written };
    this.#next = undefined;
  }

  /** Mode 2 takes a new count at the end of the cycle, mode 3 at the end of the half-cycle. */
  #atEndOfCycle(segment: Segment, count: number, tick: number): Segment & { fromTick: number } {
    const cycle = Math.max(0, Math.floor((tick - segment.startTick) / segment.count));
    const cycleTick = segment.startTick + cycle * segment.count;
    const middleTick = cycleTick + highTicks(segment.count);
    if (this.#mode === 3 && tick < middleTick) {
      // The low half that follows has the new length: the new cycle is dated back by its high half.
      return { startTick: middleTick - highTicks(count), count, fromTick: middleTick };
    }
    const endTick = cycleTick + segment.count;
    return { startTick: endTick, count, fromTick: endTick };
  }

  #advance(tick: number): void {
    if (this.#next === undefined || tick < this.#next.fromTick) return;
    this.#segment = { startTick: this.#next.startTick, count: this.#next.count };
    this.#next = undefined;
  }

  #elapsed(segment: Segment, tick: number): number {
    return this.#pausedAfter ?? Math.max(0, tick - segment.startTick);
  }

  /** The counting element as the guest reads it. */
  #encodedCountAt(tick: number): number {
    this.#advance(tick);
    const count = this.#countAt(tick);
    if (!this.#bcd) return count & 0xffff;
    const digits = count % 10_000;
    let encoded = 0;
    for (let i = 0, rest = digits; i < 4; i++, rest = Math.floor(rest / 10))
      encoded |= (rest % 10) << (4 * i);
    return encoded;
  }

  #countAt(tick: number): number {
    const segment = this.#segment;
    if (segment === undefined) return this.#written ?? 0;
    const elapsed = this.#elapsed(segment, tick);
    const { count } = segment;
    if (this.#mode === 2) return count - (elapsed % count);
    if (this.#mode === 3) {
      const phase = elapsed % count;
      const high = highTicks(count);
      return (count & ~1) - 2 * (phase < high ? phase : phase - high);
    }
    const modulus = this.#modulus;
    return (((count - elapsed) % modulus) + modulus) % modulus;
  }

  /** Null count: what was written last is not in the counting element yet. */
  #isNullCount(tick: number): boolean {
    this.#advance(tick);
    const segment = this.#segment;
    return segment === undefined || this.#next !== undefined || tick < segment.startTick;
  }
}

/** Ticks in guest time reach this after 239 years. */
const MAX_TICK = Number.MAX_SAFE_INTEGER;

function readSegment(reader: StateReader): Segment {
  return { startTick: reader.number("startTick"), count: reader.integer("count", 0x1_0000) || 1 };
}

/** Mode 3's output is high for the longer half of an odd count. */
function highTicks(count: number): number {
  return (count + 1) >> 1;
}

function later(eventTick: number, tick: number): number | undefined {
  return eventTick > tick ? eventTick : undefined;
}

/** The first whole number of cycles, at least one, that ends after `tick`. */
function nextCycle(segment: Segment, tick: number): number {
  const cycles = Math.max(1, Math.floor((tick - segment.startTick) / segment.count) + 1);
  return segment.startTick + cycles * segment.count;
}
