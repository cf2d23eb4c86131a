/** Firmware that users bring: UEFI with its variables and boot order, U-Boot, and Linux started by each. */

import assert from "node:assert/strict";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { MiB } from "../../../src/base/index.ts";
import type { VmOptions } from "../../../src/apps/embed/index.ts";
import { LinuxShell } from "../guests.ts";
import { kernelWithModules } from "../kernel-modules.ts";
import { filesOfPackage } from "../package-files.ts";
import { uefiShell } from "../uefi-shell.ts";
import { makeEfiCd, makeFatDisk, makeGrubApplication } from "./media.ts";
import type { MediumFiles } from "./media.ts";
import { startWith } from "./row.ts";
import type { GuestRow, RowBench } from "./row.ts";
import { guest, linuxFiles, markOf } from "./systems.ts";

const FIRMWARE_TEST = "test/guests/firmware.test.ts";
const LINUX: Pick<GuestRow, "guest" | "packages" | "mark" | "limitSeconds"> = {
  ...{ guest: "Debian Linux amd64", packages: ["linux-image-cloud-amd64", "busybox-static"] },
  ...{ mark: markOf("linux-amd64"), limitSeconds: 180 },
};
const SERIAL = "console=ttyS0";
const POWER_BUTTON = "drivers/acpi/button.ko";
/** As much as FAT32 needs. */
const EFI_DISK_BYTES = 33 * MiB;
const VARIABLE = "setvar Typevisor -guid 12345678-1234-1234-1234-123456789abc";
/** What the shell says of it: "kept", in UTF-16. */
const KEPT = /Typevisor - 0008 Bytes\s+6B 00 65 00 70 00 74 00/;

/** OVMF in two files, with variables of the row's own. */
async function ovmf({ folder }: RowBench): Promise<VmOptions> {
  const file = await filesOfPackage(
    "ovmf",
    ["OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"].map((name) => `usr/share/OVMF/${name}`),
  );
  const variables = join(folder, "variables.fd");
  await copyFile(file("OVMF_VARS_4M.fd"), variables);
  return { firmware: file("OVMF_CODE_4M.fd"), "firmware-vars": variables };
}

async function uBoot(build: "qemu-x86" | "qemu-x86_64"): Promise<VmOptions> {
  const name = `${build}/u-boot.rom`;
  const file = await filesOfPackage("u-boot-qemu", [`usr/lib/u-boot/${name}`]);
  return { firmware: file(name) };
}

/** A medium on which firmware finds GRUB as the default application, and GRUB Linux. */
async function grubMedium(): Promise<{ readonly files: MediumFiles; readonly configuration: string }> {
  const { kernel, initrd } = await linuxFiles("linux-amd64");
  return {
    files: { vmlinuz: { from: kernel }, initrd: { from: initrd } },
    configuration: `search --file --set=root /vmlinuz\nlinux /vmlinuz ${SERIAL}\ninitrd /initrd\nboot\n`,
  };
}

/** The default application for removable media is where firmware looks without a boot entry (UEFI 2.10, 3.5.1.1). */
async function withGrub(bench: RowBench, files: MediumFiles, configuration: string): Promise<MediumFiles> {
  const application = join(bench.folder, "grub.efi");
  await makeGrubApplication(application, configuration);
  return { ...files, "EFI/BOOT/BOOTX64.EFI": { from: application } };
}

const GRUB_EFI: Omit<GuestRow, "id" | "run"> = {
  ...LINUX,
  packages: [...LINUX.packages, "grub-efi-amd64-bin", "mtools"],
  path: "UEFI, GRUB",
  firmware: "OVMF",
};

