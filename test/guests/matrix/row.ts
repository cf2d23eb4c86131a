/**
 * What a row of the guest matrix is: a system, the way it starts, and what shows that it runs. The rows themselves are in
 * `rows-*.ts`; `main.ts` runs them, and docs/guests.md has them as a table.
 */

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";

import type { Vm, VmOptions } from "../../../src/apps/embed/index.ts";

export type BootPath =
  | "bzImage"
  | "bzImage, 16-bit"
  | "PVH"
  | "multiboot 1"
  | "multiboot 2"
  | "diskette"
  | "disk"
  | "disk, GRUB"
  | "CD"
  | "CD, isolinux"
  | "CD, GRUB"
  | "CD as a diskette"
  | "CD as a disk"
  | "CD image on a disk"
  | "UEFI"
  | "UEFI, GRUB"
  | "EFI stub"
  | "network, iPXE"
  | "ROM";

export type Firmware = "built-in BIOS" | "SeaBIOS" | "OVMF" | "U-Boot" | "none";

/** What shows that a guest runs, on the first serial port or on the text screen, or what only a picture shows. */
export type Mark =
  | { readonly where: "serial" | "screen"; readonly text: string | RegExp }
  | { readonly where: "picture"; readonly what: string };

export interface GuestRow {
  /** Unique; what `--only` is matched against. */
  readonly id: string;
  readonly guest: string;
  /** Debian packages that the guest is made of. */
  readonly packages: readonly string[];
  readonly path: BootPath;
  readonly firmware: Firmware;
  /** Where its medium is. */
  readonly bus?: "IDE" | "virtio" | "NVMe" | "floppy";
  readonly mark: Mark;
  /** What else is shown behind the mark. */
  readonly also?: string;
  /** From its start to the mark; many times what it takes on an idle machine. */
  readonly limitSeconds: number;
  /** The test file of `npm test` that shows the same: the row is not run there again. */
  readonly shownBy?: string;
  /** Whether `npm test` runs it: a few seconds at most. */
  readonly isShort?: boolean;
  readonly run: (bench: RowBench) => Promise<void>;
}

/** What a row works with. Files that cannot be had throw `Unavailable`, and the row is skipped. */
export interface RowBench {
  readonly row: GuestRow;
  /** Empty at first, and gone when the row has ended. */
  readonly folder: string;
  /** Starts a VM with the row's firmware, which ends with the row. */
  start(options: VmOptions): Promise<Vm>;
  /** Waits for the row's mark, by which its time is taken, and keeps a picture of the screen. */
  reachMark(vm: Vm): Promise<void>;
  /** For a mark that is a picture, once it is there. */
  markSeen(vm: Vm): Promise<void>;
  readonly patience: { readonly timeoutMs: number };
}

/** A row that only starts something and waits for its mark. */
export const startWith =
  (options: (bench: RowBench) => Promise<VmOptions>): GuestRow["run"] =>
  async (bench) => {
    await bench.reachMark(await bench.start(await options(bench)));
  };

const LOOK_MS = 1000;

/** For a mark that is a picture: looks at the screen until it is there. */
export async function waitForPicture(
  bench: RowBench,
  vm: Vm,
  isThere: (png: Uint8Array) => boolean,
): Promise<void> {
  const endMs = performance.now() + bench.patience.timeoutMs;
  while (!isThere(await vm.screenshot())) {
    assert.ok(performance.now() < endMs, "the picture did not come");
    await delay(LOOK_MS);
  }
  await bench.markSeen(vm);
}

/** The same system with the built-in BIOS and with SeaBIOS. */
export function bothBioses(row: Omit<GuestRow, "firmware">): GuestRow[] {
  return [
    { ...row, firmware: "built-in BIOS" },
    { ...row, isShort: false, id: `${row.id}-seabios`, firmware: "SeaBIOS" },
  ];
}
