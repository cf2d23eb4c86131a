/**
 * Test fixture: turns rows of the encoding tables (x87Forms, sseFloatForms, mmxForms) into random oracle cases with
 * the helper call that the translator would make. Operands are boundary values, values near each other, and noise;
 * control words choose every rounding, precision and masking.
 */
import { DATA, FLAG, type InitialState, Random } from "../../../test/oracle/index.ts";
import { FLOAT32_VALUES, FLOAT64_VALUES, FLOAT80_VALUES, STATUS_FLAGS } from "../../../test/oracle/index.ts";
import type { MmxForm } from "../ir/helpers-mmx.ts";
import type { SseForm } from "../ir/helpers-sse.ts";
import type { X87Form } from "../ir/helpers-x87.ts";
import { type FpuCase, SLOT_ADDRESS, SLOT_VALUE, XMM_TEMP } from "./fpu-fixture.ts";

const noise = (random: Random): number => random.below(0x1_0000);
const hex = (value: number): string => value.toString(16).padStart(2, "0");
const GPR_RAX = 0;
/** Register numbers that cases use for operands: ModRM.reg and ModRM.rm. */
const REG = 1;
const RM = 2;

/** Values of one format: boundaries, numbers of close magnitude, short significands, noise. */
export class FloatSource {
  readonly random: Random;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  #signed(bits: number, value: bigint): bigint {
    return value | (BigInt(this.random.below(2)) << BigInt(bits - 1));
  }

  /** A fraction of so many bits, often with trailing zeros, so that results can be exact. */
  #fraction(bits: number): bigint {
    const all = this.random.next64() >> BigInt(64 - bits);
    return this.random.below(2) === 0
      ? all
      : (all >> BigInt(this.random.below(bits))) << BigInt(this.random.below(bits));
  }

  f32(): bigint {
    switch (this.random.below(4)) {
      case 0:
        return this.random.pick(FLOAT32_VALUES);
      case 1:
        return this.random.next64() & 0xffff_ffffn;
      default: {
        const exponent = BigInt(0x70 + this.random.below(0x20));
        return this.#signed(32, (exponent << 23n) | (this.#fraction(23) & 0x7f_ffffn));
      }
    }
  }

  f64(): bigint {
    switch (this.random.below(5)) {
      case 0:
        return this.random.pick(FLOAT64_VALUES);
      case 1:
        return this.random.next64();
      case 2: {
        // Values that a binary32 can nearly hold, and integers.
        const exponent = BigInt(0x380 + this.random.below(0x100));
        return this.#signed(64, (exponent << 52n) | (this.#fraction(52) & 0xf_ffff_ffff_ffffn));
      }
      default: {
        const exponent = BigInt(0x3f0 + this.random.below(0x50));
        return this.#signed(64, (exponent << 52n) | (this.#fraction(52) & 0xf_ffff_ffff_ffffn));
      }
    }
  }

  f80(): bigint {
    const leading = 1n << 63n;
    switch (this.random.below(8)) {
      case 0:
      case 1:
        return this.random.pick(FLOAT80_VALUES);
      case 2:
        return this.#signed(80, (BigInt(this.random.below(0x7fff)) << 64n) | leading | this.random.next64());
      case 3:
        return this.#signed(80, this.random.next64() >> BigInt(this.random.below(63)));
      case 4: {
        // Around the ends of the ranges of binary32 and binary64, and of this format.
        const end = this.random.pick([
          1, 0x40, 0x3f69, 0x3f80, 0x407e, 0x3bcd, 0x3c00, 0x43fe, 0x7fc0, 0x7ffc,
        ]);
        return this.#signed(80, (BigInt(end + this.random.below(3)) << 64n) | leading | this.random.next64());
      }
      default: {
        const exponent = BigInt(0x3fe0 + this.random.below(0x60));
        return this.#signed(80, (exponent << 64n) | leading | this.#fraction(63));
      }
    }
  }

  vector(laneBits: 32 | 64): bigint {
    if (laneBits === 64) return this.f64() | (this.f64() << 64n);
    return this.f32() | (this.f32() << 32n) | (this.f32() << 64n) | (this.f32() << 96n);
  }

  bytes(sizeBytes: number, value: bigint): Uint8Array {
    return Uint8Array.from({ length: sizeBytes }, (_, index) => Number((value >> BigInt(8 * index)) & 0xffn));
  }
}

const dataGpr = { rbx: BigInt(DATA.gva) };
/** ModRM of a memory operand [rbx]. */
const memoryModrm = (reg: number): number => (reg << 3) | 3;
const registerModrm = (reg: number, rm: number): number => 0xc0 | (reg << 3) | rm;

