/**
 * The x86 table: x87 instructions D8–DF, from the forms of ir/helpers-x87.ts, then WAIT, FXSAVE, FXRSTOR and the XSAVE
 * family. SDM 1, chapters 8 and 13; SDM 2 A.5.2.
 *
 * Each instruction but the control instructions records FIP, FCS and FOP, and with a memory operand FDP and FDS, as
 * CPUID says by leaving FDP_EXCPTN_ONLY and the deprecation of FCS and FDS clear, and as in the fopcode compatibility
 * sub-mode (SDM 1, 8.1.8 and 8.1.9).
 */
import { GPR_RAX, MODE_FPU_EM, MODE_FPU_TS } from "../layout.ts";
import { x87Forms, type X87Argument, type X87Form } from "../ir/helpers-x87.ts";
import { opNumber } from "../ir/ops.ts";
import { widthByRexW, x87IsAvailable } from "./lower-fpu.ts";
import { makeRow, row, type InstructionRow, type Lowering, type Meaning } from "./row.ts";
import { SIZE16, SIZE32, SIZE64, T0, VECTOR_NM, type SizeLog2, type Translator } from "./translator.ts";

const NOP = opNumber("nop");
const X87_CHECK = opNumber("x87_check");
const X87_WAIT = opNumber("x87_wait");

function argument(t: Translator, value: X87Argument | undefined, address: number): number {
  switch (value) {
    case undefined:
      return 0;
    case "i":
      return t.decoder.rm & 7;
    case "value":
      return T0;
    case "address":
      return address;
    case "ax":
      return GPR_RAX;
    default:
      return value;
  }
}

const sizeOfBytes = (bytes: number): SizeLog2 => (bytes === 2 ? SIZE16 : bytes === 4 ? SIZE32 : SIZE64);

/** FLDENV and FNSTENV, FRSTOR and FNSAVE: shorter with 16-bit operands. */
function spanBytes(t: Translator, form: X87Form): number {
  const bytes = form.memoryBytes ?? 0;
  if (t.decoder.operandSize !== SIZE16) return bytes;
  return bytes === 28 ? 14 : bytes === 108 ? 94 : bytes;
}

/** They leave the pointers to the last instruction and operand alone, or load them (SDM 1, 8.1.8). */
const controlInstructions: ReadonlySet<string> = new Set([
  ...["fninit", "fnclex", "fldcw", "fnstcw", "fnstsw", "fldenv", "fnstenv", "fnsave", "frstor"],
  ...["feni", "fdisi", "fsetpm"],
]);

function lowerForm(form: X87Form): Lowering {
  const op = form.helper === undefined ? NOP : opNumber(form.helper);
  const { access } = form;
  const isControl = controlInstructions.has(form.mnemonic);
  const size = sizeOfBytes(form.memoryBytes ?? 0);
  return (t) => {
    if (!x87IsAvailable(t, form.waits !== false)) return;
    let address = 0;
    if (access === "load") {
      t.address(form.memoryBytes ?? 0, false);
      t.load(T0, size);
    } else if (access === "read" || access === "write")
      address = t.linearAddress(spanBytes(t, form), access === "write");
    const immediate =
      form.imm === "operandSize" ? (t.decoder.operandSize === SIZE16 ? 16 : 32) : (form.imm ?? 0);
    t.emit(op, argument(t, form.d, address), argument(t, form.s, address), immediate);
    if (access === "store") {
      t.address(form.memoryBytes ?? 0, true);
      t.store(T0, size);
    }
    if (!isControl) t.x87Pointers();
  };
}

const memoryKinds = { 2: "m16", 4: "m32", 8: "m64", 10: "m80", 28: "m", 108: "m" } as const;

function operandsOf(form: X87Form): string {
  if (form.memoryBytes !== undefined) return memoryKinds[form.memoryBytes];
  if (form.d === "ax" || form.s === "ax") return "ax";
  return form.opcode.endsWith("+i") ? "sti" : "";
}

const formRows = x87Forms.map((form) => {
  const meaning: Meaning = () => lowerForm(form);
  const needsCmov = form.helper === "x87_cmov" || form.helper === "x87_compare_flags";
  return makeRow(
    form.opcode,
    form.mnemonic,
    operandsOf(form),
    meaning,
    needsCmov ? ["fpu", "cmov"] : ["fpu"],
  );
});

const wait: Meaning = () => (t) => {
  t.emit((t.mode & MODE_FPU_TS) !== 0 ? X87_WAIT : X87_CHECK);
};

const FXSAVE_BYTES = 512;
/** FXSAVE and FXRSTOR: the helper checks that the address is aligned. */
const extendedState = (name: "fxsave" | "fxrstor"): Meaning => {
  const op = opNumber(name);
  return () => (t) => {
    if ((t.mode & (MODE_FPU_TS | MODE_FPU_EM)) !== 0) {
      t.raise(VECTOR_NM);
      return;
    }
    t.emit(op, 0, t.linearAddress(FXSAVE_BYTES, name === "fxsave"), widthByRexW(t));
  };
};

const XSAVE_CHECK = opNumber("xsave_check");
const XSAVE_BYTES = 576;
/** The XSAVE family: as above, but #UD and #NM depend on CR4.OSXSAVE, which translations do not. */
const xsave = (name: "xsave" | "xsaveopt" | "xsavec" | "xrstor"): Meaning => {
  const op = opNumber(name);
  return () => (t) => {
    t.emit(XSAVE_CHECK);
    t.emit(op, 0, t.linearAddress(XSAVE_BYTES, name !== "xrstor"), widthByRexW(t));
  };
};

export const x87Rows: readonly InstructionRow[] = [
  ...formRows,
  row("9B", "wait", "", wait, "fpu"),
  row("NP 0F AE /0", "fxsave", "m", extendedState("fxsave"), "fxsr"),
  row("NP 0F AE /1", "fxrstor", "m", extendedState("fxrstor"), "fxsr"),
  row("NP 0F AE /4", "xsave", "m", xsave("xsave"), "xsave"),
  row("NP 0F AE /5", "xrstor", "m", xsave("xrstor"), "xsave"),
  row("NP 0F AE /6", "xsaveopt", "m", xsave("xsaveopt"), "xsaveopt"),
  row("NP 0F C7 /4", "xsavec", "m", xsave("xsavec"), "xsavec"),
];
