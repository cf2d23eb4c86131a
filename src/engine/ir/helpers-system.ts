/**
 * Helpers of the system architecture: segments, transfers of control between privilege levels, control and
 * model-specific registers, ports and string instructions. Their functions are in core/segments.ts, transfers.ts,
 * tables.ts, system.ts, fast-calls.ts, msr.ts, cpuid.ts, ports.ts and strings.ts.
 *
 * "operand size" and "address size" are in bytes. A "linear address" is one whose segment has been checked
 * (`seglin`) for as many bytes as the instruction touches. #UD for a LOCK prefix, a register where memory is needed
 * or the reverse is the decoder's; #UD and #GP for mode and privilege are the helper's.
 */
import type { HelperRow } from "./helper-row.ts";

type Options = Partial<Pick<HelperRow, "d" | "s" | "imm" | "gprs" | "flags">>;

const row = (name: string, faults: boolean, ends: boolean, options: Options): HelperRow => ({
  name,
  d: "none",
  s: "none",
  imm: "none",
  gprs: "none",
  flags: "none",
  ...options,
  faults,
  ends,
});
/** Cannot fault, or can, and goes on to the next instruction of its block. */
const quiet = (name: string, options: Options = {}): HelperRow => row(name, false, false, options);
const faulting = (name: string, options: Options = {}): HelperRow => row(name, true, false, options);
/** Runs after `syncpc` and ends its block. */
const ending = (name: string, options: Options = {}): HelperRow => row(name, true, true, options);

const operandSize = "operand size";
const stringOperands = "element size | address size << 4 | number of the source segment << 8";

const segments: readonly HelperRow[] = [
  /**
   * In: an offset, zero-extended and wrapped to the address size. Out: its linear address. #GP(0), or #SS(0) for SS,
   * when the access does not fit the segment. s is the segment's number. Never needed where MODE says flat.
   */
  faulting("seglin", { d: "rw64", s: "number", imm: "access size | 0x1000 if it writes" }),
  /** MOV Sreg (not CS). MOV SS puts the interrupt shadow over the next instruction. */
  ending("loadseg", { s: "r16", imm: "segment number" }),
  ending("popseg", { gprs: "all", imm: "segment number | operand size << 8" }),
  /** LES LCS LSS LDS LFS LGS: d gets the offset; s holds the linear address of the far pointer. */
  ending("lxs", { d: "rw64", s: "r64", imm: "segment number | operand size << 8" }),
  /** The selector, zero-extended: MOV from Sreg, PUSH Sreg. */
  quiet("readseg", { d: "w64", imm: "segment number" }),
];

const descriptorTables: readonly HelperRow[] = [
  ending("lgdt", { s: "r64", imm: operandSize }),
  ending("lidt", { s: "r64", imm: operandSize }),
  faulting("sgdt", { s: "r64", imm: operandSize }),
  faulting("sidt", { s: "r64", imm: operandSize }),
  ending("lldt", { s: "r16" }),
  ending("ltr", { s: "r16" }),
  /** The selector, zero-extended. */
  faulting("sldt", { d: "w64" }),
  faulting("str", { d: "w64" }),
  /** d is written, in the operand size, only if ZF is set. */
  faulting("lar", { d: "rw64", s: "r16", imm: operandSize, flags: "both" }),
  faulting("lsl", { d: "rw64", s: "r16", imm: operandSize, flags: "both" }),
  faulting("verr", { s: "r16", flags: "both" }),
  faulting("verw", { s: "r16", flags: "both" }),
  faulting("arpl", { d: "rw16", s: "r16", flags: "both" }),
  /** d: the linear address of the selector, which is written only if it changes. */
  faulting("arplmem", { d: "r64", s: "r16", imm: "segment number", flags: "both" }),
];

const transfers: readonly HelperRow[] = [
  /** Far JMP and CALL to the offset in slot d (zero-extended) and the selector in slot s. */
  /** #GP(0) unless the near branch target in slot s lies within the limit of CS; not in 64-bit mode. d is rSP. */
  faulting("branchcheck", { d: "r64", s: "r64", imm: "bytes that are about to be pushed" }),
  ending("jmpfar", { d: "r64", s: "r16", imm: operandSize, gprs: "all", flags: "both" }),
  ending("callfar", { d: "r64", s: "r16", imm: operandSize, gprs: "all", flags: "both" }),
  ending("retfar", { gprs: "all", imm: "operand size | bytes of parameters << 8" }),
  ending("iret", { gprs: "all", imm: operandSize, flags: "both" }),
  /** A task gate changes the flags. */
  ending("int", { gprs: "all", imm: "vector", flags: "both" }),
  ending("int3", { gprs: "all", flags: "both" }),
  ending("into", { gprs: "all", flags: "both" }),
  ending("icebp", { gprs: "all", flags: "both" }),
  ending("syscall", { gprs: "all", flags: "reads" }),
  ending("sysret", { gprs: "all", imm: operandSize, flags: "both" }),
  ending("sysenter", { gprs: "all" }),
  ending("sysexit", { gprs: "all", imm: operandSize }),
];

