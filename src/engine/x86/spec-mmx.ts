/** The x86 table: MMX instructions, from the forms of ir/helpers-mmx.ts. SDM 1, chapter 9. */
import type { Feature } from "../../cpu/index.ts";
import { GPR_RDI } from "../layout.ts";
import { mmxForms, type MmxForm } from "../ir/helpers-mmx.ts";
import { opNumber } from "../ir/ops.ts";
import { mmxIsAvailable, readMm, sizeByRexW, sseIsAvailable, widthByRexW } from "./lower-fpu.ts";
import { makeRow, type InstructionRow, type Lowering } from "./row.ts";
import { SIZE16, SIZE32, T0, type Translator } from "./translator.ts";

const MMX_STORE = opNumber("mmx_store");
const LINEAR_BYTES_MASKED = 8;

/** The table's operand kinds for a form's. */
const operandKinds: Record<MmxForm["operands"], string> = {
  "mm, mm/m64": "mm, mm/m64",
  "mm, mm/m32": "mm, mm/m32",
  "mm, mm/m64, imm8": "mm, mm/m64, imm8",
  "mm, imm8": "umm, imm8",
  "mm, r/mW": "mm, rmy",
  "r/mW, mm": "rmy, mm",
  "mm/m64, mm": "mm/m64, mm",
  "m64, mm": "m64, mm",
  "mm, r32/m16, imm8": "mm, r32/m16, imm8",
  "r32, mm, imm8": "r32, umm, imm8",
  "r32, mm": "r32, umm",
  "mm, mm": "mm, umm",
  "xmm, mm": "xmm, umm",
  "mm, xmm": "mm, uxmm",
  none: "",
};

function immediateOf(t: Translator, form: MmxForm): number {
  switch (form.imm) {
    case "imm8":
      return (form.base ?? 0) + t.decoder.immediate;
    case "w":
      return widthByRexW(t);
    case "rm":
      return t.decoder.rm & 7;
    default:
      return form.imm ?? 0;
  }
}

function lowerForm(form: MmxForm): Lowering {
  const op = opNumber(form.helper);
  const usesXmm = form.operands === "xmm, mm" || form.operands === "mm, xmm";
  return (t) => {
    if (usesXmm && !sseIsAvailable(t)) return;
    if (!mmxIsAvailable(t)) return;
    const { decoder } = t;
    const reg = decoder.reg & 7;
    const rm = decoder.rm & 7;
    const immediate = immediateOf(t, form);
    if (!decoder.isRegister && form.memory === "mmx_store") {
      const width = form.imm === "w" ? widthByRexW(t) : 64;
      t.emit(MMX_STORE, reg, t.linearAddress(width / 8, true), width);
      return;
    }
    switch (form.operands) {
      case "mm, mm/m64":
      case "mm, mm/m64, imm8":
        t.emit(op, reg, readMm(t, 64), immediate);
        break;
      case "mm, mm/m32":
        t.emit(op, reg, readMm(t, 32), immediate);
        break;
      case "mm, imm8":
        t.emit(op, rm, 0, immediate);
        break;
      case "mm, r/mW":
        t.emit(op, reg, t.readRm(sizeByRexW(t), T0), immediate);
        break;
      case "r/mW, mm":
        t.emit(op, t.rmRegister(sizeByRexW(t)), reg, immediate);
        break;
      case "mm/m64, mm":
        t.emit(op, rm, reg, immediate);
        break;
      case "m64, mm":
        t.emit(op, reg, t.linearAddress(8, true), immediate);
        break;
      case "mm, r32/m16, imm8":
        t.emit(op, reg, t.readRm(decoder.isRegister ? SIZE32 : SIZE16, T0), immediate);
        break;
      case "r32, mm, imm8":
      case "r32, mm":
        t.emit(op, t.reg(SIZE32), rm, immediate);
        break;
      case "mm, mm":
        // MASKMOVQ: bytes of the first register to DS:rDI where the second one's sign bits say so.
        t.addressOf(GPR_RDI, decoder.segment, LINEAR_BYTES_MASKED, true);
        t.emit(op, reg, t.preparedAddress(), immediate);
        break;
      case "xmm, mm":
        t.emit(op, decoder.reg, rm, immediate);
        break;
      case "mm, xmm":
        t.emit(op, reg, decoder.rm, immediate);
        break;
      case "none":
        t.emit(op);
        break;
    }
  };
}

const features: Record<MmxForm["feature"], Feature> = {
  MMX: "mmx",
  SSE: "sse",
  SSE2: "sse2",
  SSSE3: "ssse3",
};

export const mmxRows: readonly InstructionRow[] = mmxForms.map((form) =>
  makeRow(form.opcode, form.mnemonic, operandKinds[form.operands], () => lowerForm(form), [
    features[form.feature],
  ]),
);