// ---- x87 --------------------------------------------------------------------------------------------------------
const X87_CONTROLS = 0xf3f;
const NO_PENDING_MASKS = 0x37f;

/** Bits of the status word in which processors differ: SDM and AMD disagree about C1 of FCOMI and FUCOMI. */
const undefinedStatus = (form: X87Form): number => (form.helper === "x87_compare_flags" ? 0x200 : 0);

function x87Operand(form: X87Form, from: FloatSource): bigint {
  if (form.helper === "x87_load_bcd") {
    const digits = Array.from({ length: 18 }, () => String(from.random.below(10))).join("");
    return BigInt(`0x${digits}`) | (BigInt(from.random.below(2)) << 79n);
  }
  if (form.memoryBytes === 4) return from.f32();
  if (form.memoryBytes === 8) return from.f64();
  if (form.memoryBytes === 10) return from.f80();
  return Array.from({ length: 14 }, (_, index) => from.random.next64() << BigInt(64 * index)).reduce(
    (a, b) => a | b,
  );
}

/** Stack contents that make the form do something: a second operand near the first, a small scale. */
function x87Stack(form: X87Form, from: FloatSource): bigint[] {
  const { random } = from;
  const stack = Array.from({ length: random.pick([8, 7, 4, 3, 3, 2, 2, 2, 1, 0]) }, () => from.f80());
  const [first] = stack;
  if (first === undefined || stack.length < 2 || random.below(4) === 0) return stack;
  const significand = (1n << 63n) | random.next64();
  if (form.helper === "x87_scale")
    stack[1] = (BigInt(0x3ffc + random.below(20) + random.below(2) * 0x8000) << 64n) | significand;
  if (form.helper === "x87_remainder") {
    const exponent = ((first >> 64n) + BigInt(random.below(150) - 130)) & 0x7fffn;
    stack[1] = (exponent << 64n) | significand;
  }
  // Beyond [-1, 1] F2XM1 is undefined, and 1 itself processors round down under RC = down.
  if (form.helper === "x87_power")
    stack[0] = (first & (1n << 79n)) | (BigInt(0x3fc0 + random.below(0x3f)) << 64n) | significand;
  return stack;
}

/** One case of an x87 form. */
export function x87Case(form: X87Form, number: number, from: FloatSource): FpuCase {
  const { random } = from;
  const parts = /^(D[89A-F]) (?:\/(\d)|([0-9A-F]{2})(\+i)?)$/.exec(form.opcode);
  if (parts === null) throw new Error(`opcode ${form.opcode}`);
  const [, byte = "", digit, fixed = "", plusI] = parts;
  const i = plusI === undefined ? 0 : random.below(8);
  const size = form.imm === "operandSize" ? random.pick([16, 32]) : 32;
  const modrm = digit === undefined ? parseInt(fixed, 16) + i : memoryModrm(Number(digit));
  const operandBytes = form.memoryBytes ?? 0;

  const fcw = random.below(2) === 0 ? 0x37f : 0x40 | (noise(random) & X87_CONTROLS);
  const sticky = noise(random) & 0x3f & fcw & NO_PENDING_MASKS;
  const pending = form.waits === false && random.below(3) === 0 ? random.below(0x40) : 0;
  const flags = sticky | pending | (noise(random) & 0x4740);
  const fsw = (flags & ~fcw & 0x3f) !== 0 ? flags | 0x8080 : flags;

  const initial: InitialState = {
    fcw,
    fsw,
    st: x87Stack(form, from),
    flags: noise(random) & STATUS_FLAGS,
    gpr: dataGpr,
  };
  const argument = (of: X87Form["d"]): number => {
    if (of === "i") return i;
    if (of === "value") return SLOT_VALUE;
    if (of === "address") return SLOT_ADDRESS;
    return of === "ax" ? GPR_RAX : (of ?? 0);
  };
  const environment = form.imm === "operandSize" && form.access === "write";
  // Instruction and data pointers are not kept, see x87-state.ts.
  const pointers = size === 32 ? { gva: DATA.gva + 12, sizeBytes: 16 } : { gva: DATA.gva + 6, sizeBytes: 8 };
  return {
    name: `${form.opcode} ${form.mnemonic} #${String(number)}`,
    mode: "long64",
    code: `${size === 16 ? "66 " : ""}${byte} ${hex(modrm)}`,
    initial,
    memory:
      operandBytes === 0 ? [] : [{ gva: DATA.gva, bytes: from.bytes(operandBytes, x87Operand(form, from)) }],
    undefined: { fsw: undefinedStatus(form), ...(environment && { memory: [pointers] }) },
    helper: form.helper ?? "",
    d: argument(form.d),
    s: argument(form.s),
    imm: form.imm === "operandSize" ? size : (form.imm ?? 0),
    operandBytes,
    stores: form.access === "store",
  };
}

