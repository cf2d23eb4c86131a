/** Meanings of SSE instructions: XMM moves, integer SIMD ops, and the calls of floating-point helpers. SDM 2. */
import { GPR_RDI, SLOT_ZERO } from "../layout.ts";
import type { SseForm } from "../ir/helpers-sse.ts";
import { opNumber } from "../ir/ops.ts";
import { mmxIsAvailable, readMm, readXmm, sizeByRexW, widthByRexW, type MemoryBits } from "./lower-fpu.ts";
import type { Lowering, Meaning } from "./row.ts";
import {
  LOAD128,
  LOAD_SCALAR,
  SIZE16,
  SIZE32,
  SIZE64,
  SIZE8,
  STORE128,
  STORE_SCALAR,
  T0,
  pick,
  type BySize,
  type SizeLog2,
  type Translator,
} from "./translator.ts";

const MOVDQA = opNumber("movdqa");
const PXOR = opNumber("pxor");
const FROM: BySize = [0, 0, opNumber("xmm_from32"), opNumber("xmm_from64")];
const TO: BySize = [0, 0, opNumber("xmm_to32"), opNumber("xmm_to64")];
const TO_HIGH = opNumber("xmm_to_high64");
const LOW64 = opNumber("xmm_low64");
const HIGH64 = opNumber("xmm_high64");

/** d = op(d, s) or op(s), with a memory operand of these bits. */
export const binary = (name: string, bits: MemoryBits): Meaning => {
  const op = opNumber(name);
  return () => (t) => {
    t.emit(op, t.decoder.reg, readXmm(t, bits));
  };
};

/** The same with the immediate byte. */
export const binaryImmediate = (name: string, bits: MemoryBits): Meaning => {
  const op = opNumber(name);
  return () => (t) => {
    t.emit(op, t.decoder.reg, readXmm(t, bits), t.decoder.immediate);
  };
};

/** Shifts of the register in r/m; byte shifts by 16 and more clear it. */
export const shiftImmediate = (name: string): Meaning => {
  const op = opNumber(`${name}i`);
  const isByteShift = name.endsWith("dq");
  return () => (t) => {
    const { rm, immediate } = t.decoder;
    if (isByteShift && immediate > 15) t.emit(PXOR, rm, rm);
    else t.emit(op, rm, 0, immediate);
  };
};

// ---- Moves ----------------------------------------------------------------------------------------------------
export const load128 = (aligned: boolean): Meaning => {
  return () => (t) => {
    const { decoder } = t;
    if (decoder.isRegister) {
      t.emit(MOVDQA, decoder.reg, decoder.rm);
      return;
    }
    t.address(16, false);
    if (aligned) t.checkAligned16();
    t.memory(LOAD128, decoder.reg);
  };
};

export const store128 = (aligned: boolean): Meaning => {
  return () => (t) => {
    const { decoder } = t;
    if (decoder.isRegister) {
      t.emit(MOVDQA, decoder.rm, decoder.reg);
      return;
    }
    t.address(16, true);
    if (aligned) t.checkAligned16();
    t.memory(STORE128, decoder.reg);
  };
};

/** MOVSS, MOVSD, MOVQ: between registers by the op, from memory with zeros above. */
export const loadScalar = (name: "movss" | "movsd" | "movq", bits: 32 | 64): Meaning => {
  const op = opNumber(name);
  return () => (t) => {
    const { decoder } = t;
    if (decoder.isRegister) {
      t.emit(op, decoder.reg, decoder.rm);
      return;
    }
    t.address(bits / 8, false);
    t.memory(LOAD_SCALAR[bits], decoder.reg);
  };
};

export const storeScalar = (name: "movss" | "movsd" | "movq", bits: 32 | 64): Meaning => {
  const op = opNumber(name);
  return () => (t) => {
    const { decoder } = t;
    if (decoder.isRegister) {
      t.emit(op, decoder.rm, decoder.reg);
      return;
    }
    t.address(bits / 8, true);
    t.memory(STORE_SCALAR[bits], decoder.reg);
  };
};

/** MOVLPS, MOVHPS: one quadword replaced from memory. */
export const loadHalf = (half: "low" | "high"): Meaning => {
  return () => (t) => {
    t.address(8, false);
    t.load(T0, SIZE64);
    t.emit(half === "low" ? LOW64 : HIGH64, t.decoder.reg, T0);
  };
};

