import assert from "node:assert/strict";
import { test } from "node:test";
import { checksumAdd, folded, FRAME_BYTES_MAX } from "../../net/index.ts";
import { BROADCAST, frameOf } from "../../net/testing.ts";
import { frameCheckSequence } from "../ethernet/frame-check-sequence.ts";
import { TcpSegmenter } from "../ethernet/tcp-segmentation.ts";
import { tcpFrame } from "../ethernet/testing.ts";
import { E1000Driver, MAC, machine, RCTL, RX_RING_GPA } from "./testing.ts";

const STATUS = { done: 1, end: 2, ignoreSums: 4, vlan: 8, tcp: 0x20, ip: 0x40, inexact: 0x80 } as const;
const ICR = { lowBuffers: 0x10, overrun: 0x40, timer: 0x80 } as const;
const OTHER = [0x52, 0x54, 0, 0x12, 0x34, 0x57];
const GROUP = [0x01, 0x00, 0x5e, 0x00, 0x12, 0x34];

function connect({ rctl = RCTL.broadcast | RCTL.stripCrc, rxCount = 8 } = {}) {
  const on = machine();
  const driver = new E1000Driver(on, rxCount);
  driver.start(rctl);
  driver.read("icr");
  const receives = (to: readonly number[], vlan?: number): boolean => {
    on.link.deliver(frameOf(vlan === undefined ? { to } : { to, vlan }));
    const { length } = driver.received();
    driver.offer(length);
    return length > 0;
  };
  return { on, driver, link: on.link, pin: on.pin, receives };
}

test("a frame goes into the next buffer, with an interrupt", () => {
  const { driver, link, pin } = connect();
  driver.write("ims", ICR.timer);
  const frame = frameOf({ data: new Uint8Array(100).fill(3) });
  assert.equal(link.deliver(frame), true);
  assert.equal(pin.level, true);
  const [part, ...others] = driver.received();
  assert.deepEqual(part?.bytes, [...frame]);
  assert.deepEqual([part?.status, part?.errors], [STATUS.done | STATUS.end | STATUS.ignoreSums, 0]);
  assert.deepEqual([others.length, driver.read("rdh")], [0, 1]);
});

test("short frames are padded, and the check sequence is there unless it is stripped", () => {
  const { driver, link } = connect({ rctl: RCTL.broadcast });
  link.deliver(frameOf({ data: [1, 2, 3] }));
  const [part] = driver.received();
  const bytes = Uint8Array.from(part?.bytes ?? []);
  assert.equal(bytes.length, 64);
  assert.deepEqual([...bytes.subarray(14, 20)], [1, 2, 3, 0, 0, 0]);
  assert.equal(new DataView(bytes.buffer).getUint32(60, true), frameCheckSequence(bytes, 60));
});

test("a switched-off receiver, and one that is no bus master, lose frames", () => {
  const { driver, link, on } = connect();
  driver.write("rctl", RCTL.broadcast);
  assert.equal(link.deliver(frameOf()), true);
  driver.write("rctl", RCTL.broadcast | RCTL.enable);
  on.card.writeConfig(4, 2, 2);
  assert.equal(link.deliver(frameOf()), true);
  assert.equal(driver.received().length, 0);
});

test("without a buffer a frame waits until the tail moves on", () => {
  const { driver, link } = connect();
  for (let count = 0; count < 7; count++) assert.equal(link.deliver(frameOf()), true);
  assert.equal(link.deliver(frameOf()), false);
  link.onReady = () => assert.equal(link.deliver(frameOf()), true);
  driver.received();
  driver.offer(1);
  assert.deepEqual([link.timesReady, driver.received().length], [1, 1]);
  assert.equal(driver.read("rdh"), 0);
});

for (const [what, rctl, sizes] of [
  ["256 bytes", 0x3_0000, [256, 256, 256, 256, 256, 234]],
  ["512 bytes", 0x2_0000, [512, 512, 490]],
  ["1024 bytes", 0x1_0000, [1024, 490]],
  ["2048 bytes", 0, [1514]],
  ["4096 bytes", 0x203_0000, [1514]],
  ["8192 bytes", 0x202_0000, [1514]],
  ["16384 bytes", 0x201_0000, [1514]],
] as const) {
  test(`buffers of ${what}`, () => {
    const { driver, link } = connect({ rctl: RCTL.broadcast | RCTL.stripCrc | rctl });
    const frame = frameOf({ data: Uint8Array.from({ length: 1500 }, (_, index) => index) });
    assert.equal(link.deliver(frame), true);
    const parts = driver.received();
    assert.deepEqual(
      parts.map(({ bytes }) => bytes.length),
      sizes,
    );
    assert.deepEqual(
      parts.flatMap(({ bytes }) => bytes),
      [...frame],
    );
    assert.deepEqual(
      parts.map(({ status }) => status & STATUS.end),
      sizes.map((_, index) => (index === sizes.length - 1 ? STATUS.end : 0)),
    );
  });
}

