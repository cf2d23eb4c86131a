/**
 * Meanings of the general-purpose instructions: data movement, arithmetic, logic, shifts, bits. SDM 1, 7.3.
 * Deliberately missing: nothing of this group; BCD arithmetic and divisions are helpers of core/integer.ts.
 */
import { GPR_RAX, GPR_RBP, GPR_RCX, GPR_RSP, SEG_SS } from "../layout.ts";
import { opNumber } from "../ir/ops.ts";
import type { Operand } from "./operand.ts";
import type { Form, Lowering, Meaning } from "./row.ts";
import {
  LOAD_REGISTER,
  MOV,
  MOVI,
  SIZE16,
  SIZE32,
  SIZE64,
  SIZE8,
  T0,
  T1,
  T2,
  T3,
  VECTOR_UD,
  byWideSize,
  bySize,
  memoryOp,
  pick,
  type BySize,
  type SizeLog2,
  type Translator,
} from "./translator.ts";

const NOP = opNumber("nop");

// ---- Operands as meanings use them ----------------------------------------------------------------------------
/** The size of an operand in the current instruction. */
export type SizeOf = (t: Translator) => SizeLog2;

export function sizeOf(operand: Operand): SizeOf {
  switch (operand.width) {
    case 8:
      return () => SIZE8;
    case 16:
      return () => SIZE16;
    case 32:
      return () => SIZE32;
    case 64:
      return () => SIZE64;
    case "z":
      return (t) => (t.decoder.operandSize === SIZE16 ? SIZE16 : SIZE32);
    case "y":
      return (t) => ((t.decoder.rex & 8) !== 0 ? SIZE64 : SIZE32);
    default:
      return (t) => t.decoder.operandSize;
  }
}

/** Slot of a register operand that is not in r/m. */
export function registerSlot(operand: Operand): (t: Translator, size: SizeLog2) => number {
  if (operand.at === "reg") return (t, size) => t.reg(size);
  if (operand.at === "opcode") return (t, size) => t.opcodeRegister(size);
  if (operand.at === "fixed" && operand.file === "gpr") {
    const slot = 8 * (operand.number ?? 0);
    return () => slot;
  }
  throw new Error("not a register operand");
}

/** The operand at this position; a row that lacks it does not load. */
export function operandAt(form: Form, position: number): Operand {
  const operand = form.operands[position];
  if (operand === undefined) throw new Error(`${form.mnemonic}: operand ${position} is missing`);
  return operand;
}

/** An op on registers and its form with an immediate. */
interface BinaryOps {
  readonly register: BySize;
  readonly immediate: BySize;
}
const binaryOps = (name: string): BinaryOps => ({ register: bySize(name), immediate: bySize(`${name}i`) });

// ---- Two-operand arithmetic -----------------------------------------------------------------------------------
/** d = d op s for every operand pattern of ADD and its family. */
export const binary = (name: "add" | "or" | "adc" | "sbb" | "and" | "sub" | "xor"): Meaning => {
  const ops = binaryOps(name);
  return (form) => twoOperands(form, ops, true);
};

/** CMP and TEST: flags only. */
export const compare = (name: "cmp" | "test"): Meaning => {
  const ops = binaryOps(name);
  return (form) => twoOperands(form, ops, false);
};

function twoOperands(form: Form, ops: BinaryOps, writes: boolean): Lowering {
  const destination = operandAt(form, 0);
  const source = operandAt(form, 1);
  const size = sizeOf(destination);
  if (source.at === "imm") {
    if (destination.at !== "rm") {
      const slot = registerSlot(destination);
      return (t) => {
        const w = size(t);
        t.emit(pick(ops.immediate, w), slot(t, w), 0, t.decoder.immediate);
      };
    }
    return (t) => {
      const w = size(t);
      const op = pick(ops.immediate, w);
      if (writes) t.modifyRm(w, op, 0, t.decoder.immediate);
      else t.emit(op, t.readRm(w, T0), 0, t.decoder.immediate);
    };
  }
  if (destination.at === "rm") {
    return (t) => {
      const w = size(t);
      const op = pick(ops.register, w);
      if (writes) t.modifyRm(w, op, t.reg(w), 0);
      else t.emit(op, t.readRm(w, T0), t.reg(w), 0);
    };
  }
  return (t) => {
    const w = size(t);
    const operand = t.readRm(w, T0);
    t.emit(pick(ops.register, w), t.reg(w), operand, 0);
  };
}

