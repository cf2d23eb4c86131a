// Guest memory operands larger than one access: 80-bit values, environments and save areas.
import * as L from "../layout";
import { slowReadForWrite8, tlbLookup } from "./memory";
import { NO_ADDRESS } from "./paging";
import { get32 } from "./state";

/** Linear address va + offset, which wraps at 4 GiB outside 64-bit mode. */
export function offsetAddress(va: u64, offset: u32): u64 {
  const sum = va + u64(offset);
  return (get32(L.MODE) & L.MODE_CODE_SIZE) == 2 ? sum : sum & 0xffffffff;
}

function probePage(va: u64): u32 {
  const tlb: u32 = get32(L.CPL) == 3 ? L.TLB_USER_WRITE : L.TLB_KERNEL_WRITE;
  if (tlbLookup(tlb, va, 1) != NO_ADDRESS) return 0;
  return slowReadForWrite8(va) == NO_ADDRESS ? 1 : 0;
}

/** Finds the fault that a store of size bytes at va would meet: 1 if one is pending. */
export function probeStore(va: u64, size: u32): u32 {
  const last = offsetAddress(va, size - 1);
  return probePage(va) != 0 || (va >> 12 != last >> 12 && probePage((last >> 12) << 12) != 0) ? 1 : 0;
}

/**
 * Finds the page fault that a store of size bytes at va would meet, before any of it is stored: 1 if one is pending.
 * A store within one page needs none, its first piece faults or none does.
 */
export function probeWrite(va: u64, size: u32): u32 {
  const last = offsetAddress(va, size - 1);
  if (va >> 12 == last >> 12) return 0;
  // The first byte of the second page is where the fault is reported.
  return probePage(va) != 0 || probePage((last >> 12) << 12) != 0 ? 1 : 0;
}
