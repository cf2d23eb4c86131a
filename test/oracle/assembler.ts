/**
 * A minimal x86-64 assembler: just the instruction forms that the native runner is made of.
 *
 * Encodings follow SDM volume 2. Memory operands are always [base + disp32], so no form depends on the size
 * of a displacement, and jumps are always rel32, so one pass and a list of fixups are enough.
 * assembler.test.ts disassembles every form with an independent disassembler.
 */

/** Register numbers as encoded in ModRM and REX. */
export const R = {
  rax: 0,
  rcx: 1,
  rdx: 2,
  rbx: 3,
  rsp: 4,
  rbp: 5,
  rsi: 6,
  rdi: 7,
  r8: 8,
  r9: 9,
  r10: 10,
  r11: 11,
  r12: 12,
  r13: 13,
  r14: 14,
  r15: 15,
} as const;
export type Register = (typeof R)[keyof typeof R];

/** Segment register numbers as encoded in ModRM.reg of MOV Sreg. */
export const SEGMENT = { es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5 } as const;
export type SegmentRegister = (typeof SEGMENT)[keyof typeof SEGMENT];

/** Condition codes as encoded in the low nibble of Jcc. */
export const CONDITION = {
  below: 2,
  aboveOrEqual: 3,
  equal: 4,
  notEqual: 5,
  belowOrEqual: 6,
  above: 7,
  sign: 8,
} as const;
export type Condition = (typeof CONDITION)[keyof typeof CONDITION];

/** [base + displacement] */
export interface Memory {
  readonly base: Register;
  readonly displacement: number;
}

export function at(base: Register, displacement = 0): Memory {
  return { base, displacement };
}

interface Fixup {
  readonly at: number;
  readonly label: string;
}

export class Assembler {
  readonly #origin: bigint;
  readonly #bytes: number[] = [];
  readonly #labels = new Map<string, number>();
  readonly #fixups: Fixup[] = [];

  constructor(origin: bigint) {
    this.#origin = origin;
  }

