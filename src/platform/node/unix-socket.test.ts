import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { unwrap } from "../../base/index.ts";
import { isListening, listenAt, privateFolder } from "./unix-socket.ts";

const folder = mkdtempSync(join(tmpdir(), "typevisor-test-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Whoever only looks whether somebody listens is gone before it is greeted. */
function greet(socket: Socket): void {
  socket.on("error", () => undefined);
  socket.end("hello");
}

/** A socket whose process was killed. */
function leaveDeadSocket(path: string): void {
  const program =
    `require("node:net").createServer().listen(${JSON.stringify(path)}, () => ` +
    `process.kill(process.pid, "SIGKILL"));`;
  spawnSync(process.execPath, ["-e", program]);
  assert.ok(existsSync(path));
}

test("a name belongs to one server, and is free when that is closed", async () => {
  const path = join(folder, "one.sock");
  const server = unwrap(await listenAt(path, greet));
  const again = await listenAt(path, () => undefined);
  assert.equal(again.ok ? "taken over" : again.error.code, "socket-in-use");
  const chunks = await connect({ path }).toArray();
  assert.equal(Buffer.concat(chunks.map((chunk) => Buffer.from(chunk))).toString(), "hello");
  server.close();
  await once(server, "close");
  assert.equal(existsSync(path), false);
  assert.equal(await isListening(path), false);
});

test("the name of a process that was killed is taken over, by one of several that want it", async () => {
  const path = join(folder, "dead.sock");
  leaveDeadSocket(path);
  assert.equal(await isListening(path), false);
  const tried = await Promise.all(Array.from({ length: 5 }, () => listenAt(path, () => undefined)));
  const servers = tried.flatMap((result) => (result.ok ? [result.value] : []));
  assert.equal(servers.length, 1);
  assert.equal(await isListening(path), true);
  servers[0]?.close();
  assert.deepEqual(readdirSync(folder), []);
});

test("what is not a socket, and a path that no socket can have, is left alone", async () => {
  const file = join(folder, "file.sock");
  writeFileSync(file, "something");
  for (const path of [file, join(folder, "x".repeat(108))]) {
    const result = await listenAt(path, () => undefined);
    assert.equal(result.ok ? "listening" : result.error.code, "socket-unusable");
  }
  assert.deepEqual(readdirSync(folder), ["file.sock"]);
});

test("a private folder is made for its user alone, and closed to others when it was open", async () => {
  const made = join(folder, "a", "b");
  unwrap(await privateFolder(made));
  assert.equal(statSync(made).mode & 0o777, 0o700);
  const open = join(folder, "open");
  mkdirSync(open);
  chmodSync(open, 0o755);
  unwrap(await privateFolder(open));
  assert.equal(statSync(open).mode & 0o777, 0o700);
  const file = join(folder, "file.sock");
  const refused = await privateFolder(file);
  assert.equal(refused.ok ? "taken" : refused.error.code, "socket-unusable");
});
