/**
 * TCP between a Linux guest with a virtio card and a server on the host, through the user-mode network of each emulator: in
 * bulk in both directions, byte by byte there and back, and connection by connection. The server is this process, which serves
 * all contestants alike.
 */

import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Part } from "../part.ts";
import { buildStaticProgram } from "../static-program.ts";
import { taskFigures } from "../task-figures.ts";
import { TaskPlace } from "../task-place.ts";
import { BUSYBOX_ENTRIES, OUR_FOLDER, taskFiles } from "../tasks.ts";
import type { Task } from "../tasks.ts";
import { modularLinux, NETWORK_MODULES } from "../../test/guests/modular-linux.ts";
import { PRIMARY_GUEST } from "./start-figures.ts";

const MIB = 1024 * 1024;
const PROGRAM = `/${OUR_FOLDER}/net-work`;
/** The host's loopback, as guests of both know it. */
const HOST = "10.0.2.2";
const ADDRESS = "ip addr add 10.0.2.15/24 dev eth0; ip link set eth0 up; ip route add default via 10.0.2.2";
const PREPARE = `grep -q eth0 /proc/net/dev || { for module in /modules/*; do insmod $module; done; ${ADDRESS}; }`;

/** Arguments of net-work.c by the task's name. */
const WORK = {
  "256 MiB sent by TCP": ["send", 256],
  "256 MiB received by TCP": ["receive", 256],
  "5k bytes there and back": ["echo", 5000],
  "300 connections": ["connect", 300],
} as const;
const NAMES = Object.keys(WORK);

function tasksAt(port: number): Task[] {
  return Object.entries(WORK).map(([name, [what, count]]) => ({
    name,
    prepare: PREPARE,
    script: `${PROGRAM} ${what} ${HOST} ${port} ${count}`,
  }));
}

export const network: Part = {
  summary: "TCP of a guest with a virtio card to the host, both ways",
  contestants: ["typevisor", "qemuTcg"],
  needs: ["gcc"],
  workloads: NAMES,
  async run(bench) {
    await using scratch = await mkdtempDisposable(join(tmpdir(), "typevisor-bench-"));
    const server = createServer({ allowHalfOpen: true, noDelay: true }, serve);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const tasks = tasksAt(portOf(server.address())).filter(({ name }) => bench.workloads.includes(name));
      const guest = await bench.guest(PRIMARY_GUEST);
      const { kernelPath, modulesPath } = await modularLinux(NETWORK_MODULES);
      const initrdPath = join(scratch.path, "initrd");
      for (const path of [guest.initrdPath ?? "", modulesPath])
        writeFileSync(initrdPath, readFileSync(path), { flag: "a" });
      const program = readFileSync(buildStaticProgram("net-work.c"));
      const place = new TaskPlace({
        machine: { ...guest, kernelPath, initrdPath, hasNetwork: true },
        scratch: scratch.path,
        entries: [
          ...BUSYBOX_ENTRIES,
          ...taskFiles(tasks),
          { kind: "file", path: PROGRAM.slice(1), mode: 0o755, data: program },
        ],
      });
      return await taskFigures(bench, bench.contestants, { place, tasks, group: "network" });
    } finally {
      server.close();
    }
  },
};

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return address.port;
}

/** Does what the first byte of a connection says: net-work.c knows the same. */
function serve(socket: Socket): void {
  // A guest that is stopped leaves its connections as they are.
  socket.on("error", () => socket.destroy());
  socket.once("data", (first: Uint8Array) => {
    const [mode] = first;
    const rest = first.subarray(1);
    if (mode === "s".charCodeAt(0)) sink(socket, rest);
    else if (mode === "r".charCodeAt(0)) source(socket, rest);
    else echo(socket, rest);
  });
}

function echo(socket: Socket, first: Uint8Array): void {
  if (first.length > 0) socket.write(first);
  socket.pipe(socket);
}

/** Takes everything and says how much it was. */
function sink(socket: Socket, first: Uint8Array): void {
  let total = first.length;
  socket.on("data", (bytes: Uint8Array) => {
    total += bytes.length;
  });
  socket.on("end", () => socket.end(`${total}\n`));
}

/** Sends as many MiB as the line says. */
function source(socket: Socket, first: Uint8Array): void {
  const piece = new Uint8Array(64 * 1024);
  let line = "";
  const begin = (): void => {
    if (!line.endsWith("\n")) return;
    let leftBytes = Number(line) * MIB;
    const push = (): void => {
      while (leftBytes > 0) {
        leftBytes -= piece.length;
        if (!socket.write(piece)) {
          socket.once("drain", push);
          return;
        }
      }
      socket.end();
    };
    push();
  };
  const take = (bytes: Uint8Array): void => {
    line += new TextDecoder().decode(bytes);
    begin();
  };
  take(first);
  socket.on("data", take);
}
