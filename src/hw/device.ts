/**
 * The lifecycle every device shares. The board calls: construction (power-on state) → reset() any number of
 * times → save()/restore(). save() and restore() are called only between vCPU slices, and restore() only on a
 * device built with the configuration of the one that was saved. None of them may call into another device
 * except through interrupt lines, which restore() leaves at the level that the restored state implies.
 */

import type { DeviceState } from "./state.ts";

export interface Device {
  /** Unique on its board; names the device in snapshots and logs. */
  readonly name: string;
  /** The hardware reset signal: every register takes its reset value and pending work is dropped. */
  reset(): void;
  /** All guest-visible state, and nothing of the host's. */
  save(): DeviceState;
  restore(state: DeviceState): void;
}
