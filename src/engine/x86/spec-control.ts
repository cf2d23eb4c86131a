/**
 * The x86 table: near branches, calls and returns (SDM 2). In 64-bit mode their operand size is always 64 bits, as
 * Intel processors have it; far transfers are in spec-system.ts.
 */
import * as m from "./lower-control.ts";
import { row, type InstructionRow } from "./row.ts";
import { conditionNames } from "./spec-integer.ts";

const hex = (value: number): string => value.toString(16).toUpperCase().padStart(2, "0");

const conditional = conditionNames.flatMap((name, code) => [
  row(`${hex(0x70 + code)} cb`, `j${name}`, "rel8", m.jumpIf(code), "f64"),
  row(`0F ${hex(0x80 + code)} cz`, `j${name}`, "relz", m.jumpIf(code), "f64"),
]);

export const controlRows: readonly InstructionRow[] = [
  ...conditional,
  row("EB cb", "jmp", "rel8", m.jumpRelative, "f64"),
  row("E9 cz", "jmp", "relz", m.jumpRelative, "f64"),
  row("FF /4", "jmp", "rmv", m.jumpIndirect, "f64"),
  row("E8 cz", "call", "relz", m.callRelative, "f64"),
  row("FF /2", "call", "rmv", m.callIndirect, "f64"),
  row("C3", "ret", "", m.returnNear, "f64"),
  row("C2 iw", "ret", "imm16", m.returnNear, "f64"),
  row("E0 cb", "loopne", "rel8", m.loopWhile("clear"), "f64"),
  row("E1 cb", "loope", "rel8", m.loopWhile("set"), "f64"),
  row("E2 cb", "loop", "rel8", m.loop, "f64"),
  row("E3 cb", "jrcxz", "rel8", m.jumpIfCounterZero, "f64"),
];