test("a frame that the ring can never hold is lost with an overrun; one that it can, waits", () => {
  const { driver, link } = connect({ rctl: RCTL.broadcast | 0x3_0000 });
  driver.write("rdlen", 128);
  assert.equal(link.deliver(new Uint8Array(FRAME_BYTES_MAX).fill(0xff)), true);
  assert.equal(driver.received().length, 6);
  assert.equal(link.deliver(new Uint8Array(FRAME_BYTES_MAX).fill(0xff)), false);
  const tiny = connect();
  tiny.driver.write("rdlen", 0);
  assert.equal(tiny.link.deliver(frameOf()), true);
  assert.equal(tiny.driver.read("icr") & ICR.overrun, ICR.overrun);
});

test("the driver hears that buffers run low when they become as few as it says", () => {
  for (const [threshold, remaining] of [
    [0, 4],
    [1, 2],
    [2, 1],
  ] as const) {
    const { driver, link } = connect({ rctl: RCTL.broadcast | (threshold << 8) });
    for (let left = 6; left > remaining; left--) {
      link.deliver(frameOf());
      assert.equal(driver.read("icr") & ICR.lowBuffers, 0, String(left));
    }
    link.deliver(frameOf());
    assert.equal(driver.read("icr") & ICR.lowBuffers, ICR.lowBuffers);
    link.deliver(frameOf());
    assert.equal(driver.read("icr") & ICR.lowBuffers, 0);
  }
});

test("the receive interrupt waits for more frames, but not for ever", () => {
  const { driver, link } = connect();
  driver.write("rdtr", 100);
  driver.write("radv", 150);
  const isRaised = (): boolean => (driver.read("icr") & ICR.timer) !== 0;
  link.deliver(frameOf());
  driver.pass(102_399);
  assert.equal(isRaised(), false);
  driver.pass(1);
  assert.equal(isRaised(), true);
  link.deliver(frameOf());
  driver.pass(60_000);
  link.deliver(frameOf());
  driver.pass(60_000);
  assert.equal(isRaised(), false);
  driver.pass(33_600);
  assert.equal(isRaised(), true);
  link.deliver(frameOf());
  driver.write("rdtr", 0x8000_0064);
  assert.equal(isRaised(), true);
  assert.equal(driver.on.timers.size, 0);
});

test("addresses: its own, others of the table, broadcast, and everything", () => {
  const { driver, receives } = connect();
  assert.deepEqual([receives(MAC), receives(OTHER), receives(GROUP), receives(BROADCAST)], [true, false, false, true]); // prettier-ignore
  driver.write("ral", 0x1200_5452, 30);
  driver.write("rah", 0x5734, 30);
  assert.equal(receives(OTHER), false);
  driver.write("rah", 0x8000_5734, 30);
  assert.equal(receives(OTHER), true);
  driver.write("rctl", RCTL.enable | RCTL.unicast);
  assert.deepEqual([receives([2, 9, 9, 9, 9, 9]), receives(GROUP), receives(BROADCAST)], [true, false, false]); // prettier-ignore
  driver.write("rctl", RCTL.enable | RCTL.multicast);
  assert.deepEqual([receives([2, 9, 9, 9, 9, 9]), receives(GROUP), receives(BROADCAST)], [false, true, true]); // prettier-ignore
});

test("the multicast table, at each of its offsets, is an inexact filter", () => {
  for (const [offset, hash] of [
    [0, 0x341],
    [1, 0x682],
    [2, 0xd04],
    [3, 0x412],
  ] as const) {
    const { driver, link } = connect();
    driver.write("rctl", RCTL.enable | (offset << 12));
    link.deliver(frameOf({ to: GROUP }));
    assert.equal(driver.received().length, 0);
    driver.write("mta", 1 << (hash & 31), hash >>> 5);
    link.deliver(frameOf({ to: GROUP }));
    assert.deepEqual(
      driver.received().map(({ status }) => status & STATUS.inexact),
      [STATUS.inexact],
      String(offset),
    );
  }
});

