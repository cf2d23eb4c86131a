/**
 * The x86 decoder: prefixes, opcode maps, ModRM, SIB, displacement and immediates (SDM 2, chapter 2), for 16-, 32-
 * and 64-bit code. Flat lookup tables are built once from the rows of the x86 table; decoding allocates nothing and
 * leaves its result in the fields of the Decoder. VEX prefixes (SDM 2, 2.3) are decoded in every mode; that they are
 * #UD in real and virtual-8086 mode is the translator's to say. EVEX and XOP encodings are #UD.
 */
import type { Feature } from "../../cpu/index.ts";
import { GPR, SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_SS, SLOT_ZERO } from "../layout.ts";
import {
  GROUP_SIZE,
  INVALID,
  LookupTables,
  PLANE_VEX_L0,
  PLANE_VEX_L1,
  UNKNOWN,
  modOf,
} from "./decode-table.ts";
import type { ImmediateToken } from "./operand.ts";
import type { InstructionRow } from "./row.ts";

/** Result of decode(). */
export const DECODED = 0;
/** #UD. */
export const DECODE_INVALID = 1;
/** Longer than 15 bytes: #GP(0). */
export const DECODE_TOO_LONG = 2;
/** The instruction continues behind `limit`. */
export const DECODE_NEEDS_MORE = 3;

/** Values of the codeSize argument (MODE_CODE_SIZE of layout.ts). */
export const CODE16 = 0;
export const CODE32 = 1;
export const CODE64 = 2;

export const LENGTH_MAX = 15;
/** No instruction reads further than this: 15 bytes of prefixes and opcode, then ModRM, SIB and two immediates. */
const REACH = 32;

// Prefix classes: what a byte means before the opcode.
const PREFIX_NONE = 0;
const PREFIX_SEGMENT = 1; // classes 1–6: segment number + 1
const PREFIX_OPERAND_SIZE = 7;
const PREFIX_ADDRESS_SIZE = 8;
const PREFIX_LOCK = 9;
const PREFIX_REPNE = 10;
const PREFIX_REP = 11;
const PREFIX_REX = 12;

const prefixClasses = (is64: boolean): Uint8Array => {
  const classes = new Uint8Array(256);
  classes[0x26] = PREFIX_SEGMENT + SEG_ES;
  classes[0x2e] = PREFIX_SEGMENT + SEG_CS;
  classes[0x36] = PREFIX_SEGMENT + SEG_SS;
  classes[0x3e] = PREFIX_SEGMENT + SEG_DS;
  classes[0x64] = PREFIX_SEGMENT + SEG_FS;
  classes[0x65] = PREFIX_SEGMENT + SEG_GS;
  classes[0x66] = PREFIX_OPERAND_SIZE;
  classes[0x67] = PREFIX_ADDRESS_SIZE;
  classes[0xf0] = PREFIX_LOCK;
  classes[0xf2] = PREFIX_REPNE;
  classes[0xf3] = PREFIX_REP;
  if (is64) classes.fill(PREFIX_REX, 0x40, 0x50);
  return classes;
};
const PREFIX_CLASSES_LEGACY = prefixClasses(false);
const PREFIX_CLASSES_64 = prefixClasses(true);

// How the immediate of a row is read.
const IMMEDIATE_NONE = 0;
const IMMEDIATE_BYTE = 1;
const IMMEDIATE_SIGNED_BYTE = 2;
const IMMEDIATE_WORD = 3;
const IMMEDIATE_Z = 4;
const IMMEDIATE_V = 5;
const IMMEDIATE_WORD_BYTE = 6;
const IMMEDIATE_RELATIVE_Z = 7;
const IMMEDIATE_FAR = 8;
const IMMEDIATE_OFFSET = 9;

const immediateCodes: Record<ImmediateToken, number> = {
  ib: IMMEDIATE_BYTE,
  iw: IMMEDIATE_WORD,
  iz: IMMEDIATE_Z,
  iv: IMMEDIATE_V,
  cb: IMMEDIATE_SIGNED_BYTE,
  cz: IMMEDIATE_RELATIVE_Z,
  cp: IMMEDIATE_FAR,
  mo: IMMEDIATE_OFFSET,
};