  /** Defines a label here. */
  label(name: string): void {
    if (this.#labels.has(name)) throw new Error(`label ${name} is defined twice`);
    this.#labels.set(name, this.#bytes.length);
  }

  /** The address of a label that is already defined. */
  addressOf(name: string): bigint {
    const offset = this.#labels.get(name);
    if (offset === undefined) throw new Error(`label ${name} is not defined`);
    return this.#origin + BigInt(offset);
  }

  /** The machine code with all jumps resolved. */
  finish(): Uint8Array {
    const code = Uint8Array.from(this.#bytes);
    const view = new DataView(code.buffer);
    for (const fixup of this.#fixups) {
      const target = this.#labels.get(fixup.label);
      if (target === undefined) throw new Error(`label ${fixup.label} is not defined`);
      view.setInt32(fixup.at, target - (fixup.at + 4), true);
    }
    return code;
  }

  /** MOV r32, imm32 (zero-extended) or MOV r64, imm64, whichever holds the value. */
  movImmediate(to: Register, value: number | bigint): void {
    const wide = BigInt.asUintN(64, BigInt(value));
    const short = wide <= 0xffff_ffffn;
    if (!short || to >= 8) this.#emit((short ? 0x40 : 0x48) | (to >> 3));
    this.#emit(0xb8 | (to & 7)); // B8+r
    this.#immediate(wide, short ? 4 : 8);
  }

  /** MOV r64, r64 */
  move(to: Register, from: Register): void {
    this.#registerForm([0x8b], to, from, true);
  }

  /** MOV r64, m64 */
  load64(to: Register, from: Memory): void {
    this.#memoryForm([], [0x8b], to, from, true);
  }

  /** MOV r32, m32 (zero-extended) */
  load32(to: Register, from: Memory): void {
    this.#memoryForm([], [0x8b], to, from, false);
  }

  /** MOVZX r32, m16 */
  load16(to: Register, from: Memory): void {
    this.#memoryForm([], [0x0f, 0xb7], to, from, false);
  }

  /** MOV m64, r64 */
  store64(to: Memory, from: Register): void {
    this.#memoryForm([], [0x89], from, to, true);
  }

  /** MOV m32, r32 */
  store32(to: Memory, from: Register): void {
    this.#memoryForm([], [0x89], from, to, false);
  }

  /** LEA r64, m */
  lea(to: Register, address: Memory): void {
    this.#memoryForm([], [0x8d], to, address, true);
  }

  /** MOV m16, Sreg */
  storeSegment(to: Memory, from: SegmentRegister): void {
    this.#memoryForm([], [0x8c], from, to, false);
  }

  /** MOV Sreg, m16 */
  loadSegment(to: SegmentRegister, from: Memory): void {
    this.#memoryForm([], [0x8e], to, from, false);
  }

  /** ADD r64, r64 */
  add(to: Register, from: Register): void {
    this.#registerForm([0x03], to, from, true);
  }

  /** SUB r64, r64 */
  subtract(to: Register, from: Register): void {
    this.#registerForm([0x2b], to, from, true);
  }

  /** CMP r64, r64 */
  compare(left: Register, right: Register): void {
    this.#registerForm([0x3b], left, right, true);
  }

  /** TEST r64, r64 */
  test(left: Register, right: Register): void {
    this.#registerForm([0x85], right, left, true);
  }

  /** ADD r64, imm32 */
  addImmediate(to: Register, value: number): void {
    this.#immediateForm(0, to, value);
  }

  /** OR r64, imm32 */
  orImmediate(to: Register, value: number): void {
    this.#immediateForm(1, to, value);
  }

  /** AND r64, imm32 (sign-extended) */
  andImmediate(to: Register, value: number): void {
    this.#immediateForm(4, to, value);
  }

  /** SUB r64, imm32 */
  subtractImmediate(to: Register, value: number): void {
    this.#immediateForm(5, to, value);
  }

  /** CMP r64, imm32 */
  compareImmediate(left: Register, value: number): void {
    this.#immediateForm(7, left, value);
  }

  /** Jcc rel32 */
  jumpIf(condition: Condition, label: string): void {
    this.#emit(0x0f, 0x80 | condition);
    this.#relative(label);
  }

  /** JMP rel32 */
  jump(label: string): void {
    this.#emit(0xe9);
    this.#relative(label);
  }

  /** CALL rel32 */
  call(label: string): void {
    this.#emit(0xe8);
    this.#relative(label);
  }

  /** RET */
  ret(): void {
    this.#emit(0xc3);
  }

  /** SYSCALL */
  syscall(): void {
    this.#emit(0x0f, 0x05);
  }

  /** REP MOVSB */
  repMoveBytes(): void {
    this.#emit(0xf3, 0xa4);
  }

  /** REP MOVSQ */
  repMoveQwords(): void {
    this.#emit(0xf3, 0x48, 0xa5);
  }

  /** PUSH r64 */
  push(from: Register): void {
    if (from >= 8) this.#emit(0x41);
    this.#emit(0x50 | (from & 7));
  }

  /** POPFQ */
  popFlags(): void {
    this.#emit(0x9d);
  }

  /** MOVDQA xmm, m128: the address must be 16-byte aligned. */
  loadAligned128(xmm: 0 | 1, from: Memory): void {
    this.#memoryForm([0x66], [0x0f, 0x6f], xmm, from, false);
  }

  /** MOVDQA m128, xmm */
  storeAligned128(to: Memory, xmm: 0 | 1): void {
    this.#memoryForm([0x66], [0x0f, 0x7f], xmm, to, false);
  }

  /** MOVDQU m128, xmm */
  storeUnaligned128(to: Memory, xmm: 0 | 1): void {
    this.#memoryForm([0xf3], [0x0f, 0x7f], xmm, to, false);
  }

  /** PCMPEQB xmm, m128 */
  compareEqualBytes(xmm: 0 | 1, from: Memory): void {
    this.#memoryForm([0x66], [0x0f, 0x74], xmm, from, false);
  }

  /** PMOVMSKB r32, xmm */
  moveByteMask(to: Register, xmm: 0 | 1): void {
    this.#emit(0x66);
    this.#registerForm([0x0f, 0xd7], to, xmm, false);
  }

  #emit(...bytes: number[]): void {
    this.#bytes.push(...bytes);
  }

  #immediate(value: bigint, sizeBytes: number): void {
    for (let i = 0; i < sizeBytes; i++) this.#emit(Number((value >> BigInt(8 * i)) & 0xffn));
  }

  #relative(label: string): void {
    this.#fixups.push({ at: this.#bytes.length, label });
    this.#emit(0, 0, 0, 0);
  }

  /** [REX] opcode ModRM(mod=11, reg, rm) */
  #registerForm(opcode: readonly number[], reg: number, rm: number, wide: boolean): void {
    const rex = (wide ? 8 : 0) | ((reg >> 3) << 2) | (rm >> 3);
    if (rex !== 0) this.#emit(0x40 | rex);
    this.#emit(...opcode, 0xc0 | ((reg & 7) << 3) | (rm & 7));
  }

  /** [prefix] [REX] opcode ModRM(mod=10, reg, base) [SIB] disp32 */
  #memoryForm(
    prefix: readonly number[],
    opcode: readonly number[],
    reg: number,
    memory: Memory,
    wide: boolean,
  ): void {
    const { base, displacement } = memory;
    const rex = (wide ? 8 : 0) | ((reg >> 3) << 2) | (base >> 3);
    this.#emit(...prefix);
    if (rex !== 0) this.#emit(0x40 | rex);
    this.#emit(...opcode, 0x80 | ((reg & 7) << 3) | (base & 7));
    if ((base & 7) === R.rsp) this.#emit(0x24); // SIB: no index, base rsp or r12
    this.#immediate(BigInt.asUintN(32, BigInt(displacement)), 4);
  }

  /** REX.W 81 /extension id */
  #immediateForm(extension: number, to: Register, value: number): void {
    this.#emit(0x48 | (to >> 3), 0x81, 0xc0 | (extension << 3) | (to & 7));
    this.#immediate(BigInt.asUintN(32, BigInt(value)), 4);
  }
}
