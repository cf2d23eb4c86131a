/** For tests of the programs: VM processes with a scripted guest, and a kernel file that the boot loader accepts. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SpawnVmProcess } from "../host/index.ts";
import { forkVmProcess } from "../platform/node/index.ts";
import { smallestKernel } from "../vmm/testing.ts";

/** Starts vm-process/testing.ts, whose words are the kernel's command line. */
export const spawnScriptedVm: SpawnVmProcess = () =>
  forkVmProcess(new URL("vm-process/testing.ts", import.meta.url));

export interface TestFolder extends Disposable {
  readonly path: string;
  /** A kernel that is placed but not executed. */
  readonly kernel: string;
}

export function testFolder(): TestFolder {
  const path = mkdtempSync(join(tmpdir(), "typevisor-test-"));
  const kernel = join(path, "kernel");
  writeFileSync(kernel, smallestKernel());
  return { path, kernel, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
