// Near branches whose target is no address for code: not canonical in 64-bit mode, beyond the limit of CS otherwise. The
// branch itself raises #GP(0), with every register as it was. SDM 2 under CALL, Jcc, JMP, LOOP and RET.
//
// A target that the jump cache or a chain knows needs no check, so a branch that changes RIP alone checks when it has
// found no block there. CALL and LOOP change more, and check first where the target is not known to be good.
//
// Deliberately missing: chains between blocks of a segment that is not flat stay when its limit shrinks.
import * as L from "../layout";
import { S, get32, get64, set32, set64, raiseWithError, VECTOR_GP } from "./state";
import { NO_ADDRESS, isCanonical } from "./paging";
import { slowReadForWrite16, slowReadForWrite32, slowReadForWrite64 } from "./memory";
import { limitOfCode } from "./code-fetch";
import { pushAddress, reservePush } from "./stack";

/** #GP(0) for the target. */
export function raiseBranchFault(): void {
  raiseWithError(VECTOR_GP, 0);
  set32(L.FAULT_HAS_ERROR, L.FAULT_ERROR_EXACT);
}

/** The same for a CALL in 64-bit mode: a stack that cannot take the return address comes first. */
export function raiseCallFault(rsp: u64): void {
  if (slowReadForWrite64(rsp - 8) != NO_ADDRESS) raiseBranchFault();
}

/** Notes in an indirect jump or call where it has led: at its hash's place or, where that is taken, at one behind it. */
export function noteTarget(places: u32, target: u32): void {
  const first = <i32>((target * <u32>L.SEEN_FACTOR) >>> L.SEEN_SHIFT);
  for (let i = 0; i < L.SEEN_PLACES_TRIED; i++) {
    const at = places + (<u32>((first + i) & (L.SEEN_TARGETS_COUNT - 1)) << 2);
    const there = load<u32>(at);
    if (there == target) return;
    if (there == 0) {
      store<u32>(at, target);
      return;
    }
  }
  store<u32>(places + (<u32>first << 2), target);
}

@inline
function isOutside(target: u64): bool {
  return (get32(L.MODE) & L.MODE_CODE_SIZE) == 2 ? !isCanonical(target) : target > limitOfCode();
}

/**
 * Raises the fault of a branch that has found no block at its target, if it is one. Execution that runs on behind the
 * last instruction of `block` faults when it fetches the next one, not here.
 */
export function branchFaults(target: u64, block: u32): bool {
  if (!isOutside(target)) return false;
  if (block != 0 && target == load<u64>(block, L.BLOCK_RIP) + load<u16>(block, L.BLOCK_GUEST_SIZE)) return false;
  raiseBranchFault();
  return true;
}

/** Takes back what a faulting RET of 64-bit mode has popped. */
export function unpop(sizeBytes: u32): void {
  set64(L.GPR_RSP, get64(L.GPR_RSP) - sizeBytes);
}

/** Whether a value of this size can be pushed; if not, the fault is pending. */
function canPush(sizeBytes: u32): bool {
  if (reservePush(sizeBytes)) return false;
  const hva = sizeBytes == 4 ? slowReadForWrite32(pushAddress) : slowReadForWrite16(pushAddress);
  return hva != NO_ADDRESS;
}

/** Outside 64-bit mode: checks the target in slot s of a branch that changes more than RIP, such as CALL, which pushes. */
export function h_branchcheck(d: u32, s: u32, imm: i32): u32 {
  if (load<u64>(S + s) <= limitOfCode()) return 0;
  if (imm == 0 || canPush(imm)) raiseBranchFault();
  return 1;
}
