/** The typevisor command: runs when it is imported. */

import { spawnVm } from "../spawn-vm.ts";
import { runCli } from "./program.ts";

process.exitCode = await runCli(process.argv.slice(2), { spawn: spawnVm });
