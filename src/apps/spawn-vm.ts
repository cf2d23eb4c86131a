/** Starts VM processes for the programs of this package, from its sources or from what was built. */

import type { SpawnVmProcess } from "../host/index.ts";
import { forkVmProcess } from "../platform/node/index.ts";

/** The module that runs a VM lies beside this one, in src/ as TypeScript and in dist/ as JavaScript. */
const extension = import.meta.url.slice(import.meta.url.lastIndexOf("."));
const entry = new URL(`./vm-process/main${extension}`, import.meta.url);

export const spawnVm: SpawnVmProcess = (vmName) => forkVmProcess(entry, vmName);
