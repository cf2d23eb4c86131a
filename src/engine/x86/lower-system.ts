/**
 * Meanings of system, segment, port and string instructions: calls of the core's helpers (ir/helpers-system.ts), which
 * check privilege and mode. SDM 2; SDM 3A 2.8.
 */
import { MODE_REAL, MODE_USER, SEG_CS } from "../layout.ts";
import { opNumber } from "../ir/ops.ts";
import { operandAt, sizeOf } from "./lower-integer.ts";
import type { Meaning } from "./row.ts";
import {
  MOV,
  MOVI,
  SIZE16,
  SIZE32,
  SIZE64,
  SIZE8,
  T0,
  T1,
  T2,
  VECTOR_UD,
  type BySize,
  pick,
  type SizeLog2,
  type Translator,
} from "./translator.ts";

const operandBytes = (t: Translator): number => 1 << t.decoder.operandSize;
const ZX16 = opNumber("zx16");

/** A slot with the zero-extended value of a register slot. */
function zeroExtended(t: Translator, slot: number, size: SizeLog2): number {
  if (size === SIZE64) return slot;
  t.emit(size === SIZE16 ? ZX16 : MOV[2], T0, slot);
  return T0;
}

/** A helper without operands that goes on to the next instruction. */
export const inlineHelper = (name: string): Meaning => {
  const op = opNumber(name);
  return () => (t) => {
    t.emit(op);
  };
};

/** A helper without operands that ends the block. */
export const endingHelper = (name: string): Meaning => {
  const op = opNumber(name);
  return () => (t) => {
    t.endWithHelper(op);
  };
};

/** As these, with the operand size in bytes as immediate. */
export const sizedHelper = (name: string): Meaning => {
  const op = opNumber(name);
  return () => (t) => {
    t.emit(op, 0, 0, operandBytes(t));
  };
};
export const sizedEndingHelper = (name: string): Meaning => {
  const op = opNumber(name);
  return () => (t) => {
    t.endWithHelper(op, 0, 0, operandBytes(t));
  };
};

// ---- Segment registers ----------------------------------------------------------------------------------------
const LOADSEG = opNumber("loadseg");
const POPSEG = opNumber("popseg");
const READSEG = opNumber("readseg");
const LXS = opNumber("lxs");

/** MOV r/m, Sreg: 16 bits to memory, the zero-extended selector to a register. */
export const moveFromSegment: Meaning = () => (t) => {
  const segment = t.decoder.reg & 7;
  if (segment > 5) {
    t.raise(VECTOR_UD);
    return;
  }
  t.emit(READSEG, T0, 0, segment);
  t.writeRm(T0, t.decoder.isRegister ? t.decoder.operandSize : SIZE16);
};

/** MOV Sreg, r/m. */
export const moveToSegment: Meaning = () => (t) => {
  const segment = t.decoder.reg & 7;
  if (segment > 5 || segment === SEG_CS) {
    t.raise(VECTOR_UD);
    return;
  }
  const slot = t.readRm(SIZE16, T0);
  t.endWithHelper(LOADSEG, 0, slot, segment);
};

export const pushSegment: Meaning = (form) => {
  const segment = operandAt(form, 0).number ?? 0;
  return (t) => {
    t.emit(READSEG, T0, 0, segment);
    t.pushSelector(T0, t.decoder.operandSize);
  };
};

export const popSegment: Meaning = (form) => {
  const segment = operandAt(form, 0).number ?? 0;
  return (t) => {
    t.endWithHelper(POPSEG, 0, 0, segment | (operandBytes(t) << 8));
  };
};

/** LES, LCS, LSS, LDS, LFS, LGS. */
export const loadFarPointer = (segment: number): Meaning => {
  return () => (t) => {
    const bytes = operandBytes(t);
    const address = t.linearAddress(bytes + 2, false);
    t.endWithHelper(LXS, t.reg(t.decoder.operandSize), address, segment | (bytes << 8));
  };
};

// ---- Descriptor tables ----------------------------------------------------------------------------------------
/** SGDT, SIDT, LGDT, LIDT, on the linear address of 6 or (64-bit mode) 10 bytes. */
export const tableRegister = (name: "sgdt" | "sidt" | "lgdt" | "lidt"): Meaning => {
  const op = opNumber(name);
  const loads = name.startsWith("l");
  return () => (t) => {
    if (loads && (t.mode & MODE_USER) !== 0) {
      t.raiseGp0();
      return;
    }
    const address = t.linearAddress(t.is64 ? 10 : 6, !loads);
    if (loads) t.endWithHelper(op, 0, address, operandBytes(t));
    else t.emit(op, 0, address, operandBytes(t));
  };
};

