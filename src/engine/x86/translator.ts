/**
 * What the meanings of instructions (lower-*.ts) use to append IR: operands as register-file slots, linear addresses
 * in the four forms of ops-memory.ts, the stack, branches, exceptions. One Translator serves all translations of a
 * CPU model.
 *
 * Instructions are restartable: a meaning writes registers and flags only behind its last op that can fault. A
 * read-modify-write loads with readForWrite(), which faults as the store would. With a LOCK prefix the store is a
 * compare-exchange with what was loaded, and what is not a temporary changes behind it; CMPXCHG16B alone is not atomic.
 */
import * as L from "../layout.ts";
import type { IrBlock } from "../ir/block.ts";
import { opNumber, opWithoutFlags } from "../ir/ops.ts";
import type { Decoder } from "./decode.ts";

/** log2 of a size in bytes. */
export type SizeLog2 = number;
export const SIZE8 = 0;
export const SIZE16 = 1;
export const SIZE32 = 2;
export const SIZE64 = 3;

/** Temporary slots: values, then what address computations use. */
export const T0 = L.TEMP;
export const T1 = L.TEMP + 8;
export const T2 = L.TEMP + 16;
export const T3 = L.TEMP + 24;
export const T4 = L.TEMP + 32;
/** Holds addresses; free for meanings that touch no memory. */
const ADDRESS = L.TEMP + 64;
const STACK_ADDRESS = L.TEMP + 56;

export const VECTOR_UD = 6;
export const VECTOR_NM = 7;

/** The numbers of an op for 8, 16, 32 and 64 bits. */
export type BySize = readonly [number, number, number, number];
export const bySize = (name: string): BySize => [
  opNumber(`${name}8`),
  opNumber(`${name}16`),
  opNumber(`${name}32`),
  opNumber(`${name}64`),
];
/** For ops that exist from 16 bits up; 8 is never asked for. */
export const byWideSize = (name: string): BySize => [
  opNumber("nop"),
  opNumber(`${name}16`),
  opNumber(`${name}32`),
  opNumber(`${name}64`),
];
/** For ops of 32 and 64 bits. */
export const bySizeY = (name: string): BySize => [
  opNumber("nop"),
  opNumber("nop"),
  opNumber(`${name}32`),
  opNumber(`${name}64`),
];
export const pick = (ops: BySize, size: SizeLog2): number =>
  size === SIZE32 ? ops[2] : size === SIZE64 ? ops[3] : size === SIZE8 ? ops[0] : ops[1];

/** The numbers of a memory op in the four address forms. */
export interface MemoryOp {
  readonly m64: number;
  readonly m32: number;
  readonly x64: number;
  readonly x32: number;
}
export const memoryOp = (name: string): MemoryOp => ({
  m64: opNumber(`${name}_m64`),
  m32: opNumber(`${name}_m32`),
  x64: opNumber(`${name}_x64`),
  x32: opNumber(`${name}_x32`),
});
export type MemoryOpBySize = readonly [MemoryOp, MemoryOp, MemoryOp, MemoryOp];
const memoryOps = (a: string, b: string, c: string, d: string): MemoryOpBySize => [
  memoryOp(a),
  memoryOp(b),
  memoryOp(c),
  memoryOp(d),
];
/** Loads that fill the whole slot with the zero-extended value. */
export const LOAD = memoryOps("ldzx8", "ldzx16", "ld32", "ld64");
/** Loads into registers: partial for 8 and 16 bits. */
export const LOAD_REGISTER = memoryOps("ldp8", "ldp16", "ld32", "ld64");
const LOAD_FOR_WRITE = memoryOps("ldw8", "ldw16", "ldw32", "ldw64");
const STORE = memoryOps("st8", "st16", "st32", "st64");
const CAS = bySize("cas");
/** Scalars of XMM registers, with zeros above what is loaded. */
export const LOAD_SCALAR = { 32: memoryOp("ldx32"), 64: memoryOp("ldx64") } as const;
export const STORE_SCALAR = { 32: memoryOp("stx32"), 64: memoryOp("stx64") } as const;
export const LOAD128 = memoryOp("ld128");
export const STORE128 = memoryOp("st128");
export const MOV = bySize("mov");
export const MOVI = bySize("movi");

