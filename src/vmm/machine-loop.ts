/**
 * The machine loop of one VM: runs its vCPU in slices of about a millisecond, runs due timers and moves host input and
 * output between them, and while the guest halts waits in the event loop for the next timer or host event. Everything
 * here happens on one thread; what runs between two slices sees the machine at rest.
 */

import { assert, NS_PER_MS, NS_PER_S, NS_PER_US, TimerQueue } from "../base/index.ts";
import type { Timer, Timers } from "../base/index.ts";
import type { Vcpu, VcpuExit } from "../hw/index.ts";
import type { GuestClock } from "./guest-clock.ts";
import type { Scheduling, TimeSliceLength } from "./scheduling.ts";

/** A slice's goal: short enough for the next one to know how fast the guest is by now. */
const SLICE_NS = NS_PER_MS;
/**
 * How often a busy guest lets the event loop turn: short enough that a key press or a packet does not wait noticeably,
 * and long beside what a turn costs, 12 to 20 µs.
 */
const TURN_NS = 4 * NS_PER_MS;
/** The goals while the host works for the guest, whose next step may depend on it. */
const SLICE_HOST_BUSY_NS = 200 * NS_PER_US;
const TURN_HOST_BUSY_NS = SLICE_HOST_BUSY_NS / 2;
/** However near the next timer is, a slice is worth its own cost. */
const SLICE_MIN_NS = 20 * NS_PER_US;
const SLICE_MIN_INSTRUCTIONS = 1_000;
const SLICE_MAX_INSTRUCTIONS = 20_000_000;
/** A wait as long as this leaves time to tidy up, which is worth doing after as much work. */
const LONG_WAIT_NS = 100 * NS_PER_MS;
const WORK_TO_TIDY_NS = 500 * NS_PER_MS;
/**
 * A guest that has not waited for as long computes. If others want its core, it is best run for long at a time: each time that
 * it gets the core it finds caches that they have filled. One that waits has its turn soon after it is woken.
 */
const BUSY_NS = 100 * NS_PER_MS;
/** Guest time before which nothing is asked of the host: slices are late then because code is compiled in them. */
const SETTLING_NS = NS_PER_S;
/** Before anything was measured: an interpreter's speed. */
const FIRST_INSTRUCTIONS_PER_NS = 0.1;
/**
 * What a guest's timers may be late while it runs, of the time for which others had its core just before: a timer that is due
 * soon after costs as much as the late one, in caches that are as cold, and is nearly as late as that if the turn ends first.
 */
const LATENESS_SHARE = 1 / 8;
/** A slice that takes so many times what its instructions should have taken is late. */
const LATE_FACTOR = 2;
/** Weight of the newest slice in the measured speed. */
const SPEED_WEIGHT = 0.25;

/** Why the vCPU does not run: each reason is taken back by itself. */
export type HoldReason = "paused" | "restarting" | "firmware";

/** What the host does for the guest. */
export type HostWork = "files" | "networks";

export type ExitCounts = Readonly<Record<VcpuExit["kind"], number>>;

export interface MachineLoopParts {
  readonly clock: GuestClock;
  readonly scheduling: Scheduling;
  /** Called between slices with the machine at rest: moves input and output, acts on requests of the guest. */
  readonly betweenSlices: (exit: VcpuExit) => void;
  /** Called when the guest has worked and now waits for long: the time for what would keep it waiting otherwise. */
  readonly tidyUp: () => void;
  /** Asks the host for time slices of this length, which it gives if it can. */
  readonly preferTimeSlices: (length: TimeSliceLength) => void;
}

