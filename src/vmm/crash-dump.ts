/**
 * What is known about a VM that crashed, either because its guest shut the processor down (triple fault) or because
 * of a bug of ours: registers, the last exits, and the code around the instruction pointer. A dump is plain data that
 * can be sent to another process; `formatCrashDump` makes it readable.
 */

import type { CpuState, SegmentState, VcpuExit } from "../hw/index.ts";
import type { GuestRam } from "../memory/index.ts";
import { readGuestVirtual } from "./guest-virtual.ts";

const CODE_BYTES_BEFORE = 32;
const CODE_BYTES_AFTER = 32;
const STACK_BYTES = 64;

export interface CrashDump {
  readonly cpu: CpuState;
  readonly lastExit: VcpuExit["kind"] | "none";
  readonly instructionsRetired: bigint;
  readonly guestTimeNs: number;
  /** Bytes before RIP; fewer than usual, or none, where memory is not mapped. */
  readonly codeBefore: Uint8Array;
  /** Bytes from RIP on. */
  readonly code: Uint8Array;
  readonly stack: Uint8Array;
}

export interface CrashContext {
  readonly ram: GuestRam;
  readonly cpu: CpuState;
  readonly lastExit: VcpuExit["kind"] | "none";
  readonly instructionsRetired: bigint;
  readonly guestTimeNs: number;
}

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

export function crashDump(context: CrashContext): CrashDump {
  const { ram, cpu, lastExit, instructionsRetired, guestTimeNs } = context;
  const codeGva = u64(cpu.cs.base + cpu.rip);
  const beforeGva = u64(codeGva - BigInt(CODE_BYTES_BEFORE));
  const before = readGuestVirtual(ram, cpu, beforeGva, CODE_BYTES_BEFORE);
  return {
    cpu,
    lastExit,
    instructionsRetired,
    guestTimeNs,
    codeBefore: before.length === CODE_BYTES_BEFORE ? before : new Uint8Array(0),
    code: readGuestVirtual(ram, cpu, codeGva, CODE_BYTES_AFTER),
    stack: readGuestVirtual(ram, cpu, u64(cpu.ss.base + (cpu.gpr[4] ?? 0n)), STACK_BYTES),
  };
}

const GPR_NAMES = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split(" ");

/** Several lines, each ending in a newline. */
export function formatCrashDump(dump: CrashDump): string {
  const { cpu } = dump;
  const named: [string, bigint][] = [
    ...GPR_NAMES.map((name, index): [string, bigint] => [name, cpu.gpr[index] ?? 0n]),
    ["rip", cpu.rip],
    ["rflags", cpu.rflags],
    ["cr0", cpu.cr0],
    ["cr2", cpu.cr2],
    ["cr3", cpu.cr3],
    ["cr4", cpu.cr4],
    ["efer", cpu.efer],
    ["cr8", cpu.cr8],
  ];
  const registers = named.map(([name, value]) => `${name.padStart(6)} ${hex(value, 16)}`);
  const lines = [
    ...rowsOf(registers, 4).map((row) => row.join(" ")),
    ...(["cs", "ss", "ds", "es", "fs", "gs", "ldtr", "tr"] as const).map((name) =>
      segmentLine(name, cpu[name]),
    ),
    `  gdtr base ${hex(cpu.gdtr.base, 16)} limit ${hex(cpu.gdtr.limit, 4)}`,
    `  idtr base ${hex(cpu.idtr.base, 16)} limit ${hex(cpu.idtr.limit, 4)}`,
    `  code ${codeText(dump)}`,
    ` stack ${bytesText(dump.stack) || "is not mapped"}`,
    `  last exit: ${dump.lastExit}; ${dump.instructionsRetired} instructions retired; ` +
      `guest time ${(dump.guestTimeNs / 1e9).toFixed(3)} s`,
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function segmentLine(name: string, { selector, base, limit, attributes }: SegmentState): string {
  return (
    `${name.padStart(6)} ${hex(selector, 4)} base ${hex(base, 16)} limit ${hex(limit, 8)} ` +
    `attributes ${hex(attributes, 4)}`
  );
}

/** The bytes around RIP, with the one at RIP in angle brackets. */
function codeText({ codeBefore, code }: CrashDump): string {
  if (code.length === 0) return "is not mapped";
  return [bytesText(codeBefore), `<${bytesText(code.subarray(0, 1))}>`, bytesText(code.subarray(1))]
    .filter((text) => text !== "")
    .join(" ");
}

function bytesText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => hex(byte, 2)).join(" ");
}

function hex(value: bigint | number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

function rowsOf<T>(items: readonly T[], width: number): T[][] {
  const rows: T[][] = [];
  for (let at = 0; at < items.length; at += width) rows.push(items.slice(at, at + width));
  return rows;
}