const MOVABS = opNumber("movabs");
const LEA = {
  m64: opNumber("lea_m64"),
  m32: opNumber("lea_m32"),
  x64: opNumber("lea_x64"),
  x32: opNumber("lea_x32"),
};
const LEA16_M32 = opNumber("lea16_m32");
const LEA16_X32 = opNumber("lea16_x32");
const ZX16 = opNumber("zx16");
const PUSH64 = opNumber("push64");
const PUSH32 = opNumber("push32");
const PUSHI64 = opNumber("pushi64");
const PUSHI32 = opNumber("pushi32");
const POP64 = opNumber("pop64");
const POP32 = opNumber("pop32");
const SEGLIN = opNumber("seglin");
const ALIGN16 = opNumber("align16");
const RAISE = opNumber("raise");
const RAISE_GP0 = opNumber("raise_gp0");
const SYNCPC = opNumber("syncpc");
const SYSEND = opNumber("sysend");
const BREAKPOINT = opNumber("breakpoint");
const CANONICAL = opNumber("canonical");
const BRANCHCHECK = opNumber("branchcheck");
const JMP = opNumber("jmp");
const NEXT = opNumber("next");
const JMPR = opNumber("jmpr");
const RET = opNumber("ret");
const CALL = opNumber("call");
const CALLR = opNumber("callr");
const ADDN = byWideSize("addn");
const NEGN64 = opNumber("negn64");
const ORN64 = opNumber("orn64");
const XORN64 = opNumber("xorn64");
const ANDN64 = opNumber("andn64");
const SARNI64 = opNumber("sarni64");
const JZ = byWideSize("jz");
const JCC = Array.from({ length: 16 }, (_, code) => opNumber(`j${code}`));
const CMOV64 = Array.from({ length: 16 }, (_, code) => opNumber(`cmov${code}_64`));

const X87_SITE = opNumber("x87_site");
const X87_DATA = { ss: memoryOp("x87_data_ss"), ds: memoryOp("x87_data_ds") } as const;
const X87_DATA_SEGMENT = opNumber("x87_data_segment");

const FORM_M64 = 0;
const FORM_M32 = 1;
const FORM_X64 = 2;
const FORM_X32 = 3;

/** imm of the `seglin` helper: access size in bytes, and whether it writes. */
const SEGLIN_WRITE = 0x1000;

const fitsI32 = (value: number): boolean => value === (value | 0);

export class Translator {
  readonly decoder: Decoder;
  block: IrBlock;
  /** MODE_* bits of the block. */
  mode = 0;
  /** MODE_CODE_SIZE: 0, 1, 2. */
  codeSize = 0;
  is64 = false;
  /** Offset of the current instruction from the block's RIP, and of the one behind it. */
  pc = 0;
  nextPc = 0;
  /** The block's branch op has been appended. */
  ended = false;

  // The linear address that address() has prepared.
  #form = FORM_M64;
  #slot = 0;
  #index = 0;
  #scale = 0;
  #disp = 0;

  // The constant that codeAddress() has computed.
  #low = 0;
  #high = 0;

  constructor(decoder: Decoder, block: IrBlock) {
    this.decoder = decoder;
    this.block = block;
  }

  begin(block: IrBlock): void {
    this.block = block;
    this.mode = block.mode;
    this.codeSize = block.mode & L.MODE_CODE_SIZE;
    this.is64 = this.codeSize === 2;
    this.ended = false;
  }

  // ---- Ops ----------------------------------------------------------------------------------------------------
  emit(op: number, d = 0, s = 0, imm = 0): void {
    this.block.push(this.pc, op, d, s, imm);
  }

  /** A long op: second register or index slot, scale. */
  emitLong(op: number, d: number, s: number, a: number, scale: number, imm: number): void {
    const i = this.block.push(this.pc, op, d, s, imm);
    this.block.a[i] = a;
    this.block.scale[i] = scale;
  }

  /** slot := a 64-bit constant. */
  constant64(slot: number, low: number, high: number): void {
    if (high === low >> 31) this.emit(MOVI[3], slot, 0, low);
    else if (high === 0) this.emit(MOVI[2], slot, 0, low);
    else this.block.immHigh[this.block.push(this.pc, MOVABS, slot, 0, low)] = high;
  }