/** INC, DEC, NEG, NOT. */
export const unary = (name: "inc" | "dec" | "neg" | "not"): Meaning => {
  const ops = bySize(name);
  return (form) => {
    const operand = operandAt(form, 0);
    const size = sizeOf(operand);
    if (operand.at === "opcode") {
      return (t) => {
        const w = size(t);
        t.emit(pick(ops, w), t.opcodeRegister(w));
      };
    }
    return (t) => {
      const w = size(t);
      t.modifyRm(w, pick(ops, w), 0, 0);
    };
  };
};

// ---- Moves ----------------------------------------------------------------------------------------------------
/** MOV between registers, memory and immediates. */
export const move: Meaning = (form) => {
  const destination = operandAt(form, 0);
  const source = operandAt(form, 1);
  const size = sizeOf(destination);
  if (destination.at === "moffs") {
    return (t) => {
      const w = size(t);
      t.addressOfOffset(1 << w, true);
      t.store(GPR_RAX, w);
    };
  }
  if (source.at === "moffs") {
    return (t) => {
      const w = size(t);
      t.addressOfOffset(1 << w, false);
      t.memory(LOAD_REGISTER[w & 3] ?? LOAD_REGISTER[0], GPR_RAX);
    };
  }
  if (source.at === "imm" && destination.at === "rm") {
    return (t) => {
      const w = size(t);
      if (t.decoder.isRegister) {
        t.emit(pick(MOVI, w), t.rmRegister(w), 0, t.decoder.immediate);
        return;
      }
      t.emit(MOVI[3], T0, 0, t.decoder.immediate);
      t.writeRm(T0, w);
    };
  }
  if (source.at === "imm") {
    return (t) => {
      const w = size(t);
      const slot = t.opcodeRegister(w);
      if (w === SIZE64) t.constant64(slot, t.decoder.immediate, t.decoder.immediate2);
      else t.emit(pick(MOVI, w), slot, 0, t.decoder.immediate);
    };
  }
  if (destination.at === "rm") {
    return (t) => {
      const w = size(t);
      t.writeRm(t.reg(w), w);
    };
  }
  return (t) => {
    const w = size(t);
    if (t.decoder.isRegister) t.emit(pick(MOV, w), t.reg(w), t.rmRegister(w));
    else {
      t.address(1 << w, false);
      t.memory(LOAD_REGISTER[w & 3] ?? LOAD_REGISTER[0], t.reg(w));
    }
  };
};

const ZX8 = opNumber("zx8");
const ZX16 = opNumber("zx16");
const ZX8_TO_16 = opNumber("zx8to16");
const SX8: BySize = [opNumber("nop"), opNumber("sx8to16"), opNumber("sx8to32"), opNumber("sx8to64")];
const SX16: BySize = [opNumber("nop"), MOV[1], opNumber("sx16to32"), opNumber("sx16to64")];
const SX32: BySize = [opNumber("nop"), MOV[1], MOV[2], opNumber("sx32to64")];
const LOAD_SX8 = [
  memoryOp("ldp8"),
  memoryOp("ldsx8to16"),
  memoryOp("ldsx8to32"),
  memoryOp("ldsx8to64"),
] as const;
const LOAD_SX16 = [
  memoryOp("ldp8"),
  memoryOp("ldp16"),
  memoryOp("ldsx16to32"),
  memoryOp("ldsx16to64"),
] as const;
const LOAD_SX32 = [memoryOp("ldp8"), memoryOp("ldp16"), memoryOp("ld32"), memoryOp("ldsx32to64")] as const;

