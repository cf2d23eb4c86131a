/**
 * The typevisor command: runs when it is imported. Everything else is imported after the compile cache has been turned
 * on, which spares later runs most of the time for parsing; in a checkout, also the stripping of types.
 */

import { enableCompileCache } from "node:module";

enableCompileCache();
const [{ spawnVm }, { runCli }] = await Promise.all([import("../spawn-vm.ts"), import("./program.ts")]);
process.exitCode = await runCli(process.argv.slice(2), { spawn: spawnVm });
