// Minimal bodies of what blocks.ts and flags.ts export, for compiling the system files before those exist.
import * as L from "../layout";
import { get32, set32 } from "./state";

export function codeWrite(gpa: u32, size: u32): u32 {
  return 0;
}

export function flushJumpCache(): void {}

export function flushJumpCachePage(gva: u64): void {}

export function computeFlags(): u32 {
  return get32(L.CC_SRC);
}

export function setFlags(bits: u32): void {
  set32(L.CC_OP, 0);
  set32(L.CC_SRC, bits);
}
