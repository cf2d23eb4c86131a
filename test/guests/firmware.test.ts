/** SeaBIOS, OVMF and U-Boot, as Debian has them, in the place of the built-in BIOS. */

import assert from "node:assert/strict";
import { copyFile, mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { startVm } from "../../src/apps/embed/index.ts";
import { BOOT_TIMEOUT_MS, guestOptions, LIMIT, linuxShell } from "./guests.ts";
import type { Skippable } from "./guests.ts";
import { packageFiles } from "./package-files.ts";

const DISKETTE_BYTES = 1440 * 1024;
const timeoutMs = BOOT_TIMEOUT_MS;

const SEABIOS = ["bios.bin", "bios-256k.bin", "vgabios-stdvga.bin"].map(
  (name) => `usr/share/seabios/${name}`,
);
const OVMF = ["OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"].map((name) => `usr/share/OVMF/${name}`);
const GRUB = "usr/lib/grub-rescue/grub-rescue-floppy.img";

const seaBios = (t: Skippable) => packageFiles(t, "seabios", SEABIOS);

test("SeaBIOS of 128 KiB finds the machine, places its tables, and looks where it may", LIMIT, async (t) => {
  const images = await seaBios(t);
  if (images === undefined) return;
  await using folder = await mkdtempDisposable(join(tmpdir(), "typevisor-firmware-"));
  const floppy = join(folder.path, "floppy.img");
  await writeFile(floppy, new Uint8Array(DISKETTE_BYTES));
  await using vm = await startVm({
    ...{ firmware: images("bios.bin"), device: ["isa-debugcon"], memory: "64M" },
    ...{ floppy, boot: "cdrom" },
  });
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
  assert.doesNotMatch(log, /Booting from Floppy/);
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

test("OVMF starts Linux by its EFI stub, keeps its variables, and ACPI ends the VM", LIMIT, async (t) => {
  const guest = await guestOptions(t, "linux-amd64");
  const images = await packageFiles(t, "ovmf", OVMF);
  if (guest === undefined || images === undefined) return;
  await using folder = await mkdtempDisposable(join(tmpdir(), "typevisor-firmware-"));
  const variables = join(folder.path, "variables.fd");
  await copyFile(images("OVMF_VARS_4M.fd"), variables);
  await using linux = await linuxShell(
    {
      ...{ kernel: guest.kernel, initrd: guest.initrd, append: "console=ttyS0" },
      ...{ firmware: images("OVMF_CODE_4M.fd"), "firmware-vars": variables },
    },
    "linux-amd64",
  );
  assert.match(await linux.answer("dmesg | grep -m1 efi:"), /EFI v2\.70 by EDK II/);
  // Where OVMF has put power management, not where the built-in BIOS does.
  assert.match(await linux.answer("dmesg | grep PM-Timer"), /IO Port: 0xb008/);
  await linux.vm.write("poweroff -f\n");
  assert.deepEqual(await linux.vm.ended, { kind: "powered-off" });
  const written = Buffer.from(await readFile(variables));
  assert.ok(written.includes(Buffer.from("BootOrder\0", "utf16le")));
  assert.ok(!(await readFile(images("OVMF_VARS_4M.fd"))).includes(Buffer.from("BootOrder\0", "utf16le")));
});

test("U-Boot goes from 16 to 64 bits in its ROM, and lists the chipset at its prompt", LIMIT, async (t) => {
  const images = await packageFiles(t, "u-boot-qemu", ["usr/lib/u-boot/qemu-x86_64/u-boot.rom"]);
  if (images === undefined) return;
  await using vm = await startVm({ firmware: images("u-boot.rom"), profile: "off" });
  await vm.waitFor("Hit any key to stop autoboot", { timeoutMs });
  await vm.write(" pci\r");
  await vm.waitFor(/Model: QEMU x86 \(I440FX\)[^]*=> +pci[^]*0x8086 +0x7113[^]*=> /, { timeoutMs });
});
