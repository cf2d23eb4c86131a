import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempDisposableSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { CAPTURE_HEADER_BYTES, CAPTURE_RECORD_BYTES, CapturedLink } from "./frame-capture.ts";
import type { CaptureSink } from "./frame-capture.ts";
import { bytesOf, GuestStation, GuestTcp, ip, NetworkFixture } from "./nat/testing.ts";
import { GATEWAY_ADDRESS } from "./nat/addresses.ts";
import { TCP_FLAG } from "./wire/tcp.ts";

class MemorySink implements CaptureSink {
  readonly bytes: number[] = [];
  isBroken = false;
  isClosed = false;

  write(bytes: Uint8Array): boolean {
    if (!this.isBroken) this.bytes.push(...bytes);
    return !this.isBroken;
  }

  close(): void {
    this.isClosed = true;
  }
}

/** 14 November 2023, 22:13:20.123456 UTC. */
const WALL_CLOCK_NS = 1_700_000_000_123_456_789n;

function captured(bytesMax?: number) {
  const fixture = new NetworkFixture();
  const sink = new MemorySink();
  const link = new CapturedLink(fixture.network, sink, () => WALL_CLOCK_NS, bytesMax);
  return { fixture, sink, link, guest: new GuestStation(link) };
}

/** Frames of a capture, each with its time. */
function framesOf({ bytes }: MemorySink) {
  const file = Uint8Array.from(bytes);
  const view = new DataView(file.buffer);
  const frames = [];
  for (let at = CAPTURE_HEADER_BYTES; at < file.length;) {
    const lengthBytes = view.getUint32(at + 8, true);
    const from = at + CAPTURE_RECORD_BYTES;
    frames.push({
      seconds: view.getUint32(at, true),
      microseconds: view.getUint32(at + 4, true),
      originalBytes: view.getUint32(at + 12, true),
      data: file.subarray(from, from + lengthBytes),
    });
    at = from + lengthBytes;
  }
  return frames;
}

function exchange(guest: GuestStation): void {
  guest.sendDatagram(ip("10.0.2.3"), { sourcePort: 5353, destinationPort: 53 }, OWN_NAME_QUERY);
}

/** host.typevisor, A. */
const OWN_NAME_QUERY = Uint8Array.from([
  ...[0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0],
  ...[4, ...bytesOf("host"), 9, ...bytesOf("typevisor"), 0, 0, 1, 0, 1],
]);

test("frames in both directions are written with their time, and passed on", () => {
  const { sink, guest } = captured();
  exchange(guest);
  const [answer] = guest.frames;
  assert.ok(answer !== undefined);
  const frames = framesOf(sink);
  assert.equal(frames.length, 2);
  assert.deepEqual(frames[1]?.data, answer);
  assert.deepEqual([frames[0]?.seconds, frames[0]?.microseconds], [1_700_000_000, 123_456]);
  assert.deepEqual(sink.bytes.slice(0, 8), [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0]);
  assert.equal(sink.bytes[20], 1);
});

test("large frames are in it, and keep their way around the wire", () => {
  const { sink, fixture, guest } = captured();
  const { segmentBytes } = guest.offerOffload();
  const tcp = new GuestTcp(guest, { address: ip("192.0.2.80"), port: 80 });
  const socket = tcp.open(fixture.sockets);
  tcp.resend(TCP_FLAG.ack, new Uint8Array(40_000), {}, true);
  socket.listener.received(new Uint8Array(10_000));
  assert.ok(segmentBytes.length > 0);
  const lengths = framesOf(sink).map(({ originalBytes }) => originalBytes);
  assert.ok(lengths.includes(40_054) && lengths.includes(10_054), lengths.join(" "));
});

test("a file that is full, or cannot be written, gets no more, and frames go on", () => {
  const oneFrame = CAPTURE_HEADER_BYTES + CAPTURE_RECORD_BYTES + 14 + 20 + 8 + OWN_NAME_QUERY.length;
  const full = captured(oneFrame);
  exchange(full.guest);
  exchange(full.guest);
  assert.equal(framesOf(full.sink).length, 1);
  assert.equal(full.sink.bytes.length, oneFrame);
  const broken = captured();
  broken.sink.isBroken = true;
  exchange(broken.guest);
  broken.sink.isBroken = false;
  exchange(broken.guest);
  assert.equal(broken.sink.bytes.length, CAPTURE_HEADER_BYTES);
  assert.equal(full.guest.frames.length + broken.guest.frames.length, 4);
});

test("closing closes the file, and nothing is written afterwards", () => {
  const { sink, link, guest } = captured();
  link.close();
  exchange(guest);
  assert.deepEqual([sink.isClosed, sink.bytes.length], [true, CAPTURE_HEADER_BYTES]);
});

const hasTshark = spawnSync("tshark", ["--version"]).error === undefined;
const skip = hasTshark ? false : "tshark (Debian package tshark) is not installed";

test("Wireshark reads it, and finds nothing wrong", { skip }, () => {
  const { sink, guest, fixture } = captured();
  exchange(guest);
  guest.sendDatagram(GATEWAY_ADDRESS, { sourcePort: 1, destinationPort: 7 }, bytesOf("refused"));
  const tcp = new GuestTcp(guest, { address: ip("192.0.2.80"), port: 80 });
  tcp.send(TCP_FLAG.syn, undefined, { mss: 1460, windowShift: 7 });
  fixture.sockets.tcp[0]?.listener.connected();
  using folder = mkdtempDisposableSync(join(tmpdir(), "typevisor-capture-"));
  const file = join(folder.path, "net.pcap");
  writeFileSync(file, Uint8Array.from(sink.bytes));
  const fields = ["frame.time_epoch", "_ws.col.Protocol", "_ws.col.Info"].flatMap((name) => ["-e", name]);
  const checks = ["ip", "udp", "tcp"].flatMap((name) => ["-o", `${name}.check_checksum:TRUE`]);
  const read = spawnSync("tshark", ["-r", file, ...checks, "-T", "fields", ...fields], { encoding: "utf8" });
  const lines = read.stdout.trim().split("\n");
  assert.equal(lines.length, framesOf(sink).length);
  assert.ok(lines.every((line) => line.startsWith("1700000000.123456")));
  assert.match(lines[1] ?? "", /Standard query response.* A 10\.0\.2\.2/);
  assert.match(lines[3] ?? "", /Destination unreachable \(Port unreachable\)/);
  assert.match(lines[5] ?? "", /80 .* 40000 \[SYN, ACK\].*MSS=1460.*WS=16/);
  assert.doesNotMatch(read.stdout, /incorrect|malformed|BAD/i);
});
