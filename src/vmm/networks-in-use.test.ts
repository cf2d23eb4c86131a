import assert from "node:assert/strict";
import { test } from "node:test";
import { err, ManualClock, NS_PER_MS, ok, TimerQueue } from "../base/index.ts";
import type { CaptureSink } from "../net/index.ts";
import { FakeHostSockets, GuestStation, GuestTcp, ip } from "../net/testing.ts";
import { networkSetting } from "./network-settings.ts";
import type { NetworkDefinition } from "./network-settings.ts";
import { macAddressOf, NetworksInUse, openCaptures } from "./networks-in-use.ts";

const SYN = 2;
const ACK = 0x10;

function definitionsOf(...given: readonly string[]): readonly NetworkDefinition[] {
  const parsed = networkSetting(["virtio", "e1000"]).parse(given);
  assert.ok(parsed.ok);
  return parsed.value;
}

class Sink implements CaptureSink {
  writtenBytes = 0;
  isClosed = false;

  write(bytes: Uint8Array): boolean {
    this.writtenBytes += bytes.length;
    return true;
  }

  close(): void {
    this.isClosed = true;
  }
}

function inUse(given: readonly string[], captures: readonly (CaptureSink | undefined)[] = []) {
  const clock = new ManualClock();
  const timers = new TimerQueue();
  const sockets = new FakeHostSockets();
  const expected: boolean[] = [];
  const networks = new NetworksInUse(
    {
      vmName: "vm",
      definitions: definitionsOf(...given),
      host: { sockets, openCapture: (path) => err("capture", path) },
      ...{ clock, timers },
      wallClockNs: () => 0n,
      entropy: (byteCount) => new Uint8Array(byteCount),
      expectHost: (isExpected) => void expected.push(isExpected),
    },
    captures,
  );
  const run = (forNs: number): void => {
    clock.advance(forNs);
    timers.runDue(clock.nowNs());
  };
  return { networks, sockets, expected, run, timers };
}

test("each network has its card, with an address that follows from the VM's name or is given", () => {
  const { networks } = inUse(["nat", "nat,card=e1000,mac=52:54:00:01:02:03"]);
  assert.deepEqual(
    networks.cards.map(({ model, macAddress }) => [model, macAddress]),
    [
      ["virtio", macAddressOf("vm", 0)],
      ["e1000", Uint8Array.of(0x52, 0x54, 0, 1, 2, 3)],
    ],
  );
});

test("an answer is expected for a moment after the guest has sent something, and no longer", () => {
  const { networks, expected, run } = inUse(["nat"]);
  const [card] = networks.cards;
  assert.ok(card !== undefined);
  const guest = new GuestStation(card.link);
  const tcp = new GuestTcp(guest, { address: ip("192.0.2.80"), port: 80 });
  tcp.send(SYN);
  run(NS_PER_MS);
  tcp.resend(SYN);
  run(1.5 * NS_PER_MS);
  assert.deepEqual(expected, [true]);
  run(NS_PER_MS);
  assert.deepEqual(expected, [true, false]);
});

test("the first that the guest sends in a slice reaches the host at once, and the rest when the slice is over", async () => {
  const { networks, sockets } = inUse(["nat"]);
  const guest = new GuestStation(networks.cards[0]?.link ?? assert.fail());
  const tcp = new GuestTcp(guest, { address: ip("192.0.2.80"), port: 80 });
  const socket = tcp.open(sockets);
  tcp.send(ACK, Uint8Array.of(1, 2));
  tcp.send(ACK, Uint8Array.of(3));
  const inTheSlice = [...socket.written];
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual(
    [inTheSlice, socket.written],
    [
      [1, 2],
      [1, 2, 3],
    ],
  );
});

test("forwarded ports are opened, and closed with everything else", async () => {
  const sink = new Sink();
  const { networks, sockets, timers } = inUse(["nat,forward=tcp:2222:22,forward=udp:6969:69"], [sink]);
  assert.deepEqual(await networks.open(), ok(undefined));
  assert.deepEqual([sockets.accepting.has(2222), sockets.bound.has(6969)], [true, true]);
  networks.close();
  assert.deepEqual([sockets.accepting.size, sockets.bound.get(6969)?.isClosed], [0, true]);
  assert.deepEqual([sink.isClosed, timers.nextDeadlineNs()], [true, undefined]);
});

test("a port that cannot be had is told with its place", async () => {
  const { networks, sockets } = inUse(["nat,forward=tcp:127.0.0.1:2222:22"]);
  sockets.listenTcp = () => Promise.resolve(err("port-in-use", "it is in use."));
  const opened = await networks.open();
  assert.equal(
    opened.ok ? "" : opened.error.message,
    "The port tcp:127.0.0.1:2222 cannot be forwarded: it is in use.",
  );
});

test("of several captures all are opened or none", () => {
  const sink = new Sink();
  const host = {
    sockets: new FakeHostSockets(),
    openCapture: (path: string) => (path === "good" ? ok(sink) : err("capture", "no room")),
  };
  const opened = openCaptures(definitionsOf("nat,capture=good", "nat,capture=bad"), host);
  assert.deepEqual([opened.ok, sink.isClosed], [false, true]);
  assert.deepEqual(openCaptures(definitionsOf("nat"), host), ok([undefined]));
});