// ---- SSE --------------------------------------------------------------------------------------------------------
function mxcsr(random: Random): number {
  switch (random.below(6)) {
    case 0:
      return 0x1f80;
    case 1:
      return 0x1fa0;
    case 2:
      return 0x1f80 | (random.below(4) << 13) | random.below(0x40);
    case 3:
      return 0x1f80 | (random.below(4) << 13) | (random.below(2) << 6) | (random.below(2) << 15);
    case 4:
      return (0x1f80 & ~(0x80 << random.below(6))) | (random.below(2) << 5);
    default:
      return noise(random) & 0xffc0;
  }
}

/** "F2 0F 3A 0B /r ib" with a ModRM byte: mandatory prefixes stay before REX. */
function sseCode(
  opcode: string,
  modrm: number,
  rexW: boolean,
  prefix: string,
  imm8: number | undefined,
): string {
  const parts = opcode.replace(/ \/[r0-7]| ib|NP /g, "").split(" ");
  const mandatory = /^(F2|F3|66)$/.test(parts[0] ?? "") ? [parts.shift() ?? ""] : [];
  return [
    ...(prefix === "" ? [] : [prefix]),
    ...mandatory,
    ...(rexW ? ["48"] : []),
    ...parts,
    hex(modrm),
    ...(imm8 === undefined ? [] : [hex(imm8)]),
  ].join(" ");
}

/** Lanes of the source operand. */
const laneBits = (form: SseForm): 32 | 64 =>
  /pd$|sd$|cvtt?[ps]d2/.test(form.mnemonic) && !/2[ps]d$/.test(form.mnemonic) ? 64 : 32;

/** Text for the string instructions: few different elements, zeros among them. */
function text(random: Random): bigint {
  let value = 0n;
  for (let i = 0; i < 16; i++)
    value |= BigInt(random.pick([0, 1, 0x41, 0x42, 0x7f, 0x80, 0xff, 0x41, 0x41])) << BigInt(8 * i);
  return random.below(3) === 0 ? value : value | 0x0101_0101_0101_0101_0101_0101_0101_0101n;
}

/** One case of an SSE form. */
export function sseCase(form: SseForm, number: number, from: FloatSource): FpuCase {
  const { random } = from;
  const isText = form.mnemonic.startsWith("pcmp");
  const vector = (): bigint => (isText ? text(random) : from.vector(laneBits(form)));
  const rexW = (form.imm === "w" || form.imm === "imm8+w" || form.imm === "v") && random.below(2) === 0;
  const word = form.imm === "v" && !rexW && random.below(2) === 0;
  const imm8 =
    form.imm === "imm8" || form.imm === "imm8+w"
      ? random.below(form.mnemonic.startsWith("cmp") ? 8 : 256)
      : undefined;
  const memory = form.operands === "m32" || random.below(3) === 0;
  const sizeText = /m(\d+)/.exec(form.operands)?.[1];
  const operandBytes = !memory ? 0 : sizeText !== undefined ? Number(sizeText) / 8 : rexW ? 8 : word ? 2 : 4;

  const digit = Number(/\/([2-3])/.exec(form.opcode)?.[1] ?? REG);
  const modrm = memory ? memoryModrm(digit) : registerModrm(REG, RM);
  const slot = memory ? SLOT_VALUE : RM * 8;
  const vectorSource = memory ? XMM_TEMP : RM;
  const [d, s] = ((): [number, number] => {
    if (form.operands.startsWith("rW, xmm")) return [REG * 8, vectorSource];
    if (form.operands.startsWith("rW, r/m")) return [REG * 8, slot];
    if (form.operands === "xmm, r/mW") return [REG, slot];
    if (form.operands === "xmm, mm/m64") return [REG, memory ? 8 : RM];
    if (form.operands === "m32") return form.mnemonic === "stmxcsr" ? [SLOT_VALUE, 0] : [0, SLOT_VALUE];
    return [REG, vectorSource];
  })();
  const mmx = Array.from({ length: 8 }, () => random.next64());
  const imm = ((): number => {
    if (form.imm === "imm8" || form.imm === "imm8+w") return (imm8 ?? 0) | (rexW ? 0x100 : 0);
    if (form.imm === "w") return rexW ? 64 : 32;
    if (form.imm === "v") return rexW ? 64 : word ? 16 : 32;
    return form.imm ?? 0;
  })();
  const integer = (): bigint =>
    random.pick([random.next64(), BigInt(random.below(1000)), -BigInt(random.below(40)), from.f64()]);
  const length = (): bigint => BigInt(random.below(40) - 20);
  const operand =
    form.operands === "m32" ? BigInt(mxcsr(random) | (random.below(4) === 0 ? 0x10000 : 0)) : vector();
  return {
    name: `${form.opcode} ${form.mnemonic} #${String(number)}`,
    mode: "long64",
    code: sseCode(form.opcode, modrm, rexW, word ? "66" : "", imm8),
    initial: {
      mxcsr: mxcsr(random),
      flags: FLAG.cf | FLAG.pf | FLAG.af | FLAG.of,
      gpr: {
        rax: isText ? length() : integer(),
        rcx: integer(),
        rdx: isText ? length() : integer(),
        ...dataGpr,
      },
      xmm: { [REG]: vector(), [RM]: vector() },
      // Processors disagree about the transition that a memory operand of CVTPI2PS makes: let it make no difference.
      ...(form.mmx === true && (memory || random.below(2) === 0)
        ? { mm: mmx }
        : { st: mmx.slice(0, 3), fcw: 0x37f }),
    },
    memory: operandBytes === 0 ? [] : [{ gva: DATA.gva, bytes: from.bytes(operandBytes, operand) }],
    helper: form.mnemonic,
    d,
    s,
    imm,
    operandBytes,
    stores: form.mnemonic === "stmxcsr",
  };
}