/** MOVZX. */
export const moveZeroExtended: Meaning = (form) => {
  const from = operandAt(form, 1).width === 8 ? SIZE8 : SIZE16;
  return (t) => {
    const to = t.decoder.operandSize;
    if (from === SIZE16 && to === SIZE16) {
      t.emit(MOV[1], t.reg(to), t.readRm(SIZE16, T0));
      return;
    }
    if (t.decoder.isRegister || to === SIZE16) {
      const source = t.readRm(from, T0);
      t.emit(to === SIZE16 ? ZX8_TO_16 : from === SIZE8 ? ZX8 : ZX16, t.reg(to), source);
      return;
    }
    t.address(1 << from, false);
    t.load(t.reg(to), from);
  };
};

/** MOVSX and MOVSXD. */
export const moveSignExtended: Meaning = (form) => {
  const width = operandAt(form, 1).width;
  const from = width === 8 ? SIZE8 : width === 16 ? SIZE16 : SIZE32;
  const registers = from === SIZE8 ? SX8 : from === SIZE16 ? SX16 : SX32;
  const loads = from === SIZE8 ? LOAD_SX8 : from === SIZE16 ? LOAD_SX16 : LOAD_SX32;
  return (t) => {
    const to = t.decoder.operandSize;
    // MOVSXD with a 16-bit operand moves 16 bits.
    const size = from > to ? to : from;
    if (t.decoder.isRegister) t.emit(pick(registers, to), t.reg(to), t.rmRegister(size));
    else {
      t.address(1 << size, false);
      t.memory(loads[to & 3] ?? loads[0], t.reg(to));
    }
  };
};

export const loadEffectiveAddress: Meaning = () => (t) => {
  t.effectiveAddress(t.reg(t.decoder.operandSize), t.decoder.operandSize);
};

const XCHG = bySize("xchg");

/** XCHG; 90 is a NOP unless REX.B makes it XCHG r8, rAX. */
export const exchange: Meaning = (form) => {
  const size = sizeOf(operandAt(form, 0));
  if (operandAt(form, 0).at === "opcode") {
    return (t) => {
      const w = size(t);
      const slot = t.opcodeRegister(w);
      if (slot === GPR_RAX) t.emit(NOP);
      else t.emit(pick(XCHG, w), slot, GPR_RAX);
    };
  }
  return (t) => {
    const w = size(t);
    const register = t.reg(w);
    if (t.decoder.isRegister) {
      t.emit(pick(XCHG, w), t.rmRegister(w), register);
      return;
    }
    // With memory it is locked, prefix or not.
    t.linearAddress(1 << w, true);
    t.loadForWrite(T0, w);
    t.compareExchange(register, T0, w);
    t.emit(pick(MOV, w), register, T0);
  };
};

export const noOperation: Meaning = () => (t) => {
  t.emit(NOP);
};

/** UD0, UD1, UD2. */
export const undefinedInstruction: Meaning = () => (t) => {
  t.raise(VECTOR_UD);
};

/** An op without operands. */
export const plain = (name: string): Meaning => {
  const op = opNumber(name);
  return () => (t) => {
    t.emit(op);
  };
};

/** An op without operands, by operand size: the names for 16, 32 and 64 bits. */
export const plainBySize = (name16: string, name32: string, name64: string, d = 0, s = 0): Meaning => {
  const ops: BySize = [NOP, opNumber(name16), opNumber(name32), opNumber(name64)];
  return () => (t) => {
    t.emit(pick(ops, t.decoder.operandSize), d, s);
  };
};

const BSWAP32 = opNumber("bswap32");
const BSWAP64 = opNumber("bswap64");
/** BSWAP; the undefined 16-bit form clears the register's low half, as processors do. */
export const byteSwap: Meaning = () => (t) => {
  const size = t.decoder.operandSize;
  if (size === SIZE16) t.emit(MOVI[1], t.opcodeRegister(size));
  else t.emit(size === SIZE64 ? BSWAP64 : BSWAP32, t.opcodeRegister(size));
};