/** SLDT, STR, SMSW: the operand size to a register, 16 bits to memory. */
export const storeSystemWord = (name: "sldt" | "str" | "smsw"): Meaning => {
  const op = opNumber(name);
  return () => (t) => {
    t.emit(op, T0);
    t.writeRm(T0, t.decoder.isRegister ? t.decoder.operandSize : SIZE16);
  };
};

/** LLDT, LTR, LMSW: end the block. */
export const loadSystemWord = (name: "lldt" | "ltr" | "lmsw"): Meaning => {
  const op = opNumber(name);
  return () => (t) => {
    // The privilege is checked before the operand is read. Virtual-8086 mode, where LLDT and LTR are invalid, is real here.
    if ((t.mode & (MODE_USER | MODE_REAL)) === MODE_USER) {
      t.raiseGp0();
      return;
    }
    t.endWithHelper(op, 0, t.readRm(SIZE16, T0));
  };
};

/** VERR, VERW. */
export const verifySegment = (name: "verr" | "verw"): Meaning => {
  const op = opNumber(name);
  return () => (t) => {
    t.emit(op, 0, t.readRm(SIZE16, T0));
  };
};

/** LAR, LSL. */
export const descriptorInformation = (name: "lar" | "lsl"): Meaning => {
  const op = opNumber(name);
  return () => (t) => {
    const selector = t.readRm(SIZE16, T0);
    t.emit(op, t.reg(t.decoder.operandSize), selector, operandBytes(t));
  };
};

const ARPL = opNumber("arpl");
const ARPLMEM = opNumber("arplmem");
export const adjustRpl: Meaning = () => (t) => {
  if (t.decoder.isRegister) t.emit(ARPL, t.rmRegister(SIZE16), t.reg(SIZE16));
  else t.emit(ARPLMEM, t.linearAddress(2, false), t.reg(SIZE16), t.decoder.segment);
};

// ---- Far transfers --------------------------------------------------------------------------------------------
const JMPFAR = opNumber("jmpfar");
const CALLFAR = opNumber("callfar");
const RETFAR = opNumber("retfar");

/** JMP and CALL to a far pointer in the instruction or in memory. */
export const farTransfer = (name: "jmpfar" | "callfar"): Meaning => {
  const op = name === "jmpfar" ? JMPFAR : CALLFAR;
  return (form) => {
    if (operandAt(form, 0).at === "imm") {
      return (t) => {
        t.constant64(T1, t.decoder.immediate, 0);
        t.emit(MOVI[2], T2, 0, t.decoder.immediate2);
        t.endWithHelper(op, T1, T2, operandBytes(t));
      };
    }
    return (t) => {
      const bytes = operandBytes(t);
      t.address(bytes + 2, false);
      t.load(T1, t.decoder.operandSize);
      t.advance(bytes);
      t.load(T2, SIZE16);
      t.endWithHelper(op, T1, T2, bytes);
    };
  };
};

/** RETF, with or without bytes of parameters to drop. */
export const returnFar: Meaning = (form) => {
  const drops = form.operands.length > 0;
  return (t) => {
    t.endWithHelper(RETFAR, 0, 0, operandBytes(t) | ((drops ? t.decoder.immediate : 0) << 8));
  };
};

const INT = opNumber("int");
export const softwareInterrupt: Meaning = () => (t) => {
  t.endWithHelper(INT, 0, 0, t.decoder.immediate);
};

// ---- Control registers ----------------------------------------------------------------------------------------
/** CR0, CR2, CR3, CR4 and CR8 exist, DR0–DR7. */
const CONTROL_REGISTERS = 0b1_0001_1101;
const exists = (name: string, number: number): boolean =>
  name.endsWith("dr") ? number < 8 : ((CONTROL_REGISTERS >> number) & 1) === 1;

/** MOV from a control or debug register. */
export const moveFromControl = (name: "movfromcr" | "movfromdr"): Meaning => {
  const op = opNumber(name);
  return () => (t) => {
    if (exists(name, t.decoder.reg)) t.emit(op, 8 * t.decoder.rm, 0, t.decoder.reg);
    else t.raise(VECTOR_UD);
  };
};

/** MOV to a control or debug register. */
export const moveToControl = (name: "movtocr" | "movtodr"): Meaning => {
  const op = opNumber(name);
  return () => (t) => {
    if (exists(name, t.decoder.reg)) t.endWithHelper(op, 0, 8 * t.decoder.rm, t.decoder.reg);
    else t.raise(VECTOR_UD);
  };
};

const INVLPG = opNumber("invlpg");
export const invalidatePage: Meaning = () => (t) => {
  if ((t.mode & MODE_USER) !== 0) t.raiseGp0();
  else t.endWithHelper(INVLPG, 0, t.linearAddress(1, false));
};

const INVPCID = opNumber("invpcid");
export const invalidatePcid: Meaning = () => (t) => {
  if ((t.mode & MODE_USER) !== 0) t.raiseGp0();
  else t.endWithHelper(INVPCID, 8 * t.decoder.reg, t.linearAddress(16, false));
};