test("VLANs are filtered, by the canonical format indicator too", () => {
  const { driver, receives } = connect();
  assert.equal(receives(MAC, 0x123), true);
  driver.write("rctl", RCTL.enable | 0x4_0000);
  assert.deepEqual([receives(MAC), receives(MAC, 0x123)], [true, false]);
  driver.write("vfta", 1 << 3, 0x123 >>> 5);
  assert.deepEqual([receives(MAC, 0x123), receives(MAC, 0x6123), receives(MAC, 0x124)], [true, true, false]);
  driver.write("rctl", RCTL.enable | 0xc_0000);
  assert.deepEqual([receives(MAC, 0x123), receives(MAC, 0x1123)], [true, false]);
  driver.write("rctl", RCTL.enable | 0x1c_0000);
  assert.deepEqual([receives(MAC, 0x123), receives(MAC, 0x1123)], [false, true]);
});

test("in VLAN mode the tag is in the descriptor and not in the frame", () => {
  const { driver, link } = connect();
  driver.write("ctrl", 0x4000_0000);
  const data = new Uint8Array(60).fill(7);
  link.deliver(frameOf({ vlan: 0x2005, data }));
  link.deliver(frameOf({ data }));
  const [tagged, plain] = driver.received();
  assert.deepEqual(tagged?.bytes, plain?.bytes);
  assert.deepEqual([tagged?.special, plain?.special], [0x2005, 0]);
  assert.deepEqual(
    [(tagged?.status ?? 0) & STATUS.vlan, (plain?.status ?? 0) & STATUS.vlan],
    [STATUS.vlan, 0],
  );
});

test("checksums are checked if the driver wants that", () => {
  const { driver, link } = connect();
  const sent: Uint8Array[] = [];
  const { frame, layout } = tcpFrame({ to: MAC, data: new Uint8Array(100) });
  new TcpSegmenter((one) => sent.push(one.slice())).send(frame, { ...layout, segmentBytes: 1000 });
  const [right = frame] = sent;
  const wrongTcp = Uint8Array.from(right);
  wrongTcp[60] = 1;
  const wrongIp = Uint8Array.from(right);
  wrongIp[22] = 1;
  const seen = (rxcsum: number, bytes: Uint8Array): number[] => {
    driver.write("rxcsum", rxcsum);
    link.deliver(bytes);
    const [part] = driver.received();
    driver.offer(1);
    return [(part?.status ?? 0) & ~(STATUS.done | STATUS.end), part?.errors ?? -1];
  };
  const both = STATUS.ip | STATUS.tcp;
  assert.deepEqual(seen(0x300, right), [both, 0]);
  assert.deepEqual(seen(0x300, wrongTcp), [both, 0x20]);
  assert.deepEqual(seen(0x300, wrongIp), [STATUS.ip, 0x40]);
  assert.deepEqual(seen(0x100, wrongTcp), [STATUS.ip, 0]);
  assert.deepEqual(seen(0x200, right), [STATUS.tcp, 0]);
  assert.deepEqual(seen(0, right), [STATUS.ignoreSums, 0]);
  assert.deepEqual(seen(0x300, frameOf({ to: MAC })), [STATUS.ignoreSums, 0]);
});

test("the packet checksum begins where the driver says", () => {
  const { driver, link } = connect();
  driver.write("rxcsum", 14);
  const frame = frameOf({ data: [1, 2, 3, 4, ...new Uint8Array(42)] });
  link.deliver(frame);
  const [part] = driver.received();
  assert.equal(folded((part?.checksum ?? 0) + checksumAdd(0, frame, 14, frame.length)), 0xffff);
});

test("statistics count what arrived, and reading clears them", () => {
  const { driver, link, on } = connect();
  const counter = (at: number): number => on.mmio.readMmio(0xe000_4000 + at, 4);
  link.deliver(frameOf({ to: MAC, data: new Uint8Array(100) }));
  link.deliver(frameOf({ data: [1] }));
  driver.received();
  assert.deepEqual([counter(0x74), counter(0x78), counter(0xd0), counter(0x5c), counter(0x60)], [2, 1, 2, 1, 1]); // prettier-ignore
  assert.equal(counter(0x74), 0);
  assert.deepEqual([counter(0x88), counter(0x88), counter(0x8c), counter(0x88)], [182, 182, 0, 0]);
});

test("rings and buffers that are not in RAM, and heads and tails outside the ring, harm nobody", () => {
  const { driver, link, on } = connect();
  on.ram.writeU64(RX_RING_GPA, 0xffff_ffff_ffff_fff0n);
  on.ram.writeU64(RX_RING_GPA + 16, 0n);
  for (let count = 0; count < 2; count++) assert.equal(link.deliver(frameOf()), true);
  assert.equal(driver.received().length, 2);
  driver.write("rdbah", 0xffff_ffff);
  assert.equal(link.deliver(frameOf()), true);
  driver.write("rdh", 0xffff);
  assert.equal(link.deliver(frameOf()), false);
  driver.write("rdh", 0);
  driver.write("rdt", 8);
  assert.equal(link.deliver(frameOf()), false);
});
