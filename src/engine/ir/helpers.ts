/** All helpers: exported functions h_<name>(d, s, imm) of the core, group by group. */
import type { HelperRow } from "./helper-row.ts";
import { cryptoHelpers } from "./helpers-crypto.ts";
import { integerHelpers } from "./helpers-integer.ts";
import { systemHelpers } from "./helpers-system.ts";
import { quickFloats } from "./quick-floats.ts";
import { sseHelpers } from "./helpers-sse.ts";
import { x87Helpers } from "./helpers-x87.ts";

export const helperRows: readonly HelperRow[] = [
  ...integerHelpers,
  ...systemHelpers,
  ...x87Helpers,
  ...sseHelpers.map((row): HelperRow => {
    const quick = quickFloats.get(row.name);
    return quick === undefined ? row : { ...row, quick };
  }),
  ...cryptoHelpers,
];
