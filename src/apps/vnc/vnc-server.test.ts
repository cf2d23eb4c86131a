import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";

import { unwrap } from "../../base/index.ts";
import type { VmHandle } from "../../host/index.ts";
import { parseVmDefinition } from "../../vmm/index.ts";
import { encryptVncChallenge } from "../../platform/node/index.ts";
import { createVmHandle } from "../code-profiles.ts";
import { spawnScriptedVm, testFolder } from "../testing.ts";
import { startVncServer } from "./vnc-server.ts";
import { parseVncTarget } from "./vnc-target.ts";

const folder = testFolder();
after(() => folder[Symbol.dispose]());

/** Its screen has a red and a blue pixel. */
async function startVm(): Promise<VmHandle> {
  const definition = unwrap(parseVmDefinition({ kernel: folder.kernel, append: "shell", profile: "off" }));
  const vm = unwrap(await createVmHandle({ definition, link: spawnScriptedVm() }));
  await vm.start();
  return vm;
}

/** Reads as many bytes as are wanted, and writes. */
class Client {
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  readonly closed: Promise<unknown>;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("error", () => undefined);
    this.closed = new Promise<void>((resolve) => {
      socket.once("close", () => resolve());
    });
    socket.on("data", (chunk: Buffer) => (this.#bytes = Buffer.concat([this.#bytes, chunk])));
  }

  write(...bytes: readonly number[]): void {
    this.#socket.write(Uint8Array.from(bytes));
  }

  async read(count: number): Promise<Buffer> {
    while (this.#bytes.length < count) await Promise.race([once(this.#socket, "data"), this.closed]);
    const read = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return read;
  }

  async handshake(): Promise<string> {
    assert.equal((await this.read(12)).toString(), "RFB 003.008\n");
    this.#socket.write("RFB 003.008\n");
    await this.read(2);
    this.write(1, 1);
    await this.read(4);
    const init = await this.read(24);
    return (await this.read(init.readUInt32BE(20))).toString();
  }

  close(): void {
    this.#socket.destroy();
  }
}

const PIXELS = [0, 0, 255, 0, 255, 0, 0, 0];

test("clients on a loopback port and on a unix socket see the screen; the VM's end sends them away", async () => {
  const vm = await startVm();
  const tcp = unwrap(await startVncServer(vm, { kind: "tcp", address: "127.0.0.1", port: 0 }, undefined));
  const path = join(folder.path, "vnc.sock");
  unwrap(await startVncServer(vm, { kind: "unix", path }, undefined));
  assert.ok(tcp.target.kind === "tcp" && tcp.target.port > 0);
  const clients = [connect({ host: "127.0.0.1", port: tcp.target.port }), connect({ path })].map(
    (socket) => new Client(socket),
  );
  for (const client of clients) {
    assert.equal(await client.handshake(), "vm");
    client.write(3, 0, 0, 0, 0, 0, 0, 2, 0, 1);
    const update = await client.read(16 + 8);
    assert.deepEqual([...update.subarray(16)], PIXELS);
  }
  await vm.stop();
  for (const client of clients) await client.closed;
  assert.equal(existsSync(path), false);
});

test("a password lets in who knows it, and is needed where others reach the server", async () => {
  const vm = await startVm();
  const everywhere = { kind: "tcp", address: "0.0.0.0", port: 0 } as const;
  const refused = await startVncServer(vm, everywhere, undefined);
  assert.match(refused.ok ? "" : refused.error.message, /other hosts reach, needs a password/);
  const named = await startVncServer(vm, { kind: "tcp", address: "localhost", port: 0 }, "secret");
  assert.match(named.ok ? "" : named.error.message, /an address like 127\.0\.0\.1; "localhost" is none/);
  const long = await startVncServer(vm, everywhere, "ninechars");
  assert.match(long.ok ? "" : long.error.message, /has 9 bytes, of which 8 would count/);
  const server = unwrap(await startVncServer(vm, everywhere, "secret"));
  assert.ok(server.target.kind === "tcp");
  const { port } = server.target;
  const results = ["secret", "Secret"].map(async (password) => {
    const client = new Client(connect({ host: "127.0.0.1", port }));
    await client.read(12);
    client.write(...Buffer.from("RFB 003.008\n"));
    assert.deepEqual([...(await client.read(2))], [1, 2]);
    client.write(2);
    client.write(...encryptVncChallenge(new TextEncoder().encode(password), await client.read(16)));
    const result = (await client.read(4)).readUInt32BE();
    client.close();
    return result;
  });
  assert.deepEqual(await Promise.all(results), [0, 1]);
  server.release();
  await vm.stop();
});

test("at most eight clients, and one that wants to be alone sends the others away", async () => {
  const vm = await startVm();
  const server = unwrap(await startVncServer(vm, { kind: "tcp", address: "127.0.0.1", port: 0 }, undefined));
  assert.ok(server.target.kind === "tcp");
  const { port } = server.target;
  const join = (): Client => new Client(connect({ host: "127.0.0.1", port }));
  const clients = Array.from({ length: 8 }, join);
  await Promise.all(clients.map(async (client) => await client.handshake()));
  await join().closed;
  clients[0]?.close();
  await clients[0]?.closed;
  const alone = join();
  await alone.read(12);
  alone.write(...Buffer.from("RFB 003.003\n"));
  await alone.read(4);
  alone.write(0);
  await alone.read(24);
  await Promise.all(clients.map(({ closed }) => closed));
  await vm.stop();
  await alone.closed;
});

test("places to listen at are what they say, and a port that is taken is told", async () => {
  const target = (text: string) => unwrap(parseVncTarget(text));
  assert.deepEqual(target(""), { kind: "tcp", address: "127.0.0.1", port: undefined });
  assert.deepEqual(target(":5901"), { kind: "tcp", address: "127.0.0.1", port: 5901 });
  assert.deepEqual(target(":0.0.0.0:5901"), { kind: "tcp", address: "0.0.0.0", port: 5901 });
  assert.deepEqual(target(":[::1]:5901"), { kind: "tcp", address: "::1", port: 5901 });
  assert.deepEqual(target(":unix:/run/vnc"), { kind: "unix", path: "/run/vnc" });
  for (const text of [":", ":x", ":65536", ":host:5900", ":unix:", "5900"])
    assert.throws(() => target(text), /The option --display must be vnc, .*; "vnc.*" is not\.$/);

  const vm = await startVm();
  const first = unwrap(await startVncServer(vm, { kind: "tcp", address: "127.0.0.1", port: 0 }, undefined));
  const again = await startVncServer(vm, first.target, undefined);
  assert.match(again.ok ? "" : again.error.message, /^VNC cannot listen at 127\.0\.0\.1:\d+: .*EADDRINUSE/);
  await vm.stop();
});
