/**
 * The typevisor command: runs when it is imported. Everything else is imported once imports are quick, which spares later
 * runs most of the time for finding and parsing modules; in a checkout, also the stripping of types.
 */

import { enableQuickImports } from "../quick-imports.ts";

enableQuickImports();
const [{ spawnVm }, { runCli }] = await Promise.all([import("../spawn-vm.ts"), import("./program.ts")]);
process.exitCode = await runCli(process.argv.slice(2), { spawn: spawnVm });
