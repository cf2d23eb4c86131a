import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { setImmediate } from "node:timers/promises";

import { unwrap } from "../../base/index.ts";
import { SerialConsole } from "../../host/index.ts";
import { testFolder } from "../testing.ts";
import { openSerialSocket } from "./serial-socket.ts";

const folder = testFolder();
after(() => folder[Symbol.dispose]());

const LOCAL = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;

/** A console whose input is remembered. */
function consoleDouble() {
  const input: number[] = [];
  const subject = new SerialConsole({
    input(bytes) {
      input.push(...bytes);
      queueMicrotask(() => subject.inputTaken(bytes.length));
    },
    consumed: () => undefined,
  });
  return { subject, input, say: (text: string) => subject.output(new TextEncoder().encode(text)) };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate();
}

async function connected(port: number | undefined) {
  const socket: Socket = connect(port ?? 0, LOCAL.host);
  const heard: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => heard.push(chunk));
  await once(socket, "connect");
  return { socket, heard: () => Buffer.concat(heard).toString() };
}

test("bytes go both ways over TCP, and input that came before the VM has waited", async () => {
  const server = unwrap(await openSerialSocket(LOCAL));
  const client = await connected(server.port);
  client.socket.write("early ");
  const { subject, input, say } = consoleDouble();
  server.attach(subject);
  client.socket.write("input");
  await until(() => input.length === 11);
  assert.equal(String.fromCharCode(...input), "early input");
  await say("output");
  await until(() => client.heard() === "output");
  server.release();
  await once(client.socket, "close");
});

test("a second client is sent away, and a later one takes the place of one that has gone", async () => {
  const server = unwrap(await openSerialSocket(LOCAL));
  const { subject, say } = consoleDouble();
  server.attach(subject);
  const first = await connected(server.port);
  const second = await connected(server.port);
  await once(second.socket, "close");
  first.socket.destroy();
  await once(first.socket, "close");
  await say("to nobody, if nobody is there");
  await setImmediate();
  const third = await connected(server.port);
  await say("hello");
  await until(() => third.heard().endsWith("hello"));
  server.release();
  await once(third.socket, "close");
});

test("a reader that does not read makes the guest wait, until it is gone", async () => {
  const server = unwrap(await openSerialSocket(LOCAL));
  const { subject } = consoleDouble();
  server.attach(subject);
  const client = await connected(server.port);
  client.socket.pause();
  let hasEnded = false;
  const flooding = subject.output(new Uint8Array(32 * 1024 * 1024)).then(() => (hasEnded = true));
  for (let turn = 0; turn < 20; turn++) await setImmediate();
  assert.equal(hasEnded, false);
  client.socket.destroy();
  await flooding;
  server.release();
});

test("a Unix socket is there while it is open", async () => {
  const path = join(folder.path, "com2");
  const server = unwrap(await openSerialSocket({ kind: "unix", path }));
  assert.equal(server.port, undefined);
  const { subject, input } = consoleDouble();
  server.attach(subject);
  const socket = connect(path);
  socket.end("input");
  await until(() => input.length === 5);
  assert.equal(String.fromCharCode(...input), "input");
  server.release();
  await until(() => !existsSync(path));
});

test("an address that is taken is one sentence", async () => {
  const server = unwrap(await openSerialSocket(LOCAL));
  const taken = await openSerialSocket({ ...LOCAL, port: server.port ?? 0 });
  assert.match(
    taken.ok ? "" : taken.error.message,
    /^The socket 127\.0\.0\.1:\d+ for the serial port cannot be opened: .*EADDRINUSE.*\.$/,
  );
  server.release();
});
