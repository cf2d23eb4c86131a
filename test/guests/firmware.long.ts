/** Whole starts of firmware that users bring which take too long for `npm test`. */

import assert from "node:assert/strict";
import { copyFile, mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { startVm } from "../../src/apps/embed/index.ts";
import type { VmOptions } from "../../src/apps/embed/index.ts";
import { BOOT_TIMEOUT_MS, LIMIT } from "./guests.ts";
import { packageFiles } from "./package-files.ts";
import { uefiShell } from "./uefi-shell.ts";

const timeoutMs = BOOT_TIMEOUT_MS;
const OVMF = ["OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"].map((name) => `usr/share/OVMF/${name}`);
const VARIABLE = "setvar Typevisor -guid 12345678-1234-1234-1234-123456789abc";

test("OVMF in one image starts its shell, with variables that it keeps in RAM", LIMIT, async (t) => {
  const images = await packageFiles(t, "ovmf", ["usr/share/ovmf/OVMF.fd"]);
  if (images === undefined) return;
  await using vm = await startVm({ firmware: images("OVMF.fd"), profile: "off" });
  await uefiShell(vm);
});

test("OVMF finds its variable after a reset, and in another VM", LIMIT, async (t) => {
  const images = await packageFiles(t, "ovmf", OVMF);
  if (images === undefined) return;
  await using folder = await mkdtempDisposable(join(tmpdir(), "typevisor-firmware-"));
  const variables = join(folder.path, "variables.fd");
  await copyFile(images("OVMF_VARS_4M.fd"), variables);
  const options: VmOptions = {
    ...{ firmware: images("OVMF_CODE_4M.fd"), "firmware-vars": variables },
    profile: "off",
  };
  const found = /Typevisor - 0008 Bytes\s+6B 00 65 00 70 00 74 00/;
  {
    await using vm = await startVm(options);
    await uefiShell(vm);
    await vm.write(`${VARIABLE} -nv -bs =L"kept"\rreset -c\r`);
    await uefiShell(vm, 2);
    await vm.write(`${VARIABLE}\r`);
    await vm.waitFor(found, { timeoutMs });
  }
  await using vm = await startVm(options);
  await uefiShell(vm);
  await vm.write(`${VARIABLE}\rreset -s\r`);
  await vm.waitFor(found, { timeoutMs });
  assert.deepEqual(await vm.ended, { kind: "powered-off" });
});
