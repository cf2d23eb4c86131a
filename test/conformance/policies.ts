/**
 * What rows need beyond random operands, by mnemonic: operands that have to fit each other, implicit registers and
 * memory, branch targets, selectors, immediates with few meaningful values. Rows without an entry take any operands.
 */
import type { InstructionRow } from "../../src/engine/x86/row.ts";
import {
  CODE,
  codeBaseOf,
  codeSelectorOf,
  DATA,
  DEFAULT_MXCSR,
  FLAG,
  FpImage,
  FXSAVE_BYTES,
  LDT,
  type Random,
  regionOf,
  SELECTOR,
  SETTABLE_FLAGS,
  SHIFT_COUNTS,
  STACK,
} from "../oracle/index.ts";
import { chooseTarget, NON_CANONICAL, segmentNameOf } from "./addressing.ts";
import { type Draft, RAX, RBP, RBX, RCX, RDI, RDX, reachOf, RSI, RSP } from "./draft.ts";
import { byteRegister, XSAVE_AREA_BYTES } from "./operands.ts";
import type { SegmentRegister, Shape, SizeBits } from "./shape.ts";

export interface Policy {
  /** Registers that cannot be bases of memory operands. */
  readonly reserved?: readonly number[];
  /** The stack pointer means something. */
  readonly stack?: true;
  /** Adjusts a draft whose operands are random. */
  readonly prepare?: (draft: Draft) => void;
  /** Whether the prepared draft is one whose result is known; another is made if not. */
  readonly accepts?: (draft: Draft) => boolean;
  /** The value of the row's immediate `index`. */
  readonly immediate?: (random: Random, shape: Omit<Shape, "immediates">, index: number) => bigint;
  /** Code behind the instruction that shows what it did, in 64-bit mode. */
  readonly suffix?: readonly number[];
}

const big = (value: number): bigint => BigInt(value);
const pickBig = (random: Random, values: readonly number[]): bigint => big(random.pick(values));

// ---- Branch targets ---------------------------------------------------------------------------------------------
/** A linear address to branch to: in the INT3 fill, behind the code's end, in data. */
function codeTarget(random: Random, { codeGva }: Pick<Shape, "codeGva">): number {
  const kind = random.below(16);
  if (kind === 0) return CODE.gva + CODE.sizeBytes + random.below(64);
  // Beyond the limit of 16-bit code.
  if (kind === 1) return DATA.gva + 0x100 + random.below(64);
  if (kind === 2) return CODE.gva + CODE.sizeBytes - 1;
  const target = CODE.gva + 0x40 + random.below(CODE.sizeBytes - 0x80);
  return Math.abs(target - codeGva) < 0x40 ? CODE.gva + 0x20 : target;
}

const nearTarget = (random: Random, shape: Omit<Shape, "immediates">, index: number): bigint => {
  const { codeGva, row } = shape;
  if (row.encoding.immediates[index] === "cz") return big(codeTarget(random, shape));
  return big(random.below(2) === 0 ? codeGva + 16 + random.below(100) : codeGva - 1 - random.below(100));
};

/** An offset in CS to branch to. */
function codeOffset(d: Draft): bigint {
  if (d.mode === "long64" && d.random.below(12) === 0) return NON_CANONICAL;
  return BigInt.asUintN(64, big(codeTarget(d.random, d.shape) - codeBaseOf(d.mode)));
}

// ---- Selectors --------------------------------------------------------------------------------------------------
const KERNEL_CODE = 0x10;
const OUTSIDE_GDT = 0xff8;
const OUTSIDE_LDT = 0x7c;
const DATA_SELECTORS = [
  SELECTOR.flat,
  SELECTOR.flat,
  ...LDT.map(({ selector }) => selector),
  SELECTOR.null,
  3,
  SELECTOR.code32,
  SELECTOR.code64,
  SELECTOR.flat & ~3,
  KERNEL_CODE,
  KERNEL_CODE | 3,
  OUTSIDE_GDT | 3,
  OUTSIDE_LDT | 3,
] as const;
const CODE16 = LDT[0]?.selector ?? 0;
/** Of these, 64-bit code is not entered over a stack segment of the LDT: the host's kernel does not come back from it. */
const codeSelectors = ({ mode, segments }: Pick<Shape, "mode" | "segments">): readonly number[] =>
  mode === "protected16" || (segments.ss !== undefined && segments.ss !== "flat")
    ? [SELECTOR.code32, CODE16]
    : [SELECTOR.code32, SELECTOR.code64, CODE16];

