import assert from "node:assert/strict";
import { test } from "node:test";

import { NS_PER_S } from "../../base/index.ts";
import type { InputEvent } from "../../vmm/index.ts";
import { SimulatedScheduling } from "../../vmm/testing.ts";
import { ScreenFeed } from "../screen-feed.ts";
import {
  RFB_CLIENTS_MAX,
  RFB_HANDSHAKE_NS,
  RFB_LOCKED_NS,
  RFB_PASSWORD_TRIES,
  RfbServer,
} from "./rfb-server.ts";
import type { RfbSecurity } from "./rfb-handshake.ts";
import { TestZlib } from "./testing.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const PIXEL = { width: 1, height: 1, places: Uint16Array.of(0, 0, 1, 1), pixels: new Uint8Array(4) };

async function serverWith(security: RfbSecurity) {
  const scheduling = new SimulatedScheduling();
  const feed = new ScreenFeed({ look: () => Promise.resolve(PIXEL), scheduling });
  await feed.open();
  const reasons: string[] = [];
  const inputs: (readonly InputEvent[])[] = [];
  const server = new RfbServer({
    name: "a VM",
    security,
    feed,
    scheduling,
    input: (events) => void inputs.push(events),
    entropy: (byteCount) => new Uint8Array(byteCount),
    createZlib: () => new TestZlib(),
    closed: (reason) => void reasons.push(reason),
  });
  const connect = () => {
    const connection = {
      isClosed: false,
      bytes: 0,
      send: (bytes: Uint8Array) => void (connection.bytes += bytes.length),
      backlogBytes: () => 0,
      close: () => void (connection.isClosed = true),
    };
    const client = server.connect(connection);
    return { connection, client };
  };
  const join = async (isShared = true) => {
    const joined = connect();
    joined.client?.receive(ascii("RFB 003.008\n"));
    joined.client?.receive(Uint8Array.of(1));
    joined.client?.receive(Uint8Array.of(Number(isShared)));
    await scheduling.run(NS_PER_S / 10);
    return joined;
  };
  return { server, scheduling, reasons, inputs, connect, join };
}

const PASSWORD: RfbSecurity = { kind: "password", encrypt: (challenge) => challenge.map(() => 7) };
const NONE: RfbSecurity = { kind: "none" };

test("so many clients at a time, and a place is free again when one has gone", async () => {
  const { join, connect } = await serverWith(NONE);
  const clients = [];
  for (let index = 0; index < RFB_CLIENTS_MAX; index++) clients.push(await join());
  const late = connect();
  assert.deepEqual([late.client, late.connection.isClosed, late.connection.bytes], [undefined, true, 0]);
  clients[0]?.client?.disconnected();
  assert.ok((await join()).client);
});

test("who wants to be alone sends the others away, and stays", async () => {
  const { join, reasons } = await serverWith(NONE);
  const others = [await join(), await join()];
  const alone = await join(false);
  assert.deepEqual(
    others.map(({ connection }) => connection.isClosed),
    [true, true],
  );
  assert.deepEqual(reasons, ["another client wants to be alone", "another client wants to be alone"]);
  assert.equal(alone.connection.isClosed, false);
});

test("a handshake that does not end is ended; one that did goes on", async () => {
  const { connect, join, scheduling, reasons } = await serverWith(NONE);
  const slow = connect();
  const quick = await join();
  await scheduling.run(RFB_HANDSHAKE_NS);
  assert.deepEqual([slow.connection.isClosed, quick.connection.isClosed], [true, false]);
  assert.deepEqual(reasons, ["its handshake took too long"]);
});

test("after some wrong passwords nobody is let in for a while, and a right one starts the count anew", async () => {
  const { connect, scheduling } = await serverWith(PASSWORD);
  const tryOnce = (response: number): boolean => {
    const { client, connection } = connect();
    client?.receive(ascii("RFB 003.008\n"));
    client?.receive(Uint8Array.of(2));
    client?.receive(new Uint8Array(16).fill(response));
    client?.receive(Uint8Array.of(1));
    const isLetIn = !connection.isClosed;
    client?.disconnected();
    return isLetIn;
  };
  for (let round = 0; round < 3; round++) {
    for (let wrong = 1; wrong < RFB_PASSWORD_TRIES; wrong++) assert.equal(tryOnce(1), false);
    assert.equal(tryOnce(7), true);
  }
  for (let wrong = 0; wrong < RFB_PASSWORD_TRIES; wrong++) assert.equal(tryOnce(1), false);
  assert.equal(tryOnce(7), false, "the right one comes too late");
  await scheduling.run(RFB_LOCKED_NS);
  assert.equal(tryOnce(7), true);
});

test("the inputs of one chunk travel together, and its sender is told how many they were", async () => {
  const { join, inputs } = await serverWith(NONE);
  const { client } = await join();
  const key = [4, 1, 0, 0, 0, 0, 0, 0x61];
  assert.equal(client?.receive(Uint8Array.from([...key, ...key, ...key])), 3);
  assert.equal(client?.receive(Uint8Array.of(4)), 0);
  assert.deepEqual(
    inputs.map(({ length }) => length),
    [3],
  );
  client?.disconnected();
  assert.deepEqual(inputs.at(-1), [{ kind: "release", key: "KeyA" }]);
});

test("the VM's end is everybody's", async () => {
  const { server, join, reasons } = await serverWith(NONE);
  const clients = [await join(), await join()];
  server.close();
  assert.ok(clients.every(({ connection }) => connection.isClosed));
  assert.deepEqual(reasons, ["the VM has ended", "the VM has ended"]);
});
