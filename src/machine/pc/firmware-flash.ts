/**
 * The flash with the variables of firmware that a user brings (UEFI's non-volatile store), right below the ROM with its code,
 * which ends at 4 GiB: where OVMF, of which code and variables are two files, has been built to look for it.
 */

import { CfiFlash } from "../../devices/flash/index.ts";
import type { MmioBus } from "../../hw/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import type { SetMemorySlot } from "./shadowed-memory.ts";

const FOUR_GIB = 2 ** 32;

/** What holds the contents of a flash beyond the life of the VM. */
export interface FlashStore {
  /** What it held when the VM began, whole blocks of 4 KiB; for whoever builds the board to copy. */
  readonly contents: Uint8Array;
  /** Takes bytes without waiting: the guest has seen that they are there. */
  write(offset: number, bytes: Uint8Array): void;
}

interface FirmwareFlashParts {
  readonly ram: GuestRam;
  readonly mmio: MmioBus;
  readonly setMemorySlot: SetMemorySlot;
  /** What was translated from these bytes of the VM's memory, where offset 0 is that of RAM, is no longer there. */
  readonly memoryWritten: (offset: number, lengthBytes: number) => void;
  readonly store: FlashStore;
  /** Where in slot memory there is room for the contents. */
  readonly slotOffset: number;
  readonly romBytes: number;
}

export function firmwareFlash(parts: FirmwareFlashParts): CfiFlash {
  const { ram, mmio, store, slotOffset } = parts;
  const sizeBytes = store.contents.length;
  const gpa = FOUR_GIB - parts.romBytes - sizeBytes;
  const offset = ram.sizeBytes + slotOffset;
  const contents = ram.slotMemory.subarray(slotOffset, slotOffset + sizeBytes);
  contents.set(store.contents);
  const flash = new CfiFlash({
    name: "firmware-flash",
    contents,
    showArray: (isShown) =>
      parts.setMemorySlot(
        gpa,
        sizeBytes,
        isShown ? { kind: "memory", offset, isWritable: false } : { kind: "device" },
      ),
    onChange: (at, lengthBytes) => {
      parts.memoryWritten(offset + at, lengthBytes);
      store.write(at, contents.subarray(at, at + lengthBytes));
    },
  });
  mmio.claim(flash.name, gpa, sizeBytes, flash);
  return flash;
}
