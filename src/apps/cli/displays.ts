/** `--display none|text|vnc...`: where a VM's screen is shown, checked before there is a VM and attached when there is one. */

import { readFile } from "node:fs/promises";
import { err, ok } from "../../base/index.ts";
import type { Releasable, Result } from "../../base/index.ts";
import type { VmHandle } from "../../host/index.ts";
import { startVncServer } from "../vnc/vnc-server.ts";
import type { VncServer } from "../vnc/vnc-server.ts";
import { parseVncTarget, VNC_FIRST_PORT } from "../vnc/vnc-target.ts";
import type { VncTarget } from "../vnc/vnc-target.ts";
import { printError } from "./cli-parts.ts";
import type { EscapeCommands } from "./escape-keys.ts";
import { attachTextDisplay } from "./text-display.ts";

export type Display =
  | { readonly kind: "none" | "text" }
  | { readonly kind: "vnc"; readonly target: VncTarget; readonly password: string | undefined };

/** For the shell's completion: a port or a path may follow. */
export const DISPLAY_WORDS = ["none", "text", "vnc", "vnc:unix:"] as const;
export const DISPLAY_HELP =
  "text: the VM's text screen on the terminal, in the place of its serial port, and keys for its keyboard; " +
  "vnc, vnc:PORT, vnc:ADDRESS:PORT or vnc:unix:PATH: a server for VNC viewers, by default on 127.0.0.1 at the first free " +
  "port from 5900 on";

export async function prepareDisplay(
  text: string,
  passwordFile: string | undefined,
): Promise<Result<Display>> {
  if (passwordFile !== undefined && !text.startsWith("vnc"))
    return err("bad-option", "The option --vnc-password-file needs --display vnc.");
  if (text === "none") return ok({ kind: text });
  if (text === "text") {
    const hasTerminal = process.stdin.isTTY && process.stdout.isTTY;
    if (hasTerminal) return ok({ kind: text });
    return err("bad-option", "The option --display text needs a terminal for input and output.");
  }
  if (!text.startsWith("vnc"))
    return err("bad-option", `The option --display must be none, text or vnc; "${text}" is not.`);
  const target = parseVncTarget(text.slice("vnc".length));
  if (!target.ok) return target;
  const password = await passwordOf(passwordFile);
  return password.ok ? ok({ kind: "vnc", target: target.value, password: password.value }) : password;
}

/** The first line of the file. */
async function passwordOf(path: string | undefined): Promise<Result<string | undefined>> {
  if (path === undefined) return ok(undefined);
  try {
    const [line = ""] = (await readFile(path, "utf8")).split(/\r?\n/, 1);
    return ok(line);
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    return err("bad-option", `The file ${path} with the password for VNC cannot be read: ${reason}.`);
  }
}

export interface ShownDisplay extends Releasable {
  /** Tells the user something without destroying what is shown. */
  say(sentence: string): void;
}

/** Shows the screen until released or until the VM has ended. `commands` are what its user may do to the VM. */
export async function showDisplay(
  vm: VmHandle,
  display: Display,
  commands: EscapeCommands,
): Promise<Result<ShownDisplay>> {
  switch (display.kind) {
    case "none":
      return ok({ say: sayOnTerminal, release: () => undefined });
    case "text":
      return ok(attachTextDisplay(vm, commands));
    case "vnc": {
      const server = await startVncServer(vm, display.target, display.password);
      if (!server.ok) return server;
      printError(whereShown(server.value.target, display.password !== undefined));
      return ok({ say: sayOnTerminal, release: () => server.value.release() });
    }
  }
}

/** The guest's output may stand in the middle of a line, on a terminal that leaves the column alone. */
function sayOnTerminal(sentence: string): void {
  if (process.stdin.isTTY) process.stderr.write(`\r\ntypevisor: ${sentence}\r\n`);
  else printError(sentence);
}

function whereShown(target: VncServer["target"], hasPassword: boolean): string {
  if (target.kind === "unix") return `VNC viewers see the screen at the socket ${target.path}.`;
  const { address, port } = target;
  const number = port >= VNC_FIRST_PORT ? ` (display :${port - VNC_FIRST_PORT})` : "";
  const whom = hasPassword ? "with the password" : "without a password, as can every user of this host";
  return `VNC viewers see the screen at ${address}:${port}${number}, ${whom}.`;
}
