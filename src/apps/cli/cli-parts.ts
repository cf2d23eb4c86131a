/** What the commands need from outside: injected, so that tests can give VMs that are not. */

import type { SpawnVmProcess } from "../../host/index.ts";

export interface CliParts {
  readonly spawn: SpawnVmProcess;
}

/** One clear sentence on standard error. */
export function printError(message: string): void {
  process.stderr.write(`typevisor: ${message}\n`);
}
