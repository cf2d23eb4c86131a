/** SeaBIOS and OVMF, as Debian has them, in the place of the built-in BIOS. */

import assert from "node:assert/strict";
import { copyFile, mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { startVm } from "../../src/apps/embed/index.ts";
import { BOOT_TIMEOUT_MS, LIMIT } from "./guests.ts";
import type { Skippable } from "./guests.ts";
import { uefiShell } from "./uefi-shell.ts";
import { packageFiles } from "./package-files.ts";

const DISKETTE_BYTES = 1440 * 1024;
const timeoutMs = BOOT_TIMEOUT_MS;

const SEABIOS = ["bios.bin", "bios-256k.bin", "vgabios-stdvga.bin"].map(
  (name) => `usr/share/seabios/${name}`,
);
const OVMF = ["OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"].map((name) => `usr/share/OVMF/${name}`);
const SET_VARIABLE = 'setvar Typevisor -guid 12345678-1234-1234-1234-123456789abc -nv -bs =L"kept"';
const GRUB = "usr/lib/grub-rescue/grub-rescue-floppy.img";

const seaBios = (t: Skippable) => packageFiles(t, "seabios", SEABIOS);

test("SeaBIOS of 128 KiB finds the machine, places its tables, and finds no system", LIMIT, async (t) => {
  const images = await seaBios(t);
  if (images === undefined) return;
  await using vm = await startVm({ firmware: images("bios.bin"), device: ["isa-debugcon"], memory: "64M" });
  const log = await vm.waitFor(/Found QEMU[\s\S]*No bootable device\./, { timeoutMs });
  for (const line of [
    /^QEMU fw_cfg DMA interface supported/m,
    /^qemu\/e820: addr 0x0000000000000000 len 0x0000000004000000 \[RAM\]/m,
    /^Found 1 cpu\(s\) max supported 1 cpu\(s\)/m,
    /^Copying SMBIOS from /m,
    /^PS2 keyboard initialized/m,
  ]) {
    assert.match(log, line);
  }
});

test("SeaBIOS of 256 KiB starts GRUB from a diskette, on the screen of its VGA BIOS", LIMIT, async (t) => {
  const images = await seaBios(t);
  const grub = await packageFiles(t, "grub-rescue-pc", [GRUB]);
  if (images === undefined || grub === undefined) return;
  await using folder = await mkdtempDisposable(join(tmpdir(), "typevisor-firmware-"));
  // The package's image ends with the last sector that is used.
  const diskette = new Uint8Array(DISKETTE_BYTES);
  diskette.set(await readFile(grub("grub-rescue-floppy.img")));
  const floppy = join(folder.path, "grub.img");
  await writeFile(floppy, diskette);
  await using vm = await startVm({
    ...{ firmware: images("bios-256k.bin"), "vga-bios": images("vgabios-stdvga.bin"), floppy: [floppy] },
    ...{ device: ["isa-debugcon"], profile: "off" },
  });
  await vm.waitFor(/ACPI: parse DSDT at [\s\S]*Booting from Floppy\.\.\./, { timeoutMs });
  await vm.waitForScreen(/GNU GRUB +version 2/, { timeoutMs });
});

test("OVMF starts its shell, and a variable that is set there is in the host's file", LIMIT, async (t) => {
  const images = await packageFiles(t, "ovmf", OVMF);
  if (images === undefined) return;
  await using folder = await mkdtempDisposable(join(tmpdir(), "typevisor-firmware-"));
  const variables = join(folder.path, "variables.fd");
  await copyFile(images("OVMF_VARS_4M.fd"), variables);
  await using vm = await startVm({
    ...{ firmware: images("OVMF_CODE_4M.fd"), "firmware-vars": variables, profile: "off" },
  });
  await uefiShell(vm);
  await vm.write(`${SET_VARIABLE}\rreset -s\r`);
  assert.deepEqual(await vm.ended, { kind: "powered-off" });
  const written = Buffer.from(await readFile(variables));
  assert.ok(written.includes(Buffer.from("Typevisor\0", "utf16le")));
  assert.ok(written.includes(Buffer.from("kept", "utf16le")));
});
