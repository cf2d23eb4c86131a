/**
 * Intel 8254 programmable interval timer (order number 231164) at the PC's 1.193182 MHz: three counters, the
 * counter latch and read-back commands, and the interrupt from counter 0's output.
 *
 * The counters are exact; interrupts are as punctual as the machine loop. When the loop is late, edges are made up
 * for one at a time, no closer than half a period, so that a guest that counts ticks keeps time without an
 * interrupt storm; beyond MAX_LAG_NS they are dropped.
 */

import { assert, defined, NS_PER_MS, NS_PER_US, nsAtTicks, ticksAtNs } from "../../base/index.ts";
import type { Clock, Device, DeviceState, IrqLine, RegisterHooks, Timer, Timers } from "../../hw/index.ts";
import { defineRegisters, RegisterFile, StateReader } from "../../hw/index.ts";
import { PitCounter } from "./pit-counter.ts";

export interface Pit8254Config {
  readonly clock: Clock;
  readonly timers: Timers;
  /** OUT of counter 0. */
  readonly irq: IrqLine;
}

/** 315/88 MHz divided by 12, rounded as every OS rounds it. */
export const PIT_FREQUENCY_HZ = 1_193_182;
/** Ticks that are late by more than this are not made up for. */
const MAX_LAG_NS = 250 * NS_PER_MS;
/** Edges are never closer than this: a count of 1 or 2 must not keep the host busy. */
const MIN_EDGE_INTERVAL_NS = 20 * NS_PER_US;

const REGISTERS = defineRegisters({
  counter0: { at: 0, read: "readCounter0", write: "writeCounter0" },
  counter1: { at: 1, read: "readCounter1", write: "writeCounter1" },
  counter2: { at: 2, read: "readCounter2", write: "writeCounter2" },
  control: { at: 3, access: "wo", write: "controlWritten" },
});

const READ_BACK = { select: 3, notCount: 0x20, notStatus: 0x10 } as const;

export class Pit8254 implements Device, RegisterHooks<typeof REGISTERS> {
  readonly name = "pit";
  readonly registers = new RegisterFile(REGISTERS, this);
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #irq: IrqLine;
  /** Counters 0 and 1 have their gates tied high, counter 2's is bit 0 of port 61h. */
  #counters: readonly [PitCounter, PitCounter, PitCounter] = newCounters();
  #timer: Timer | undefined;
  /** The tick of the last edge that was delivered, or from which on edges count. */
  #deliveredTick = 0;
  /** The level of the line: edges are delivered when OUT rises, so that between them it can differ from OUT. */
  #level = false;
  #isConnected = true;
  #droppedEdges = 0;

  constructor(config: Pit8254Config) {
    this.#clock = config.clock;
    this.#timers = config.timers;
    this.#irq = config.irq;
    this.reset();
  }

  /** Timer interrupts that were not delivered because the machine fell too far behind. */
  get droppedEdges(): number {
    return this.#droppedEdges;
  }

  /** Counter 0 of which nothing is seen goes on without timers; once it is seen again, it is where it should be. */
  setOutputConnected(isConnected: boolean): void {
    if (isConnected === this.#isConnected) return;
    this.#isConnected = isConnected;
    this.#outputChanged();
  }

  /** Gate of counter 2. */
  setSpeakerGate(gate: boolean): void {
    this.#counters[2].setGate(gate, this.#tick());
  }

  /** OUT of counter 2. */
  get speakerOut(): boolean {
    return this.#counters[2].outAt(this.#tick());
  }

  reset(): void {
    this.#counters = newCounters();
    this.#outputChanged();
  }

  save(): DeviceState {
    const tick = this.#tick();
    return {
      counters: this.#counters.map((counter) => counter.save(tick)),
      deliveredTick: this.#deliveredTick,
      level: this.#level,
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    reader.children("counters", 3).forEach((counter, index) => this.#counter(index).restore(counter));
    this.#deliveredTick = reader.integer("deliveredTick", Number.MAX_SAFE_INTEGER);
    this.#drive(reader.boolean("level"));
    this.#schedule(0);
  }

  // Register hooks.

  readCounter0(): number {
    return this.#counters[0].read(this.#tick());
  }

  readCounter1(): number {
    return this.#counters[1].read(this.#tick());
  }

  readCounter2(): number {
    return this.#counters[2].read(this.#tick());
  }

  writeCounter0(written: number): void {
    this.#counters[0].write(written, this.#tick());
    this.#outputChanged();
  }

  writeCounter1(written: number): void {
    this.#counters[1].write(written, this.#tick());
  }

  writeCounter2(written: number): void {
    this.#counters[2].write(written, this.#tick());
  }

  controlWritten(written: number): void {
    const tick = this.#tick();
    const select = written >> 6;
    if (select === READ_BACK.select) {
      this.#counters.forEach((counter, index) => {
        if ((written & (2 << index)) === 0) return;
        if ((written & READ_BACK.notCount) === 0) counter.latchCount(tick);
        if ((written & READ_BACK.notStatus) === 0) counter.latchStatus(tick);
      });
      return;
    }
    this.#counter(select).control(written, tick);
    // A latch command changes no output, and must not disturb edges that are being made up for.
    const isLatch = (written & 0x30) === 0;
    if (select === 0 && !isLatch) this.#outputChanged();
  }

  // Workings.

  #tick(): number {
    return ticksAtNs(this.#clock.nowNs(), PIT_FREQUENCY_HZ);
  }

  #counter(index: number): PitCounter {
    return defined(this.#counters[index], "there are three counters");
  }

  /** Counter 0 was programmed: its old edges are void. */
  #outputChanged(): void {
    const tick = this.#tick();
    this.#deliveredTick = tick;
    this.#drive(this.#counters[0].outAt(tick));
    this.#schedule(0);
  }

  #drive(level: boolean): void {
    this.#level = level;
    this.#irq.set(level);
  }

  #schedule(notBeforeNs: number): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (!this.#isConnected) return;
    const rise = this.#counters[0].nextRiseAfter(this.#deliveredTick);
    if (rise === undefined) return;
    const deadlineNs = Math.max(nsAtTicks(rise, PIT_FREQUENCY_HZ), notBeforeNs);
    this.#timer = this.#timers.schedule(deadlineNs, () => this.#deliver(rise));
  }

  #deliver(rise: number): void {
    const nowNs = this.#clock.nowNs();
    const tick = this.#tick();
    assert(tick >= rise, "timers never run early");
    this.#drive(false);
    this.#drive(true);
    this.#drive(this.#counters[0].outAt(tick));
    this.#deliveredTick = rise;
    const { period } = this.#counters[0];
    if (period > 0 && nowNs - nsAtTicks(rise, PIT_FREQUENCY_HZ) > MAX_LAG_NS) {
      const dropped = Math.floor((tick - rise) / period);
      this.#droppedEdges += dropped;
      this.#deliveredTick += dropped * period;
    }
    const pauseNs = Math.max(MIN_EDGE_INTERVAL_NS, nsAtTicks(period, PIT_FREQUENCY_HZ) / 2);
    this.#schedule(nowNs + pauseNs);
  }
}

function newCounters(): [PitCounter, PitCounter, PitCounter] {
  return [new PitCounter(true), new PitCounter(true), new PitCounter(false)];
}
