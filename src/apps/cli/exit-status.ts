/** What a VM's end means for a program: its exit status, and a sentence for people. One place, for all commands. */

import type { VmEnding } from "../../host/index.ts";
import { debugExitStatus } from "../../vmm/index.ts";

export const EXIT = { ok: 0, error: 1, crashed: 3, timeout: 124, interrupted: 130 } as const;

export function exitStatusOf(outcome: VmEnding): number {
  switch (outcome.kind) {
    case "powered-off":
    case "stopped":
      return EXIT.ok;
    case "debug-exit":
      return debugExitStatus(outcome.value);
    case "crashed":
      return EXIT.crashed;
    case "timeout":
      return EXIT.timeout;
    case "host-error":
    case "failed":
    case "process-died":
    case "process-hostile":
    case "process-silent":
      return EXIT.error;
  }
}

/** "crashed (triple fault)": to follow the VM's name. */
export function describeEnding(outcome: VmEnding): string {
  switch (outcome.kind) {
    case "powered-off":
      return "powered off";
    case "stopped":
      return "was stopped";
    case "debug-exit":
      return `ended through isa-debug-exit with the value ${outcome.value}`;
    case "crashed":
      return "crashed (triple fault)";
    case "timeout":
      return `was ended after its timeout of ${outcome.seconds} s`;
    case "host-error":
      return `was ended by an error of the host: ${outcome.error.message}`;
    case "failed":
      return "was stopped by a bug in Typevisor";
    case "process-died": {
      const { exitCode, signal } = outcome.ending;
      const how = signal === undefined ? `with status ${exitCode ?? "unknown"}` : `by ${signal}`;
      return `lost its process, which ended ${how}`;
    }
    case "process-hostile":
      return "was killed because its process sent what no VM of Typevisor sends";
    case "process-silent":
      return `was killed because its process did not answer for ${outcome.seconds} s`;
  }
}
