/** The rows of the x86 table in the groups that are tested and reported together. */
import type { InstructionRow } from "../../src/engine/x86/row.ts";
import { bitRows } from "../../src/engine/x86/spec-bits.ts";
import { controlRows } from "../../src/engine/x86/spec-control.ts";
import { cryptoRows } from "../../src/engine/x86/spec-crypto.ts";
import { integerRows } from "../../src/engine/x86/spec-integer.ts";
import { mmxRows } from "../../src/engine/x86/spec-mmx.ts";
import { sseRows } from "../../src/engine/x86/spec-sse.ts";
import { stringRows } from "../../src/engine/x86/spec-string.ts";
import { systemRows } from "../../src/engine/x86/spec-system.ts";
import { x87Rows } from "../../src/engine/x86/spec-x87.ts";

export const rowGroups = {
  integer: integerRows,
  bits: bitRows,
  control: controlRows,
  string: stringRows,
  system: systemRows,
  x87: x87Rows,
  mmx: mmxRows,
  sse: sseRows,
  crypto: cryptoRows,
} as const satisfies Record<string, readonly InstructionRow[]>;

export type GroupName = keyof typeof rowGroups;
export const isGroupName = (name: string): name is GroupName => Object.hasOwn(rowGroups, name);
export const groupNames: readonly GroupName[] = Object.keys(rowGroups).filter(isGroupName);
