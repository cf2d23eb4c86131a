/**
 * The x86 table: string instructions (SDM 1, 7.3.9). Operands are implicit: rSI in DS or the overriding segment, rDI
 * in ES, at the address size; the element is a byte or of the operand size.
 */
import * as m from "./lower-system.ts";
import { row, type InstructionRow } from "./row.ts";

export const stringRows: readonly InstructionRow[] = [
  row("A4", "movsb", "", m.string("movs", "b"), "rep"),
  row("A5", "movs", "", m.string("movs", "v"), "rep"),
  row("A6", "cmpsb", "", m.string("cmps", "b"), "repz"),
  row("A7", "cmps", "", m.string("cmps", "v"), "repz"),
  row("AA", "stosb", "", m.string("stos", "b"), "rep"),
  row("AB", "stos", "", m.string("stos", "v"), "rep"),
  row("AC", "lodsb", "", m.string("lods", "b"), "rep"),
  row("AD", "lods", "", m.string("lods", "v"), "rep"),
  row("AE", "scasb", "", m.string("scas", "b"), "repz"),
  row("AF", "scas", "", m.string("scas", "v"), "repz"),
  row("6C", "insb", "", m.string("ins", "b"), "rep"),
  row("6D", "ins", "", m.string("ins", "z"), "rep"),
  row("6E", "outsb", "", m.string("outs", "b"), "rep"),
  row("6F", "outs", "", m.string("outs", "z"), "rep"),
];
