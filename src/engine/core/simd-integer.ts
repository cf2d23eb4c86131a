// Integer SIMD instructions of SSE2 and SSE4.1 for which WebAssembly has no counterpart. SDM 2.
import { S } from "./state";
import { slowReadForWrite8, writeMem } from "./memory";
import { offsetAddress } from "./fpu-memory";
import { NO_ADDRESS } from "./paging";
import { xmm } from "./xmm";

/** PHMINPOSUW: the smallest word of s and its index. */
export function h_phminposuw(d: u32, s: u32, imm: i32): u32 {
  const source = xmm(s);
  let least: u32 = 0x10000;
  let index: u32 = 0;
  for (let i: u32 = 0; i < 8; i++) {
    const word = <u32>load<u16>(source + (i << 1));
    if (word < least) {
      least = word;
      index = i;
    }
  }
  store<u64>(xmm(d), <u64>(least | (index << 16)));
  store<u64>(xmm(d), 0, 8);
  return 0;
}

/** MPSADBW: eight sums of absolute differences of four bytes of s, chosen by imm 0–1, with d from imm 2 on. */
export function h_mpsadbw(d: u32, s: u32, imm: i32): u32 {
  const first = xmm(d) + (<u32>(imm & 4));
  const second = xmm(s) + (<u32>(imm & 3) << 2);
  let low: u64 = 0;
  let high: u64 = 0;
  for (let i: u32 = 0; i < 8; i++) {
    let sum: u32 = 0;
    for (let k: u32 = 0; k < 4; k++) {
      const difference = <i32>load<u8>(first + i + k) - <i32>load<u8>(second + k);
      sum += <u32>abs(difference);
    }
    if (i < 4) low |= <u64>sum << <u64>(i << 4);
    else high |= <u64>sum << <u64>((i - 4) << 4);
  }
  store<u64>(xmm(d), low);
  store<u64>(xmm(d), high, 8);
  return 0;
}

export function h_maskmovdqu(d: u32, s: u32, imm: i32): u32 {
  const address = load<u64>(S + s);
  const mask = xmm(imm);
  // All bytes are probed before the first one is stored.
  for (let i: u32 = 0; i < 16; i++) {
    if (load<u8>(mask + i) & 0x80 && slowReadForWrite8(offsetAddress(address, i)) == NO_ADDRESS) return 1;
  }
  for (let i: u32 = 0; i < 16; i++) {
    if (load<u8>(mask + i) & 0x80 && writeMem<u8>(offsetAddress(address, i), load<u8>(xmm(d) + i))) return 1;
  }
  return 0;
}