const controlRegisters: readonly HelperRow[] = [
  ending("movtocr", { s: "r64", imm: "control register number" }),
  faulting("movfromcr", { d: "w64", imm: "control register number" }),
  /** #DB if an instruction breakpoint is on the instruction at RIP, which `syncpc` has set. */
  faulting("breakpoint"),
  ending("movtodr", { s: "r64", imm: "debug register number" }),
  faulting("movfromdr", { d: "w64", imm: "debug register number" }),
  ending("clts"),
  ending("lmsw", { s: "r16" }),
  /** CR0; the translator stores as much of it as the operand has. */
  faulting("smsw", { d: "w64" }),
  ending("invlpg", { s: "r64" }),
  /** d is the register with the type, s holds the linear address of the descriptor. */
  ending("invpcid", { d: "r64", s: "r64" }),
  faulting("invd"),
  faulting("wbinvd"),
];

const processor: readonly HelperRow[] = [
  ending("hlt"),
  ending("sti"),
  faulting("cli"),
  faulting("pushf", { gprs: "all", imm: operandSize, flags: "reads" }),
  ending("popf", { gprs: "all", imm: operandSize, flags: "both" }),
  ending("swapgs"),
  /** RDFSBASE and RDGSBASE (not wrapped to 32 bits), WRFSBASE and WRGSBASE (s zero-extended): FS is 4, GS is 5. */
  faulting("rdsegbase", { d: "w64", imm: "segment number" }),
  faulting("wrsegbase", { s: "r64", imm: "segment number" }),
  faulting("rdmsr", { gprs: "all" }),
  ending("wrmsr", { gprs: "all" }),
  faulting("rdtsc", { gprs: "all" }),
  faulting("rdtscp", { gprs: "all" }),
  faulting("rdpmc", { gprs: "all" }),
  quiet("rdpid", { d: "w64" }),
  /** RDRAND and RDSEED: 64 random bits; CF alone is set, as there always are some. */
  quiet("random", { d: "w64", flags: "writes" }),
  quiet("cpuid", { gprs: "all" }),
  faulting("xgetbv", { gprs: "all" }),
  ending("xsetbv", { gprs: "all" }),
  /** CLAC and STAC. */
  faulting("clac"),
  faulting("stac"),
];

const ports: readonly HelperRow[] = [
  /** AL, AX or EAX. They end their block because a device may reset the machine or ask run() to return. */
  ending("in", { gprs: "all", imm: "size | port << 8, or size | 0x1000000 for the port in DX" }),
  ending("out", { gprs: "all", imm: "size | port << 8, or size | 0x1000000 for the port in DX" }),
];

/** Those with REP stop after some thousand elements and go on at their own address, so that interrupts get in. */
const strings: readonly HelperRow[] = [
  faulting("movs", { gprs: "all", imm: stringOperands }),
  faulting("stos", { gprs: "all", imm: stringOperands }),
  faulting("lods", { gprs: "all", imm: stringOperands }),
  faulting("cmps", { gprs: "all", imm: stringOperands, flags: "both" }),
  faulting("scas", { gprs: "all", imm: stringOperands, flags: "both" }),
  ending("ins", { gprs: "all", imm: stringOperands }),
  ending("outs", { gprs: "all", imm: stringOperands }),
  ending("repmovs", { gprs: "all", imm: stringOperands }),
  ending("repstos", { gprs: "all", imm: stringOperands }),
  ending("replods", { gprs: "all", imm: stringOperands }),
  /** The flags stay as they are when the count is 0: "both". */
  ending("repcmps", { gprs: "all", imm: `${stringOperands} | 0x1000 for REPNE`, flags: "both" }),
  ending("repscas", { gprs: "all", imm: `${stringOperands} | 0x1000 for REPNE`, flags: "both" }),
  ending("repins", { gprs: "all", imm: stringOperands }),
  ending("repouts", { gprs: "all", imm: stringOperands }),
];

export const systemHelpers: readonly HelperRow[] = [
  ...segments,
  ...descriptorTables,
  ...transfers,
  ...controlRegisters,
  ...processor,
  ...ports,
  ...strings,
];
