/** What the tests of screens have seen, kept in build/screenshots, which is not part of the tree. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Vm } from "../../src/apps/embed/index.ts";

const FOLDER = "build/screenshots";

/** Where a picture of this name is kept. */
export function picturePath(name: string): string {
  mkdirSync(FOLDER, { recursive: true });
  return join(FOLDER, `${name}.png`);
}

/** Keeps what the VM's screen shows now, and gives it back. */
export async function keepScreenshot(vm: Vm, name: string): Promise<Buffer> {
  const png = Buffer.from(await vm.screenshot());
  writeFileSync(picturePath(name), png);
  return png;
}