const RDSEGBASE = opNumber("rdsegbase");
const WRSEGBASE = opNumber("wrsegbase");
/** RDFSBASE, RDGSBASE. */
export const readSegmentBase = (segment: number): Meaning => {
  return () => (t) => {
    const size = (t.decoder.rex & 8) !== 0 ? SIZE64 : SIZE32;
    t.emit(RDSEGBASE, T0, 0, segment);
    t.emit(pick(MOV, size), t.rmRegister(size), T0);
  };
};
/** WRFSBASE, WRGSBASE. */
export const writeSegmentBase = (segment: number): Meaning => {
  return () => (t) => {
    const size = (t.decoder.rex & 8) !== 0 ? SIZE64 : SIZE32;
    t.emit(WRSEGBASE, 0, zeroExtended(t, t.rmRegister(size), size), segment);
  };
};

const RANDOM = opNumber("random");
/** RDRAND, RDSEED: as many random bits as the register has. */
export const randomBits: Meaning = () => (t) => {
  const w = t.decoder.operandSize;
  t.emit(RANDOM, T0);
  t.emit(pick(MOV, w), t.rmRegister(w), T0);
};

const RDPID = opNumber("rdpid");
/** RDPID: IA32_TSC_AUX to a register of the mode's width. */
export const readProcessorId: Meaning = () => (t) => {
  const w = t.is64 ? SIZE64 : SIZE32;
  t.emit(RDPID, T0);
  t.emit(pick(MOV, w), t.rmRegister(w), T0);
};

/** CLFLUSH, CLFLUSHOPT and CLWB: the address must be readable; there is no cache to flush. */
export const flushLine: Meaning = () => (t) => {
  t.address(1, false);
  t.load(T0, SIZE8);
};

// ---- Ports and strings ----------------------------------------------------------------------------------------
const PORT_IN_DX = 0x1000000;
const portOps = { in: opNumber("in"), out: opNumber("out") } as const;
/** IN and OUT with an immediate port or DX. */
export const port = (name: keyof typeof portOps): Meaning => {
  const op = portOps[name];
  return (form) => {
    const [data, address] = name === "in" ? [0, 1] : [1, 0];
    const size = sizeOf(operandAt(form, data));
    const isImmediate = operandAt(form, address).at === "imm";
    return (t) => {
      t.endWithHelper(op, 0, 0, (1 << size(t)) | (isImmediate ? t.decoder.immediate << 8 : PORT_IN_DX));
    };
  };
};

const REPNE = 0x1000;

/** Helper immediate: element size, address size, segment of rSI. */
const stringImmediate = (t: Translator, size: SizeLog2): number =>
  (1 << size) | (1 << (t.decoder.addressSize + 4)) | (t.decoder.segment << 8);

/** One element in flat segments, with addresses of this width. */
const flatString = (name: string, form: "m32" | "m64"): BySize => [
  opNumber(`${name}8_${form}`),
  opNumber(`${name}16_${form}`),
  opNumber(`${name}32_${form}`),
  opNumber(`${name}64_${form}`),
];
const flatStringOps = new Map(
  ["movs", "stos", "lods"].map((name) => [
    name,
    { m32: flatString(name, "m32"), m64: flatString(name, "m64") },
  ]),
);

/** A string instruction of byte elements, or of the operand size ("v", at most 32 bits for ports: "z"). */
export const string = (
  name: "movs" | "stos" | "lods" | "cmps" | "scas" | "ins" | "outs",
  element: "b" | "v" | "z",
): Meaning => {
  const once = opNumber(name);
  const repeated = opNumber(`rep${name}`);
  const compares = name === "cmps" || name === "scas";
  const isPort = name === "ins" || name === "outs";
  const inFlatSegments = flatStringOps.get(name);
  return () => (t) => {
    const { operandSize, rep } = t.decoder;
    const size = element === "b" ? SIZE8 : element === "z" && operandSize === SIZE64 ? SIZE32 : operandSize;
    const immediate = stringImmediate(t, size);
    if (rep !== 0) t.endWithHelper(repeated, 0, 0, immediate | (compares && rep === 2 ? REPNE : 0));
    else if (isPort) t.endWithHelper(once, 0, 0, immediate);
    else if (inFlatSegments !== undefined && t.isFlatString)
      t.emit(pick(t.decoder.addressSize === SIZE64 ? inFlatSegments.m64 : inFlatSegments.m32, size), 0, 0);
    else t.emit(once, 0, 0, immediate);
  };
};

/** MOVNTI: a store. */
export const moveNonTemporal: Meaning = () => (t) => {
  const size = (t.decoder.rex & 8) !== 0 ? SIZE64 : SIZE32;
  t.writeRm(t.reg(size), size);
};