const SHRNI64 = opNumber("shrni64");
/** MOVBE: bytes swapped between a register and memory. */
export const moveBigEndian: Meaning = (form) => {
  const stores = operandAt(form, 0).at === "rm";
  return (t) => {
    const w = t.decoder.operandSize;
    const swap = (slot: number): void => {
      t.emit(w === SIZE64 ? BSWAP64 : BSWAP32, slot);
      if (w === SIZE16) t.emit(SHRNI64, slot, 0, 16);
    };
    t.address(1 << w, stores);
    if (stores) {
      t.emit(MOV[3], T0, t.reg(w));
      swap(T0);
      t.store(T0, w);
    } else {
      t.load(T0, w);
      swap(T0);
      t.emit(pick(MOV, w), t.reg(w), T0);
    }
  };
};

const SETCC = Array.from({ length: 16 }, (_, code) => opNumber(`set${code}`));
const CMOV = Array.from({ length: 16 }, (_, code): BySize => byWideSize(`cmov${code}_`));

export const setIf = (code: number): Meaning => {
  const op = SETCC[code] ?? NOP;
  return () => (t) => {
    if (t.decoder.isRegister) t.emit(op, t.rmRegister(SIZE8));
    else {
      t.emit(op, T0);
      t.writeRm(T0, SIZE8);
    }
  };
};

export const moveIf = (code: number): Meaning => {
  const ops = CMOV[code] ?? MOV;
  return () => (t) => {
    const w = t.decoder.operandSize;
    const source = t.readRm(w, T0);
    t.emit(pick(ops, w), t.reg(w), source);
  };
};

// ---- Multiplication and division ------------------------------------------------------------------------------
/** rDX:rAX = rAX * r/m, or a division of it: the operand in slot s. */
export const accumulator = (name: "mulu" | "muls" | "div" | "idiv"): Meaning => {
  const ops = bySize(name);
  return (form) => {
    const size = sizeOf(operandAt(form, 0));
    return (t) => {
      const w = size(t);
      t.emit(pick(ops, w), 0, t.readRm(w, T0));
    };
  };
};

const IMUL = byWideSize("imul");
const IMULI = byWideSize("imuli");
/** IMUL r, r/m and IMUL r, r/m, imm. */
export const multiply: Meaning = (form) => {
  const hasImmediate = form.operands.length === 3;
  return (t) => {
    const w = t.decoder.operandSize;
    const source = t.readRm(w, T0);
    t.emit(pick(hasImmediate ? IMULI : IMUL, w), t.reg(w), source, hasImmediate ? t.decoder.immediate : 0);
  };
};

const helperByImmediate = (name: string): Meaning => {
  const op = opNumber(name);
  return () => (t) => {
    t.emit(op, 0, 0, t.decoder.immediate);
  };
};
export const asciiAdjustMultiply = helperByImmediate("aam");
export const asciiAdjustDivide = helperByImmediate("aad");

// ---- Shifts and rotates ---------------------------------------------------------------------------------------
export type ShiftName = "shl" | "shr" | "sar" | "rol" | "ror" | "rcl" | "rcr";

/** Shifts and rotates by 1, an immediate or CL. A count of 0 still writes the destination, but no flags. */
export const shift = (name: ShiftName): Meaning => {
  const byRegister = bySize(name);
  const byImmediate = bySize(`${name}i`);
  return (form) => {
    const size = sizeOf(operandAt(form, 0));
    const countOperand = operandAt(form, 1);
    if (countOperand.file === "gpr") {
      return (t) => {
        const w = size(t);
        const slot = t.readForWrite(w, T0);
        t.emit(pick(byRegister, w), slot, GPR_RCX);
        t.writeBack(slot, w);
      };
    }
    const isOne = countOperand.at === "fixed";
    return (t) => {
      const w = size(t);
      const count = isOne ? 1 : t.decoder.immediate & (w === SIZE64 ? 63 : 31);
      const slot = t.readForWrite(w, T0);
      if (count === 0) t.emit(pick(MOV, w), slot, slot);
      else t.emit(pick(byImmediate, w), slot, 0, count);
      t.writeBack(slot, w);
    };
  };
};