export const storeHalf = (half: "low" | "high"): Meaning => {
  return () => (t) => {
    t.emit(half === "low" ? TO[3] : TO_HIGH, T0, t.decoder.reg);
    t.address(8, true);
    t.store(T0, SIZE64);
  };
};

/** MOVD and MOVQ between general registers or memory and XMM registers. */
export const fromGeneral: Meaning = () => (t) => {
  const size = sizeByRexW(t);
  const source = t.readRm(size, T0);
  t.emit(pick(FROM, size), t.decoder.reg, source);
};
export const toGeneral: Meaning = () => (t) => {
  const size = sizeByRexW(t);
  if (t.decoder.isRegister) t.emit(pick(TO, size), t.rmRegister(size), t.decoder.reg);
  else {
    t.emit(pick(TO, size), T0, t.decoder.reg);
    t.writeRm(T0, size);
  }
};

/** Sign bits to a general register. */
export const mask = (name: "movmskps" | "movmskpd" | "pmovmskb"): Meaning => {
  const op = opNumber(name);
  return () => (t) => {
    t.emit(op, t.reg(SIZE32), t.decoder.rm);
  };
};

const MASKMOVDQU = opNumber("maskmovdqu");
export const maskedStore: Meaning = () => (t) => {
  t.addressOf(GPR_RDI, t.decoder.segment, 16, true);
  t.emit(MASKMOVDQU, t.decoder.reg, t.preparedAddress(), t.decoder.rm);
};

// ---- Blends, inserts, extracts ----------------------------------------------------------------------------------
const PBLENDW = opNumber("pblendw");
/** Blends by an immediate bit per element of this many words. */
export const blendWords = (words: 1 | 2 | 4): Meaning => {
  return () => (t) => {
    let bits = 0;
    for (let word = 0; word < 8; word++)
      bits |= ((t.decoder.immediate >> Math.floor(word / words)) & 1) << word;
    t.emit(PBLENDW, t.decoder.reg, readXmm(t, 128), bits);
  };
};

/** Blends by the sign bits of XMM0. */
export const blendVariable = (name: "pblendvb" | "blendvps" | "blendvpd"): Meaning => {
  const op = opNumber(name);
  return () => (t) => {
    t.emitLong(op, t.decoder.reg, readXmm(t, 128), 0, 0, 0);
  };
};

const laneOps = (name: string, count: number): readonly number[] =>
  Array.from({ length: count }, (_, lane) => opNumber(`${name}${lane}`));
const PINSRD = laneOps("pinsrd", 4);
const PINSRQ = laneOps("pinsrq", 2);
const PEXTRD = laneOps("pextrd", 4);
const PEXTRQ = laneOps("pextrq", 2);
const PEXTRW = laneOps("pextrw", 8);
/** The op for the lane that the immediate's low bits choose. */
const laneOp = (ops: readonly number[], immediate: number): number =>
  ops[immediate & (ops.length - 1)] ?? MOVDQA;

/** PINSRB and PINSRW from a 32-bit register or narrower memory. */
export const insert = (name: "pinsrb" | "pinsrw", bits: 8 | 16): Meaning => {
  const ops = laneOps(name, 128 / bits);
  return () => (t) => {
    const source = t.readRm(t.decoder.isRegister ? SIZE32 : bits === 8 ? SIZE8 : SIZE16, T0);
    t.emit(laneOp(ops, t.decoder.immediate), t.decoder.reg, source);
  };
};

/** PINSRD and PINSRQ. */
export const insertGeneral: Meaning = () => (t) => {
  const size = sizeByRexW(t);
  const source = t.readRm(size, T0);
  t.emit(laneOp(size === SIZE64 ? PINSRQ : PINSRD, t.decoder.immediate), t.decoder.reg, source);
};

/** A lane's value to the r/m operand, zero-extended in a register. */
function writeLane(t: Translator, op: number, registerSize: SizeLog2, memorySize: SizeLog2): void {
  if (t.decoder.isRegister) t.emit(op, t.rmRegister(registerSize), t.decoder.reg);
  else {
    t.emit(op, T0, t.decoder.reg);
    t.writeRm(T0, memorySize);
  }
}

