/** What `typevisor run` plugs into a VM's connectors: each is made before the VM is, and plugged in once it is there. */

import { createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { err, ok, releasable } from "../../base/index.ts";
import type { Releasable, Result } from "../../base/index.ts";
import type { VmHandle } from "../../host/index.ts";
import { PRINTER_CONNECTOR, SERIAL_CONNECTORS } from "../../vmm/index.ts";
import type { Connector } from "../../vmm/index.ts";
import { printError } from "./cli-parts.ts";
import type { EscapeCommands } from "./escape-keys.ts";
import { openSerialSocket } from "./serial-socket.ts";
import type { SerialSocket } from "./serial-socket.ts";
import { parseTarget } from "./serial-target.ts";
import type { SerialTarget } from "./serial-target.ts";
import { attachStdio, outputTo } from "./stdio-console.ts";

type Plug =
  | { readonly kind: "stdio" }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "socket"; readonly socket: SerialSocket }
  | { readonly kind: "none" };

export interface Cable {
  readonly connector: Connector;
  readonly plug: Plug;
}

/** With the text screen on the terminal nothing else is. */
export async function prepareCables(
  serial: readonly string[],
  parallel: string | undefined,
  isTerminalTaken: boolean,
): Promise<Result<readonly Cable[]>> {
  const wanted: (readonly [Connector, "serial" | "parallel", string])[] = SERIAL_CONNECTORS.flatMap(
    (connector, index) => {
      const text = serial[index];
      return text === undefined ? [] : [[connector, "serial", text] as const];
    },
  );
  if (parallel !== undefined) wanted.push([PRINTER_CONNECTOR, "parallel", parallel]);
  if (serial.filter((text) => text === "stdio").length > 1)
    return err("bad-option", "The option --serial may be stdio for one serial port only.");
  const targets: (readonly [Connector, SerialTarget])[] = [];
  for (const [connector, use, text] of wanted) {
    const target = parseTarget(use, text);
    if (!target.ok) return target;
    targets.push([connector, target.value]);
  }
  const cables: Cable[] = [];
  for (const [connector, target] of targets) {
    const plug = await prepare(connector, target);
    if (!plug.ok) {
      releaseSockets(cables);
      return plug;
    }
    const isNone = isTerminalTaken && plug.value.kind === "stdio";
    cables.push({ connector, plug: isNone ? { kind: "none" } : plug.value });
  }
  return ok(cables);
}

/** Of a VM that does not come into being. */
export function releaseSockets(cables: readonly Cable[]): void {
  for (const { plug } of cables) if (plug.kind === "socket") plug.socket.release();
}

async function prepare(connector: Connector, target: SerialTarget): Promise<Result<Plug>> {
  if (target.kind === "socket") {
    const socket = await openSerialSocket(target.address);
    return socket.ok ? ok({ kind: "socket", socket: socket.value }) : socket;
  }
  if (target.kind !== "file") return ok(target);
  try {
    await (await open(target.path, "w")).close();
    return ok(target);
  } catch (thrown) {
    return err("bad-option", cannotBeWritten(connector, target.path, thrown));
  }
}

function cannotBeWritten(connector: Connector, path: string, thrown: unknown): string {
  const port = connector === PRINTER_CONNECTOR ? "printer" : "serial port";
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return `The file ${path} for the ${port} cannot be written: ${reason}.`;
}

/** Connects until released. */
export function plugIn(vm: VmHandle, { connector, plug }: Cable, commands: EscapeCommands): Releasable {
  const console = vm.console(connector);
  if (console === undefined || plug.kind === "none") return releasable(() => undefined);
  switch (plug.kind) {
    case "stdio":
      return attachStdio(console, vm.ended, commands);
    case "socket":
      plug.socket.attach(console);
      return plug.socket;
    case "file": {
      const stream = createWriteStream(plug.path);
      const output = outputTo(console, stream, (error) => {
        printError(cannotBeWritten(connector, plug.path, error));
        commands.q();
      });
      return {
        release() {
          output.release();
          stream.end();
        },
      };
    }
  }
}