function codeSelector(d: Draft): bigint {
  const { random } = d;
  const kind = random.below(8);
  if (kind < 4) return big(codeSelectorOf(d.mode));
  return pickBig(random, kind < 6 ? codeSelectors(d.shape) : FAR_DATA_SELECTORS);
}

const FAR_DATA_SELECTORS = DATA_SELECTORS.filter((selector) => selector !== SELECTOR.code64);

/** A selector for a data segment, or for the stack segment, of which few are valid. */
const dataSelector = (d: Draft): bigint => pickBig(d.random, DATA_SELECTORS);

// ---- Flags ------------------------------------------------------------------------------------------------------
/** An image of RFLAGS to pop: any settable flags, TF seldom, and bits that user mode cannot change. */
function flagsImage(d: Draft): bigint {
  const { random } = d;
  const some = Number(random.next64() & 0xffff_ffffn);
  const tf = random.below(8) === 0 ? FLAG.tf : 0;
  return big(((some & SETTABLE_FLAGS & ~FLAG.tf & ~FLAG.ac) | tf | (some & 0x3000)) >>> 0);
}

// ---- Strings ----------------------------------------------------------------------------------------------------
const isString = (row: InstructionRow): boolean => row.traits.has("rep") || row.traits.has("repz");

function prepareString(d: Draft): void {
  const { shape, random } = d;
  const { addressBits, row } = shape;
  const bits = row.mnemonic.endsWith("b")
    ? 8
    : row.mnemonic.startsWith("ins") || row.mnemonic.startsWith("outs")
      ? Math.min(32, shape.operandBits)
      : shape.operandBits;
  const repeated = shape.repeat !== undefined;
  const count = repeated ? random.pick([0, 1, 2, 3, 5, 16, 17, 40]) : 1;
  if (repeated) d.set(RCX, count, addressBits);
  const sizeBytes = Math.max(1, count) * (bits / 8);
  const backwards = (d.flags & FLAG.df) !== 0;
  const start = (segment: SegmentRegister): bigint => {
    const target = chooseTarget(random, {
      sizeBytes,
      reach: reachOf(shape, segment),
      wide: addressBits === 64,
    });
    return backwards && target < 1n << 32n ? target + big(sizeBytes - bits / 8) : target;
  };
  const source = shape.segment ?? "ds";
  let from = start(d.mode === "long64" && source !== "fs" && source !== "gs" ? "ds" : source);
  let to = start("es");
  // Which operand of CMPS is read first is open: at most one of them faults.
  if (row.mnemonic.startsWith("cmps") && random.below(2) === 0) from = plainMemory(random, sizeBytes);
  else if (row.mnemonic.startsWith("cmps")) to = plainMemory(random, sizeBytes);
  // Overlapping and equal areas are where string instructions go wrong.
  else if (random.below(4) === 0) to = from + big(random.below(2 * sizeBytes + 1) - sizeBytes);
  d.set(
    RSI,
    d.offsetIn(source === "cs" && d.mode === "long64" ? "ds" : source, from, addressBits),
    addressBits,
  );
  d.set(RDI, d.offsetIn("es", to, addressBits), addressBits);
  if (row.traits.has("repz")) makeEqual(d, from, to, bits / 8, count, backwards);
}

const plainMemory = (random: Random, sizeBytes: number): bigint =>
  big(DATA.gva + sizeBytes + random.below(0x800));

