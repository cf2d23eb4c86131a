// Test doubles of what blocks.ts and flags.ts export, for fixtures that compile a part of the core alone: code is
// what PAGE_CODE_BITMAP says, and the status flags are always kept as a value. Not part of the built core.
import * as L from "../layout";
import { S, get32, set32 } from "./state";

/** Forgets the 64-byte pieces of code that the store touches; 1 if there were any. */
export function codeWrite(gpa: u32, size: u32): u32 {
  const word = L.PAGE_CODE_BITMAP + ((gpa >> L.PAGE_SHIFT) << 3);
  const first = <u64>((gpa & 0xfff) >> 6);
  const last = <u64>(((gpa & 0xfff) + size - 1) >> 6);
  const touched = (~(<u64>0) << first) & (~(<u64>0) >> (63 - last));
  const code = load<u64>(word);
  store<u64>(word, code & ~touched);
  return code & touched ? 1 : 0;
}

/** No code is translated. */
export function dropCodeAtOffset(offset: u32): void {}

/** No code is translated. */
export function findBlock(rip: u64, gpa: u32, mode: u32): u32 {
  return 0;
}

export function computeFlags(): u32 {
  return get32(L.CC_SRC);
}

export function setFlags(bits: u32): void {
  set32(L.CC_OP, 0);
  set32(L.CC_SRC, bits);
}
