/**
 * Random machine code for the engine fuzz: mostly valid instructions made from the declared x86 table, with operands
 * that lead into guest memory, and short sequences that reach what random operands seldom do (control registers, MSRs,
 * descriptor tables, far transfers, interrupts, repeated string instructions, stores into code). SDM 2.
 */
import { instructionRows } from "../../src/engine/x86/spec.ts";
import type { InstructionRow } from "../../src/engine/x86/row.ts";
import { rmOperand } from "../conformance/operands.ts";
import { defaultAddressBits, encodeShape, type MemoryForm, type Shape } from "../conformance/shape.ts";
import type { CpuMode, Random } from "../oracle/index.ts";
import { CODE_END, RAM_SIZE_BYTES, TABLES } from "./guest-layout.ts";

export type Code = readonly number[] | Uint8Array;

/** Rows that make the interesting things happen get a greater share. */
const systemRows = instructionRows.filter(
  (row) =>
    row.traits.has("cpl0") || row.traits.has("prot") || row.traits.has("rep") || row.traits.has("repz"),
);

const chance = (random: Random, among: number): boolean => random.below(among) === 0;

/** A displacement that by itself is a likely address, or a small one. */
function displacement(random: Random, bytes: 0 | 1 | 2 | 4): number {
  if (bytes === 0) return 0;
  if (bytes === 1) return random.below(256) - 128;
  return bytes === 2 ? random.below(0x10000) : random.below(RAM_SIZE_BYTES + 0x2000) - 0x1000;
}

function memoryForm(random: Random, addressBits: 16 | 32 | 64): MemoryForm {
  const displacementBytes = random.pick(addressBits === 16 ? ([0, 1, 2] as const) : ([0, 1, 4] as const));
  if (addressBits === 16) {
    const base = chance(random, 3) ? undefined : random.pick([3, 5]);
    const index = chance(random, 3) ? undefined : random.pick([6, 7]);
    const bytes = base === undefined && index === undefined ? 2 : base === 5 ? 1 : displacementBytes;
    return form(random, { base, index }, bytes);
  }
  const registers = addressBits === 64 ? 16 : 8;
  const base = chance(random, 6) ? undefined : random.below(registers);
  const index = chance(random, 3) ? random.pick([0, 1, 2, 3, 5, 6, 7]) : undefined;
  const needed = base === undefined ? 4 : (base & 7) === 5 && displacementBytes === 0 ? 1 : displacementBytes;
  return form(random, { base, index }, needed);
}

function form(
  random: Random,
  { base, index }: { readonly base: number | undefined; readonly index: number | undefined },
  displacementBytes: 0 | 1 | 2 | 4,
): MemoryForm {
  return {
    ...(base !== undefined && { base }),
    ...(index !== undefined && { index }),
    scale: random.pick([0, 1, 2, 3] as const),
    displacement: displacement(random, displacementBytes),
    displacementBytes,
    ripRelative: false,
    needlessSib: chance(random, 8),
  };
}

function randomShape(row: InstructionRow, mode: CpuMode, random: Random): Shape {
  const usual = defaultAddressBits(mode);
  const addressBits = chance(random, 8) ? (usual === 32 && mode !== "long64" ? 16 : 32) : usual;
  const mod = rmOperand(row)?.mod;
  const isMemory = mod === "memory" || (mod === "any" && random.below(2) === 0);
  const registers = mode === "long64" ? 16 : 8;
  const rexW = mode === "long64" && (row.encoding.rexW || chance(random, 3));
  const operandBits = rexW ? 64 : random.pick([16, 32, 32] as const);
  return {
    row,
    mode,
    operandBits,
    addressBits,
    lock: chance(random, isMemory && row.traits.has("lock") ? 6 : 200),
    repeat: repeatPrefix(row, random),
    segment: chance(random, 10) ? random.pick(["es", "cs", "ss", "ds", "fs", "gs"] as const) : undefined,
    rexW,
    rex: mode === "long64" && chance(random, 6),
    reg: random.below(registers),
    vvvv: random.below(registers),
    rm: random.below(registers),
    memory: isMemory ? memoryForm(random, addressBits) : undefined,
    immediates: row.encoding.immediates.map((token) =>
      token === "cb" || token === "cz" ? BigInt(random.below(160) - 80) : immediate(random),
    ),
    codeGva: 0,
    segments: {},
  };
}

function repeatPrefix(row: InstructionRow, random: Random): 0xf2 | 0xf3 | undefined {
  const repeats = row.traits.has("rep") || row.traits.has("repz");
  return repeats && !chance(random, 3) ? random.pick([0xf2, 0xf3] as const) : undefined;
}

