/**
 * Memory operands of cases: which addressing form, which segment, which address, and what the registers must hold so
 * that the form gives that address. SDM 1, 3.7.5; SDM 2, tables 2-1 to 2-3.
 */
import {
  codeBaseOf,
  CODE,
  type CpuMode,
  DATA,
  PAGE_BYTES,
  type Random,
  READ_ONLY,
  SELECTOR,
  LDT,
  type SegmentName,
  selectorOf,
  STACK,
} from "../oracle/index.ts";
import type { MemoryForm, SegmentRegister, Shape, SizeBits } from "./shape.ts";

const RSP = 4;
const RBP = 5;
const BX = 3;
const RSI = 6;
const RDI = 7;
/** No register, where one may be absent. */
const NONE = -1;

/** The name of what a segment register holds in a shape. */
export function segmentNameOf(
  shape: Pick<Shape, "mode" | "segments">,
  register: SegmentRegister,
): SegmentName {
  if (register === "cs") return "flat";
  const given = shape.segments[register];
  if (given !== undefined) return given;
  if (shape.mode === "protected16") return "data16";
  return shape.mode === "long64" && (register === "fs" || register === "gs") ? "null" : "flat";
}

/** The base that is added to an offset in a segment register. `bases` are those of FS and GS in 64-bit mode. */
export function segmentBaseOf(
  shape: Pick<Shape, "mode" | "segments">,
  register: SegmentRegister,
  bases: { readonly fs: bigint; readonly gs: bigint },
): bigint {
  if (register === "cs") return BigInt(codeBaseOf(shape.mode));
  const name = segmentNameOf(shape, register);
  if (shape.mode === "long64") {
    if (register !== "fs" && register !== "gs") return 0n;
    if (name === "null") return bases[register];
  }
  const selector = selectorOf(name);
  if ((selector & ~3) === 0 || selector === SELECTOR.flat) return 0n;
  return BigInt(LDT.find((entry) => entry.selector === selector)?.base ?? 0);
}

/** The segment of a memory operand: the override, else SS for stack pointers as base, else DS. */
export function segmentOfForm(
  form: MemoryForm,
  override: SegmentRegister | undefined,
  mode: CpuMode,
): SegmentRegister {
  const ignored = mode === "long64" && override !== "fs" && override !== "gs";
  if (override !== undefined && !ignored) return override;
  return form.base === RSP || form.base === RBP ? "ss" : "ds";
}

/** A random form. `reserved` registers hold what the row needs and cannot be bases. */
export function chooseForm(
  random: Random,
  mode: CpuMode,
  addressBits: SizeBits,
  reserved: ReadonlySet<number>,
): MemoryForm {
  const plain = {
    scale: 0,
    displacement: 0,
    displacementBytes: 0,
    ripRelative: false,
    needlessSib: false,
  } as const;
  if (addressBits === 16) return chooseForm16(random, reserved);
  const count = mode === "long64" ? 16 : 8;
  const registers = Array.from({ length: count }, (_, n) => n).filter((n) => !reserved.has(n));
  const small = (): MemoryForm["displacementBytes"] => random.pick([0, 1, 4]);
  const displaced = (base: number, rest: Partial<MemoryForm>): MemoryForm => {
    // Without a displacement the encodings of RBP and R13 mean something else.
    const bytes = (base & 7) === RBP ? random.pick([1, 4] as const) : small();
    return { ...plain, base, displacementBytes: bytes, displacement: displacementOf(random, bytes), ...rest };
  };
  const index = (base: number): number | undefined => {
    const usable = registers.filter((n) => n !== base && n !== RSP);
    return usable.length === 0 ? undefined : random.pick(usable);
  };
  const scale = random.pick([0, 1, 2, 3] as const);
  const kind = registers.length === 0 ? 9 : random.below(12);
  if (kind < 5) return displaced(random.pick(registers), { needlessSib: random.below(8) === 0 });
  if (kind < 9) {
    const base = random.pick(registers);
    const other = index(base);
    return displaced(base, other === undefined ? {} : { index: other, scale });
  }
  if (kind === 10) {
    const only = index(-1);
    if (only !== undefined) {
      const displacement = displacementOf(random, 4) & ~7;
      return { ...plain, index: only, scale, displacement, displacementBytes: 4, needlessSib: true };
    }
  }
  const ripRelative = mode === "long64" && random.below(2) === 0;
  return { ...plain, displacementBytes: 4, ripRelative, needlessSib: mode === "long64" && !ripRelative };
}

