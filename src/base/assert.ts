/**
 * Assertions: the fourth kind of error, our own bugs. A failed assertion stops the VM it happened in, with a
 * dump; it is never caught to carry on. Guests and operators must not be able to cause one.
 */

/** Thrown by a failed assertion; the VM process turns it into a crash report. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws {@link AssertionError} unless `condition` holds. `message` says what was believed to be true. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) fail(message);
}

/** Reports a bug at a place that was believed unreachable or a state that was believed impossible. */
export function fail(message: string): never {
  throw new AssertionError(message);
}

/** Makes a switch over a union exhaustive: does not compile while a variant is unhandled. */
export function unreachable(value: never): never {
  fail(`unhandled variant ${String(value)}`);
}

/** `value`, which our own logic guarantees to be there. */
export function defined<T>(value: T | undefined | null, message: string): T {
  if (value === undefined || value === null) fail(message);
  return value;
}
