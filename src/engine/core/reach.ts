// The slow way of a check that several accesses of a region share (wasm/shared-checks.ts): where all bytes lie in host memory
// that they touch. The first of these accesses is being executed, at `va`; they begin `before` bytes in front of it
// and end `behind` bytes from it. 0 if they have to go their own ways, or with a fault of the first one pending.
import * as L from "../layout";
import { S, get32 } from "./state";
import { isMemory } from "./memory-slots";
import { ACCESS_READ, ACCESS_WRITE, NO_ADDRESS, WALK_FAULT, walk } from "./paging";
import { fillTlb } from "./tlb";
import { isUser, stillKnown, tlbLookup } from "./memory";

const NOWHERE: u32 = 0;

@inline
function areInOnePage(va: u64, before: u32, behind: u32): bool {
  const at = <u32>va & (L.PAGE_SIZE - 1);
  return at >= before && at + behind <= <u32>L.PAGE_SIZE;
}

/** `access` is the first one's own; `write`: there are stores among the others. */
@inline
function reach(va: u64, before: u32, behind: u32, access: u32, write: bool): u32 {
  if (!areInOnePage(va, before, behind)) return NOWHERE;
  const user = isUser();
  const known = stillKnown(va, user, write);
  if (known != NO_ADDRESS) return known - before;
  // Alignment is checked of each for itself.
  if (user && get32(L.ALIGNMENT_CHECKED) != 0) return NOWHERE;
  const place = walk(va, access, user, false);
  if (place == WALK_FAULT || !isMemory(place)) return NOWHERE;
  fillTlb(va, <u32>place, user);
  const tlb: u32 = write ? (user ? L.TLB_USER_WRITE : L.TLB_KERNEL_WRITE) : user ? L.TLB_USER_READ : L.TLB_KERNEL_READ;
  const entered = tlbLookup(tlb, va, 1);
  return entered == NO_ADDRESS ? NOWHERE : entered - before;
}

export function reachToRead(va: u64, before: u32, behind: u32): u32 {
  return reach(va, before, behind, ACCESS_READ, false);
}

export function reachToWrite(va: u64, before: u32, behind: u32): u32 {
  return reach(va, before, behind, ACCESS_WRITE, true);
}

/** The first one is a load, and stores are sure to follow. */
export function reachToReadAndWrite(va: u64, before: u32, behind: u32): u32 {
  return reach(va, before, behind, ACCESS_READ, true);
}