/** Gives CMPS and SCAS a run of equal (or, for REPNE, unequal) elements with an end somewhere. */
function makeEqual(
  d: Draft,
  from: bigint,
  to: bigint,
  size: number,
  count: number,
  backwards: boolean,
): void {
  const { random, shape } = d;
  const isScan = shape.row.mnemonic.startsWith("scas");
  const wanted = shape.repeat === 0xf2 ? random.next64() : d.get(RAX);
  const end = random.below(count + 4);
  for (let i = 0; i < count; i++) {
    const at = big((backwards ? -i : i) * size);
    const value = (i === end ? ~wanted : wanted) & ((1n << big(8 * size)) - 1n);
    if (from + at < 1n << 32n && !isScan)
      d.writeNumber(from + at, shape.repeat === 0xf2 ? random.next64() : wanted, size);
    if (to + at < 1n << 32n)
      d.writeNumber(to + at, shape.repeat === 0xf2 && i === end ? d.get(RAX) : value, size);
  }
}

// ---- Arithmetic -------------------------------------------------------------------------------------------------
/** Dividends of which the quotient fits, three times of four. */
function prepareDivision(d: Draft): void {
  const { random } = d;
  if (random.below(4) === 0) return;
  const bits = d.operands[0]?.bits ?? 32;
  const signed = d.shape.row.mnemonic === "idiv";
  const raw = d.operand(0);
  const divisor = signed ? BigInt.asIntN(bits, raw) : raw;
  if (divisor === 0n) return;
  const limit = signed ? bits - 1 : bits;
  const magnitude = random.next64() >> big(64 - limit + random.below(limit));
  const quotient = signed && random.below(2) === 0 ? -magnitude : magnitude;
  const size = divisor < 0n ? -divisor : divisor;
  const rest = (random.next64() % size) * (quotient * divisor < 0n ? -1n : 1n);
  const dividend = quotient * divisor + rest;
  if (bits === 8) d.set(RAX, BigInt.asUintN(16, dividend), 16);
  else {
    d.set(RAX, BigInt.asUintN(bits, dividend), bits);
    d.set(RDX, BigInt.asUintN(bits, dividend >> big(bits)), bits);
  }
}

/** Bit offsets that stay near a memory operand. */
function prepareBitTest(d: Draft): void {
  if (d.shape.memory === undefined || d.shape.row.encoding.immediates.length > 0) return;
  d.setOperand(1, big(d.random.below(0x2000) - 0x1000));
}

const accumulatorMatches = (d: Draft): void => {
  if (d.random.below(2) === 0) d.set(RAX, d.operand(0), d.operands[0]?.bits ?? 64);
};

function prepareWideExchange(d: Draft): void {
  if (d.operandGva === undefined || d.random.below(2) === 0) return;
  const half = d.shape.rexW ? 64 : 32;
  d.set(RAX, d.read(d.operandGva, half / 8), half);
  d.set(RDX, d.read(d.operandGva + half / 8, half / 8), half);
}

/** A register that points to stack memory. */
function pointIntoStack(d: Draft, register: number): void {
  const near = STACK.gva + 0x400 + d.random.below(0x80) * 8;
  d.set(register, d.offsetIn("ss", near, d.stackBits), d.stackBits);
}

/** BOUND: an index within its bounds, three times of four. */
function prepareBound(d: Draft): void {
  if (d.operandGva === undefined || d.random.below(4) === 0) return;
  const size = d.shape.operandBits / 8;
  const index = BigInt.asIntN(d.shape.operandBits, d.operand(0));
  const lower = d.random.below(3) === 0 ? index : index - (d.random.next64() >> 54n);
  const upper = d.random.below(3) === 0 ? index : index + (d.random.next64() >> 54n);
  d.writeNumber(d.operandGva, lower, size);
  d.writeNumber(d.operandGva + size, upper, size);
}

/** DS or what overrides it. */
function dataSegment({ mode, shape: { segment } }: Draft): SegmentRegister {
  return segment === undefined || (mode === "long64" && segment !== "fs" && segment !== "gs")
    ? "ds"
    : segment;
}

