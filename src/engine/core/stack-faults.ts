// #SS or #GP for an address that is not canonical: in 64-bit mode a reference through SS raises #SS(0), any other one
// #GP(0) (SDM 1 3.7.4 and SDM 3A 6.15, interrupts 12 and 13). The memory ops of translated code do not know their
// segment: when such a fault is about to be delivered, the instruction's bytes tell.
import * as L from "../layout";
import { S, get32, get64, set32, VECTOR_GP, VECTOR_SS } from "./state";
import { ACCESS_EXECUTE, NO_ADDRESS, isCanonical, translate } from "./paging";
import { MEMORY_SIZE } from "./host";

const RSP: u32 = 4;
const RBP: u32 = 5;
const NO_REGISTER: u32 = 16;
/** No operand reaches further from its first byte, apart from save areas. */
const OPERAND_REACH: u64 = 15;

/** Linear address of the next byte. */
let at: u64 = 0;

/** The next byte of the instruction, which has been decoded before: it is there. */
function fetchByte(): u32 {
  const gpa = translate(at, ACCESS_EXECUTE, get32(L.CPL) == 3 ? 1 : 0);
  at++;
  return gpa == NO_ADDRESS || gpa >= MEMORY_SIZE ? 0 : load<u8>(L.RAM_BASE + gpa);
}

/** Bit `opcode` of four words. */
@inline
function contains(opcode: u32, word0: u64, word1: u64, word2: u64, word3: u64): bool {
  const high = opcode >> 6;
  const word = high == 0 ? word0 : high == 1 ? word1 : high == 2 ? word2 : word3;
  return ((word >> (opcode & 63)) & 1) != 0;
}

/** SDM 2 tables; what follows 0F 38 and 0F 3A all has one. */
function hasModrm(map: u32, opcode: u32): bool {
  if (map == 0) return contains(opcode, 0x0f0f0f0f0f0f0f0f, 0x00000a0800000000, 0xffff, 0xc0c00000ff0f00c3);
  if (map == 1) return contains(opcode, 0xff00ffffffffa00f, 0xff7fffffffffffff, 0xfffff8f8ffff0000, 0xffffffffffff00ff);
  return true;
}

/** PUSH, POP, PUSHF, POPF, CALL, RET, ENTER and LEAVE without a ModRM byte: a #GP(0) of theirs is one of the stack. */
function usesOnlyStack(map: u32, opcode: u32): bool {
  if (map == 1) return opcode == 0xa0 || opcode == 0xa1 || opcode == 0xa8 || opcode == 0xa9;
  if (map != 0) return false;
  if (opcode >= 0x50 && opcode <= 0x5f) return true;
  switch (opcode) {
    case 0x68:
    case 0x6a:
    case 0x9c:
    case 0x9d:
    case 0xc2:
    case 0xc3:
    case 0xc8:
    case 0xc9:
    case 0xe8:
      return true;
    default:
      return false;
  }
}

@inline
function register(n: u32): u64 {
  return n == NO_REGISTER ? 0 : load<u64>(S + (n << 3));
}

/** The displacement of ModRM.mod; a base-less form has 4 bytes as well, but is none of the stack's. */
function displacement(mod: u32): u64 {
  if (mod == 0) return 0;
  const low = fetchByte();
  if (mod == 1) return <u64>(<i64>(<i8>low));
  const rest = (fetchByte() << 8) | (fetchByte() << 16) | (fetchByte() << 24);
  return <u64>(<i64>(<i32>(low | rest)));
}

/** Whether the instruction at RIP has a reference through SS that is not canonical. 64-bit mode. */
function refersToStack(): bool {
  at = get64(L.RIP);
  let rex: u32 = 0;
  let otherSegment = false;
  let segmentBase: u64 = 0;
  let narrow = false;
  let byte = fetchByte();
  for (let prefixes = 0; prefixes < 14; prefixes++) {
    if (byte >> 4 == 4) rex = byte;
    else {
      if (byte == 0x64 || byte == 0x65) {
        otherSegment = true;
        segmentBase = get64(L.SEG_BASE + ((byte - 0x60) << 3));
      }
      else if (byte == 0x67) narrow = true;
      else if (byte != 0x66 && (byte & 0xe7) != 0x26 && byte != 0xf0 && byte != 0xf2 && byte != 0xf3) break;
      rex = 0;
    }
    byte = fetchByte();
  }
  let map: u32 = 0;
  if (byte == 0x0f) {
    map = 1;
    byte = fetchByte();
    if (byte == 0x38 || byte == 0x3a) {
      map = 2;
      byte = fetchByte();
    }
  } else if (byte == 0xc4 || byte == 0xc5) {
    // VEX, which has X, B and the map in its three-byte form alone; there is no LES or LDS here.
    const first = fetchByte();
    map = byte == 0xc5 ? 1 : first & 31;
    if (byte == 0xc4) {
      rex = (~first >> 5) & 3;
      fetchByte();
    }
    byte = fetchByte();
  }
  if (!hasModrm(map, byte)) return usesOnlyStack(map, byte);
  const modrm = fetchByte();
  // LLDT, LTR, LGDT, LIDT, LMSW, INVLPG and INVPCID in user mode: the fault is their privilege.
  const privileged = map == 1 ? byte <= 1 && (modrm & 0x10) != 0 : map == 2 && byte == 0x82;
  if (privileged && get32(L.CPL) == 3) return false;
  const mod = modrm >> 6;
  // PUSH and CALL of a register, POP into one.
  const pushes = map == 0 && ((byte == 0xff && (modrm & 0x38) == 0x30) || (byte == 0xff && (modrm & 0x38) == 0x10) || byte == 0x8f);
  if (mod == 3) return pushes;
  // POP reads the stack before it looks at where the value goes.
  if (map == 0 && byte == 0x8f && !isCanonical(get64(L.GPR_RSP))) return true;
  let base = modrm & 7;
  let index = NO_REGISTER;
  let scale: u32 = 0;
  if (base == 4) {
    const sib = fetchByte();
    base = (sib & 7) | ((rex & 1) << 3);
    index = ((sib >> 3) & 7) | ((rex & 2) << 2);
    if (index == RSP) index = NO_REGISTER;
    scale = sib >> 6;
  } else base |= (rex & 1) << 3;
  const hasBase = mod != 0 || (base & 7) != RBP;
  const viaStack = hasBase && !otherSegment && (base == RSP || base == RBP);
  if (!viaStack && !pushes) return false;
  // Relative to RIP: where code can be, so can data.
  if (!hasBase && (modrm & 7) != 4) return !isCanonical(get64(L.GPR_RSP));
  const start = hasBase ? segmentBase + register(base) : segmentBase;
  const address = start + (register(index) << scale) + displacement(hasBase ? mod : 2);
  const isBad = !narrow && !(isCanonical(address) && isCanonical(address + OPERAND_REACH));
  return isBad ? viaStack : pushes;
}

/** Turns a pending #GP(0) of the instruction at RIP into the #SS(0) that it should be. */
export function nameStackFault(): void {
  if (get32(L.FAULT_HAS_ERROR) == L.FAULT_ERROR_EXACT) return;
  if (get32(L.FAULT_VECTOR) != VECTOR_GP || get32(L.FAULT_ERROR) != 0 || (get32(L.MODE) & L.MODE_CODE_SIZE) != 2) return;
  const isStack = refersToStack();
  set32(L.FAULT_VECTOR, isStack ? VECTOR_SS : VECTOR_GP);
  set32(L.FAULT_HAS_ERROR, 1);
  set32(L.FAULT_ERROR, 0);
}