const SIZES = { 8: SIZE8, 16: SIZE16, 32: SIZE32 } as const;
/** PEXTRB, PEXTRW (SSE4.1), EXTRACTPS. */
export const extract = (name: "pextrb" | "pextrw" | "pextrd", bits: 8 | 16 | 32): Meaning => {
  const ops = laneOps(name, 128 / bits);
  return () => (t) => {
    writeLane(t, laneOp(ops, t.decoder.immediate), SIZE32, SIZES[bits]);
  };
};

/** PEXTRD and PEXTRQ. */
export const extractGeneral: Meaning = () => (t) => {
  const size = sizeByRexW(t);
  writeLane(t, laneOp(size === SIZE64 ? PEXTRQ : PEXTRD, t.decoder.immediate), size, size);
};

/** PEXTRW (SSE2): the XMM register is in r/m. */
export const extractWord: Meaning = () => (t) => {
  t.emit(laneOp(PEXTRW, t.decoder.immediate), t.reg(SIZE32), t.decoder.rm);
};

/** INSERTPS: source lane (0 for memory), destination lane, then lanes to clear. */
export const insertSingle: Meaning = () => (t) => {
  const { reg, immediate, isRegister } = t.decoder;
  let source = T0;
  if (isRegister) t.emit(laneOp(PEXTRD, immediate >> 6), T0, t.decoder.rm);
  else source = t.readRm(SIZE32, T0);
  t.emit(laneOp(PINSRD, immediate >> 4), reg, source);
  for (let lane = 0; lane < 4; lane++) {
    if (((immediate >> lane) & 1) === 1) t.emit(laneOp(PINSRD, lane), reg, SLOT_ZERO);
  }
};

// ---- Floating-point helpers -------------------------------------------------------------------------------------
/** The immediate of a form's helper call. */
function immediateOf(t: Translator, form: SseForm): number {
  switch (form.imm) {
    case "imm8":
      return t.decoder.immediate;
    case "imm8+w":
      return t.decoder.immediate | ((t.decoder.rex & 8) !== 0 ? 0x100 : 0);
    case "w":
      return widthByRexW(t);
    case "v":
      return 8 << t.decoder.operandSize;
    default:
      return form.imm ?? 0;
  }
}

/** CRC32 of a general register with an r/m operand. */
export const crc32 = (op: number, form: SseForm): Meaning => {
  return () => (t) => {
    const source = t.readRm(form.imm === 8 ? SIZE8 : t.decoder.operandSize, T0);
    t.emit(op, t.reg(SIZE32), source, immediateOf(t, form));
  };
};

const bitsOf = (operands: string): MemoryBits =>
  operands.includes("m128") ? 128 : operands.includes("m64") ? 64 : 32;

/** The call of a form's helper, with its operands where it expects them. */
export const floatForm = (op: number, form: SseForm): Meaning => {
  const lower = lowerForm(op, form);
  if (form.mmx !== true) return () => lower;
  const memoryIsXmm = form.mnemonic === "cvtpi2pd";
  return () => (t) => {
    // CVTPI2PD from memory leaves the MMX registers alone.
    if ((memoryIsXmm && !t.decoder.isRegister) || mmxIsAvailable(t)) lower(t);
  };
};

function lowerForm(op: number, form: SseForm): Lowering {
  const bits = bitsOf(form.operands);
  const aligned = form.unaligned !== true;
  switch (form.operands) {
    case "xmm, r/mW":
      return (t) => {
        const source = t.readRm(sizeByRexW(t), T0);
        t.emit(op, t.decoder.reg, source, immediateOf(t, form));
      };
    case "rW, xmm/m32":
    case "rW, xmm/m64":
      return (t) => {
        const source = readXmm(t, bits);
        t.emit(op, t.reg(sizeByRexW(t)), source, immediateOf(t, form));
      };
    case "xmm, mm/m64":
      return (t) => {
        t.emit(op, t.decoder.reg, readMm(t, 64), immediateOf(t, form));
      };
    case "mm, xmm/m64":
    case "mm, xmm/m128":
      return (t) => {
        t.emit(op, t.decoder.reg & 7, readXmm(t, bits), immediateOf(t, form));
      };
    case "m32":
      return form.mnemonic === "stmxcsr"
        ? (t) => {
            t.emit(op, T0);
            t.address(4, true);
            t.store(T0, SIZE32);
          }
        : (t) => {
            t.emit(op, 0, t.readRm(SIZE32, T0));
          };
    default:
      return (t) => {
        t.emit(op, t.decoder.reg, readXmm(t, bits, aligned), immediateOf(t, form));
      };
  }
}
