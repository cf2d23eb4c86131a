/**
 * The x86 table: BMI1, BMI2 and ADX (SDM 2). Most are VEX-encoded: W is the operand size, ignored outside 64-bit mode,
 * and they need neither XCR0 nor CR4.OSXSAVE, as they touch no vector register. Deliberately missing: TBM.
 */
import { AF, OF, PF, SF } from "../ir/flags.ts";
import * as m from "./lower-bits.ts";
import { bitScan } from "./lower-integer.ts";
import { row, type InstructionRow } from "./row.ts";

const undefinedAfPf = { undefinedFlags: AF | PF } as const;

export const bitRows: readonly InstructionRow[] = [
  row("F3 0F BC /r", "tzcnt", "rv, rmv", bitScan("tzcnt"), "bmi1", {
    undefinedFlags: OF | SF | AF | PF,
  }),
  row("VEX.LZ.0F38 F2 /r", "andn", "ry, vy, rmy", m.threeOperands("andnot"), "bmi1", undefinedAfPf),
  row("VEX.LZ.0F38 F7 /r", "bextr", "ry, rmy, vy", m.threeOperands("bextr"), "bmi1", {
    undefinedFlags: AF | SF | PF,
  }),
  row("VEX.LZ.0F38 F3 /3", "blsi", "vy, rmy", m.lowestBit("blsi"), "bmi1", undefinedAfPf),
  row("VEX.LZ.0F38 F3 /2", "blsmsk", "vy, rmy", m.lowestBit("blsmsk"), "bmi1", undefinedAfPf),
  row("VEX.LZ.0F38 F3 /1", "blsr", "vy, rmy", m.lowestBit("blsr"), "bmi1", undefinedAfPf),

  row("VEX.LZ.0F38 F5 /r", "bzhi", "ry, rmy, vy", m.threeOperands("bzhi"), "bmi2", undefinedAfPf),
  row("VEX.LZ.F2.0F38 F6 /r", "mulx", "ry, vy, rmy", m.threeOperands("mulx"), "bmi2"),
  row("VEX.LZ.F2.0F38 F5 /r", "pdep", "ry, vy, rmy", m.threeOperands("pdep"), "bmi2"),
  row("VEX.LZ.F3.0F38 F5 /r", "pext", "ry, vy, rmy", m.threeOperands("pext"), "bmi2"),
  row("VEX.LZ.F2.0F3A F0 /r ib", "rorx", "ry, rmy, imm8", m.twoOperands("rorx"), "bmi2"),
  row("VEX.LZ.F3.0F38 F7 /r", "sarx", "ry, rmy, vy", m.threeOperands("sarx"), "bmi2"),
  row("VEX.LZ.66.0F38 F7 /r", "shlx", "ry, rmy, vy", m.threeOperands("shlx"), "bmi2"),
  row("VEX.LZ.F2.0F38 F7 /r", "shrx", "ry, rmy, vy", m.threeOperands("shrx"), "bmi2"),

  row("66 0F 38 F6 /r", "adcx", "ry, rmy", m.twoOperands("adcx"), "adx"),
  row("F3 0F 38 F6 /r", "adox", "ry, rmy", m.twoOperands("adox"), "adx"),
];