/** An implicit memory operand at DS:register. */
function pointAt(d: Draft, register: number, sizeBytes: number, addend = 0n): void {
  const { shape, random } = d;
  const segment =
    shape.segment === undefined || (d.mode === "long64" && shape.segment !== "fs" && shape.segment !== "gs")
      ? "ds"
      : shape.segment;
  const target = chooseTarget(random, {
    sizeBytes,
    reach: reachOf(shape, segment),
    wide: shape.addressBits === 64,
  });
  d.set(register, d.offsetIn(segment, target - addend, shape.addressBits), shape.addressBits);
}

// ---- Far pointers and frames ------------------------------------------------------------------------------------
const ptrSize = (shape: Pick<Shape, "operandBits">): number => shape.operandBits / 8;

function prepareFarMemory(d: Draft): void {
  if (d.operandGva === undefined) return;
  const isBranch = d.shape.row.mnemonic === "jmp" || d.shape.row.mnemonic === "call";
  const size = ptrSize(d.shape);
  const selector = isBranch ? codeSelector(d) : dataSelector(d);
  if (isBranch) d.writeNumber(d.operandGva, farOffset(d, selector), size);
  d.writeNumber(d.operandGva + size, selector, 2);
}

/** What the processor adds to offsets in a code segment. */
const codeBase = (selector: number): number =>
  LDT.find((entry) => entry.code && entry.selector === selector)?.base ?? 0;

/** A target; within the limit of segments that have one: which of the checks come before the pushes is open. */
function farTarget(random: Random, shape: Pick<Shape, "mode" | "codeGva">, selector: number): number {
  return codeBase(selector) === 0 ? codeTarget(random, shape) : CODE.gva + 0x40 + random.below(0x700);
}

/** An offset that suits the code segment that will be loaded. */
function farOffset(d: Draft, selector: bigint): bigint {
  const target = farTarget(d.random, d.shape, Number(selector));
  return BigInt.asUintN(64, big(target - codeBase(Number(selector))));
}

/** Varies the stack of a return that loads this selector: if it fails, what of the stack is read before is open. */
function varyReturnStack(d: Draft, selector: bigint): void {
  if (selector === big(codeSelectorOf(d.mode))) d.varyStack(false);
}

function prepareFarReturn(d: Draft): void {
  const selector = codeSelector(d);
  varyReturnStack(d, selector);
  const noise = d.random.next64() & ~0xffffn;
  d.writeStack(ptrSize(d.shape), farOffset(d, selector), noise | selector);
}

function prepareInterruptReturn(d: Draft): void {
  const selector = codeSelector(d);
  varyReturnStack(d, selector);
  const values = [farOffset(d, selector), selector, flagsImage(d)];
  // In 64-bit mode SS:RSP is popped whatever the privilege level.
  if (d.mode === "long64")
    values.push(
      d.random.next64() & 0xffff_ffffn,
      d.random.below(3) === 0 ? dataSelector(d) : big(SELECTOR.flat),
    );
  d.writeStack(ptrSize(d.shape), ...values);
}

function prepareFarImmediate(random: Random, shape: Omit<Shape, "immediates">): bigint {
  const own = codeSelectorOf(shape.mode);
  const selector =
    random.below(3) === 0 ? random.pick([...codeSelectors(shape), ...FAR_DATA_SELECTORS]) : own;
  const offset = farTarget(random, shape, selector) - codeBase(selector);
  const bits = shape.operandBits === 16 ? 16 : 32;
  return BigInt.asUintN(bits, big(offset)) | (big(selector) << big(bits));
}

