/** Whole starts of firmware that users bring which take too long for `npm test`. */

import assert from "node:assert/strict";
import { copyFile, mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { startVm } from "../../src/apps/embed/index.ts";
import type { VmOptions } from "../../src/apps/embed/index.ts";
import { MiB } from "../../src/base/index.ts";
import { BOOT_TIMEOUT_MS, guestOptions, LIMIT } from "./guests.ts";
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

test("U-Boot of 32 bits finds an IDE disk, and starts Linux, which ACPI ends", LIMIT, async (t) => {
  const guest = await guestOptions(t, "linux-amd64");
  const images = await packageFiles(t, "u-boot-qemu", ["usr/lib/u-boot/qemu-x86/u-boot.rom"]);
  if (guest === undefined || images === undefined) return;
  await using folder = await mkdtempDisposable(join(tmpdir(), "typevisor-firmware-"));
  const disk = join(folder.path, "disk.img");
  await writeFile(disk, new Uint8Array(8 * MiB));
  await using vm = await startVm({
    ...{
      firmware: images("u-boot.rom"),
      kernel: guest.kernel,
      initrd: guest.initrd,
      append: "console=ttyS0",
    },
    ...{ disk: `${disk},bus=ide,temporary`, profile: "off" },
  });
  await vm.waitFor("Hit any key to stop autoboot", { timeoutMs });
  await vm.write(" ide reset\r");
  await vm.waitFor(/Model: Typevisor disk[^]*16384 x 512[^]*=> /, { timeoutMs });
  await vm.write("qfw load 02000000 08000000\r");
  const loaded = await vm.waitFor(/initrd 08000000 size [0-9a-f]+\r\n=> /, { timeoutMs });
  const [initrdBytes = ""] = /[0-9a-f]+(?=\r\n=> )/.exec(loaded) ?? [];
  await vm.write(`zboot 02000000 - 08000000 ${initrdBytes}\r`);
  await vm.waitFor("linux-amd64 is up", { timeoutMs });
  await vm.write("poweroff -f\n");
  assert.deepEqual(await vm.ended, { kind: "powered-off" });
});