export const FIRMWARE_ROWS: readonly GuestRow[] = [
  {
    id: "ovmf-variables",
    ...{ guest: "UEFI shell", packages: ["ovmf"], path: "UEFI", firmware: "OVMF", limitSeconds: 120 },
    mark: { where: "serial", text: "Shell> " },
    also: "a variable of its after a reset, and in another VM",
    async run(bench) {
      const options = await ovmf(bench);
      const first = await bench.start(options);
      await uefiShell(first);
      await bench.markSeen(first);
      await first.write(`${VARIABLE} -nv -bs =L"kept"\rreset -c\r`);
      await uefiShell(first, 2);
      await first.write(`${VARIABLE}\r`);
      await first.waitFor(KEPT, bench.patience);
      await first.stop();
      const second = await bench.start(options);
      await uefiShell(second);
      await second.write(`${VARIABLE}\rreset -s\r`);
      await second.waitFor(KEPT, bench.patience);
      assert.deepEqual(await second.ended, { kind: "powered-off" });
    },
  },
  {
    ...{ id: "linux-amd64-efi-stub", ...LINUX, path: "EFI stub", firmware: "OVMF" },
    also: "hears of the power button, and ends by ACPI",
    async run(bench) {
      const { kernel, modules } = await kernelWithModules([POWER_BUTTON]);
      const initrd = join(bench.folder, "initrd");
      const shellArchive = await readFile((await linuxFiles("linux-amd64")).initrd);
      await writeFile(initrd, Buffer.concat([shellArchive, modules]));
      const vm = await bench.start({ ...(await ovmf(bench)), kernel, initrd, append: SERIAL });
      await bench.reachMark(vm);
      const shell = new LinuxShell(vm);
      await shell.answer("stty -echo; insmod /modules/button.ko");
      vm.pressButton("power");
      const presses = await shell.answer("sleep 0.1; cat /sys/firmware/acpi/interrupts/ff_pwr_btn");
      assert.match(presses, /^ *1 +EN +enabled/);
      await vm.write("poweroff -f\n");
      assert.deepEqual(await vm.ended, { kind: "powered-off" });
    },
  },
  ...(["ide", "virtio", "nvme"] as const).map((bus): GuestRow => ({
    ...{ id: `linux-amd64-grub-${bus}-ovmf`, ...GRUB_EFI },
    bus: ({ ide: "IDE", virtio: "virtio", nvme: "NVMe" } as const)[bus],
    run: startWith(async (bench) => {
      const { files, configuration } = await grubMedium();
      const disk = join(bench.folder, "efi.img");
      await makeFatDisk(disk, 64 * MiB, await withGrub(bench, files, configuration));
      return { ...(await ovmf(bench)), disk: `${disk},bus=${bus}`, boot: "disk" };
    }),
  })),
  {
    ...{ id: "linux-amd64-grub-cd-ovmf", ...GRUB_EFI, bus: "IDE" },
    run: startWith(async (bench) => {
      const { files, configuration } = await grubMedium();
      const cdrom = join(bench.folder, "efi.iso");
      await makeEfiCd(cdrom, files, await withGrub(bench, {}, configuration));
      return { ...(await ovmf(bench)), cdrom, boot: "cdrom" };
    }),
  },
  {
    id: "ovmf-boot-order",
    ...{
      guest: "GRUB 2.06",
      packages: ["grub-efi-amd64-bin", "mtools"],
      path: "UEFI, GRUB",
      firmware: "OVMF",
    },
    // The second on the PCI bus, which is the first on the command line.
    mark: { where: "serial", text: /starting Boot\d+ .* from PciRoot\(0x0\)\/Pci\(0x5,0x0\)/ },
    limitSeconds: 120,
    run: startWith(async (bench) => {
      const disk = join(bench.folder, "efi.img");
      await makeFatDisk(disk, EFI_DISK_BYTES, await withGrub(bench, {}, ""));
      const disks = [`${disk},bus=virtio,temporary`, `${disk},bus=nvme,temporary`];
      return { ...(await ovmf(bench)), disk: disks };
    }),
  },
  {
    id: "memtest86plus-ovmf",
    ...{ guest: "Memtest86+", packages: ["memtest86+"], path: "EFI stub", firmware: "OVMF" },
    ...{ mark: { where: "serial", text: "#6  [Moving inversions, 64 bit pattern]" }, limitSeconds: 120 },
    also: "no errors by then",
    async run(bench) {
      const file = await filesOfPackage("memtest86+", ["boot/memtest86+x64.efi"]);
      const kernel = file("memtest86+x64.efi");
      const options = { kernel, append: "console=ttyS0,115200", memory: "64M" };
      const vm = await bench.start({ ...(await ovmf(bench)), ...options });
      await bench.reachMark(vm);
      const said = await vm.waitFor(/[^]*Errors: \d+/, bench.patience);
      assert.doesNotMatch(said, /Errors: [1-9]/);
    },
  },
  {
    id: "u-boot-x86_64",
    ...{ guest: "U-Boot 2023.01, 64-bit", packages: ["u-boot-qemu"], path: "ROM", firmware: "U-Boot" },
    ...{ mark: { where: "serial", text: "=> " }, limitSeconds: 120, shownBy: FIRMWARE_TEST },
    run: startWith(() => uBoot("qemu-x86_64")),
  },
  {
    id: "linux-amd64-u-boot",
    ...{ ...LINUX, packages: [...LINUX.packages, "u-boot-qemu"], path: "bzImage", firmware: "U-Boot" },
    also: "ends by ACPI",
    async run(bench) {
      const vm = await bench.start({
        ...(await guest("linux-amd64")),
        append: SERIAL,
        ...(await uBoot("qemu-x86")),
      });
      await vm.waitFor("Hit any key to stop autoboot", bench.patience);
      // At its own choice of addresses the kernel unpacks over the initial RAM disk.
      await vm.write(" qfw load 02000000 08000000\r");
      const loaded = await vm.waitFor(/initrd 08000000 size [0-9a-f]+\r\n=> /, bench.patience);
      const [initrdBytes = ""] = /[0-9a-f]+(?=\r\n=> )/.exec(loaded) ?? [];
      await vm.write(`zboot 02000000 - 08000000 ${initrdBytes}\r`);
      await bench.reachMark(vm);
      await vm.write("poweroff -f\n");
      assert.deepEqual(await vm.ended, { kind: "powered-off" });
    },
  },
];
