/** Base layer: what every other layer may use. Imports nothing. */

export { assert, AssertionError, defined, fail, unreachable } from "./assert.ts";
export {
  alignDown,
  alignUp,
  allOnes,
  bit,
  bitField,
  fromBcd,
  hex,
  highU32,
  joinU64,
  lowMask,
  lowU32,
  splitU64,
  toBcd,
  u32,
  withBits,
} from "./bits.ts";
export type { U64 } from "./bits.ts";
export { ManualClock, nsAtTicks, ticksAtNs } from "./clock.ts";
export type { Clock } from "./clock.ts";
export { releasable, ReleaseStack } from "./disposable.ts";
export type { Releasable } from "./disposable.ts";
export { editDistance } from "./edit-distance.ts";
export {
  MAX_GUEST_RAM_BYTES,
  MAX_TIMERS,
  MAX_WASM_MEMORY_BYTES,
  MIN_GUEST_RAM_BYTES,
  SLOT_MEMORY_MAX_BYTES,
} from "./limits.ts";
export { concatBytes } from "./bytes.ts";
export { err, ok, OperatorFault, unwrap } from "./result.ts";
export type { OperatorError, Result } from "./result.ts";
export { TimerQueue } from "./timers.ts";
export type { Timer, Timers } from "./timers.ts";
export { GiB, KiB, MiB, NS_PER_MS, NS_PER_S, NS_PER_US, PAGE_SIZE_BYTES } from "./units.ts";
