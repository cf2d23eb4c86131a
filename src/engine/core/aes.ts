// The rounds of AES (FIPS 197; SDM vol. 2, AESENC to AESKEYGENASSIST) by tables that join SubBytes and MixColumns, as
// FIPS 197's designers propose for 32-bit processors. Registers hold the state column by column.
//
// Deliberately missing: constant time. The tables' cache lines are the host's to observe, as is everything a guest does.
import { fourLanes, xmm } from "./xmm";

const MODULUS: u32 = 0x11b;
/** SubBytes and its inverse, a byte for each byte. */
const substitute: usize = memory.data(256, 16);
const substituteInverse: usize = memory.data(256, 16);
/** What the substituted byte of row r adds to its mixed column: four tables of 256 columns. */
const mix: usize = memory.data(4096, 16);
const mixInverse: usize = memory.data(4096, 16);
let tablesReady: bool = false;

/** a × x in GF(2^8). */
function double(a: u32): u32 {
  return (a << 1) ^ ((a & 0x80) != 0 ? MODULUS : 0);
}

function multiply(a: u32, b: u32): u32 {
  let result: u32 = 0;
  for (; b != 0; b >>= 1) {
    if ((b & 1) != 0) result ^= a;
    a = double(a);
  }
  return result;
}

@inline
function storeColumns(table: usize, byte: u32, column: u32): void {
  for (let row = 0; row < 4; row++) store<u32>(table + (row << 10) + (byte << 2), rotl<u32>(column, row << 3));
}

function makeTables(): void {
  // Powers of the generator 3 upwards and of its inverse F6h downwards: each pair is a byte and its inverse.
  let power: u32 = 1;
  let inverse: u32 = 1;
  for (let i = 0; i < 255; i++) {
    const spread = inverse | (inverse << 8);
    const bits = spread ^ (spread >> 4) ^ (spread >> 5) ^ (spread >> 6) ^ (spread >> 7);
    store<u8>(substitute + power, (bits & 0xff) ^ 0x63);
    power = multiply(power, 3);
    inverse = multiply(inverse, 0xf6);
  }
  store<u8>(substitute, 0x63);
  for (let byte: u32 = 0; byte < 256; byte++) {
    const s = u32(load<u8>(substitute + byte));
    store<u8>(substituteInverse + s, byte);
    storeColumns(mix, byte, double(s) | (s << 8) | (s << 16) | (multiply(s, 3) << 24));
  }
  for (let byte: u32 = 0; byte < 256; byte++) {
    const s = u32(load<u8>(substituteInverse + byte));
    const column = multiply(s, 14) | (multiply(s, 9) << 8) | (multiply(s, 13) << 16) | (multiply(s, 11) << 24);
    storeColumns(mixInverse, byte, column);
  }
  tablesReady = true;
}

/** Byte `row` of column `column` of the state at p, as an index. */
@inline
function at(p: usize, column: u32, row: u32): u32 {
  return load<u8>(p + (((column & 3) << 2) + row));
}

/** A column of the next state; `step` is 1 for ShiftRows, 3 (-1) for its inverse. */
@inline
function mixed(table: usize, p: usize, column: u32, step: u32): u32 {
  return (
    load<u32>(table + (at(p, column, 0) << 2)) ^
    load<u32>(table + 1024 + (at(p, column + step, 1) << 2)) ^
    load<u32>(table + 2048 + (at(p, column + 2, 2) << 2)) ^
    load<u32>(table + 3072 + (at(p, column + 3 * step, 3) << 2))
  );
}

/** The same without MixColumns, for the last round. */
@inline
function shifted(table: usize, p: usize, column: u32, step: u32): u32 {
  return (
    u32(load<u8>(table + at(p, column, 0))) |
    (u32(load<u8>(table + at(p, column + step, 1))) << 8) |
    (u32(load<u8>(table + at(p, column + 2, 2))) << 16) |
    (u32(load<u8>(table + at(p, column + 3 * step, 3))) << 24)
  );
}

/** A round of the state in d with the key in s. */
@inline
function mixingRound(table: usize, d: u32, s: u32, step: u32): u32 {
  if (!tablesReady) makeTables();
  const p = xmm(d);
  const state = fourLanes(mixed(table, p, 0, step), mixed(table, p, 1, step), mixed(table, p, 2, step), mixed(table, p, 3, step));
  v128.store(p, v128.xor(state, v128.load(xmm(s))));
  return 0;
}

@inline
function lastRound(table: usize, d: u32, s: u32, step: u32): u32 {
  if (!tablesReady) makeTables();
  const p = xmm(d);
  const state = fourLanes(shifted(table, p, 0, step), shifted(table, p, 1, step), shifted(table, p, 2, step), shifted(table, p, 3, step));
  v128.store(p, v128.xor(state, v128.load(xmm(s))));
  return 0;
}

export function h_aesenc(d: u32, s: u32, imm: i32): u32 {
  return mixingRound(mix, d, s, 1);
}

export function h_aesenclast(d: u32, s: u32, imm: i32): u32 {
  return lastRound(substitute, d, s, 1);
}

export function h_aesdec(d: u32, s: u32, imm: i32): u32 {
  return mixingRound(mixInverse, d, s, 3);
}

export function h_aesdeclast(d: u32, s: u32, imm: i32): u32 {
  return lastRound(substituteInverse, d, s, 3);
}

/** InvMixColumns of s, whose tables substitute first: SubBytes undoes that. */
@inline
function unmixed(p: usize, column: u32): u32 {
  return (
    load<u32>(mixInverse + (u32(load<u8>(substitute + at(p, column, 0))) << 2)) ^
    load<u32>(mixInverse + 1024 + (u32(load<u8>(substitute + at(p, column, 1))) << 2)) ^
    load<u32>(mixInverse + 2048 + (u32(load<u8>(substitute + at(p, column, 2))) << 2)) ^
    load<u32>(mixInverse + 3072 + (u32(load<u8>(substitute + at(p, column, 3))) << 2))
  );
}

export function h_aesimc(d: u32, s: u32, imm: i32): u32 {
  if (!tablesReady) makeTables();
  const p = xmm(s);
  v128.store(xmm(d), fourLanes(unmixed(p, 0), unmixed(p, 1), unmixed(p, 2), unmixed(p, 3)));
  return 0;
}

/** SubWord of column 1 or 3. */
@inline
function substituted(p: usize, column: u32): u32 {
  return (
    u32(load<u8>(substitute + at(p, column, 0))) |
    (u32(load<u8>(substitute + at(p, column, 1))) << 8) |
    (u32(load<u8>(substitute + at(p, column, 2))) << 16) |
    (u32(load<u8>(substitute + at(p, column, 3))) << 24)
  );
}

/** imm: the round constant. */
export function h_aeskeygenassist(d: u32, s: u32, imm: i32): u32 {
  if (!tablesReady) makeTables();
  const p = xmm(s);
  const first = substituted(p, 1);
  const third = substituted(p, 3);
  const constant = <u32>imm & 0xff;
  v128.store(
    xmm(d),
    fourLanes(first, rotr<u32>(first, 8) ^ constant, third, rotr<u32>(third, 8) ^ constant),
  );
  return 0;
}