const CL_NAMES = { shld: "shldcl", shrd: "shrdcl" } as const;
/** SHLD and SHRD by an immediate or CL. */
export const doubleShift = (name: "shld" | "shrd"): Meaning => {
  const byImmediate = byWideSize(`${name}i`);
  const byRegister = byWideSize(CL_NAMES[name]);
  return (form) => {
    const usesCl = operandAt(form, 2).file === "gpr";
    return (t) => {
      const w = t.decoder.operandSize;
      const slot = t.readForWrite(w, T0);
      const count = t.decoder.immediate & (w === SIZE64 ? 63 : 31);
      if (usesCl) t.emit(pick(byRegister, w), slot, t.reg(w));
      else if (count === 0) t.emit(pick(MOV, w), slot, slot);
      else if (count > 15 && w === SIZE16) {
        // The result is undefined; do what the CL form does.
        t.emit(byRegister[1], slot, t.reg(w), count);
      } else t.emit(pick(byImmediate, w), slot, t.reg(w), count);
      t.writeBack(slot, w);
    };
  };
};

// ---- Bits -----------------------------------------------------------------------------------------------------
const SARNI64 = opNumber("sarni64");
const ANDNI64 = opNumber("andni64");
const SX16_TO_64 = opNumber("sx16to64");
const SX32_TO_64 = opNumber("sx32to64");

/** BT, BTS, BTR, BTC; a register's bit number reaches beyond the memory operand. */
export const bitTest = (name: "bt" | "bts" | "btr" | "btc"): Meaning => {
  const byRegister = byWideSize(name);
  const byImmediate = byWideSize(`${name}i`);
  const writes = name !== "bt";
  return (form) => {
    if (operandAt(form, 1).at === "imm") {
      return (t) => {
        const w = t.decoder.operandSize;
        const op = pick(byImmediate, w);
        if (writes) t.modifyRm(w, op, 0, t.decoder.immediate);
        else t.emit(op, t.readRm(w, T0), 0, t.decoder.immediate);
      };
    }
    return (t) => {
      const w = t.decoder.operandSize;
      const bit = t.reg(w);
      if (t.decoder.isRegister) {
        t.emit(pick(byRegister, w), t.rmRegister(w), bit);
        return;
      }
      // Byte offset of the operand-sized unit that holds the bit.
      t.emit(w === SIZE16 ? SX16_TO_64 : w === SIZE32 ? SX32_TO_64 : MOV[3], T1, bit);
      t.emit(SARNI64, T1, 0, 3);
      t.emit(ANDNI64, T1, 0, -(1 << w));
      t.addressPlus(T1, 1 << w, writes);
      if (writes) {
        t.modify(w, pick(byRegister, w), bit, 0);
        return;
      }
      t.load(T0, w);
      t.emit(pick(byRegister, w), T0, bit);
    };
  };
};

/** Register from r/m by one op: BSF, BSR, POPCNT, TZCNT, LZCNT. */
export const bitScan = (name: "bsf" | "bsr" | "popcnt" | "tzcnt" | "lzcnt"): Meaning => {
  const ops = byWideSize(name);
  return () => (t) => {
    const w = t.decoder.operandSize;
    const source = t.readRm(w, T0);
    t.emit(pick(ops, w), t.reg(w), source);
  };
};

// ---- Compare and exchange, exchange and add -------------------------------------------------------------------
const CMP = bySize("cmp");
const ADD = bySize("add");
const ADD_QUIETLY = bySize("addn");
const CMOVE = byWideSize("cmov4_");
const CMOVNE = byWideSize("cmov5_");