// ---- The table --------------------------------------------------------------------------------------------------
const shift: Policy = {
  reserved: [RCX],
  prepare: (d) => {
    const hasCount = d.operands.some(({ kind }) => kind === "cl");
    if (hasCount) d.set(RCX, d.random.pick(SHIFT_COUNTS), 8);
  },
  immediate: (random) => pickBig(random, SHIFT_COUNTS),
};
const division: Policy = { reserved: [RAX, RDX], prepare: prepareDivision };
const bitTest: Policy = { prepare: prepareBitTest };
const plainStack: Policy = { stack: true, prepare: (d) => d.varyStack() };
const conditionalJump: Policy = { immediate: nearTarget };
const indirect: Policy = {
  stack: true,
  prepare: (d) => {
    if (d.operands[0]?.kind === "mfar") prepareFarMemory(d);
    else if (d.operands[0]?.operand.at === "rm") d.setOperand(0, codeOffset(d));
    if (d.shape.row.mnemonic === "call" && d.random.below(4) === 0) d.varyStack(d.operands[0]?.bits === 64);
  },
  // An address that cannot be written there is not one that can be branched to.
  accepts: ({ shape, operandGva = 0 }) =>
    shape.memory === undefined || regionOf(operandGva, 1)?.writable !== false,
  immediate: (random, shape, index) =>
    shape.row.encoding.immediates[index] === "cp"
      ? prepareFarImmediate(random, shape)
      : nearTarget(random, shape, index),
};
const counter: Policy = {
  prepare: (d) => {
    d.gpr[RCX] = d.random.pick([
      0n,
      1n,
      1n,
      2n,
      0xffffn,
      0x1_0000n,
      0x1_0001n,
      0xffff_ffffn,
      0x1_0000_0000n,
      0x1_0000_0001n,
      d.random.next64(),
    ]);
  },
  immediate: nearTarget,
};
const string: Policy = {
  reserved: [RAX, RCX, RSI, RDI],
  prepare: prepareString,
  // 16-bit offsets reach data through segments that begin there alone: two operands of CMPS that fault are open.
  accepts: ({ shape }) =>
    !shape.row.mnemonic.startsWith("cmps") ||
    (Object.values(shape.segments).every((name) => name === "flat" || name === "data16") &&
      (shape.addressBits !== 16 ||
        (segmentNameOf(shape, "es") === "data16" &&
          (shape.segment !== "cs" || shape.mode === "protected16")))),
};
const selectorOperand: Policy = {
  prepare: (d) => {
    const index = d.operands.findIndex(({ operand }) => operand.at === "rm");
    d.setOperand(index, (d.random.next64() & ~0xffffn) | dataSelector(d));
  },
};
/** AMD processors read operands that are not aligned, Intel's raise #GP(0): SHA's are aligned here. */
const aligned16: Policy = {
  accepts: ({ shape, operandGva = 1 }) => shape.memory === undefined || operandGva % 16 === 0,
};
/** Masked stores: whether one without any bytes faults is open. */
const maskedStore = (sizeBytes: number): Policy => ({
  reserved: [RDI],
  prepare: (d) => pointAt(d, RDI, sizeBytes),
  accepts: (d) => {
    const segment = dataSegment(d);
    const gva = Number(d.linear(segment, d.get(RDI, d.shape.addressBits)) & 0xffff_ffffn);
    const isPlain = segment === "cs" || d.shape.segments[segment] === undefined;
    return isPlain && regionOf(gva, sizeBytes)?.writable === true;
  },
});
const segmentPop: Policy = {
  stack: true,
  prepare: (d) => {
    d.varyStack();
    d.writeStack(ptrSize(d.shape), (d.random.next64() & ~0xffffn) | dataSelector(d));
  },
};
const farLoad: Policy = { prepare: prepareFarMemory };
const baseWrite = (code: number): Policy => ({
  prepare: (d) =>
    d.setOperand(
      0,
      d.random.below(6) === 0 ? NON_CANONICAL : d.random.next64() >> big(17 + d.random.below(16)),
    ),
  // RDFSBASE or RDGSBASE RAX.
  suffix: [0xf3, 0x48, 0x0f, 0xae, code],
});
const textLengths: Policy = {
  reserved: [RAX, RDX],
  prepare: (d) => {
    d.gpr[RAX] = big(d.random.below(40) - 20);
    d.gpr[RDX] = big(d.random.below(40) - 20);
    if (d.random.below(4) === 0) d.gpr[RAX] = d.random.next64();
    for (const register of [RAX, RDX]) d.set(register, BigInt.asUintN(64, d.gpr[register] ?? 0n));
  },
};
const floatState: Policy = {
  prepare: (d) => {
    if (d.operandGva === undefined) return;
    if (d.shape.row.mnemonic === "fxrstor") {
      const image = new FpImage(Uint8Array.from({ length: FXSAVE_BYTES }, () => d.random.below(256)));
      image.mxcsr = d.random.below(8) === 0 ? 0x10000 : DEFAULT_MXCSR | (d.random.below(0x10000) & 0xffff);
      d.write(d.operandGva, image.bytes);
    }
  },
};