function chooseForm16(random: Random, reserved: ReadonlySet<number>): MemoryForm {
  const usable = (registers: readonly number[]): number =>
    random.pick(registers.filter((n) => !reserved.has(n)));
  const base = usable([BX, RBP, NONE]);
  const index = usable([RSI, RDI, NONE]);
  const isFixed = base === NONE && index === NONE;
  const onlyBp = base === RBP && index === NONE;
  const bytes = isFixed ? 2 : random.pick(onlyBp ? ([1, 2] as const) : ([0, 1, 2] as const));
  return {
    ...(base !== NONE && { base }),
    ...(index !== NONE && { index }),
    scale: 0,
    displacement: isFixed ? 0 : displacementOf(random, bytes),
    displacementBytes: bytes,
    ripRelative: false,
    needlessSib: false,
  };
}

function displacementOf(random: Random, bytes: MemoryForm["displacementBytes"]): number {
  if (bytes === 0) return 0;
  const bits = 8 * bytes;
  const value = random.below(2) === 0 ? random.runs(bits) : random.next64();
  return Number(BigInt.asIntN(bits, value));
}

/** Whether the form's address is in the code, not in registers. */
export const isAbsolute = (form: MemoryForm): boolean => form.base === undefined && form.index === undefined;

/** What an address is chosen for. */
export interface TargetWish {
  readonly sizeBytes: number;
  /** "code": offsets from CODE; "stack": in STACK alone; "data": anything. */
  readonly reach: "data" | "code" | "stack";
  /** Whether addresses that are not canonical can be made. */
  readonly wide: boolean;
}

const UNMAPPED = [0x2000_3000, 0x2000_6000] as const;
export const NON_CANONICAL = 0x1234_5678_9abc_def0n;

/** A linear address: mostly of good memory, aligned or not, across pages, and now and then of memory that faults. */
export function chooseTarget(random: Random, { sizeBytes, reach, wide }: TargetWish): bigint {
  if (reach === "code") return BigInt(CODE.gva + 0x100 + random.below(0x600));
  const region = reach === "stack" ? STACK : DATA;
  const inside = region.gva + 0x100 + random.below(region.sizeBytes - 0x200 - sizeBytes);
  const end = region.gva + region.sizeBytes;
  const across = (boundary: number): number => boundary - 1 - random.below(Math.max(1, sizeBytes - 1));
  const kind = random.below(reach === "stack" ? 16 : wide ? 21 : 20);
  if (kind < 8) return BigInt(inside & ~63);
  if (kind < 12) return BigInt(inside);
  if (kind < 13) return BigInt(inside & ~7);
  if (kind < 14) return BigInt(end - sizeBytes);
  if (kind < 15) return BigInt(sizeBytes < 2 ? end : across(end));
  if (kind < 16) return BigInt(region.gva);
  if (kind < 18) return BigInt(sizeBytes < 2 ? DATA.gva + PAGE_BYTES - 1 : across(DATA.gva + PAGE_BYTES));
  if (kind < 19) return BigInt(READ_ONLY.gva + (random.below(READ_ONLY.sizeBytes - sizeBytes) & ~15));
  if (kind < 20) return BigInt(random.pick(UNMAPPED) + random.below(0x100));
  return NON_CANONICAL;
}

/** Sets the form's registers so that its effective address is `offset`; the nearest if that is not possible. */
export function solveForm(form: MemoryForm, addressBits: SizeBits, offset: bigint, gpr: bigint[]): void {
  const mask = (1n << BigInt(addressBits)) - 1n;
  const setLow = (register: number, value: bigint): void => {
    gpr[register] = ((gpr[register] ?? 0n) & ~mask) | (value & mask);
  };
  const rest = offset - BigInt(form.displacement);
  const scale = BigInt(form.scale);
  if (form.base !== undefined) {
    const scaled = form.index === undefined ? 0n : (gpr[form.index] ?? 0n) << scale;
    setLow(form.base, rest - scaled);
  } else if (form.index !== undefined) {
    setLow(form.index, (rest & mask) >> scale);
  }
}

/** The effective address that the form gives. */
export function effectiveAddress(form: MemoryForm, addressBits: SizeBits, gpr: readonly bigint[]): bigint {
  const base = form.base === undefined ? 0n : (gpr[form.base] ?? 0n);
  const index = form.index === undefined ? 0n : (gpr[form.index] ?? 0n) << BigInt(form.scale);
  return BigInt.asUintN(addressBits, base + index + BigInt(form.displacement));
}
