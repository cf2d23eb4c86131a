// The guest-physical address space: where the bytes of an address lie in the VM's memory. RAM lies at its own address;
// slots put other pages of memory, or devices, in its place below 1 MiB (ROM and its shadow, the VGA's window), and memory
// in the place of devices above RAM (ROM below 4 GiB, video memory).
//
// What is told apart by place() is memory and everything else. Addresses of memory count from RAM_BASE, and for RAM are
// guest-physical addresses at the same time; addresses of devices are marked, since a slot's memory may have their number.
import * as L from "../layout";
import { MEMORY_SIZE, RAM_SIZE } from "./host";
import { updateMode } from "./mode";
import { flushTlb } from "./tlb";

/** Marks the guest-physical address of a device, or of nothing. Above every physical address. */
export const DEVICE: u64 = 1 << 52;

/** How many pages of RAM have a slot. */
let slotsInRam: u32 = 0;

@inline
export function isMemory(place: u64): bool {
  return place < <u64>MEMORY_SIZE;
}

/** Accesses may go straight to RAM at their guest-physical address. */
export function isRamUnslotted(): bool {
  return slotsInRam == 0;
}

@inline
function isAlwaysRam(gpa: u64): bool {
  return gpa - L.FIRST_PAGE_WITHOUT_SLOT < <u64>(RAM_SIZE - L.FIRST_PAGE_WITHOUT_SLOT);
}

/** Where reads of a guest-physical address go. */
@inline
export function placeToRead(gpa: u64): u64 {
  return isAlwaysRam(gpa) ? gpa : placeBySlot(gpa, L.SLOT_READABLE);
}

/** Where writes go. */
@inline
export function placeToWrite(gpa: u64): u64 {
  return isAlwaysRam(gpa) ? gpa : placeBySlot(gpa, L.SLOT_WRITABLE);
}

function placeBySlot(gpa: u64, right: u32): u64 {
  if (gpa >> 32) return gpa | DEVICE;
  const slot = load<u32>(L.MEMORY_SLOTS + ((<u32>gpa >>> L.PAGE_SHIFT) << 2));
  if (slot == 0) return gpa < <u64>RAM_SIZE ? gpa : gpa | DEVICE;
  return slot & right ? <u64>((slot & 0xfffff000) | (<u32>gpa & 0xfff)) : gpa | DEVICE;
}

/** Whether what is read at a guest-physical address may be written there, too. */
export function isWritable(gpa: u64): bool {
  return placeToRead(gpa) == placeToWrite(gpa);
}

/**
 * Gives pages from `gpa` on the slot `first`, each the page of memory behind the one before it, or none (0). By the host,
 * between slices or in a port or device access of the guest.
 */
export function setMemorySlots(gpa: u32, pages: u32, first: u32): void {
  const page = gpa >>> L.PAGE_SHIFT;
  for (let i: u32 = 0; i < pages; i++) {
    const at = L.MEMORY_SLOTS + ((page + i) << 2);
    const slot = first & L.SLOT_READABLE || first & L.SLOT_WRITABLE ? first + (i << L.PAGE_SHIFT) : first;
    if ((page + i) << L.PAGE_SHIFT < RAM_SIZE) {
      slotsInRam += <u32>(slot != 0);
      slotsInRam -= <u32>(load<u32>(at) != 0);
    }
    store<u32>(at, slot);
  }
  flushTlb();
  updateMode();
}
