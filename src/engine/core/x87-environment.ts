// The x87 environment in memory: FLDENV, FNSTENV, FRSTOR and FNSAVE in their four formats (SDM vol. 1 8.1.10 and
// 8.1.11, figures 8-9 to 8-12), restartable: registers change after the last access that can fault.
//
// s: slot with the linear address; imm: operand size 16 or 32. The protected-mode formats hold selectors and
// offsets, the real-mode ones (also in virtual-8086 mode) linear addresses and the opcode.
import * as L from "../layout";
import { offsetAddress, probeWrite } from "./fpu-memory";
import { limitAlignment, readable, writeMem } from "./memory";
import { NO_ADDRESS } from "./paging";
import { CLASS_NORMAL, CLASS_ZERO } from "./float-core";
import { classify80 } from "./softfloat80";
import { S, get32, get64 } from "./state";
import { resetX87 } from "./x87";
import {
  controlWord,
  isEmpty,
  setControlWord,
  setStatusWord,
  stAddress,
  stSe,
  stSig,
  statusWord,
  top,
} from "./x87-state";

const ENVIRONMENT_WORDS: u32 = 7;
const REGISTER_BYTES: u32 = 10;

/** The environment's seven words: CW, SW, TW, IP, CS and opcode, DP, DS. */
const words: usize = memory.data(28, 4);
/** Registers read by FRSTOR, ST(0) first, before they are taken over. */
const registers: usize = memory.data(80, 8);

/** The full tag word: 0 valid, 1 zero, 2 special, 3 empty, two bits for each physical register. */
function fullTags(): u32 {
  let tags: u32 = 0;
  for (let i: u32 = 0; i < 8; i++) {
    let tag: u32 = 3;
    if (!isEmpty(i)) {
      const kind = classify80(stSe(i), stSig(i));
      tag = kind == CLASS_NORMAL ? 0 : kind == CLASS_ZERO ? 1 : 2;
    }
    tags |= tag << (((top() + i) & 7) << 1);
  }
  return tags;
}

/** The abridged tag byte of a full tag word. */
function abridgedTags(tags: u32): u32 {
  let bits: u32 = 0;
  for (let i: u32 = 0; i < 8; i++) {
    if (((tags >> (i << 1)) & 3) != 3) bits |= 1 << i;
  }
  return bits;
}

@inline
function realFormat(): bool {
  return (get32(L.MODE) & L.MODE_REAL) != 0;
}

/** Composes the seven words from the state. */
function composeEnvironment(size: u32): void {
  const filler: u32 = size == 32 ? 0xffff0000 : 0;
  let ip = u32(load<u64>(S + L.X87_IP));
  let dp = u32(load<u64>(S + L.X87_DP));
  const opcode: u32 = u32(load<u16>(S + L.X87_OPCODE)) & 0x7ff;
  store<u32>(words, controlWord() | filler);
  store<u32>(words, statusWord() | filler, 4);
  store<u32>(words, fullTags() | filler, 8);
  if (realFormat()) {
    ip += u32(load<u16>(S + L.X87_CS)) << 4;
    dp += u32(load<u16>(S + L.X87_DS)) << 4;
    store<u32>(words, (ip & 0xffff) | filler, 12);
    store<u32>(words, ((ip >> 4) & (size == 32 ? 0x0ffff000 : 0xf000)) | opcode, 16);
    store<u32>(words, (dp & 0xffff) | filler, 20);
    store<u32>(words, (dp >> 4) & (size == 32 ? 0x0ffff000 : 0xf000), 24);
    return;
  }
  store<u32>(words, ip, 12);
  store<u32>(words, u32(load<u16>(S + L.X87_CS)) | (size == 32 ? opcode << 16 : 0), 16);
  store<u32>(words, dp, 20);
  store<u32>(words, u32(load<u16>(S + L.X87_DS)) | filler, 24);
}

/** Stores the seven words; 1 if a fault is pending. */
function writeEnvironment(va: u64, size: u32): u32 {
  for (let i: u32 = 0; i < ENVIRONMENT_WORDS; i++) {
    const value = load<u32>(words + (i << 2));
    if (size == 32) {
      if (writeMem<u32>(offsetAddress(va, i << 2), value) != 0) return 1;
    } else if (writeMem<u16>(offsetAddress(va, i << 1), u16(value)) != 0) return 1;
  }
  return 0;
}