  // ---- Registers ----------------------------------------------------------------------------------------------
  /** Slot of general register n as an operand of this size: without REX, byte registers 4–7 are AH, CH, DH, BH. */
  gpr(n: number, size: SizeLog2): number {
    return size === SIZE8 && n >= 4 && n < 8 && this.decoder.rex === 0 ? 8 * (n - 4) + 1 : 8 * n;
  }

  /** Slot of the ModRM.reg register. */
  reg(size: SizeLog2): number {
    return this.gpr(this.decoder.reg, size);
  }

  /** Slot of the r/m register. */
  rmRegister(size: SizeLog2): number {
    return this.gpr(this.decoder.rm, size);
  }

  /** Slot of the general register in VEX.vvvv, of 32 or 64 bits. */
  vvvv(): number {
    return 8 * this.decoder.vvvv;
  }

  /** Slot of the register in the opcode's low three bits. */
  opcodeRegister(size: SizeLog2): number {
    return this.gpr((this.decoder.opcode & 7) | ((this.decoder.rex & 1) << 3), size);
  }

  // ---- Memory -------------------------------------------------------------------------------------------------
  /**
   * Prepares the linear address of the memory operand for load(), store() and their like; segment checks happen here.
   * `spanBytes` is what the instruction touches from that address on.
   */
  address(spanBytes: number, writes: boolean): void {
    const d = this.decoder;
    if (d.isRipRelative) this.#ripRelative();
    else this.#effective(d.base, d.index, d.scale, d.disp, d.addressSize);
    this.linearize(d.segment, spanBytes, writes);
  }

  /** As address(), `extraSlot` (a full signed slot value) being added to the offset before it is truncated. */
  addressPlus(extraSlot: number, spanBytes: number, writes: boolean): void {
    const d = this.decoder;
    if (d.isRipRelative) this.#ripRelative();
    else this.#effective(d.base, d.index, d.scale, d.disp, d.addressSize);
    this.#toSlot();
    this.emit(pick(ADDN, d.addressSize === SIZE64 ? SIZE64 : SIZE32), ADDRESS, extraSlot, 0);
    if (d.addressSize === SIZE16) this.emit(ZX16, ADDRESS, ADDRESS, 0);
    this.linearize(d.segment, spanBytes, writes);
  }

  /** The address of an implicit operand: register slot at the address size, in a segment. */
  addressOf(slot: number, segment: number, spanBytes: number, writes: boolean): void {
    this.#effective(slot, L.SLOT_ZERO, 0, 0, this.decoder.addressSize);
    this.linearize(segment, spanBytes, writes);
  }

  /** The address of MOV's absolute offset operand. */
  addressOfOffset(spanBytes: number, writes: boolean): void {
    const d = this.decoder;
    if (d.addressSize === SIZE64) this.#constantAddress(d.immediate, d.immediate2);
    else this.#set(FORM_M32, L.SLOT_ZERO, 0, 0, d.immediate);
    this.linearize(d.segment, spanBytes, writes);
  }

  /**
   * Notes this instruction, and its memory operand's offset and segment, as the x87 unit's last ones. To be called
   * behind its last op that can fault.
   */
  x87Pointers(): void {
    const d = this.decoder;
    const fop = ((d.opcode & 7) << 8) | d.modrm;
    this.codeAddress(this.pc);
    const site = this.block.push(this.pc, X87_SITE, 0, 0, this.#low);
    this.block.immHigh[site] = (this.is64 ? this.#high & 0xffff : 0) | (fop << 16);
    if (d.isRegister) return;
    if (d.isRipRelative) this.#ripRelative();
    else this.#effective(d.base, d.index, d.scale, d.disp, d.addressSize);
    this.memory(d.segment === L.SEG_SS ? X87_DATA.ss : X87_DATA.ds, 0);
    if (d.segment !== L.SEG_SS && d.segment !== L.SEG_DS) this.emit(X87_DATA_SEGMENT, 0, 0, d.segment);
  }

  /** Moves the address on by some bytes, within the span it was checked for. */
  advance(bytes: number): void {
    this.#disp = (this.#disp + bytes) | 0;
  }

  #set(form: number, slot: number, index: number, scale: number, disp: number): void {
    this.#form = form;
    this.#slot = slot;
    this.#index = index;
    this.#scale = scale;
    this.#disp = disp;
  }

  /** The offset base + (index << scale) + disp, truncated to the address size. */
  #effective(base: number, index: number, scale: number, disp: number, addressSize: SizeLog2): void {
    const wide = addressSize === SIZE64;
    if (addressSize === SIZE16) {
      if (base === L.SLOT_ZERO && index === L.SLOT_ZERO)
        return this.#set(FORM_M32, L.SLOT_ZERO, 0, 0, disp & 0xffff);
      if (index === L.SLOT_ZERO) this.emit(LEA16_M32, ADDRESS, base, disp);
      else this.emitLong(LEA16_X32, ADDRESS, base, index, 0, disp);
      return this.#set(FORM_M32, ADDRESS, 0, 0, 0);
    }
    if (index === L.SLOT_ZERO) this.#set(wide ? FORM_M64 : FORM_M32, base, 0, 0, disp);
    else this.#set(wide ? FORM_X64 : FORM_X32, base, index, scale, disp);
  }

