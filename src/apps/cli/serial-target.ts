/** Where a VM's first serial port goes: `--serial stdio|file:PATH|none`. */

import { err, ok } from "../../base/index.ts";
import type { Result } from "../../base/index.ts";

export type SerialTarget =
  { readonly kind: "stdio" } | { readonly kind: "file"; readonly path: string } | { readonly kind: "none" };

export const SERIAL_HELP = "first serial port: stdio, file:PATH (output only) or none";

export function parseSerialTarget(text: string): Result<SerialTarget> {
  if (text === "stdio" || text === "none") return ok({ kind: text });
  if (text.startsWith("file:") && text.length > "file:".length) {
    return ok({ kind: "file", path: text.slice("file:".length) });
  }
  return err("bad-option", `The option --serial must be stdio, file:PATH or none; "${text}" is not.`);
}
