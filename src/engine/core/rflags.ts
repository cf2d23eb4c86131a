// RFLAGS as one value: the lazy status flags joined with the rest. SDM 1, 3.4.3.
//
// RF is set in RFLAGS_REST only between the instruction that loads it (IRET, a task switch) or stops half-way (a repeated
// string instruction) and the next: that is where an event can see it, and what it holds breakpoints off for.
import * as L from "../layout";
import { get32, set32 } from "./state";
import * as C from "./control-bits";
import { computeFlags, setFlags } from "./flags";

export function readFlags(): u32 {
  return computeFlags() | get32(L.RFLAGS_REST);
}

/** Sets all status flags, and of the others those in mask. The caller runs updateMode() if TF or VM may change. */
export function writeFlags(value: u32, mask: u32): void {
  setFlags(value & C.FLAGS_STATUS);
  const kept = mask & ~C.FLAGS_STATUS;
  set32(L.RFLAGS_REST, (get32(L.RFLAGS_REST) & ~kept) | (value & kept) | C.FLAG_ONE);
  if (value & kept & C.FLAG_RF) set32(L.RF_LOADED, 1);
}

/** Sets RF for the next instruction. */
export function loadResumeFlag(): void {
  set32(L.RFLAGS_REST, get32(L.RFLAGS_REST) | C.FLAG_RF);
  set32(L.RF_LOADED, 1);
}

@inline
export function ioPrivilege(): u32 {
  return (get32(L.RFLAGS_REST) >> 12) & 3;
}

@inline
export function isVirtual8086(): bool {
  return (get32(L.RFLAGS_REST) & C.FLAG_VM) != 0;
}

/** What IRET and POPF at this CPL may change, with an operand of `size` bytes. */
export function flagsChangeable(size: u32): u32 {
  let mask = C.FLAG_TF | C.FLAG_DF | C.FLAG_NT;
  const cpl = get32(L.CPL);
  if (cpl <= ioPrivilege()) mask |= C.FLAG_IF;
  if (cpl == 0) mask |= C.FLAG_IOPL;
  if (size > 2) mask |= C.FLAG_AC | C.FLAG_ID;
  return mask;
}
