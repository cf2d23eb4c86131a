/** A program that starts a VM, tells its process, and waits to be killed. */

import { spawnScriptedVm } from "../testing.ts";
import { startVmIn } from "./vm.ts";

const vm = await startVmIn(spawnScriptedVm, { kernel: process.argv[2], append: "spin" });
process.send?.(vm.pid);
await vm.ended;
