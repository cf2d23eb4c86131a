/** Ctrl-] c: a picture of the screen in the folder in which the command runs. */

import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { VmHandle } from "../../host/index.ts";

/** Writes NAME-TIME.png and resolves with a sentence that says where it is, or why it is not. */
export async function saveScreenshot(vm: VmHandle): Promise<string> {
  const png = await vm.screenshot();
  if (png === undefined) return `The VM ${vm.name} has no screen.`;
  const time = new Date().toISOString().replace(/\..*$/, "").replaceAll(":", "-");
  const path = resolve(`${vm.name}-${time}.png`);
  try {
    await writeFile(path, png, { flag: "wx" });
    return `The screen is in ${path}.`;
  } catch (thrown) {
    return `The screen cannot be saved: ${thrown instanceof Error ? thrown.message : String(thrown)}.`;
  }
}
