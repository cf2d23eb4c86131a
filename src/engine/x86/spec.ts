/** The whole x86 table. */
import type { InstructionRow } from "./row.ts";
import { bitRows } from "./spec-bits.ts";
import { controlRows } from "./spec-control.ts";
import { cryptoRows } from "./spec-crypto.ts";
import { integerRows } from "./spec-integer.ts";
import { mmxRows } from "./spec-mmx.ts";
import { sseRows } from "./spec-sse.ts";
import { stringRows } from "./spec-string.ts";
import { systemRows } from "./spec-system.ts";
import { x87Rows } from "./spec-x87.ts";

export const instructionRows: readonly InstructionRow[] = [
  ...integerRows,
  ...bitRows,
  ...controlRows,
  ...stringRows,
  ...systemRows,
  ...x87Rows,
  ...mmxRows,
  ...sseRows,
  ...cryptoRows,
];
