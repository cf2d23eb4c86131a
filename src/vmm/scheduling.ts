/**
 * What a VM asks of the event loop it lives in: monotonic time, one-shot timers, and a turn for others. Injected, so
 * that a VM runs in Node, in a browser tab, and deterministically in a test.
 */

export interface HostTimer {
  /** Does nothing once it has run or been cancelled. */
  cancel(): void;
}

/**
 * "exact", the default: the event loop may stand still for the last stretch. "listening": it hears of everything meanwhile,
 * and the callback may come a millisecond late.
 */
export type TimerPrecision = "exact" | "listening";

/** How long the host lets a thread run at a time while others want its core: as it does by itself, or several times that. */
export type TimeSliceLength = "usual" | "long";

export interface Scheduling {
  /** Monotonic host time in nanoseconds, from any start. */
  nowNs(): number;
  /** Runs `callback` once, `delayNs` from now or as soon after it as the host can, never before this returns. */
  setTimer(delayNs: number, callback: () => void, precision?: TimerPrecision): HostTimer;
  /** Resolves after the event loop has looked for input and output that is ready, and delivered it. */
  yieldToEvents(): Promise<void>;
}
