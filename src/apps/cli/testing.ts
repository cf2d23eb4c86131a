/** The typevisor command with scripted guests; runs when it is imported. */

import { spawnScriptedVm } from "../testing.ts";
import { runCli } from "./program.ts";

process.exitCode = await runCli(process.argv.slice(2), { spawn: spawnScriptedVm });
