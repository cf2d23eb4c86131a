/** Sockets of the host against other sockets of the host, on its loopback. */

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectFailure, HostTcpSocket, TcpSocketListener } from "../../net/index.ts";
import { nodeSockets } from "./index.ts";

const LOOPBACK = 0x7f000001;
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const nothing = (): void => undefined;

/** Keeps what it is told, and lets a test wait for it. */
class Listener implements TcpSocketListener {
  readonly events: string[] = [];
  receivedBytes = 0;
  text = "";
  #changed: () => void = nothing;

  connected(): void {
    this.#note("connected");
  }

  connectFailed(reason: ConnectFailure): void {
    this.#note(reason);
  }

  received(bytes: Uint8Array): void {
    this.receivedBytes += bytes.length;
    if (this.receivedBytes < 100) this.text += new TextDecoder().decode(bytes);
    this.#changed();
  }

  ended(): void {
    this.#note("ended");
  }

  drained(): void {
    this.#note("drained");
  }

  lost(): void {
    this.#note("lost");
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  untilEvent(event: string): Promise<void> {
    return this.until(() => this.events.includes(event));
  }

  #note(event: string): void {
    this.events.push(event);
    this.#changed();
  }
}

function portOf(server: Server | ReturnType<typeof createSocket>): number {
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return address.port;
}

async function joined(t: TestContext): Promise<{ listener: Listener; socket: HostTcpSocket; peer: Socket }> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const listener = new Listener();
  const accepted = once(server, "connection");
  const socket = nodeSockets.connectTcp({ address: LOOPBACK, port: portOf(server) }, listener);
  await listener.untilEvent("connected");
  const [peer] = (await accepted) as [Socket];
  t.after(() => {
    socket.close();
    peer.destroy();
    server.close();
  });
  return { listener, socket, peer };
}

test("bytes go both ways, and each side ends by itself", async (t) => {
  const { listener, socket, peer } = await joined(t);
  assert.equal(socket.write(bytesOf("to the peer")), true);
  const [heard] = (await once(peer.resume(), "data")) as [Uint8Array];
  assert.deepEqual(Uint8Array.from(heard), bytesOf("to the peer"));
  peer.end("from the peer");
  socket.resumeReading();
  await listener.untilEvent("ended");
  assert.equal(listener.text, "from the peer");
  socket.write(bytesOf("still open"));
  socket.end();
  const [more] = (await once(peer, "data")) as [Uint8Array];
  assert.deepEqual(Uint8Array.from(more), bytesOf("still open"));
  await once(peer, "end");
  socket.close();
  assert.deepEqual(listener.events, ["connected", "ended"]);
});

test("nothing is read until it is asked for, and reading can pause", async (t) => {
  const { listener, socket, peer } = await joined(t);
  peer.write(new Uint8Array(4 * 1024 * 1024));
  await sleep(50);
  assert.equal(listener.receivedBytes, 0);
  socket.resumeReading();
  await listener.until(() => listener.receivedBytes > 0);
  socket.pauseReading();
  const { receivedBytes } = listener;
  await sleep(50);
  assert.ok(listener.receivedBytes <= receivedBytes + 64 * 1024, "a chunk may be on its way");
  socket.resumeReading();
  await listener.until(() => listener.receivedBytes === 4 * 1024 * 1024);
});

test("a peer that does not read leaves a write to be drained", async (t) => {
  const { listener, socket, peer } = await joined(t);
  const chunk = new Uint8Array(1024 * 1024);
  let chunks = 1;
  while (socket.write(chunk)) chunks++;
  assert.ok(!listener.events.includes("drained"));
  let heardBytes = 0;
  peer.on("data", (bytes: Uint8Array) => (heardBytes += bytes.length));
  peer.resume();
  await listener.untilEvent("drained");
  socket.end();
  await once(peer, "end");
  assert.equal(heardBytes, chunks * chunk.length);
});

test("a peer that resets is a connection lost", async (t) => {
  const { listener, socket, peer } = await joined(t);
  socket.resumeReading();
  peer.resetAndDestroy();
  await listener.untilEvent("lost");
});

test("closing before both sides have ended resets the peer, and tells nobody else", async (t) => {
  const { listener, socket, peer } = await joined(t);
  peer.resume();
  socket.close();
  const [error] = (await once(peer, "error")) as [NodeJS.ErrnoException];
  assert.equal(error.code, "ECONNRESET");
  assert.deepEqual(listener.events, ["connected"]);
});

test("a port where nobody listens refuses", async () => {
  const listener = new Listener();
  nodeSockets.connectTcp({ address: LOOPBACK, port: 1 }, listener);
  await listener.untilEvent("refused");
});

test("a place is listened at, and whoever connects there is joined or reset", async () => {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const port = portOf(probe);
  const taken = await nodeSockets.listenTcp({ address: LOOPBACK, port }, () => undefined);
  assert.equal(taken.ok ? "" : taken.error.code, "port-in-use");
  probe.close();
  await once(probe, "close");

  const listener = new Listener();
  const sockets: HostTcpSocket[] = [];
  const listening = await nodeSockets.listenTcp({ address: LOOPBACK, port }, (socket, from) => {
    assert.equal(from.address, LOOPBACK);
    sockets.push(socket);
    return sockets.length === 1 ? listener : undefined;
  });
  assert.ok(listening.ok);
  const first = connect(port, "127.0.0.1");
  first.write("hello");
  await once(first, "connect");
  const second = connect(port, "127.0.0.1");
  await once(second, "error");
  sockets[0]?.resumeReading();
  await listener.until(() => listener.text === "hello");
  sockets[0]?.close();
  first.on("error", nothing);
  listening.value.close();
});

test("datagrams go both ways, and a port that is taken is told", async (t) => {
  const peer = createSocket("udp4");
  peer.bind(0, "127.0.0.1");
  await once(peer, "listening");
  t.after(() => peer.close());
  peer.on("message", (bytes, from) => peer.send(`got ${String(bytes)}`, from.port, from.address));
  const answer = new Promise<string>((resolve) => {
    const socket = nodeSockets.openUdp({
      received: (from, bytes) => {
        socket.close();
        resolve(`${String(from.address === LOOPBACK)} ${new TextDecoder().decode(bytes)}`);
      },
      failed: nothing,
    });
    assert.equal(socket.send({ address: LOOPBACK, port: portOf(peer) }, bytesOf("question")), true);
  });
  assert.equal(await answer, "true got question");
  const taken = await nodeSockets.bindUdp(
    { address: LOOPBACK, port: portOf(peer) },
    { received: nothing, failed: nothing },
  );
  assert.equal(taken.ok ? "" : taken.error.code, "port-in-use");
});

test("as many bytes of datagrams may wait as there may be", (t) => {
  const socket = nodeSockets.openUdp({ received: nothing, failed: nothing });
  t.after(() => socket.close());
  const to = { address: LOOPBACK, port: 9 };
  const sent = Array.from({ length: 10 }, () => socket.send(to, new Uint8Array(60_000)));
  assert.deepEqual(sent, [true, true, true, true, ...Array.from({ length: 6 }, () => false)]);
});

test("the loopback is the host's own, and name servers have addresses and ports", () => {
  assert.equal(nodeSockets.isOwnAddress(LOOPBACK), true);
  assert.equal(nodeSockets.isOwnAddress(0xc0000201), false);
  assert.ok(nodeSockets.nameServers().every(({ address, port }) => address > 0 && port > 0));
});