export class MachineLoop {
  /** For the machine's devices. */
  readonly timers: Timers = { schedule: (deadlineNs, callback) => this.#schedule(deadlineNs, callback) };
  readonly #timers = new TimerQueue();
  readonly #clock: GuestClock;
  readonly #scheduling: Scheduling;
  readonly #betweenSlices: (exit: VcpuExit) => void;
  readonly #tidyUp: () => void;
  readonly #preferTimeSlices: (length: TimeSliceLength) => void;
  #vcpu: Vcpu | undefined;
  #isFinished = false;
  readonly #held = new Set<HoldReason>();
  /** Whoever let the guest run is to be answered before it does, even if its next slice never came back. */
  #isReleased = true;
  #wakeUp: (() => void) | undefined;
  /** Something happened for which a halted vCPU must look again. */
  #isWoken = false;
  #instructionsPerNs = FIRST_INSTRUCTIONS_PER_NS;
  #wasLate = false;
  /** Guest time at which the running slice should end; -Infinity outside a slice. */
  #sliceEndNs = -Infinity;
  /** Guest time at which the wait of a halted vCPU ends by itself; -Infinity outside a wait. */
  #waitEndNs = -Infinity;
  #lastYieldNs = 0;
  /** Time in slices since then in which others had the core. */
  #lostNs = 0;
  /** What timers may be late, until guest time `untilNs`. */
  readonly #lateness = { ns: 0, untilNs: 0 };
  readonly #hostWork = new Set<HostWork>();
  #isHostBusy = false;
  /** Time in slices since somebody last tidied up. */
  #workedNs = 0;
  /** Time in slices since the guest last waited. */
  #busyNs = 0;
  #timeSlices: TimeSliceLength = "usual";
  readonly #exits = { slice: 0, halt: 0, shutdown: 0, requested: 0 };

  constructor(parts: MachineLoopParts) {
    this.#clock = parts.clock;
    this.#scheduling = parts.scheduling;
    this.#betweenSlices = parts.betweenSlices;
    this.#tidyUp = parts.tidyUp;
    this.#preferTimeSlices = parts.preferTimeSlices;
  }

  /** How often the vCPU came back, by reason. */
  get exits(): ExitCounts {
    return { ...this.#exits };
  }

  /** Ends the wait of a halted guest, so that its vCPU looks for interrupts again. */
  wake(): void {
    this.#isWoken = true;
    this.#wakeUp?.();
  }

  /**
   * The host has, or has no more, something under way that the guest waits for: while it has, the event loop, which
   * hears of its end, gets its turn often.
   */
  expectHost(work: HostWork, isBusy: boolean): void {
    if (isBusy && !this.#isHostBusy) this.#interruptSlice();
    if (isBusy) this.#hostWork.add(work);
    else this.#hostWork.delete(work);
    this.#isHostBusy = this.#hostWork.size > 0;
  }

  /**
   * Keeps the vCPU from running until {@link release} of the same reason. From a bus callback it takes effect at the next
   * block end.
   */
  hold(reason: HoldReason): void {
    this.#held.add(reason);
    this.#interruptSlice();
  }

  release(reason: HoldReason): void {
    this.#held.delete(reason);
    if (this.#held.size > 0) return;
    this.#isReleased = true;
    this.wake();
  }

  /** Makes {@link run} return. */
  finish(): void {
    this.#isFinished = true;
    this.#interruptSlice();
    this.wake();
  }

  /** Runs `vcpu` until {@link finish}. What is thrown while it runs is our own bug and rejects. */
  async run(vcpu: Vcpu): Promise<void> {
    assert(this.#vcpu === undefined, "a loop runs one vCPU, once");
    this.#vcpu = vcpu;
    while (!this.#isFinished) {
      if (this.#held.size > 0) {
        await this.#wait(undefined);
        continue;
      }
      if (this.#isReleased) {
        this.#isReleased = false;
        await this.#yield();
        continue;
      }
      this.#runTimers();
      const exit = this.#runSlice(vcpu);
      this.#exits[exit.kind]++;
      this.#betweenSlices(exit);
      if (exit.kind === "halt") await this.#wait(this.#timers.nextDeadlineNs());
      else await this.#yieldIfDue();
    }
  }

  #schedule(deadlineNs: number, callback: () => void): Timer {
    const timer = this.#timers.schedule(deadlineNs, callback);
    // The clock is asked only if the slice may have to end.
    if (
      deadlineNs < this.#sliceEndNs &&
      deadlineNs < this.#sliceEndNs - this.#latenessNs(this.#clock.nowNs())
    ) {
      this.#sliceEndNs = deadlineNs;
      this.#vcpu?.requestExit();
    }
    // Host input makes devices schedule too, while the vCPU is halted.
    if (deadlineNs < this.#waitEndNs) this.wake();
    return timer;
  }

  /** Those that are due, all at once, as soon as one is as late as it may be. */
  #runTimers(): void {
    this.#clock.atOneInstant((nowNs) => {
      const deadlineNs = this.#timers.nextDeadlineNs() ?? Infinity;
      if (deadlineNs <= nowNs - this.#latenessNs(nowNs)) this.#timers.runDue(nowNs);
    });
  }

  #latenessNs(nowNs: number): number {
    return nowNs < this.#lateness.untilNs ? this.#lateness.ns : 0;
  }

  #interruptSlice(): void {
    if (this.#sliceEndNs !== -Infinity) this.#vcpu?.requestExit();
  }

  #runSlice(vcpu: Vcpu): VcpuExit {
    const startNs = this.#clock.nowNs();
    const dueInNs = (this.#timers.nextDeadlineNs() ?? Infinity) - startNs + this.#latenessNs(startNs);
    const lengthNs = Math.max(SLICE_MIN_NS, Math.min(this.#sliceNs(), dueInNs));
    const wanted = Math.round(lengthNs * this.#instructionsPerNs);
    const maxInstructions = Math.min(SLICE_MAX_INSTRUCTIONS, Math.max(SLICE_MIN_INSTRUCTIONS, wanted));
    const before = vcpu.instructionsRetired;
    this.#isWoken = false;
    this.#sliceEndNs = startNs + lengthNs;
    const exit = vcpu.run({ maxInstructions });
    this.#sliceEndNs = -Infinity;
    const endNs = this.#clock.nowNs();
    this.#workedNs += endNs - startNs;
    this.#busyNs += endNs - startNs;
    const lostNs = this.#measure(Number(vcpu.instructionsRetired - before), endNs - startNs);
    if (lostNs > 0) {
      if (this.#busyNs >= BUSY_NS && endNs >= SETTLING_NS) this.#wantTimeSlices("long");
      this.#lostNs += lostNs;
      this.#lateness.ns = lostNs * LATENESS_SHARE;
      this.#lateness.untilNs = endNs + lostNs;
    }
    return exit;
  }

  #wantTimeSlices(length: TimeSliceLength): void {
    if (length === this.#timeSlices) return;
    this.#timeSlices = length;
    this.#preferTimeSlices(length);
  }

  #sliceNs(): number {
    return this.#isHostBusy ? SLICE_HOST_BUSY_NS : SLICE_NS;
  }

  #turnNs(): number {
    return this.#isHostBusy ? TURN_HOST_BUSY_NS : TURN_NS;
  }

  /**
   * Learns the guest's speed from slices long enough to say something about it. A single one that took far longer than
   * its instructions should have says that this thread had no core meanwhile: others had their turn. A second one in a
   * row says that the guest has become slow, and is believed at once, so that the third is no longer than it should be.
   *
   * Returns how much of the slice others had.
   */
  #measure(instructions: number, elapsedNs: number): number {
    if (instructions < SLICE_MIN_INSTRUCTIONS || elapsedNs <= 0) return 0;
    const wasLate = this.#wasLate;
    this.#wasLate = elapsedNs * this.#instructionsPerNs > LATE_FACTOR * instructions;
    if (this.#wasLate && !wasLate) return elapsedNs - instructions / this.#instructionsPerNs;
    const weight = this.#wasLate ? 1 : SPEED_WEIGHT;
    this.#instructionsPerNs += weight * (instructions / elapsedNs - this.#instructionsPerNs);
    return 0;
  }

  async #yieldIfDue(): Promise<void> {
    if (this.#scheduling.nowNs() - this.#lastYieldNs - this.#lostNs >= this.#turnNs()) await this.#yield();
  }

  async #yield(): Promise<void> {
    await this.#scheduling.yieldToEvents();
    this.#hasYielded();
  }

  #hasYielded(): void {
    this.#lastYieldNs = this.#scheduling.nowNs();
    this.#lostNs = 0;
  }

  #tidyUpIfWorthwhile(deadlineNs = Infinity): void {
    const isLongWait = deadlineNs - this.#clock.nowNs() >= LONG_WAIT_NS;
    if (!isLongWait || this.#workedNs < WORK_TO_TIDY_NS) return;
    this.#workedNs = 0;
    this.#tidyUp();
  }

  /** Waits for {@link wake} or until guest time has reached `deadlineNs`. */
  async #wait(deadlineNs: number | undefined): Promise<void> {
    if (this.#isWoken) {
      // Nobody may keep the event loop for itself, not even a guest that is woken without end.
      this.#isWoken = false;
      await this.#yieldIfDue();
      return;
    }
    // What the host does for the guest is soon over, however far the next timer is.
    if (!this.#isHostBusy) this.#tidyUpIfWorthwhile(deadlineNs);
    const delayNs = deadlineNs === undefined ? undefined : deadlineNs - this.#clock.nowNs();
    if (delayNs !== undefined && delayNs <= 0) {
      await this.#yieldIfDue();
      return;
    }
    this.#busyNs = 0;
    this.#wantTimeSlices("usual");
    const precision = this.#isHostBusy ? "listening" : "exact";
    this.#waitEndNs = deadlineNs ?? Infinity;
    await new Promise<void>((resolve) => {
      const timer =
        delayNs === undefined ? undefined : this.#scheduling.setTimer(delayNs, resolve, precision);
      this.#wakeUp = () => {
        timer?.cancel();
        resolve();
      };
    });
    this.#wakeUp = undefined;
    this.#waitEndNs = -Infinity;
    this.#hasYielded();
  }
}
