/**
 * The WebAssembly instructions that the region compiler writes itself (core specification 5.4). Those that IR
 * expressions name are in ir/wasm-ops.ts.
 */
export const opcode = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  returnCallIndirect: 0x13,
  drop: 0x1a,
  select: 0x1b,
  selectTyped: 0x1c,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  i32Load: 0x28,
  i64Load: 0x29,
  i32Load8U: 0x2d,
  i32Load16U: 0x2f,
  i32Store: 0x36,
  i64Store: 0x37,
  i32Store8: 0x3a,
  i32Store16: 0x3b,
  i32Const: 0x41,
  i64Const: 0x42,
  simdPrefix: 0xfd,
  atomicPrefix: 0xfe,
} as const;

/** Behind the SIMD prefix. */
export const simdOpcode = {
  v128Load: 0,
  v128Store: 11,
  v128Const: 12,
  v128Store32Lane: 0x5a,
  v128Store64Lane: 0x5b,
  v128Load32Zero: 0x5c,
  v128Load64Zero: 0x5d,
} as const;

/** Behind the prefix of atomic instructions: compare-exchange by size in bits. */
export const compareExchangeOpcode = { 8: 0x4a, 16: 0x4b, 32: 0x48, 64: 0x49 } as const;

export const valueTypeCode = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;
export const EMPTY_BLOCK_TYPE = 0x40;
export const FUNCTION_TYPE = 0x60;
export const FUNCREF = 0x70;
