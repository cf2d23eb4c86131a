/** How a VM ended. Plain data: it is sent from the VM's process to whoever watches it. */

import type { OperatorError } from "../base/index.ts";
import type { CrashDump } from "./crash-dump.ts";

export type VmOutcome =
  | { readonly kind: "powered-off" }
  /** The guest wrote `value` to isa-debug-exit; {@link debugExitStatus} makes a process status of it. */
  | { readonly kind: "debug-exit"; readonly value: number }
  /** Triple fault. */
  | { readonly kind: "crashed"; readonly dump: CrashDump }
  | { readonly kind: "timeout"; readonly seconds: number }
  | { readonly kind: "stopped" }
  /** The host could no longer do its part, e.g. read the kernel again for a reset. */
  | { readonly kind: "host-error"; readonly error: OperatorError }
  /** A bug of ours stopped this VM. */
  | { readonly kind: "failed"; readonly report: FailureReport };

export interface FailureReport {
  /** The exception's name, message and stack. */
  readonly reason: string;
  /** Missing when even the dump could not be made. */
  readonly dump: CrashDump | undefined;
}

/** QEMU's convention: (value << 1) | 1, so that no guest can claim the status 0. */
export function debugExitStatus(value: number): number {
  return ((value << 1) | 1) & 0xff;
}