function immediateCode(row: InstructionRow): number {
  const { immediates } = row.encoding;
  const [first] = immediates;
  if (first === undefined) return IMMEDIATE_NONE;
  if (immediates.join() === "iw,ib") return IMMEDIATE_WORD_BYTE;
  if (immediates.length > 1) throw new Error(`${row.opcode}: two immediates`);
  const signed = row.operands.some((operand) => operand.immediate === "ib" && operand.signed === true);
  return signed ? IMMEDIATE_SIGNED_BYTE : immediateCodes[first];
}

// Row attributes the decoder acts on.
const ATTRIBUTE_MODRM = 1;
const ATTRIBUTE_LOCK = 2;
const ATTRIBUTE_DEFAULT64 = 4;
const ATTRIBUTE_FORCE64 = 8;
/** ModRM.mod is taken for 3. */
const ATTRIBUTE_IGNORES_MOD = 16;
/** VEX-encoded, without an operand in vvvv: the field must be 1111b. */
const ATTRIBUTE_NO_VVVV = 32;

/** 16-bit addressing: base and index slots by rm. */
const BASE16 = Uint8Array.of(3, 3, 5, 5, 6, 7, 5, 3).map((n) => GPR + 8 * n);
const INDEX16 = Uint8Array.of(6, 7, 6, 7, 0, 0, 0, 0).map((n) => GPR + 8 * n);

export class Decoder {
  /** The row of the instruction last decoded, when decode() returned DECODED. */
  row: InstructionRow;
  /** Bytes consumed; also set when the result is not DECODED. */
  length = 0;

  // Prefixes.
  /** log2 of the operand size in bytes: 1, 2 or 3. */
  operandSize = 2;
  /** log2 of the address size in bytes. */
  addressSize = 2;
  /** Segment number of the override, or -1. */
  segmentOverride = -1;
  lock = false;
  /** 0, 2 (REPNE) or 3 (REP). */
  rep = 0;
  /** The REX byte, or 0; of a VEX prefix 40h and what it says in place of REX, W cleared outside 64-bit mode. */
  rex = 0;
  /** VEX.vvvv as a register number, and VEX.L; only of VEX-encoded rows. */
  vvvv = 0;
  vectorLength = 0;
  opcode = 0;

  // ModRM; register numbers include the REX bits.
  modrm = 0;
  isRegister = false;
  reg = 0;
  rm = 0;
  /** Slots of base and index (SLOT_ZERO if absent), scale 0–3. */
  base = SLOT_ZERO;
  index = SLOT_ZERO;
  scale = 0;
  disp = 0;
  /** The address is relative to the end of the instruction. */
  isRipRelative = false;
  /** Segment of the memory operand, with the override applied. */
  segment = SEG_DS;

  /** Immediate, sign-extended to 32 bits; for 64-bit immediates and offsets the low half. */
  immediate = 0;
  /** High half of a 64-bit immediate or offset (else its sign), second immediate, selector of a far pointer. */
  immediate2 = 0;

  /** VEX.vvvv where it stands, inverted. */
  #rawVvvv = 0;

