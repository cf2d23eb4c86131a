/**
 * Two connections of ours with each other, over a path that loses, repeats and reorders segments, between hosts that stall: all
 * bytes arrive as they were sent, in both directions, and both ends close.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { defined, ManualClock, NS_PER_MS, NS_PER_S, TimerQueue } from "../../base/index.ts";
import { NetworkTimers } from "../nat/network-timers.ts";
import { FakeTcpSocket } from "../nat/testing.ts";
import { TCP_FLAG } from "../wire/tcp.ts";
import type { TcpSegment } from "../wire/tcp.ts";
import { TcpConnection } from "./tcp-connection.ts";
import type { OutgoingSegment } from "./tcp-connection.ts";

const BUFFER_BYTES = 128 * 1024;
const CONTENT_BYTES = 600_000;
const TIME_LIMIT_NS = 3600 * NS_PER_S;

/** Numerical Recipes' generator: the same faults in each run. */
class Faults {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * limit);
  }

  isOne(of: number): boolean {
    return of > 0 && this.below(of) === 0;
  }
}

interface Path {
  /** One of so many segments is lost, and comes twice; 0 for none. */
  readonly lossOf: number;
  readonly repeatOf: number;
  /** Different for each segment, so that they overtake each other. */
  readonly delayMs: number;
  readonly segmentBytes: number;
}

const flow = { guestAddress: 1, guestPort: 2, remoteAddress: 3, remotePort: 4 };

class Ends {
  readonly clock = new ManualClock();
  readonly #queue = new TimerQueue();
  readonly #timers = new NetworkTimers(this.clock, this.#queue);
  readonly #path: Path;
  readonly #faults: Faults;
  readonly active: TcpConnection;
  readonly passive: TcpConnection;
  readonly activeSocket: FakeTcpSocket;
  passiveSocket: FakeTcpSocket | undefined;
  readonly closed = new Set<TcpConnection>();
  readonly counters = { tcpRetransmissions: 0 };

  constructor(path: Path, seed: number) {
    this.#path = path;
    this.#faults = new Faults(seed);
    this.active = this.#connection("syn-sent", () => this.passive);
    this.passive = this.#connection("connecting", () => this.active);
    this.activeSocket = new FakeTcpSocket({ address: 3, port: 4 }, this.active);
    this.active.openToGuest(this.activeSocket);
  }

  runUntil(isDone: () => boolean, between: () => void): void {
    while (!isDone()) {
      between();
      const nextNs = defined(this.#queue.nextDeadlineNs(), "something is still to happen");
      assert.ok(nextNs < TIME_LIMIT_NS, "it ends in time");
      this.clock.advanceTo(Math.max(nextNs, this.clock.nowNs()));
      this.#queue.runDue(this.clock.nowNs());
    }
  }

  #connection(state: "connecting" | "syn-sent", peer: () => TcpConnection): TcpConnection {
    return new TcpConnection(
      {
        flow,
        timers: this.#timers,
        initialSequence: 0xffff_0000,
        bufferBytes: BUFFER_BYTES,
        counters: this.counters,
        transmit: (segment) => this.#transmit(segment, peer),
        segmentBytesMax: () => this.#path.segmentBytes,
        wantTurn: (connection) => void this.#queue.schedule(this.clock.nowNs(), () => connection.turn()),
        closed: (connection) => void this.closed.add(connection),
        unreachable: () => assert.fail("the host has its connection"),
      },
      state,
    );
  }

  #transmit({ data, ...header }: OutgoingSegment, peer: () => TcpConnection): boolean {
    const bytes = new Uint8Array(data?.byteCount ?? 0);
    data?.ring.copy(data.offset, bytes.length, bytes, 0);
    const segment: TcpSegment = {
      sourcePort: 0,
      destinationPort: 0,
      mss: undefined,
      windowShift: undefined,
      ...header,
      dataAt: 0,
      dataBytes: bytes.length,
    };
    const { lossOf, repeatOf, delayMs } = this.#path;
    const copies = (this.#faults.isOne(lossOf) ? 0 : 1) + (this.#faults.isOne(repeatOf) ? 1 : 0);
    for (let copy = 0; copy < copies; copy++) {
      const atNs = this.clock.nowNs() + (1 + this.#faults.below(delayMs)) * NS_PER_MS;
      this.#queue.schedule(atNs, () => this.#arrive(segment, bytes, peer()));
    }
    return true;
  }

  #arrive(segment: TcpSegment, bytes: Uint8Array, to: TcpConnection): void {
    if (this.closed.has(to)) return;
    const isFirst = to === this.passive && this.passiveSocket === undefined;
    if (!isFirst) {
      to.segment(segment, bytes);
      return;
    }
    assert.equal(segment.flags, TCP_FLAG.syn);
    to.acceptGuest(segment, (listener) => {
      const socket = new FakeTcpSocket({ address: 3, port: 4 }, listener);
      this.passiveSocket = socket;
      this.#queue.schedule(this.clock.nowNs() + NS_PER_MS, () => listener.connected());
      return socket;
    });
  }
}

