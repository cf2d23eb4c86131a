/** What the architecture, or the difference between processors, leaves open in a case's result. */
import { AF, CF, OF, STATUS_FLAGS } from "../../src/engine/ir/flags.ts";
import { GPR_NAMES, type Undefined } from "../oracle/index.ts";
import { type Draft, RCX } from "./draft.ts";

const SHIFTS = new Set(["shl", "shr", "sar", "shld", "shrd"]);
const ROTATES = new Set(["rol", "ror", "rcl", "rcr"]);
/** C1 of comparisons into EFLAGS, where the manuals disagree, and of transcendental functions, whose rounding is free. */
const C1 = 0x200;

/** Status flags; of shifts and rotates by a count only those that the count leaves undefined. */
function undefinedFlags(d: Draft): number {
  const { row, immediates } = d.shape;
  const { mnemonic } = row;
  if (!SHIFTS.has(mnemonic) && !ROTATES.has(mnemonic)) return row.undefinedFlags;
  const bits = d.operands[0]?.bits ?? 32;
  const byCl = row.operandKinds.at(-1) === "cl";
  const given =
    row.operandKinds.at(-1) === "1" ? 1 : byCl ? Number(d.get(RCX, 8)) : Number(immediates[0] ?? 0n);
  const count = given & (bits === 64 ? 63 : 31);
  if (count === 0) return 0;
  const of = count === 1 ? 0 : OF;
  if (ROTATES.has(mnemonic)) return of;
  const isDouble = mnemonic === "shld" || mnemonic === "shrd";
  if (isDouble && count > bits) return STATUS_FLAGS;
  const beyond = !isDouble && count >= bits && mnemonic !== "sar";
  return AF | of | (beyond ? CF : 0);
}

/**
 * Memory that FXSAVE, XSAVE, FNSTENV and FNSAVE fill with the pointers of an instruction before the case, which no case
 * sets up: x87-pointers.test.ts does.
 */
function undefinedMemory(d: Draft): Undefined["memory"] {
  const gva = d.operandGva;
  if (gva === undefined) return undefined;
  const small = d.shape.operandBits === 16;
  switch (d.shape.row.mnemonic) {
    case "fnstenv":
    case "fnsave":
      return [small ? { gva: gva + 6, sizeBytes: 8 } : { gva: gva + 12, sizeBytes: 16 }];
    case "fxsave":
    case "xsave":
    case "xsaveopt":
    case "xsavec":
      return [
        { gva: gva + 6, sizeBytes: 18 },
        { gva: gva + 28, sizeBytes: 4 },
      ];
    default:
      return undefined;
  }
}

/** The whole first operand. */
function openDestination(d: Draft): Undefined {
  const { memory, rm } = d.shape;
  const sizeBytes = (d.operands[0]?.bits ?? 0) / 8;
  if (memory !== undefined)
    return d.operandGva === undefined ? {} : { memory: [{ gva: d.operandGva, sizeBytes }] };
  const name = GPR_NAMES[rm];
  return name === undefined ? {} : { gpr: [name] };
}

export function undefinedOf(d: Draft): Undefined {
  const { row } = d.shape;
  const { mnemonic } = row;
  const memory = undefinedMemory(d);
  const doubleShiftBeyond = (mnemonic === "shld" || mnemonic === "shrd") && (undefinedFlags(d) & CF) !== 0;
  return {
    flags: undefinedFlags(d),
    ...(/^fu?comip?$|^fptan|^fpatan|^fsin|^fcos|^fyl2x|^f2xm1/.test(mnemonic) && { fsw: C1 }),
    ...(/^r(cp|sqrt)[ps]s$/.test(mnemonic) && { xmm: [d.shape.reg] }),
    ...(memory !== undefined && { memory }),
    // SHLD and SHRD by more than the operand's size leave their result undefined as well.
    ...(doubleShiftBeyond && openDestination(d)),
  };
}