function immediate(random: Random): bigint {
  if (chance(random, 2)) return BigInt(random.below(256));
  return chance(random, 2) ? BigInt(likelyAddress(random)) : random.next64();
}

/** An address in RAM, often at the end of a page, now and then beyond. */
export function likelyAddress(random: Random): number {
  const page = random.below(RAM_SIZE_BYTES / 4096 + (chance(random, 10) ? 16 : 0)) * 4096;
  return chance(random, 3) ? page + 4096 - random.below(20) : page + random.below(4096);
}

function fromTable(mode: CpuMode, random: Random): Code {
  const row = random.pick(chance(random, 6) ? systemRows : instructionRows);
  return encodeShape(randomShape(row, mode, random));
}

// ---- Sequences --------------------------------------------------------------------------------------------------

function bytesOf(value: bigint | number, count: number): number[] {
  const wide = BigInt.asUintN(64, BigInt(value));
  return Array.from({ length: count }, (_, i) => Number((wide >> BigInt(8 * i)) & 0xffn));
}

/** MOV register, value with the widest operand the mode has. */
export function load(mode: CpuMode, register: number, value: bigint | number): number[] {
  if (mode === "long64") return [0x48, 0xb8 + register, ...bytesOf(value, 8)];
  return [...(mode === "protected16" ? [0x66] : []), 0xb8 + register, ...bytesOf(value, 4)];
}

const MSRS = [
  0x10, 0x1b, 0x8b, 0xfe, 0x174, 0x175, 0x176, 0x179, 0x17a, 0x186, 0x198, 0x1a0, 0x1d9, 0x200, 0x20f, 0x250,
  0x268, 0x26f, 0x277, 0x2ff, 0x6e0, 0x800, 0x80b, 0x830, 0xda0, 0x4b564d00, 0x4b564d01, 0x11, 0x12, 0x40000000,
  0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103,
] as const; // prettier-ignore

const CONTROL_BITS = [
  0n, 1n, 0x10n, 0x11n, 0x21n, 0x80000000n, 0x80000001n, 0x80010001n, 0x80000011n, 0xe0000011n, 0x20n, 0xa0n,
  0x6b0n, 0x620n, 0x100n, 0x900n, 0x300000n, 0x1000n, 0x3000n, 0x1_0000_0001n,
] as const; // prettier-ignore

/** What may stand in a control register: bits that switch modes, tables, and noise. */
export function controlValue(random: Random): bigint {
  if (chance(random, 3)) return BigInt(random.pick(TABLES) + (chance(random, 4) ? random.below(4096) : 0));
  return chance(random, 4) ? random.next64() : random.pick(CONTROL_BITS) | random.pick(CONTROL_BITS);
}

function writeMsr(mode: CpuMode, random: Random): number[] {
  const value = chance(random, 2)
    ? BigInt(likelyAddress(random))
    : random.pick([random.next64(), 0xd01n, 0x900n, 0n]);
  return [
    ...load(mode, 1, chance(random, 30) ? random.next64() : random.pick(MSRS)),
    ...load(mode, 0, value & 0xffffffffn),
    ...load(mode, 2, chance(random, 3) ? value >> 32n : 0n),
    0x0f,
    chance(random, 4) ? 0x32 : 0x30,
  ];
}

const moveControl = (mode: CpuMode, random: Random): number[] => [
  ...load(mode, 0, controlValue(random)),
  0x0f,
  chance(random, 5) ? 0x23 : 0x22,
  0xc0 | (random.pick([0, 0, 3, 3, 4, 4, 2, 8, 7]) << 3),
];

function repeatedString(mode: CpuMode, random: Random): number[] {
  const count = random.pick([
    0n,
    1n,
    0xffffn,
    0xffffffffn,
    0x7fff_ffff_ffff_ffffn,
    BigInt(random.below(5000)),
  ]);
  return [
    ...load(mode, 1, count),
    ...load(mode, 6, likelyAddress(random)),
    ...load(mode, 7, likelyAddress(random)),
    ...(chance(random, 3) ? [random.pick([0xfc, 0xfd])] : []),
    random.pick([0xf3, 0xf2]),
    ...(mode === "long64" && chance(random, 2) ? [0x48] : []),
    random.pick([0xa4, 0xa5, 0xaa, 0xab, 0xa6, 0xa7, 0xae, 0xaf, 0xac, 0xad, 0x6c, 0x6d, 0x6e, 0x6f]),
  ];
}

/** A store near the code that runs: to an absolute address in the code area. */
function storeIntoCode(mode: CpuMode, random: Random): number[] {
  return [...load(mode, 3, random.below(CODE_END)), random.pick([0x88, 0x89, 0xfe, 0xff, 0x86, 0x01]), 0x03];
}

