/**
 * Time and the event loop of Node.js in the shape of the VM's `Scheduling` (which this layer may not import:
 * applications pass it on, and the compiler compares the shapes there).
 *
 * Node's own timers count in milliseconds and come up to one late, which a guest would notice in its timer interrupts.
 * The last stretch of a wait is therefore slept in Atomics.wait, which is exact to some tens of microseconds; it blocks
 * the event loop, for less than {@link BLOCKING_WAIT_MAX_MS}, and burns no processor time.
 */

/** The longest time for which the event loop does not see new input. */
const BLOCKING_WAIT_MAX_MS = 1.5;
/** setTimeout takes whole milliseconds up to this; a longer wait is cut short and its caller looks again. */
const TIMEOUT_MAX_MS = 0x7fffffff;

const neverNotified = new Int32Array(new SharedArrayBuffer(4));

const nowNs = (): number => Math.floor(performance.now() * 1e6);

export const nodeScheduling = {
  nowNs,

  setTimer(
    delayNs: number,
    callback: () => void,
    precision: "exact" | "listening" = "exact",
  ): { cancel(): void } {
    if (precision === "listening") {
      const timeout = setTimeout(callback, Math.min(Math.ceil(delayNs / 1e6), TIMEOUT_MAX_MS));
      return { cancel: () => clearTimeout(timeout) };
    }
    const deadlineMs = performance.now() + delayNs / 1e6;
    const finish = (): void => {
      const restMs = deadlineMs - performance.now();
      if (restMs > 0) Atomics.wait(neverNotified, 0, 0, Math.min(restMs, BLOCKING_WAIT_MAX_MS));
      callback();
    };
    // A timeout of n comes between n and n + 1 ms after the event loop last looked at the clock.
    const coarseMs = Math.floor(delayNs / 1e6 - 1);
    if (coarseMs < 1) {
      const immediate = setImmediate(finish);
      return { cancel: () => clearImmediate(immediate) };
    }
    const timeout = setTimeout(finish, Math.min(coarseMs, TIMEOUT_MAX_MS));
    return { cancel: () => clearTimeout(timeout) };
  },

  /** setImmediate runs after the event loop has polled, so that nobody's input waits for ever. */
  yieldToEvents(): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(resolve);
    });
  },
};

/** Nanoseconds since 1970, UTC. */
export function wallClockNs(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}
