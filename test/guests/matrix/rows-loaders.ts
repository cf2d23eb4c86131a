/** Boot loaders and firmware by themselves, to their menus and prompts. */

import { filesOfPackage } from "../package-files.ts";
import { makeDiskette } from "./media.ts";
import { bothBioses, startWith } from "./row.ts";
import type { GuestRow } from "./row.ts";

const FIRMWARE_TEST = "test/guests/firmware.test.ts";
const GRUB = {
  ...{ guest: "GRUB 2.06", packages: ["grub-rescue-pc"], limitSeconds: 60 },
  mark: { where: "screen", text: /GNU GRUB +version 2/ },
} as const;

async function packageFile(packageName: string, path: string): Promise<string> {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return (await filesOfPackage(packageName, [path]))(name);
}

export const LOADER_ROWS: readonly GuestRow[] = [
  ...bothBioses({
    ...{ id: "grub-floppy", ...GRUB, path: "diskette", bus: "floppy" },
    run: startWith(async (bench) => {
      const image = await packageFile("grub-rescue-pc", "usr/lib/grub-rescue/grub-rescue-floppy.img");
      return { floppy: await makeDiskette(bench.folder, image), memory: "64M" };
    }),
  }),
  ...bothBioses({
    ...{ id: "grub-cd", ...GRUB, path: "CD", bus: "IDE", isShort: true },
    run: startWith(async () => ({
      cdrom: await packageFile("grub-rescue-pc", "usr/lib/grub-rescue/grub-rescue-cdrom.iso"),
      memory: "64M",
    })),
  }),
  ...bothBioses({
    ...{ id: "ipxe-cd", guest: "iPXE", packages: ["ipxe"], path: "CD", bus: "IDE", limitSeconds: 60 },
    mark: { where: "screen", text: "iPXE>" },
    async run(bench) {
      const cdrom = await packageFile("ipxe", "usr/lib/ipxe/ipxe.iso");
      const vm = await bench.start({ cdrom, memory: "64M" });
      await vm.waitForScreen("Press Ctrl-B for the iPXE command line", bench.patience);
      vm.typeKeys([{ kind: "text", text: "\u0002" }]);
      await bench.reachMark(vm);
    },
  }),
  {
    id: "ovmf-shell",
    ...{ guest: "UEFI shell", packages: ["ovmf"], path: "UEFI", firmware: "OVMF", limitSeconds: 120 },
    ...{ mark: { where: "serial", text: "Shell> " }, shownBy: FIRMWARE_TEST },
    run: startWith(() => Promise.resolve({})),
  },
];
