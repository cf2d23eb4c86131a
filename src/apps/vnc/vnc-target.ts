/** Where the screen is shown by VNC: `--display vnc[:[ADDRESS:]PORT]` or `vnc:unix:PATH`. */

import { isIP } from "node:net";
import { err, ok } from "../../base/index.ts";
import type { OperatorError, Result } from "../../base/index.ts";

export type VncTarget =
  | {
      readonly kind: "tcp";
      readonly address: string;
      /** Undefined for the first free one from {@link VNC_FIRST_PORT} on. */
      readonly port: number | undefined;
    }
  | { readonly kind: "unix"; readonly path: string };

/** VNC's display :0. */
export const VNC_FIRST_PORT = 5900;
export const VNC_DISPLAYS = 100;
const LOOPBACK = "127.0.0.1";
const PORT_MAX = 65535;

/** `text` is what stands behind "vnc". */
export function parseVncTarget(text: string): Result<VncTarget, OperatorError<"bad-option">> {
  if (text === "") return ok({ kind: "tcp", address: LOOPBACK, port: undefined });
  if (text.startsWith(":unix:") && text.length > ":unix:".length)
    return ok({ kind: "unix", path: text.slice(":unix:".length) });
  const match = /^:(?:(.*):)?(\d{1,5})$/.exec(text);
  const address = (match?.[1] ?? LOOPBACK).replace(/^\[(.*)\]$/, "$1");
  const port = Number(match?.[2]);
  if (match !== null && isIP(address) !== 0 && port <= PORT_MAX) return ok({ kind: "tcp", address, port });
  return err(
    "bad-option",
    `The option --display must be vnc, vnc:PORT, vnc:ADDRESS:PORT or vnc:unix:PATH; "vnc${text}" is not.`,
  );
}

/** Whether only this host reaches it. */
export function isLoopback({ address }: { readonly address: string }): boolean {
  return address === "::1" || address.startsWith("127.");
}
