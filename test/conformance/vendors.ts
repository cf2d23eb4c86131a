/**
 * What a fault or a trap leaves behind where AMD's and Intel's processors differ and no software relies on it. The engine
 * does what the SDM says, and what Intel's processors do where that costs nothing.
 */
import { STATUS_FLAGS } from "../../src/engine/ir/flags.ts";
import type { InstructionRow } from "../../src/engine/x86/row.ts";
import {
  type CpuOutcome,
  FpImage,
  type InstructionCase,
  resolveCase,
  type Undefined,
  VECTOR,
} from "../oracle/index.ts";
import type { HostCpu } from "./host-cpu.ts";

const X87_EXCEPTIONS = 0x3f;
const FSW_TOP = 0x3800;
const ALL_MEMORY = [{ gva: 0, sizeBytes: 2 ** 32 }];

const vectorOf = ({ exit }: CpuOutcome): number | undefined =>
  exit.kind === "exception" ? exit.vector : undefined;

const isOfLimit = (outcome: CpuOutcome): boolean => {
  const vector = vectorOf(outcome);
  return vector === VECTOR.gp || vector === VECTOR.ss;
};

const isFaultOfMemory = (outcome: CpuOutcome): boolean =>
  isOfLimit(outcome) || vectorOf(outcome) === VECTOR.pf;

/** Whether the x87 status has exceptions that were not masked when the case began. */
export function hasUnmaskedX87Exception(source: InstructionCase, { fp }: CpuOutcome): boolean {
  const { fcw } = new FpImage(resolveCase(source).state.fp);
  return (new FpImage(fp).fsw & ~fcw & X87_EXCEPTIONS) !== 0;
}

const takesSelectorFromStack = ({ mnemonic, operands }: InstructionRow): boolean =>
  mnemonic === "retf" || mnemonic === "iret" || (mnemonic === "pop" && operands[0]?.file === "sreg");

/** An MMX store that faults has set TOP to 0, but no tags. */
function isOfMmxStore(expected: CpuOutcome, actual: CpuOutcome): boolean {
  const [left, right] = [new FpImage(expected.fp).fsw, new FpImage(actual.fp).fsw];
  return left !== right && left === (right & ~FSW_TOP);
}

/** Offsets from which an operand may reach beyond 4 GiB. */
const NEAR_4_GIB = 0x1_0000_0000n - 512n;

/**
 * Whether 32-bit code has accessed memory across the end of a segment of 4 GiB: that may or may not raise the exception
 * of its limit, says SDM 3A 6.3.
 */
function isOpenLimit({ mode }: InstructionCase, one: CpuOutcome, other: CpuOutcome): boolean {
  const [limit, page] = isOfLimit(one) ? [one, other] : [other, one];
  const { exit } = page;
  return (
    mode !== "long64" &&
    isOfLimit(limit) &&
    exit.kind === "exception" &&
    exit.vector === VECTOR.pf &&
    (exit.cr2 ?? 0n) >= NEAR_4_GIB
  );
}

/** Whether one of the two may fault where, or as, the other does not. */
export function isOpenFault(
  row: InstructionRow | undefined,
  host: HostCpu,
  source: InstructionCase,
  expected: CpuOutcome,
  actual: CpuOutcome,
): boolean {
  if (isOpenLimit(source, expected, actual)) return true;
  const isSuppressed = (one: CpuOutcome, other: CpuOutcome): boolean =>
    hasUnmaskedX87Exception(source, one) && !hasUnmaskedX87Exception(source, other);
  if (host.isAmd) {
    if (!isFaultOfMemory(expected)) return false;
    // They read the upper halves of selectors on the stack, which may lie on another page, and find out whether they could
    // store what an unmasked x87 exception keeps them from storing.
    return (row !== undefined && takesSelectorFromStack(row)) || isSuppressed(actual, expected);
  }
  // Such a store is not even checked against its segment's limit, which the engine does; 64-bit mode has none.
  if (source.mode !== "long64" && isSuppressed(expected, actual) && isOfLimit(actual)) return true;
  // The upper bound is not read if the lower one decides.
  return row?.mnemonic === "bound" && vectorOf(expected) === VECTOR.br && isFaultOfMemory(actual);
}

/** What is open in addition once the processor's exit is known. */
export function openAfter(row: InstructionRow | undefined, host: HostCpu, expected: CpuOutcome): Undefined {
  if (row === undefined || vectorOf(expected) === undefined) return {};
  // Flags of the last comparison even if the repetition is not at its end.
  if (host.isAmd) return /^(cmps|scas)/.test(row.mnemonic) ? { flags: STATUS_FLAGS } : {};
  // The return address is on the stack before the target turns out to be none.
  if (row.mnemonic === "call") return { memory: ALL_MEMORY };
  // Of 10 bytes across two pages, the first ones are stored before the others fault.
  if (/^f(b)?stp$/.test(row.mnemonic)) return { memory: ALL_MEMORY };
  return {};
}

/** `actual` with the floating-point state of `expected` if a fault may leave anything there. */
export function withOpenFloats(
  row: InstructionRow | undefined,
  host: HostCpu,
  expected: CpuOutcome,
  actual: CpuOutcome,
): CpuOutcome {
  if (host.isAmd || !isFaultOfMemory(expected)) return actual;
  // XRSTOR may have loaded a part of the state.
  const isOpen = row?.mnemonic === "xrstor" || isOfMmxStore(expected, actual);
  return isOpen ? { ...actual, fp: expected.fp } : actual;
}

/** DPPS and DPPD tell nobody which of several NaNs comes out of their additions. */
const NAN_PAYLOAD_IS_OPEN = /^dpp[sd]$/;

/** The outcome with NaNs of 32 and 64 bits without their payload, where that is open. */
export function withoutOpenPayloads(row: InstructionRow | undefined, outcome: CpuOutcome): CpuOutcome {
  if (row === undefined || !NAN_PAYLOAD_IS_OPEN.test(row.mnemonic)) return outcome;
  const image = new FpImage(outcome.fp.slice());
  const [bits, exponent] = row.mnemonic === "dpps" ? [32n, 0x7f80_0000n] : [64n, 0x7ff0_0000_0000_0000n];
  const lane = (1n << bits) - 1n;
  for (let register = 0; register < 16; register++) {
    let value = image.xmm(register);
    for (let at = 0n; at < 128n; at += bits) {
      const size = (value >> at) & (lane >> 1n);
      if (size > exponent) value = (value & ~(lane << at)) | ((exponent | 1n) << at);
    }
    image.setXmm(register, value);
  }
  return { ...outcome, fp: image.bytes };
}