  #ripRelative(): void {
    this.codeAddress(this.nextPc + this.decoder.disp);
    if (this.decoder.addressSize === SIZE64) this.#constantAddress(this.#low, this.#high);
    else this.#set(FORM_M32, L.SLOT_ZERO, 0, 0, this.#low);
  }

  #constantAddress(low: number, high: number): void {
    if (high === low >> 31) return this.#set(FORM_M64, L.SLOT_ZERO, 0, 0, low);
    this.constant64(ADDRESS, low, high);
    this.#set(FORM_M64, ADDRESS, 0, 0, 0);
  }

  /** Computes the prepared address into the address slot. */
  #toSlot(): void {
    this.#lea(ADDRESS);
    this.#set(this.#form === FORM_M64 || this.#form === FORM_X64 ? FORM_M64 : FORM_M32, ADDRESS, 0, 0, 0);
  }

  #lea(slot: number): void {
    switch (this.#form) {
      case FORM_M64:
        if (slot !== this.#slot || this.#disp !== 0) this.emit(LEA.m64, slot, this.#slot, this.#disp);
        break;
      case FORM_M32:
        // The address slot is truncated already.
        if (slot !== this.#slot || this.#disp !== 0 || slot !== ADDRESS)
          this.emit(LEA.m32, slot, this.#slot, this.#disp);
        break;
      case FORM_X64:
        this.emitLong(LEA.x64, slot, this.#slot, this.#index, this.#scale, this.#disp);
        break;
      default:
        this.emitLong(LEA.x32, slot, this.#slot, this.#index, this.#scale, this.#disp);
    }
  }

  /** Makes the prepared offset a linear address: adds the segment's base, checks its limit where it has one. */
  linearize(segment: number, spanBytes: number, writes: boolean): void {
    const isFsOrGs = segment >= L.SEG_FS;
    const flatMode =
      segment === L.SEG_FS ? L.MODE_FS_FLAT : segment === L.SEG_GS ? L.MODE_GS_FLAT : L.MODE_FLAT;
    // Code segments are never writable in protected mode: the helper knows.
    const flat = (this.mode & flatMode) !== 0 && !(writes && segment === L.SEG_CS);
    if (this.is64 || flat) {
      if (isFsOrGs) this.#addBase(L.SEG_BASE + 8 * segment);
      return;
    }
    this.#toSlot();
    this.emit(SEGLIN, ADDRESS, segment, spanBytes | (writes ? SEGLIN_WRITE : 0));
  }

  #addBase(baseSlot: number): void {
    // Offsets of the address size are truncated before the base is added, so 32-bit ones in 64-bit code go to a slot.
    const wide = this.is64;
    const isNarrow = this.#form === FORM_M32 || this.#form === FORM_X32;
    if (wide && isNarrow && (this.#slot !== L.SLOT_ZERO || this.#form === FORM_X32)) this.#toSlot();
    else if (this.#form === FORM_X64 || this.#form === FORM_X32) {
      if (this.#slot === L.SLOT_ZERO) {
        this.#slot = baseSlot;
        return;
      }
      const disp = this.#disp;
      this.#disp = 0;
      this.#toSlot();
      this.#disp = disp;
    }
    if (this.#slot !== L.SLOT_ZERO)
      this.#set(wide ? FORM_X64 : FORM_X32, baseSlot, this.#slot, 0, this.#disp);
    else if (wide && this.#form === FORM_M32 && this.#disp < 0) {
      // A 32-bit absolute offset of 2 GiB and more does not fit the sign-extended displacement.
      this.constant64(ADDRESS, this.#disp, 0);
      this.#set(FORM_X64, baseSlot, ADDRESS, 0, 0);
    } else this.#set(wide ? FORM_M64 : FORM_M32, baseSlot, 0, 0, this.#disp);
  }

  /** LEA: the offset itself, at the operand size, into a register slot. */
  effectiveAddress(slot: number, size: SizeLog2): void {
    const d = this.decoder;
    if (d.isRipRelative) this.#ripRelative();
    else this.#effective(d.base, d.index, d.scale, d.disp, d.addressSize);
    if (size === SIZE16) {
      this.#toSlot();
      this.emit(MOV[1], slot, ADDRESS, 0);
      return;
    }
    if (size === SIZE32 && this.#form === FORM_M64) this.#form = FORM_M32;
    if (size === SIZE32 && this.#form === FORM_X64) this.#form = FORM_X32;
    this.#lea(slot);
  }

  /** Leaves the linear address in a slot, for helpers that take one; returns the slot. */
  linearAddress(spanBytes: number, writes: boolean): number {
    this.address(spanBytes, writes);
    return this.preparedAddress();
  }

  /** A slot with the prepared address. */
  preparedAddress(): number {
    this.#toSlot();
    return ADDRESS;
  }

  /** Appends a memory op at the prepared address. */
  memory(op: MemoryOp, d: number): void {
    switch (this.#form) {
      case FORM_M64:
        this.emit(op.m64, d, this.#slot, this.#disp);
        break;
      case FORM_M32:
        this.emit(op.m32, d, this.#slot, this.#disp);
        break;
      case FORM_X64:
        this.emitLong(op.x64, d, this.#slot, this.#index, this.#scale, this.#disp);
        break;
      default:
        this.emitLong(op.x32, d, this.#slot, this.#index, this.#scale, this.#disp);
    }
  }

  /** Prepared memory to a slot, zero-extended. */
  load(slot: number, size: SizeLog2): void {
    this.memory(LOAD[size & 3] ?? LOAD[0], slot);
  }

  /** As load(), but faults as a store would. */
  loadForWrite(slot: number, size: SizeLog2): void {
    this.memory(LOAD_FOR_WRITE[size & 3] ?? LOAD[0], slot);
  }

  /** The low bytes of a slot to prepared memory. */
  store(slot: number, size: SizeLog2): void {
    this.memory(STORE[size & 3] ?? STORE[0], slot);
  }

  /** Raises #GP unless the prepared address is a multiple of 16. */
  checkAligned16(): void {
    this.#toSlot();
    this.emit(ALIGN16, 0, ADDRESS, 0);
  }

  /** The r/m operand for reading: its register slot, or `temporary` with the memory operand loaded to it. */
  readRm(size: SizeLog2, temporary: number): number {
    if (this.decoder.isRegister) return this.rmRegister(size);
    this.address(1 << size, false);
    this.load(temporary, size);
    return temporary;
  }

  /** The r/m operand to be changed: its register slot, or `temporary` loaded for writeBack(). */
  readForWrite(size: SizeLog2, temporary: number): number {
    if (this.decoder.isRegister) return this.rmRegister(size);
    this.address(1 << size, true);
    this.loadForWrite(temporary, size);
    return temporary;
  }

  /** Stores what readForWrite() loaded; nothing for a register. */
  writeBack(slot: number, size: SizeLog2): void {
    if (!this.decoder.isRegister) this.store(slot, size);
  }

  /** r/m = r/m op (s, imm), in one step that other processors see whole if there is a LOCK prefix. */
  modifyRm(size: SizeLog2, op: number, s: number, imm: number): void {
    const { decoder } = this;
    if (decoder.isRegister) {
      this.emit(op, this.rmRegister(size), s, imm);
      return;
    }
    this.address(1 << size, true);
    this.modify(size, op, s, imm);
  }

  /** The same with prepared memory. */
  modify(size: SizeLog2, op: number, s: number, imm: number): void {
    if (!this.decoder.lock) {
      this.loadForWrite(T0, size);
      this.emit(op, T0, s, imm);
      this.store(T0, size);
      return;
    }
    // The result without flags, and, once it is in memory, the flags from the same operands.
    const quiet = opWithoutFlags[op] ?? op;
    this.preparedAddress();
    this.loadForWrite(T0, size);
    this.emit(MOV[3], T1, T0, 0);
    this.emit(quiet, T1, s, imm);
    this.compareExchange(T1, T0, size);
    if (quiet !== op) this.emit(op, T0, s, imm);
  }

  /** Ends a locked read-modify-write of memory whose address is in a slot (preparedAddress), `expected` zero-extended. */
  compareExchange(value: number, expected: number, size: SizeLog2): void {
    this.emitLong(pick(CAS, size), value, ADDRESS, expected, 0, 0);
  }

  /** A slot's value to the r/m operand. */
  writeRm(slot: number, size: SizeLog2): void {
    if (this.decoder.isRegister) {
      this.emit(pick(MOV, size), this.rmRegister(size), slot, 0);
      return;
    }
    this.address(1 << size, true);
    this.store(slot, size);
  }

  /** Do the operands of a string instruction need neither bases nor limits nor 16-bit index registers? */
  get isFlatString(): boolean {
    const { addressSize, segment } = this.decoder;
    if (segment >= L.SEG_FS) return false;
    if (this.is64) return true;
    return this.codeSize === 1 && addressSize === SIZE32 && (this.mode & L.MODE_FLAT) !== 0;
  }

  // ---- Stack --------------------------------------------------------------------------------------------------
  /** PUSH and POP ops exist for the full width of a flat stack. */
  #isFullWidth(size: SizeLog2): boolean {
    if (this.is64) return size === SIZE64;
    const flat32 = L.MODE_FLAT | L.MODE_STACK32;
    return size === SIZE32 && this.codeSize === 1 && (this.mode & flat32) === flat32;
  }

  /** The stack pointer's width: log2 of its bytes. */
  get stackSize(): SizeLog2 {
    return this.is64 ? SIZE64 : (this.mode & L.MODE_STACK32) !== 0 ? SIZE32 : SIZE16;
  }

  /** Prepares the address `offset` bytes from the stack pointer. */
  stackAddress(offset: number, spanBytes: number, writes: boolean): void {
    this.#effective(L.GPR_RSP, L.SLOT_ZERO, 0, offset, this.stackSize);
    this.linearize(L.SEG_SS, spanBytes, writes);
  }

  /** rSP += bytes, at the stack's width. */
  moveStackPointer(bytes: number): void {
    const size = this.stackSize;
    if (size === SIZE64) this.emit(LEA.m64, L.GPR_RSP, L.GPR_RSP, bytes);
    else if (size === SIZE32) this.emit(LEA.m32, L.GPR_RSP, L.GPR_RSP, bytes);
    else {
      this.emit(LEA16_M32, STACK_ADDRESS, L.GPR_RSP, bytes);
      this.emit(MOV[1], L.GPR_RSP, STACK_ADDRESS, 0);
    }
  }

  /** PUSH of a slot's low bytes; the old rSP if the slot is rSP's. */
  push(slot: number, size: SizeLog2): void {
    if (this.#isFullWidth(size)) {
      this.emit(size === SIZE64 ? PUSH64 : PUSH32, 0, slot, 0);
      return;
    }
    const bytes = 1 << size;
    this.stackAddress(-bytes, bytes, true);
    this.store(slot, size);
    this.moveStackPointer(-bytes);
  }

  /** PUSH of a selector, zero-extended to 64 bits; of 32 bits the upper half stays what it is (SDM 2, PUSH). */
  pushSelector(slot: number, size: SizeLog2): void {
    if (size !== SIZE32) {
      this.push(slot, size);
      return;
    }
    this.stackAddress(-4, 2, true);
    this.store(slot, SIZE16);
    this.moveStackPointer(-4);
  }

  /** PUSH of a constant. */
  pushConstant(low: number, high: number, size: SizeLog2): void {
    if (this.#isFullWidth(size)) {
      if (size === SIZE32) this.emit(PUSHI32, 0, 0, low);
      else this.block.immHigh[this.block.push(this.pc, PUSHI64, 0, 0, low)] = high;
      return;
    }
    this.constant64(T4, low, high);
    this.push(T4, size);
  }

  /** POP to a temporary slot, zero-extended; rSP has moved, so nothing may fault after it. */
  pop(slot: number, size: SizeLog2): void {
    if (this.#isFullWidth(size)) {
      this.emit(size === SIZE64 ? POP64 : POP32, slot, 0, 0);
      return;
    }
    this.peek(slot, 0, size);
    this.moveStackPointer(1 << size);
  }

  /** The stack value `offset` bytes above rSP to a slot, zero-extended. */
  peek(slot: number, offset: number, size: SizeLog2): void {
    this.stackAddress(offset, 1 << size, false);
    this.load(slot, size);
  }

  // ---- Control ------------------------------------------------------------------------------------------------
  /** Raises an exception without an error code in place of the instruction and ends the block. */
  raise(vector: number): void {
    this.emit(RAISE, 0, 0, vector);
    this.ended = true;
  }

  /** #GP(0) in place of the instruction. */
  raiseGp0(): void {
    this.endWithHelper(RAISE_GP0);
  }

  /** A helper that ends the block: it may change RIP (through NEXT_RIP), the mode, paging or interrupts. */
  endWithHelper(op: number, d = 0, s = 0, imm = 0): void {
    this.syncPc();
    this.emit(op, d, s, imm);
    this.emit(SYSEND);
    this.ended = true;
  }

  /** In front of an instruction: #DB if there is a breakpoint on it. */
  checkBreakpoint(): void {
    this.syncPc();
    this.emit(BREAKPOINT);
  }

  syncPc(): void {
    this.emit(SYNCPC, 0, 0, this.pc | (this.decoder.length << 16));
  }

  /** Absolute address of a code offset from the block's RIP, as two signed halves in addressLow and addressHigh. */
  codeAddress(offset: number): void {
    const sum = this.block.ripLow + offset;
    this.#low = sum | 0;
    if (!fitsI32(sum)) this.#low = (sum - Math.floor(sum / 2 ** 32) * 2 ** 32) | 0;
    this.#high = (this.block.ripHigh + Math.floor(sum / 2 ** 32)) | 0;
  }

  get addressLow(): number {
    return this.#low;
  }

  get addressHigh(): number {
    return this.#high;
  }

  /** Offset from the block's RIP of a relative branch's target, truncated to the operand size. */
  relativeTarget(): number {
    const d = this.decoder;
    const offset = this.nextPc + d.immediate;
    if (this.is64) return offset;
    const target = this.block.ripLow + offset;
    return (d.operandSize === SIZE16 ? target & 0xffff : target >>> 0) - this.block.ripLow;
  }

  /**
   * A branch whose target is out of bounds raises #GP(0) itself. The branch ops see to it for what changes RIP alone;
   * what changes more asks for the target's check first, unless it is known to pass: flat code has no bounds, and the
   * 64-bit targets of direct branches are known here.
   */
  #mayLeaveCode(target: number): boolean {
    if (!this.is64) return (this.mode & L.MODE_FLAT) === 0;
    this.codeAddress(target);
    const sign = this.#high >> 15;
    return sign !== 0 && sign !== -1;
  }

  /** A target that a direct branch op can have. */
  #isDirect(target: number): boolean {
    return fitsI32(target) && !(this.is64 && this.#mayLeaveCode(target));
  }

  /** #GP(0) unless the slot holds an address that a near branch may go to; it pushes so many bytes before it does. */
  #checkTarget(slot: number, pushedBytes: number): void {
    if (this.is64) this.emit(CANONICAL, 0, slot, pushedBytes === 0 ? 0 : 1);
    else if ((this.mode & L.MODE_FLAT) === 0) this.emit(BRANCHCHECK, L.GPR_RSP, slot, pushedBytes);
  }

  #branch(op: number, s: number, target0: number, target1: number, imm = 0): void {
    const i = this.block.push(this.pc, op, 0, s, imm);
    this.block.target0[i] = target0;
    this.block.target1[i] = target1;
    this.ended = true;
  }

  jump(target: number): void {
    if (this.#isDirect(target)) return this.#branch(JMP, 0, target, 0);
    this.#targetToSlot(T0, target);
    this.#branch(JMPR, T0, 0, 0);
  }

  /** Ends the block in front of the instruction at this offset. */
  next(offset: number): void {
    this.#branch(NEXT, 0, offset, 0);
  }

  /** To `target` if the condition code holds, else on. */
  jumpIf(condition: number, target: number): void {
    if (this.#isDirect(target)) return this.#branch(JCC[condition] ?? JMP, 0, target, this.nextPc);
    // Two gigabytes away or not canonical: choose between the addresses and jump there.
    this.#targetToSlot(T1, target);
    this.#targetToSlot(T2, this.nextPc);
    this.emit(CMOV64[condition] ?? JMP, T2, T1, 0);
    this.#branch(JMPR, T2, 0, 0);
  }

  /** To `target` if the low bytes of slot `s` are zero, else on. */
  jumpIfZero(s: number, size: SizeLog2, target: number): void {
    this.#branchOnZero(s, size, target, this.nextPc);
  }

  /** To `target` if the low bytes of slot `s` are not zero, else on. */
  jumpIfNotZero(s: number, size: SizeLog2, target: number): void {
    this.#branchOnZero(s, size, this.nextPc, target);
  }

  #branchOnZero(s: number, size: SizeLog2, zeroTarget: number, otherTarget: number): void {
    if (this.#isDirect(zeroTarget) && this.#isDirect(otherTarget))
      return this.#branch(pick(JZ, size), s, zeroTarget, otherTarget);
    this.#chooseByZero(s, size, zeroTarget, otherTarget);
    this.#branch(JMPR, T1, 0, 0);
  }

  /**
   * LOOP and its kin: `counter` (a temporary) is what decides, `count` counts rCX down. To the target if the low bytes
   * of the counter are not zero.
   */
  loop(counter: number, size: SizeLog2, target: number, count: () => void): void {
    this.#chooseByZero(counter, size, this.nextPc, target);
    this.#checkTarget(T1, 0);
    count();
    this.#branch(JMPR, T1, 0, 0);
  }

  /** Whether a branch with side effects has to check this target first. */
  mayLeaveCode(target: number): boolean {
    return this.#mayLeaveCode(target);
  }

  /** T1 := the address of `zeroTarget` if the low bytes of slot `s` are zero, else of `otherTarget`; flags stay. */
  #chooseByZero(s: number, size: SizeLog2, zeroTarget: number, otherTarget: number): void {
    // T3 becomes all ones if the slot is not zero, then masks.
    this.emit(size === SIZE16 ? ZX16 : pick(MOV, size), T3, s, 0);
    this.#targetToSlot(T1, zeroTarget);
    this.#targetToSlot(T2, otherTarget);
    this.emit(MOV[3], T4, T3, 0);
    this.emit(NEGN64, T4, 0, 0);
    this.emit(ORN64, T3, T4, 0);
    this.emit(SARNI64, T3, 0, 63);
    this.emit(XORN64, T2, T1, 0);
    this.emit(ANDN64, T2, T3, 0);
    this.emit(XORN64, T1, T2, 0);
  }

  jumpToSlot(slot: number): void {
    this.#branch(JMPR, slot, 0, 0);
  }

  call(target: number, size: SizeLog2): void {
    const checked = this.#mayLeaveCode(target);
    const direct = this.#isDirect(target);
    if (checked || !direct) this.#targetToSlot(T0, target);
    if (checked) this.#checkTarget(T0, 1 << size);
    this.pushReturnAddress(size);
    if (direct) return this.#branch(CALL, 0, target, this.nextPc);
    this.#branch(CALLR, T0, 0, this.nextPc);
  }

  callSlot(slot: number, size: SizeLog2): void {
    this.#checkTarget(slot, 1 << size);
    this.pushReturnAddress(size);
    this.#branch(CALLR, slot, 0, this.nextPc);
  }

  /** RET with so many bytes of parameters to drop. */
  returnNear(size: SizeLog2, parameterBytes: number): void {
    if (!this.is64 && (this.mode & L.MODE_FLAT) === 0) {
      this.peek(T0, 0, size);
      this.#checkTarget(T0, 0);
      this.moveStackPointer((1 << size) + parameterBytes);
    } else {
      this.pop(T0, size);
      if (parameterBytes !== 0) this.moveStackPointer(parameterBytes);
    }
    this.#branch(RET, T0, 0, 0, (1 << size) + parameterBytes);
  }

  pushReturnAddress(size: SizeLog2): void {
    this.codeAddress(this.nextPc);
    this.pushConstant(this.#low, size === SIZE64 ? this.#high : 0, size);
  }

  #targetToSlot(slot: number, offset: number): void {
    this.codeAddress(offset);
    this.constant64(slot, this.#low, this.is64 ? this.#high : 0);
  }
}