// ---- MMX --------------------------------------------------------------------------------------------------------
/** One case of an MMX form. */
export function mmxCase(form: MmxForm, number: number, from: FloatSource): FpuCase {
  const { random } = from;
  const value = (): bigint => {
    const kind = random.below(4);
    if (kind === 0) return random.next64();
    if (kind === 1) return BigInt(random.below(70));
    return BigInt.asUintN(64, random.runs(64));
  };
  const rexW = form.imm === "w" && random.below(2) === 0;
  const shift = form.helper === "mmx_shift";
  const imm8 = form.imm === "imm8" ? random.pick([random.below(256), random.below(20)]) : undefined;
  const canBeMemory = /m16|m32|m64|r\/mW/.test(form.operands) || form.helper === "maskmovq";
  const memory =
    form.operands === "m64, mm" || form.helper === "maskmovq" || (canBeMemory && random.below(3) === 0);
  const sizeText =
    /m(16|32|64)/.exec(form.operands)?.[1] ?? (form.helper === "maskmovq" || rexW ? "64" : "32");
  const operandBytes = memory ? Number(sizeText) / 8 : 0;
  const digit = Number(/\/([246])/.exec(form.opcode)?.[1] ?? REG);
  const modrm = memory && form.helper !== "maskmovq" ? memoryModrm(digit) : registerModrm(digit, RM);
  const toMemory = memory && form.memory !== undefined;
  const slot = memory ? SLOT_VALUE : RM * 8;
  const [d, s] = ((): [number, number] => {
    if (toMemory || form.helper === "maskmovq") return [REG, SLOT_ADDRESS];
    if (shift) return [RM, 0];
    if (form.operands === "r/mW, mm") return [RM * 8, REG];
    if (form.operands === "mm/m64, mm") return [RM, REG];
    if (form.operands.startsWith("mm, r")) return [REG, slot];
    if (form.operands.startsWith("r32, mm")) return [REG * 8, RM];
    return [REG, memory ? 8 : RM];
  })();
  const imm = ((): number => {
    if (form.imm === "imm8") return (imm8 ?? 0) + (form.base ?? 0);
    if (form.imm === "w") return rexW ? 64 : 32;
    return form.imm === "rm" ? RM : (form.imm ?? 0);
  })();
  return {
    name: `${form.opcode} ${form.mnemonic} #${String(number)}`,
    mode: "long64",
    code: form.operands === "none" ? "0f 77" : sseCode(form.opcode, modrm, rexW, "", imm8),
    initial: {
      gpr: { rcx: value(), rdx: value(), ...dataGpr, rdi: BigInt(DATA.gva) },
      xmm: { [REG]: value() | (value() << 64n), [RM]: value() | (value() << 64n) },
      flags: FLAG.cf,
      ...(random.below(2) === 0
        ? { mm: Array.from({ length: 8 }, value) }
        : { st: Array.from({ length: 5 }, () => from.f80()) }),
    },
    memory: operandBytes === 0 ? [] : [{ gva: DATA.gva, bytes: from.bytes(operandBytes, value()) }],
    helper: toMemory ? "mmx_store" : form.helper,
    d,
    s,
    imm,
    operandBytes,
  };
}