  readonly rows: readonly InstructionRow[];
  readonly #tables: LookupTables;
  readonly #primary: Int16Array;
  readonly #attributes: Uint8Array;
  readonly #immediateCodes: Uint8Array;
  readonly #tail: DataView = new DataView(new ArrayBuffer(REACH));
  /** The bytes of the last call, viewed for unaligned multi-byte reads. */
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));

  /** A decoder for a CPU model: rows that need other features are #UD. */
  constructor(rows: readonly InstructionRow[], features: ReadonlySet<Feature>) {
    this.rows = rows.filter((row) => [...row.features].every((feature) => features.has(feature)));
    const [first] = this.rows;
    if (first === undefined) throw new Error("the x86 table is empty");
    this.row = first;
    this.#tables = new LookupTables(this.rows);
    this.#primary = this.#tables.primary;
    this.#immediateCodes = Uint8Array.from(this.rows, immediateCode);
    this.#attributes = Uint8Array.from(
      this.rows,
      ({ encoding, operands, traits }) =>
        (encoding.hasModrm ? ATTRIBUTE_MODRM : 0) |
        (traits.has("lock") ? ATTRIBUTE_LOCK : 0) |
        (traits.has("d64") ? ATTRIBUTE_DEFAULT64 : 0) |
        (traits.has("f64") ? ATTRIBUTE_FORCE64 : 0) |
        (modOf(operands) === "ignored" ? ATTRIBUTE_IGNORES_MOD : 0) |
        (encoding.vex !== undefined && !operands.some(({ at }) => at === "vvvv") ? ATTRIBUTE_NO_VVVV : 0),
    );
  }

  /** Decodes the instruction at bytes[offset] for CODE16, CODE32 or CODE64; bytes at or behind `limit` do not exist. */
  decode(bytes: Uint8Array, offset: number, limit: number, codeSize: number): number {
    const available = limit - offset;
    let result: number;
    if (offset + REACH <= bytes.length) {
      if (bytes !== this.#bytes) {
        this.#bytes = bytes;
        this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      }
      result = this.#decode(this.#view, offset, codeSize);
    } else {
      for (let i = 0; i < REACH; i++) this.#tail.setUint8(i, i < available ? (bytes[offset + i] ?? 0) : 0);
      result = this.#decode(this.#tail, 0, codeSize);
    }
    const length = this.length;
    if (length > LENGTH_MAX) return available < LENGTH_MAX ? DECODE_NEEDS_MORE : DECODE_TOO_LONG;
    return length > available ? DECODE_NEEDS_MORE : result;
  }

  #decode(view: DataView, start: number, codeSize: number): number {
    const is64 = codeSize === CODE64;
    const classes = is64 ? PREFIX_CLASSES_64 : PREFIX_CLASSES_LEGACY;
    let at = start;
    let rex = 0;
    let rep = 0;
    let segment = -1;
    let hasOperandSize = false;
    let hasAddressSize = false;
    let lock = false;
    let opcode = view.getUint8(at++);
    for (;;) {
      const prefix = classes[opcode] ?? 0;
      if (prefix === PREFIX_NONE) break;
      if (prefix === PREFIX_REX) rex = opcode;
      else {
        // REX counts only directly before the opcode.
        rex = 0;
        if (prefix === PREFIX_OPERAND_SIZE) hasOperandSize = true;
        else if (prefix === PREFIX_ADDRESS_SIZE) hasAddressSize = true;
        else if (prefix === PREFIX_LOCK) lock = true;
        else if (prefix === PREFIX_REP) rep = 3;
        else if (prefix === PREFIX_REPNE) rep = 2;
        else if (!is64 || prefix - PREFIX_SEGMENT >= SEG_FS) segment = prefix - PREFIX_SEGMENT;
      }
      if (at - start >= LENGTH_MAX) {
        this.length = LENGTH_MAX + 1;
        return DECODE_TOO_LONG;
      }
      opcode = view.getUint8(at++);
    }
    let key = is64 ? 1024 | opcode : opcode;
    let w = rex & 8;
    let isVex = false;
    // In legacy modes a ModRM byte with mod = 3 makes VEX of what is LES and LDS otherwise.
    if ((opcode & 0xfe) === 0xc4 && (is64 || view.getUint8(at) >= 0xc0)) {
      const isForbidden = rex !== 0 || rep !== 0 || hasOperandSize || lock;
      const first = view.getUint8(at++);
      // pp, L and vvvv are in the last byte of both forms, R in the top bit of the first.
      const last = opcode === 0xc5 ? first : view.getUint8(at++);
      const map = opcode === 0xc5 ? 1 : first & 31;
      const pp = last & 3;
      rex = 0x40 | ((~first >> 5) & 4);
      if (opcode === 0xc4) {
        rex |= (~first >> 5) & 3;
        w = (last >> 4) & 8;
        // These are ignored outside 64-bit mode, as far as they are not fixed.
        rex = is64 ? rex | w : 0x40;
      }
      this.vvvv = (~last >> 3) & (is64 ? 15 : 7);
      this.vectorLength = (last >> 2) & 1;
      isVex = true;
      hasOperandSize = pp === 1;
      rep = pp === 2 ? 3 : pp === 3 ? 2 : 0;
      opcode = view.getUint8(at++);
      if (isForbidden || map === 0 || map > 3) {
        this.length = at - start;
        return DECODE_INVALID;
      }
      key = ((last & 4) !== 0 ? PLANE_VEX_L1 : PLANE_VEX_L0) << 11;
      key |= (is64 ? 1024 : 0) | (map << 8) | opcode;
      this.#rawVvvv = last & 0x78;
    } else if (opcode === 0x0f) {
      opcode = view.getUint8(at++);
      key = (is64 ? 1024 : 0) | 256 | opcode;
      if (opcode === 0x38 || opcode === 0x3a) {
        const map = opcode === 0x38 ? 512 : 768;
        opcode = view.getUint8(at++);
        key = (is64 ? 1024 : 0) | map | opcode;
      }
    }
    const modrm = view.getUint8(at);
    this.modrm = modrm;
    let number = this.#primary[key] ?? 0;
    if (number === UNKNOWN) number = this.#tables.learn(key);
    const isGroup = number <= -2;
    if (isGroup) {
      const prefix = rep === 3 ? 2 : rep === 2 ? 3 : hasOperandSize ? 1 : 0;
      const point = (prefix << 5) | (w << 1) | (modrm >= 0xc0 ? 8 : 0) | ((modrm >> 3) & 7);
      number = this.#tables.groups[(-2 - number) * GROUP_SIZE + point] ?? 0;
      if (number <= -2) number = this.#tables.leaves[(-2 - number) * 8 + (modrm & 7)] ?? 0;
    }
    if (number === INVALID) {
      // What is invalid for its ModRM byte is not yet so where that byte cannot be fetched.
      this.length = at - start + (isGroup ? 1 : 0);
      return DECODE_INVALID;
    }
    const attributes = this.#attributes[number] ?? 0;
    this.row = this.rows[number] ?? this.row;
    this.opcode = opcode;
    this.rex = rex;
    this.rep = rep;
    this.lock = lock;
    this.segmentOverride = segment;
    let operandSize: number;
    if (isVex) operandSize = (rex & 8) !== 0 ? 3 : 2;
    else if (is64) {
      if ((attributes & ATTRIBUTE_FORCE64) !== 0 || (rex & 8) !== 0) operandSize = 3;
      else if (hasOperandSize) operandSize = 1;
      else operandSize = (attributes & ATTRIBUTE_DEFAULT64) !== 0 ? 3 : 2;
    } else operandSize = (codeSize === CODE32) === hasOperandSize ? 1 : 2;
    this.operandSize = operandSize;
    const addressSize = is64 ? (hasAddressSize ? 2 : 3) : (codeSize === CODE32) === hasAddressSize ? 1 : 2;
    this.addressSize = addressSize;

    if ((attributes & ATTRIBUTE_MODRM) !== 0) {
      at++;
      this.reg = ((modrm >> 3) & 7) | ((rex & 4) << 1);
      if (modrm >= 0xc0 || (attributes & ATTRIBUTE_IGNORES_MOD) !== 0) {
        this.isRegister = true;
        this.rm = (modrm & 7) | ((rex & 1) << 3);
        // MASKMOVQ has an implicit memory operand.
        this.segment = segment >= 0 ? segment : SEG_DS;
      } else {
        this.isRegister = false;
        at =
          addressSize === 1
            ? this.#memory16(view, at, modrm, segment)
            : this.#memory(view, at, modrm, segment, is64);
      }
    } else {
      this.isRegister = true;
      this.segment = segment >= 0 ? segment : SEG_DS;
    }

    switch (this.#immediateCodes[number] ?? 0) {
      case IMMEDIATE_NONE:
        break;
      case IMMEDIATE_BYTE:
        this.immediate = view.getUint8(at++);
        break;
      case IMMEDIATE_SIGNED_BYTE:
        this.immediate = view.getInt8(at++);
        break;
      case IMMEDIATE_WORD:
        this.immediate = view.getUint16(at, true);
        at += 2;
        break;
      case IMMEDIATE_Z:
      case IMMEDIATE_RELATIVE_Z:
        if (operandSize === 1) {
          this.immediate = view.getInt16(at, true);
          at += 2;
        } else {
          this.immediate = view.getInt32(at, true);
          at += 4;
        }
        break;
      case IMMEDIATE_V:
        if (operandSize === 1) {
          this.immediate = view.getInt16(at, true);
          at += 2;
        } else {
          this.immediate = view.getInt32(at, true);
          at += 4;
          if (operandSize === 3) {
            this.immediate2 = view.getInt32(at, true);
            at += 4;
          }
        }
        break;
      case IMMEDIATE_WORD_BYTE:
        this.immediate = view.getUint16(at, true);
        this.immediate2 = view.getUint8(at + 2);
        at += 3;
        break;
      case IMMEDIATE_FAR: {
        const size = operandSize === 1 ? 2 : 4;
        this.immediate = size === 2 ? view.getUint16(at, true) : view.getInt32(at, true);
        this.immediate2 = view.getUint16(at + size, true);
        at += size + 2;
        break;
      }
      default: // IMMEDIATE_OFFSET: an absolute address of the address size
        this.immediate = addressSize === 1 ? view.getUint16(at, true) : view.getInt32(at, true);
        this.immediate2 = addressSize === 3 ? view.getInt32(at + 4, true) : 0;
        at += 1 << addressSize;
    }
    this.length = at - start;
    if (lock && ((attributes & ATTRIBUTE_LOCK) === 0 || this.isRegister)) return DECODE_INVALID;
    if ((attributes & ATTRIBUTE_NO_VVVV) !== 0 && this.#rawVvvv !== 0x78) return DECODE_INVALID;
    return DECODED;
  }

  /** 16-bit ModRM addressing (SDM 2, table 2-1); returns the offset behind the displacement. */
  #memory16(view: DataView, start: number, modrm: number, segment: number): number {
    const mod = modrm >> 6;
    const rm = modrm & 7;
    let at = start;
    this.isRipRelative = false;
    this.rm = rm;
    this.scale = 0;
    this.base = BASE16[rm] ?? 0;
    this.index = rm < 4 ? (INDEX16[rm] ?? 0) : SLOT_ZERO;
    let usesBp = rm === 2 || rm === 3 || rm === 6;
    if (mod === 1) this.disp = view.getInt8(at++);
    else if (mod === 2 || rm === 6) {
      this.disp = view.getUint16(at, true);
      at += 2;
      if (mod === 0) {
        this.base = SLOT_ZERO;
        usesBp = false;
      }
    } else this.disp = 0;
    this.segment = segment >= 0 ? segment : usesBp ? SEG_SS : SEG_DS;
    return at;
  }

  /** 32- and 64-bit ModRM and SIB addressing (SDM 2, tables 2-2 and 2-3); returns the offset behind the displacement. */
  #memory(view: DataView, start: number, modrm: number, segment: number, is64: boolean): number {
    const mod = modrm >> 6;
    const rex = this.rex;
    let rm = modrm & 7;
    let at = start;
    this.isRipRelative = false;
    this.index = SLOT_ZERO;
    this.scale = 0;
    if (rm === 4) {
      const sib = view.getUint8(at++);
      const index = ((sib >> 3) & 7) | ((rex & 2) << 2);
      if (index !== 4) {
        this.index = GPR + 8 * index;
        this.scale = sib >> 6;
      }
      rm = sib & 7;
      if (rm === 5 && mod === 0) {
        this.base = SLOT_ZERO;
        this.segment = segment >= 0 ? segment : SEG_DS;
        this.disp = view.getInt32(at, true);
        return at + 4;
      }
    } else if (rm === 5 && mod === 0) {
      this.base = SLOT_ZERO;
      this.isRipRelative = is64;
      this.segment = segment >= 0 ? segment : SEG_DS;
      this.disp = view.getInt32(at, true);
      return at + 4;
    }
    const base = rm | ((rex & 1) << 3);
    this.base = GPR + 8 * base;
    this.segment = segment >= 0 ? segment : base === 4 || base === 5 ? SEG_SS : SEG_DS;
    if (mod === 0) this.disp = 0;
    else if (mod === 1) this.disp = view.getInt8(at++);
    else {
      this.disp = view.getInt32(at, true);
      at += 4;
    }
    return at;
  }
}
