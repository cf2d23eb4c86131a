/**
 * Where a VM's connectors lead: `--serial TARGET` for each serial port, and `--parallel TARGET` for the printer. There are
 * no pseudo-terminals among the targets: Node.js cannot make one.
 */

import { err, ok } from "../../base/index.ts";
import type { Result } from "../../base/index.ts";

/** Where somebody connects to. */
export type SocketAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

export type SerialTarget =
  | { readonly kind: "stdio" }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "socket"; readonly address: SocketAddress }
  | { readonly kind: "none" };

/** What a target is for, as sentences name it. */
export type TargetUse = "serial" | "parallel";

export const SERIAL_HELP =
  "serial port: stdio, file:PATH (output only), tcp:HOST:PORT or unix:PATH (waits for connections, one at a time), or none; " +
  "may be repeated for COM2 to COM4 (default: stdio)";
export const PARALLEL_HELP = "parallel port with a printer, whose output goes to file:PATH, or none";

const MAX_PORT = 65_535;
const KINDS = {
  serial: "stdio, file:PATH, tcp:HOST:PORT, unix:PATH or none",
  parallel: "file:PATH or none",
} as const;

export function parseTarget(use: TargetUse, text: string): Result<SerialTarget> {
  const target = targetOf(text);
  const fits = use === "serial" || target?.kind === "file" || target?.kind === "none";
  if (target !== undefined && fits) return ok(target);
  return err("bad-option", `The option --${use} must be ${KINDS[use]}; "${text}" is not.`);
}

/** The host may be an IPv6 address in brackets. */
function targetOf(text: string): SerialTarget | undefined {
  if (text === "stdio" || text === "none") return { kind: text };
  const file = /^file:(.+)$/s.exec(text)?.[1];
  if (file !== undefined) return { kind: "file", path: file };
  const path = /^unix:(.+)$/s.exec(text)?.[1];
  if (path !== undefined) return { kind: "socket", address: { kind: "unix", path } };
  const [, bracketed, plain, digits] = /^tcp:(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port > MAX_PORT) return undefined;
  return { kind: "socket", address: { kind: "tcp", host, port } };
}