/** LGDT, LIDT, SGDT, SIDT, LMSW, INVLPG, LTR, LLDT, VERR, FXSAVE, FXRSTOR … at [rBX]. */
const atBx = (mode: CpuMode, random: Random): number[] => [
  ...load(mode, 3, likelyAddress(random)),
  0x0f,
  random.pick([0x00, 0x01, 0x01, 0xae, 0xc7]),
  (random.below(8) << 3) | (mode === "protected16" ? 7 : 3),
];

function farTransfer(mode: CpuMode, random: Random): number[] {
  const selector = random.below(0x20) * 8 + random.pick([0, 0, 0, 1, 3, 4, 7]);
  const offset = random.below(CODE_END);
  const near = mode === "protected16" ? 2 : 4;
  if (mode !== "long64" && chance(random, 3))
    return [random.pick([0xea, 0x9a]), ...bytesOf(offset, near), ...bytesOf(selector, 2)];
  // PUSH selector; PUSH offset; RETF or IRET with what lies below.
  const frame = [0x0e, 0x6a, selector & 0x7f, 0x68, ...bytesOf(offset, near)];
  const flags = [
    0x68,
    ...bytesOf(random.next64() & 0x3_7fffn, near),
    0x6a,
    selector & 0x7f,
    0x68,
    ...bytesOf(offset, near),
  ];
  return chance(random, 2)
    ? [...(mode === "long64" ? frame.slice(1) : frame), random.pick([0xcb, 0xca])]
    : [
        0x6a,
        0x10,
        ...load(mode, 0, likelyAddress(random)),
        0x50,
        ...flags,
        ...(mode === "long64" ? [0x48] : []),
        0xcf,
      ];
}

const popFlags = (mode: CpuMode, random: Random): number[] => [
  ...load(mode, 0, random.next64() & 0x3_7fffn & ~(chance(random, 2) ? 0n : 0x100n)),
  0x50,
  0x9d,
];

/** A tight loop, so that something becomes hot: MOV rCX, n; body; LOOP body. */
function hotLoop(mode: CpuMode, random: Random): number[] {
  const body = [...fromTable(mode, random), ...fromTable(mode, random)];
  return [...load(mode, 1, random.pick([10, 800, 3000])), ...body, 0xe2, 0xfe - body.length];
}

const branchAway = (mode: CpuMode, random: Random): number[] => [
  ...load(mode, 0, chance(random, 8) ? random.next64() : random.below(CODE_END)),
  0xff,
  random.pick([0xd0, 0xe0]),
];

const stack = (mode: CpuMode, random: Random): number[] => [
  ...load(
    mode,
    4,
    chance(random, 3)
      ? random.pick([0n, 1n, 4n, 0xffffn, 0xffffffffn, random.next64()])
      : likelyAddress(random),
  ),
  random.pick([0x50, 0x9c, 0x60, 0xc9, 0x58, 0x61]),
  ...(chance(random, 3) ? [0xc8, 0x20, 0x00, random.below(32)] : []),
];

const simple: readonly Code[] = [[0xcd, 0x80], [0xcc], [0xf1], [0xce], [0xfb], [0xfa], [0xfb, 0xf4], [0xf4], [0x0f, 0x05],
  [0x0f, 0x07], [0x48, 0x0f, 0x07], [0x0f, 0x34], [0x0f, 0x35], [0x0f, 0x06], [0x0f, 0xa2], [0x0f, 0x01, 0xf8], [0xcf],
  [0xc3], [0xcb], [0x9b, 0xdb, 0xe3], [0xdd, 0x30], [0xdd, 0x20], [0x0f, 0x77], [0x90], [0x8e, 0xd0], [0x17], [0x0f, 0xa9],
  [0xeb, 0xfe], [0x0f, 0x09], [0xe4, 0x60], [0xee], [0xed], [0x0f, 0xae, 0xf0]]; // prettier-ignore

const sequences: readonly ((mode: CpuMode, random: Random) => Code)[] = [
  writeMsr,
  moveControl,
  repeatedString,
  storeIntoCode,
  storeIntoCode,
  atBx,
  farTransfer,
  popFlags,
  hotLoop,
  branchAway,
  stack,
  (_, random) => random.pick(simple),
  (_, random) => bytesOf(random.next64(), 1 + random.below(8)),
];

/** One instruction or sequence. */
export function randomCode(mode: CpuMode, random: Random): Code {
  return random.below(5) < 3 ? fromTable(mode, random) : random.pick(sequences)(mode, random);
}