function readEnvironment(va: u64, size: u32): u32 {
  for (let i: u32 = 0; i < ENVIRONMENT_WORDS; i++) {
    if (size == 32) {
      const p = readable<u32>(offsetAddress(va, i << 2));
      if (p == NO_ADDRESS) return 1;
      store<u32>(words + (i << 2), load<u32>(p));
    } else {
      const p = readable<u16>(offsetAddress(va, i << 1));
      if (p == NO_ADDRESS) return 1;
      store<u32>(words + (i << 2), u32(load<u16>(p)));
    }
  }
  return 0;
}

/** Takes the seven words over into the state. */
function adoptEnvironment(size: u32): void {
  setStatusWord(load<u32>(words, 4) & 0xffff);
  setControlWord(load<u32>(words));
  store<u8>(S + L.X87_TAG, abridgedTags(load<u32>(words, 8)));
  let ip = load<u32>(words, 12);
  let dp = load<u32>(words, 20);
  const second = load<u32>(words, 16);
  if (realFormat()) {
    ip = (ip & 0xffff) | ((second & (size == 32 ? 0x0ffff000 : 0xf000)) << 4);
    dp = (dp & 0xffff) | ((load<u32>(words, 24) & (size == 32 ? 0x0ffff000 : 0xf000)) << 4);
    store<u16>(S + L.X87_OPCODE, second & 0x7ff);
    store<u16>(S + L.X87_CS, 0);
    store<u16>(S + L.X87_DS, 0);
  } else {
    // The 16-bit format has no opcode.
    store<u16>(S + L.X87_OPCODE, size == 32 ? (second >> 16) & 0x7ff : 0);
    store<u16>(S + L.X87_CS, second);
    store<u16>(S + L.X87_DS, load<u32>(words, 24));
  }
  store<u64>(S + L.X87_IP, u64(ip));
  store<u64>(S + L.X87_DP, u64(dp));
}

@inline
function environmentBytes(size: u32): u32 {
  return (size * ENVIRONMENT_WORDS) >> 3;
}

/** FNSTENV: stores the environment, then masks all exceptions. */
export function h_x87_store_environment(d: u32, s: u32, imm: i32): u32 {
  const va = get64(s);
  if (probeWrite(va, environmentBytes(imm)) != 0) return 1;
  composeEnvironment(imm);
  if (writeEnvironment(va, imm) != 0) return 1;
  setControlWord(controlWord() | 0x3f);
  return 0;
}

export function h_x87_load_environment(d: u32, s: u32, imm: i32): u32 {
  if (readEnvironment(get64(s), imm) != 0) return 1;
  adoptEnvironment(imm);
  return 0;
}

/** FNSAVE: the environment and ST(0)–ST(7), then FNINIT. */
export function h_x87_save(d: u32, s: u32, imm: i32): u32 {
  const failed = saveAll(d, s, imm);
  limitAlignment(16);
  return failed;
}

function saveAll(d: u32, s: u32, imm: i32): u32 {
  const va = get64(s);
  const header = environmentBytes(imm);
  if (probeWrite(va, header + 8 * REGISTER_BYTES) != 0) return 1;
  composeEnvironment(imm);
  if (writeEnvironment(va, imm) != 0) return 1;
  // Registers are ten bytes each.
  limitAlignment(2);
  for (let i: u32 = 0; i < 8; i++) {
    const at = header + i * REGISTER_BYTES;
    if (writeMem<u64>(offsetAddress(va, at), stSig(i)) != 0) return 1;
    if (writeMem<u16>(offsetAddress(va, at + 8), u16(stSe(i))) != 0) return 1;
  }
  resetX87();
  return 0;
}

export function h_x87_restore(d: u32, s: u32, imm: i32): u32 {
  const failed = restoreAll(d, s, imm);
  limitAlignment(16);
  return failed;
}

function restoreAll(d: u32, s: u32, imm: i32): u32 {
  const va = get64(s);
  const header = environmentBytes(imm);
  if (readEnvironment(va, imm) != 0) return 1;
  // Registers are ten bytes each.
  limitAlignment(2);
  for (let i: u32 = 0; i < 8; i++) {
    const at = header + i * REGISTER_BYTES;
    const low = readable<u64>(offsetAddress(va, at));
    if (low == NO_ADDRESS) return 1;
    store<u64>(registers + i * REGISTER_BYTES, load<u64>(low));
    const high = readable<u16>(offsetAddress(va, at + 8));
    if (high == NO_ADDRESS) return 1;
    store<u16>(registers + i * REGISTER_BYTES, load<u16>(high), 8);
  }
  adoptEnvironment(imm);
  for (let i: u32 = 0; i < 8; i++) {
    const p = stAddress(i);
    store<u64>(p, load<u64>(registers + i * REGISTER_BYTES));
    store<u16>(p, load<u16>(registers + i * REGISTER_BYTES, 8), 8);
  }
  return 0;
}