/** The bits of a mask or header that processors agree on: x87 and SSE, and some that no processor has. */
const stateComponents = (random: Random, unknown: boolean): bigint =>
  BigInt(random.below(4)) | (unknown ? 1n << BigInt(20 + random.below(40)) : 0n);
const COMPACTED = 1n << 63n;

/** Which byte of an area that leaves its region is named as the page fault's address differs between processors. */
const isWithinRegion =
  (sizeBytes: number) =>
  ({ operandGva }: Draft): boolean =>
    operandGva === undefined || regionOf(operandGva, sizeBytes) !== undefined;
const environment: Policy = { accepts: isWithinRegion(28) };
const environmentAndRegisters: Policy = { accepts: isWithinRegion(108) };

/** EDX:EAX asks for x87 and SSE state alone; the header of what XRSTOR reads is right most of the time. */
const extendedState: Policy = {
  reserved: [RAX, RDX],
  prepare: (d) => {
    const { random, operandGva } = d;
    const mask = stateComponents(random, random.below(2) === 0);
    d.set(RAX, mask, 32);
    d.set(RDX, mask >> 32n, 32);
    if (operandGva === undefined) return;
    const image = new FpImage(Uint8Array.from({ length: FXSAVE_BYTES }, () => random.below(256)));
    image.mxcsr = random.below(8) === 0 ? 0x10000 : DEFAULT_MXCSR | random.below(0x10000);
    d.write(operandGva, image.bytes);
    const isCompacted = random.below(3) === 0;
    const present = stateComponents(random, random.below(12) === 0);
    const listed = COMPACTED | (random.below(6) === 0 ? stateComponents(random, random.below(2) === 0) : 3n);
    const header = [
      present,
      isCompacted ? listed : random.below(10) === 0 ? random.next64() : 0n,
      ...Array.from({ length: 6 }, () => (random.below(60) === 0 ? random.next64() : 0n)),
    ];
    for (const [i, word] of header.entries()) d.writeNumber(operandGva + FXSAVE_BYTES + 8 * i, word, 8);
  },
  accepts: (d) => (d.operandGva ?? 0) % 64 !== 0 || isWithinRegion(XSAVE_AREA_BYTES)(d),
};

