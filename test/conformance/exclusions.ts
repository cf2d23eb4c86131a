/**
 * Rows of the x86 table that have no cases, each with its reason, and shapes of others in which the processors that
 * give the expected results differ from the Intel behaviour that the table declares.
 */
import type { InstructionRow } from "../../src/engine/x86/row.ts";
import type { HostCpu } from "./host-cpu.ts";
import type { Shape } from "./shape.ts";

const emulated = "the host's kernel answers in place of the processor (UMIP)";
const notAFunction = "its result is not a function of the state that a case sets up";

/** By mnemonic. */
const untestable: Readonly<Record<string, string>> = {
  rdtsc: notAFunction,
  rdtscp: notAFunction,
  rdpid: notAFunction,
  rdrand: notAFunction,
  rdseed: notAFunction,
  rdpmc: "whether user mode may read performance counters is the host's choice (CR4.PCE)",
  cpuid: notAFunction,
  xgetbv: "XCR0 is the host's choice",
  sgdt: emulated,
  sidt: emulated,
  sldt: emulated,
  str: emulated,
  smsw: emulated,
  sysenter: "where it leads is the host's choice, and AMD processors have none in long mode",
  int1: "where RIP points afterwards depends on the hypervisor under the host",
};

const untestableOnAmd: Readonly<Record<string, string>> = {
  sysexit: "AMD processors have no SYSEXIT in long mode",
};

/** Why a row has no cases on this host; undefined if it has. */
export function exclusionOf(row: InstructionRow, host: HostCpu): string | undefined {
  const missing = [...row.features].filter((feature) => !host.features.has(feature));
  if (missing.length > 0) return `this processor has no ${missing.join(", ")}`;
  if (host.isAmd && untestableOnAmd[row.mnemonic] !== undefined) return untestableOnAmd[row.mnemonic];
  return untestable[row.mnemonic];
}

/** Whether AMD processors do something else than the table says. */
function isAmdSpecific({ row, memory, operandBits, rexW, lock, rm }: Shape): boolean {
  switch (row.mnemonic) {
    case "pause":
      // With REX.B it is XCHG.
      return rm > 7;
    case "push":
      // 32 bits of a selector are written, not 16.
      return operandBits === 32 && row.operands.some(({ file }) => file === "sreg");
    case "prefetchw":
      // The register forms of 0F 0D are not reserved NOPs but invalid.
      return memory === undefined;
    case "verw":
      // With LOCK and a memory operand it is executed.
      return lock && memory !== undefined;
    case "movsxd":
      // 32 bits are read from memory even if 16 are asked for.
      return memory !== undefined && operandBits === 16;
    case "mov":
      // LOCK MOV to and from CR0 means CR8.
      return lock && row.operands.some(({ file }) => file === "cr");
    default:
      // AMD64 has no far pointers with 64-bit offsets.
      return rexW && row.operandKinds.includes("mfar");
  }
}

/**
 * Whether Intel's processors do something else than the engine: repeated string instructions with 32-bit addresses clear
 * the upper halves of some registers of 64-bit mode even if they do nothing.
 */
const isIntelSpecific = ({ row, mode, addressBits, repeat }: Shape): boolean =>
  mode === "long64" &&
  addressBits === 32 &&
  repeat !== undefined &&
  (row.traits.has("rep") || row.traits.has("repz"));

/** Whether the host does something else than the engine for this shape. */
export function isOpen(shape: Shape, host: HostCpu): boolean {
  return host.isAmd ? isAmdSpecific(shape) : isIntelSpecific(shape);
}