const content = (seed: number): Uint8Array =>
  Uint8Array.from({ length: CONTENT_BYTES }, (_, index) => (index * seed + (index >> 9)) & 0xff);

/** A host that delivers its content in pieces, as it is read, and takes what is written, now and then late. */
class Host {
  readonly socket: FakeTcpSocket;
  readonly #content: Uint8Array;
  readonly #faults: Faults;
  #sentBytes = 0;
  #isEnded = false;

  constructor(socket: FakeTcpSocket, bytes: Uint8Array, faults: Faults) {
    this.socket = socket;
    this.#content = bytes;
    this.#faults = faults;
  }

  act(): void {
    const { socket } = this;
    if (socket.isClosed) return;
    if (socket.keptBytes > 0) {
      if (this.#faults.isOne(3)) socket.drain(this.#faults.below(60_000));
    } else if (this.#faults.isOne(20)) {
      socket.roomBytes = this.#faults.below(3000);
    } else {
      socket.roomBytes = Infinity;
    }
    if (!socket.isReading || this.#isEnded) return;
    const piece = this.#content.subarray(this.#sentBytes, this.#sentBytes + 1 + this.#faults.below(20_000));
    this.#sentBytes += piece.length;
    if (piece.length > 0) socket.listener.received(piece);
    if (this.#sentBytes < this.#content.length || socket.isClosed) return;
    this.#isEnded = true;
    socket.listener.ended();
  }
}

/** Where they differ, -1 for nowhere: half a million bytes are no message. */
function firstDifference(written: readonly number[], sent: Uint8Array): number {
  if (written.length !== sent.length) return Math.min(written.length, sent.length);
  return written.findIndex((byte, at) => byte !== sent[at]);
}

const PATHS: readonly (readonly [name: string, path: Path])[] = [
  ["a perfect path", { lossOf: 0, repeatOf: 0, delayMs: 1, segmentBytes: 0 }],
  ["one that loses one of 20", { lossOf: 20, repeatOf: 0, delayMs: 1, segmentBytes: 0 }],
  ["one that loses one of 4", { lossOf: 4, repeatOf: 0, delayMs: 1, segmentBytes: 0 }],
  ["one that reorders", { lossOf: 0, repeatOf: 0, delayMs: 8, segmentBytes: 0 }],
  ["one that repeats", { lossOf: 0, repeatOf: 3, delayMs: 3, segmentBytes: 0 }],
  ["one with all of that", { lossOf: 15, repeatOf: 15, delayMs: 8, segmentBytes: 0 }],
  ["large segments, some lost", { lossOf: 10, repeatOf: 10, delayMs: 3, segmentBytes: 60_000 }],
];

for (const [name, path] of PATHS) {
  for (const seed of [1, 2, 3]) {
    test(`everything arrives over ${name} (${seed})`, () => {
      const ends = new Ends(path, seed);
      ends.runUntil(
        () => ends.passiveSocket !== undefined,
        () => undefined,
      );
      const passiveSocket = defined(ends.passiveSocket, "the passive end has its socket");
      const faults = new Faults(seed + 100);
      const hosts = [
        new Host(ends.activeSocket, content(7), faults),
        new Host(passiveSocket, content(11), faults),
      ];
      ends.runUntil(
        () => ends.closed.size === 2,
        () => hosts.forEach((host) => host.act()),
      );
      assert.equal(firstDifference(passiveSocket.written, content(7)), -1);
      assert.equal(firstDifference(ends.activeSocket.written, content(11)), -1);
      assert.deepEqual([passiveSocket.isEnded, ends.activeSocket.isEnded], [true, true]);
      const { tcpRetransmissions } = ends.counters;
      assert.ok(
        path.lossOf > 0
          ? tcpRetransmissions > 0
          : path.repeatOf + path.delayMs > 1 || tcpRetransmissions === 0,
      );
    });
  }
}
