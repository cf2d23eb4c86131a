/**
 * The typevisor command: runs when it is imported. Everything else is imported once imports are quick, which spares later
 * runs most of the time for finding and parsing modules; in a checkout, also the stripping of types.
 */

import { enableQuickImports } from "../quick-imports.ts";

enableQuickImports();
const { spawnVm, spawnVmAhead } = await import("../spawn-vm.ts");
const argv = process.argv.slice(2);
// Whether the line makes sense is found out while the VM's process starts.
const ahead = argv[0] === "run" ? spawnVmAhead() : undefined;
const { runCli } = await import("./program.ts");
process.exitCode = await runCli(argv, { spawn: ahead?.spawn ?? spawnVm });
ahead?.release();
