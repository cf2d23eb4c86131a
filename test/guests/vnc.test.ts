/**
 * A VM's screen as VNC viewers of others see it: Debian's gvnccapture (gtk-vnc) takes pictures, Net::VNC of Perl types keys and
 * moves the mouse. What they show is kept in build/screenshots.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { startVm } from "../../src/apps/embed/index.ts";
import type { Vm } from "../../src/apps/embed/index.ts";
import { BOOT_TIMEOUT_MS, guestOptions, LIMIT } from "./guests.ts";
import { capture, missingGvnccapture, missingNetVnc, useNetVnc } from "../vnc/clients.ts";
import { decodePng } from "./png-file.ts";
import { keepScreenshot, picturePath } from "./screenshots.ts";

/** What gvnccapture sees of a VM that stands still. */
async function compare(vm: Vm, port: number, name: string): Promise<void> {
  const shown = decodePng(await keepScreenshot(vm, name));
  const path = picturePath(`${name}-vnc`);
  await capture(port, path);
  const seen = decodePng(readFileSync(path));
  assert.deepEqual([seen.width, seen.height], [shown.width, shown.height]);
  assert.ok(seen.rgb.equals(shown.rgb), `${path} differs from the screenshot beside it`);
  assert.ok(new Set(seen.rgb).size > 1, "it is not of one colour");
}

test("Memtest86+ as VNC viewers see and use it", LIMIT, async (t) => {
  const without = missingGvnccapture() ?? missingNetVnc();
  if (without !== undefined) return t.skip(without);
  const options = await guestOptions(t, "memtest86plus");
  if (options === undefined) return undefined;
  await using vm = await startVm({ ...options, profile: "off" });
  const { target } = await vm.vnc();
  assert.ok(target.kind === "tcp");
  await vm.waitForScreen("Press <F1> to configure", { timeoutMs: BOOT_TIMEOUT_MS });
  await vm.pause();
  await compare(vm, target.port, "memtest86plus");
  await vm.resume();

  const F1 = 0xffbe;
  assert.deepEqual(await useNetVnc(target.port, { keysyms: [F1] }), ["memtest86plus"]);
  await vm.waitForScreen("Settings:", { timeoutMs: BOOT_TIMEOUT_MS });
  await vm.pause();
  await compare(vm, target.port, "memtest86plus-settings");
  return undefined;
});
