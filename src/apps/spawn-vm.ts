/** Starts VM processes for the programs of this package, from its sources or from what was built. */

import type { SpawnVmProcess, VmProcessLink } from "../host/index.ts";
import { forkVmProcess } from "../platform/node/index.ts";
import { moduleExtension } from "./quick-imports.ts";

/** The module that runs a VM lies beside this one, in src/ and in dist/. */
const entry = new URL(`./vm-process/main${moduleExtension}`, import.meta.url);

export const spawnVm: SpawnVmProcess = () => forkVmProcess(entry);

export interface ProcessAhead {
  /** Gives the process that was started, and to whoever asks again a new one. */
  readonly spawn: SpawnVmProcess;
  /** Ends the process if nobody has asked for it. */
  release(): void;
}

/**
 * Starts the process of a VM that is yet to be defined: it loads its modules, which takes longer than anything else in
 * the start of a VM, while this one loads its own.
 */
export function spawnVmAhead(): ProcessAhead {
  let waiting: VmProcessLink | undefined = forkVmProcess(entry);
  return {
    spawn() {
      const link = waiting ?? forkVmProcess(entry);
      waiting = undefined;
      return link;
    },
    release() {
      waiting?.kill();
    },
  };
}