/**
 * CMPXCHG: the destination is always written, with its old value if the comparison fails; only then the accumulator
 * changes.
 */
export const compareExchange: Meaning = (form) => {
  const size = sizeOf(operandAt(form, 0));
  return (t) => {
    const w = size(t);
    if (t.decoder.lock) t.linearAddress(1 << w, true);
    const old = t.decoder.lock ? T0 : t.readForWrite(w, T0);
    if (t.decoder.lock) t.loadForWrite(T0, w);
    // T1: the old value, zero-extended, T2: what is stored, T3: the new value; 8-bit values are chosen as 64-bit ones.
    // A 32-bit register that keeps its value keeps its upper half too.
    const isRegister32 = t.decoder.isRegister && w === SIZE32;
    t.emit(w === SIZE8 ? ZX8 : w === SIZE16 ? ZX16 : pick(MOV, w), T1, old);
    t.emit(MOV[3], T2, isRegister32 ? old : T1);
    t.emit(w === SIZE8 ? ZX8 : w === SIZE16 ? ZX16 : pick(MOV, w), T3, t.reg(w));
    t.emit(pick(CMP, w), GPR_RAX, T1);
    t.emit(CMOVE[3], T2, T3);
    if (t.decoder.isRegister) t.emit(isRegister32 ? MOV[3] : pick(MOV, w), old, T2);
    else if (t.decoder.lock) t.compareExchange(T2, T1, w);
    else t.store(T2, w);
    if (w === SIZE8) {
      t.emit(MOV[3], T3, GPR_RAX);
      t.emit(MOV[0], T3, T1);
      t.emit(CMOVNE[3], GPR_RAX, T3);
    } else t.emit(w === SIZE16 ? CMOVNE[1] : CMOVNE[3], GPR_RAX, T1);
  };
};

export const exchangeAdd: Meaning = (form) => {
  const size = sizeOf(operandAt(form, 0));
  return (t) => {
    const w = size(t);
    const register = t.reg(w);
    if (t.decoder.lock) {
      t.linearAddress(1 << w, true);
      t.loadForWrite(T0, w);
      t.emit(MOV[3], T1, T0);
      t.emit(pick(ADD_QUIETLY, w), T1, register);
      t.compareExchange(T1, T0, w);
      t.emit(MOV[3], T1, T0);
      t.emit(pick(ADD, w), T1, register);
      t.emit(pick(MOV, w), register, T0);
      return;
    }
    const slot = t.readForWrite(w, T0);
    t.emit(pick(MOV, w), T1, slot);
    if (t.decoder.isRegister) {
      // The sum goes to the destination last: XADD of a register with itself doubles it.
      t.emit(pick(MOV, w), T2, slot);
      t.emit(pick(ADD, w), T2, register);
      t.emit(pick(MOV, w), register, T1);
      t.emit(pick(MOV, w), slot, T2);
      return;
    }
    t.emit(pick(ADD, w), slot, register);
    t.store(slot, w);
    t.emit(pick(MOV, w), register, T1);
  };
};

const CMPXCHG8B = opNumber("cmpxchg8b");
const CMPXCHG16B = opNumber("cmpxchg16b");
/** CMPXCHG8B and CMPXCHG16B; with REX.W the former is #UD where the latter does not exist. */
export const compareExchangeWide: Meaning = (form) => {
  const is16 = operandAt(form, 0).width === 128;
  return (t) => {
    if (!is16 && (t.decoder.rex & 8) !== 0) t.raise(VECTOR_UD);
    else t.emit(is16 ? CMPXCHG16B : CMPXCHG8B, 0, t.linearAddress(is16 ? 16 : 8, true));
  };
};