const policies = new Map<string, Policy>([
  ...["rol", "ror", "rcl", "rcr", "shl", "shr", "sar", "shld", "shrd"].map((name) => [name, shift] as const),
  ["div", division],
  ["idiv", division],
  ...["bt", "bts", "btr", "btc"].map((name) => [name, bitTest] as const),
  ["cmpxchg", { reserved: [RAX], prepare: accumulatorMatches }],
  ["cmpxchg8b", { reserved: [RAX, RCX, RDX, RBX], prepare: prepareWideExchange }],
  ["cmpxchg16b", { reserved: [RAX, RCX, RDX, RBX], prepare: prepareWideExchange }],
  ["bound", { prepare: prepareBound }],
  ["aam", { immediate: (random) => pickBig(random, [0, 10, 10, 10, 1, 16, 255, random.below(256)]) }],
  ["aad", { immediate: (random) => pickBig(random, [10, 10, random.below(256)]) }],
  ["xlatb", { reserved: [RAX, RBX], prepare: (d) => pointAt(d, RBX, 1, d.get(RAX, 8)) }],
  [
    "enter",
    {
      stack: true,
      prepare: (d) => {
        d.varyStack();
        pointIntoStack(d, RBP);
      },
      immediate: (random, _shape, index) =>
        index === 0
          ? pickBig(random, [0, 1, 8, 0x10, 0x100, 0x400, 0xfff, 0xffff])
          : pickBig(random, [0, 0, 0, 1, 2, 3, 5, 31, 33]),
    },
  ],
  [
    "leave",
    {
      stack: true,
      prepare: (d) => {
        d.varyStack();
        if (d.random.below(6) > 0) pointIntoStack(d, RBP);
      },
    },
  ],
  ["push", plainStack],
  ["pop", plainStack],
  ["pusha", plainStack],
  ["popa", plainStack],
  ["pushf", plainStack],
  [
    "popf",
    {
      stack: true,
      prepare: (d) => {
        d.varyStack();
        d.writeStack(8, flagsImage(d));
      },
    },
  ],
  [
    "ret",
    {
      stack: true,
      prepare: (d) => {
        d.varyStack();
        d.writeStack(8, codeOffset(d));
      },
      immediate: (random) => pickBig(random, [0, 4, 8, 0x100, 0xfff0]),
    },
  ],
  [
    "retf",
    {
      stack: true,
      prepare: prepareFarReturn,
      immediate: (random) => pickBig(random, [0, 4, 8, 0x100]),
    },
  ],
  ["iret", { stack: true, prepare: prepareInterruptReturn }],
  ["jmp", indirect],
  ["call", indirect],
  ["loop", counter],
  ["loope", counter],
  ["loopne", counter],
  ["jrcxz", counter],
  ["int", { immediate: (random) => pickBig(random, [3, 4, 0x80, 0, 13, 14, 0x20, random.below(256)]) }],
  ...["les", "lds", "lss", "lfs", "lgs"].map((name) => [name, farLoad] as const),
  ...["verr", "verw", "lar", "lsl"].map((name) => [name, selectorOperand] as const),
  ["arpl", selectorOperand],
  ["pcmpestri", textLengths],
  ["pcmpestrm", textLengths],
  ["fxrstor", floatState],
  ...["fldenv", "fnstenv"].map((name) => [name, environment] as const),
  ...["frstor", "fnsave"].map((name) => [name, environmentAndRegisters] as const),
  ...["xsave", "xsaveopt", "xsavec", "xrstor"].map((name) => [name, extendedState] as const),
  ["maskmovq", maskedStore(8)],
  ["maskmovdqu", maskedStore(16)],
  ["wrfsbase", baseWrite(0xc0)],
  ["wrgsbase", baseWrite(0xc8)],
]);

const none: Policy = {};

export function policyOf(row: InstructionRow): Policy {
  if (isString(row)) return string;
  const kinds = row.operandKinds;
  if (row.mnemonic === "mov" && kinds[0] === "sreg") return selectorOperand;
  if (row.mnemonic === "pop" && row.operands[0]?.file === "sreg") return segmentPop;
  if (kinds[0] === "rel8" || kinds[0] === "relz") return policies.get(row.mnemonic) ?? conditionalJump;
  if (row.features.has("sha")) return aligned16;
  return policies.get(row.mnemonic) ?? none;
}

/** Registers that a shape's memory operand cannot use. */
export function reservedRegisters(row: InstructionRow): ReadonlySet<number> {
  const policy = policyOf(row);
  const reserved = new Set(policy.reserved);
  if (policy.stack === true) reserved.add(RSP);
  for (const { at, file, number, width } of row.operands) {
    if (at === "fixed" && file === "gpr" && number !== undefined)
      reserved.add(width === 8 ? byteRegister(number, true).register : number);
  }
  return reserved;
}

/** Sizes for which a mode's instruction exists, as prefixes choose them. */
export function operandSizes(row: InstructionRow, mode: Shape["mode"]): readonly SizeBits[] {
  if (row.encoding.prefix === "66") return mode === "long64" ? [16] : mode === "compat32" ? [16] : [32];
  if (row.encoding.prefix === "NP") return mode === "protected16" ? [16] : [32];
  if (mode !== "long64") return mode === "compat32" ? [32, 32, 16] : [16, 16, 32];
  if (row.traits.has("f64")) return [64];
  return row.traits.has("d64") ? [64, 64, 16] : [32, 64, 16];
}
