/** The whole x86 table. */
import type { InstructionRow } from "./row.ts";
import { controlRows } from "./spec-control.ts";
import { integerRows } from "./spec-integer.ts";

export const instructionRows: readonly InstructionRow[] = [...integerRows, ...controlRows];