// ---- Stack ----------------------------------------------------------------------------------------------------
export const push: Meaning = (form) => {
  const operand = operandAt(form, 0);
  if (operand.at === "imm") {
    return (t) => {
      t.pushConstant(t.decoder.immediate, t.decoder.immediate >> 31, t.decoder.operandSize);
    };
  }
  if (operand.at === "opcode") {
    return (t) => {
      t.push(t.opcodeRegister(t.decoder.operandSize), t.decoder.operandSize);
    };
  }
  return (t) => {
    t.push(t.readRm(t.decoder.operandSize, T0), t.decoder.operandSize);
  };
};

export const pop: Meaning = (form) => {
  const toRm = operandAt(form, 0).at === "rm";
  return (t) => {
    const w = t.decoder.operandSize;
    if (!toRm || t.decoder.isRegister) {
      const slot = toRm ? t.rmRegister(w) : t.opcodeRegister(w);
      if (w === SIZE16) {
        t.pop(T0, w);
        t.emit(MOV[1], slot, T0);
      } else if (slot === GPR_RSP) {
        t.pop(T0, w);
        t.emit(pick(MOV, w), slot, T0);
      } else t.pop(slot, w);
      return;
    }
    // The address uses rSP as it is after the pop, but rSP changes only when the store has succeeded.
    const bytes = 1 << w;
    t.peek(T0, 0, w);
    if (t.decoder.base === GPR_RSP) t.decoder.disp = (t.decoder.disp + bytes) | 0;
    t.address(bytes, true);
    t.store(T0, w);
    t.moveStackPointer(bytes);
  };
};

export const pushAll: Meaning = () => {
  const op = opNumber("pusha");
  return (t) => {
    t.emit(op, 0, 0, 1 << t.decoder.operandSize);
  };
};

export const popAll: Meaning = () => {
  const op = opNumber("popa");
  return (t) => {
    t.emit(op, 0, 0, 1 << t.decoder.operandSize);
  };
};

export const enter: Meaning = () => {
  const op = opNumber("enter_frame");
  return (t) => {
    const { immediate, immediate2, operandSize } = t.decoder;
    t.emit(op, 0, 0, immediate | ((immediate2 & 31) << 16) | ((1 << operandSize) << 24));
  };
};

/** LEAVE: rSP = rBP, then POP rBP; the stack's width gives the first, the operand size the second. */
export const leave: Meaning = () => (t) => {
  const w = t.decoder.operandSize;
  const stack = t.stackSize;
  t.emit(stack === SIZE16 ? ZX16 : pick(MOV, stack), T1, GPR_RBP);
  t.decoder.addressSize = stack;
  t.addressOf(T1, SEG_SS, 1 << w, false);
  t.load(T0, w);
  t.emit(pick(MOV, stack), GPR_RSP, GPR_RBP);
  t.moveStackPointer(1 << w);
  t.emit(pick(MOV, w), GPR_RBP, T0);
};

const BOUND = opNumber("bound");
export const bound: Meaning = () => (t) => {
  const bytes = 1 << t.decoder.operandSize;
  t.emit(BOUND, t.reg(t.decoder.operandSize), t.linearAddress(2 * bytes, false), 8 * bytes);
};

/** XLATB: AL = [rBX + AL]. */
export const translateByte: Meaning = () => (t) => {
  const { decoder } = t;
  decoder.base = 24; // rBX
  decoder.index = T1;
  decoder.scale = 0;
  decoder.disp = 0;
  decoder.isRipRelative = false;
  t.emit(ZX8, T1, GPR_RAX);
  t.address(1, false);
  t.memory(LOAD_REGISTER[0], GPR_RAX);
};

const SBBN8 = opNumber("sbbn8");
/** SALC, undocumented: AL = CF ? FF : 0. */
export const setAlOnCarry: Meaning = () => (t) => {
  t.emit(SBBN8, GPR_RAX, GPR_RAX);
};

/** CBW, CWDE, CDQE. */
export const extendAccumulator: Meaning = plainBySize("sx8to16", "sx16to32", "sx32to64", GPR_RAX, GPR_RAX);
/** CWD, CDQ, CQO. */
export const signToDx: Meaning = plainBySize("signdx16", "signdx32", "signdx64");
