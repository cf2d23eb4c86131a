/** Tests of values that came from another process, put together like the types that they are to have. */

/** Characters of any text. */
const MAX_TEXT_CHARACTERS = 64 * 1024;

export type Fields = Readonly<Record<string, unknown>>;
/** Whether a value that came from elsewhere is what it should be. */
export type Check = (value: unknown) => boolean;

export const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !ArrayBuffer.isView(value) && !Array.isArray(value);
export const isText: Check = (value) => typeof value === "string" && value.length <= MAX_TEXT_CHARACTERS;
export const isNumber: Check = (value) => typeof value === "number" && Number.isFinite(value);
export const isCount: Check = (value) =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
export const isBigint: Check = (value) => typeof value === "bigint" && value >= 0n && value < 1n << 64n;
export const isBytes =
  (maxBytes: number): Check =>
  (value) =>
    value instanceof Uint8Array && value.length <= maxBytes;
export const isUndefined: Check = (value) => value === undefined;
export const oneOf =
  (...values: readonly unknown[]): Check =>
  (value) =>
    values.includes(value);
export const either =
  (...checks: readonly Check[]): Check =>
  (value) =>
    checks.some((check) => check(value));
export const listOf =
  (count: number, check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.length === count && value.every(check);
export const listUpTo =
  (mostCount: number, check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.length <= mostCount && value.every(check);
/** An object with (at least) these fields. */
export const shape =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isObject(value) && Object.entries(fields).every(([name, check]) => check(value[name]));
