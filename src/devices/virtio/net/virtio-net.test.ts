import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock, TimerQueue } from "../../../base/index.ts";
import { checksumAdd, folded, FRAME_BYTES_MAX } from "../../../net/index.ts";
import { frameOf, RecordedLink } from "../../../net/testing.ts";
import { tcpFrame } from "../../ethernet/testing.ts";
import { bench, LegacyDriver, ModernDriver, readable, writable } from "../testing.ts";
import type { VirtioDriver } from "../testing.ts";
import { VIRTIO_FEATURE, VIRTIO_STATUS } from "../virtio-device.ts";
import { CONTROL_BYTES_MAX } from "./control-commands.ts";
import { GSO, NET_FEATURE, NET_QUEUE_SIZE } from "./net-config.ts";
import { TABLE_ADDRESSES_MAX } from "./receive-filter.ts";
import {
  TRANSMIT_TOLD_NS,
  TRANSMIT_UNTOLD_BYTES_MAX,
  TRANSMIT_UNTOLD_FRAMES_MAX,
} from "./transmit-interrupts.ts";
import { TRANSMIT_FRAME_BYTES_MAX } from "./transmit-offload.ts";
import { VirtioNet } from "./virtio-net.ts";

const MAC = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const OTHER = [0x52, 0x54, 0, 0x12, 0x34, 0x57];
const GROUP = [0x33, 0x33, 0, 0, 0, 1];
const RECEIVE = 0;
const TRANSMIT = 1;
const CONTROL = 2;
const BUFFERS_GPA = 0x10_0000;
const BUFFER_SPACING = 0x1000;
const FRAME_GPA = 0x20_0000;
const COMMAND_GPA = 0x38_0000;
const NEEDS_RESET = VIRTIO_STATUS.needsReset;
const NOTHING: readonly number[] = [];
const ALL = undefined;

interface Options {
  readonly wanted?: readonly number[] | undefined;
  readonly isLegacy?: boolean;
  readonly offersPacked?: boolean;
  readonly link?: RecordedLink;
}

function deviceOn(link: RecordedLink) {
  const clock = new ManualClock();
  const timers = new TimerQueue();
  const device = new VirtioNet({ macAddress: Uint8Array.from(MAC), link, clock, timers });
  /** Lets guest time pass, and timers run. */
  const pass = (ns: number): void => {
    clock.advance(ns);
    timers.runDue(clock.nowNs());
  };
  return { device, timers, pass };
}

function connect({ wanted = ALL, isLegacy = false, offersPacked = false, link }: Options = {}) {
  const network = link ?? new RecordedLink();
  const { device, timers, pass } = deviceOn(network);
  const on = bench(device, { offersPacked });
  const driver: VirtioDriver = isLegacy ? new LegacyDriver(on) : new ModernDriver(on);
  driver.negotiate(wanted);
  const [receive, transmit, control] = [RECEIVE, TRANSMIT, CONTROL].map((index) =>
    driver.queue(index, { size: 64 }),
  );
  driver.ready();
  assert.ok(receive !== undefined && transmit !== undefined && control !== undefined);
  const headerBytes = isLegacy && wanted?.includes(NET_FEATURE.mergeableBuffers) === false ? 10 : 12;

  /** Offers `count` buffers for frames; each has a page of its own, by the order of offering. */
  let offered = 0;
  const offerBuffers = (count: number, lengthBytes = 2048): void => {
    for (let index = 0; index < count; index++) {
      receive.offer([writable(BUFFERS_GPA + BUFFER_SPACING * offered++, lengthBytes)]);
    }
    driver.notify(RECEIVE);
  };
  const bufferBytes = (index: number, lengthBytes: number): number[] => [
    ...on.ram.slice(BUFFERS_GPA + BUFFER_SPACING * index, lengthBytes),
  ];
  /** Queues a frame behind a header, without notification. */
  const queueFrame = (frame: Uint8Array, header: readonly number[] = []): void => {
    on.ram.fill(FRAME_GPA, headerBytes, 0);
    on.ram.write(FRAME_GPA, Uint8Array.from(header));
    on.ram.write(FRAME_GPA + headerBytes, frame);
    transmit.offer([readable(FRAME_GPA, headerBytes), readable(FRAME_GPA + headerBytes, frame.length)]);
  };
  const send = (frame: Uint8Array, header?: readonly number[]): Uint8Array[] => {
    network.sent.length = 0;
    queueFrame(frame, header);
    driver.notify(TRANSMIT);
    transmit.takeUsed();
    return network.sent;
  };
  const command = (...bytes: readonly number[]): number => {
    on.ram.write(COMMAND_GPA, Uint8Array.from(bytes));
    on.ram.writeU8(COMMAND_GPA - 1, 0xff);
    control.offer([readable(COMMAND_GPA, bytes.length), writable(COMMAND_GPA - 1, 1)]);
    driver.notify(CONTROL);
    control.takeUsed();
    return on.ram.readU8(COMMAND_GPA - 1);
  };
  /** Whether the guest gets a frame to this address. */
  const receives = (to: readonly number[], vlan?: number): boolean => {
    offerBuffers(1);
    const before = receive.takeUsed().length;
    network.deliver(frameOf({ to, ...(vlan === undefined ? {} : { vlan }) }));
    return receive.takeUsed().length > before;
  };
  return { on, device, driver, timers, pass, link: network, receive, transmit, control, headerBytes, offerBuffers, bufferBytes, queueFrame, send, command, receives }; // prettier-ignore
}

const u16 = (value: number): number[] => [value & 0xff, value >>> 8];
const u32 = (value: number): number[] => [...u16(value & 0xffff), ...u16(value >>> 16)];
const status = (driver: VirtioDriver): number => driver.readConfig(6, 2);

const LAYOUTS = [
  ["the legacy interface", { isLegacy: true }],
  ["the legacy interface with short headers", { isLegacy: true, wanted: [NET_FEATURE.mac] }],
  ["split queues", {}],
  ["packed queues", { offersPacked: true }],
  ["split queues without event indices", { wanted: [NET_FEATURE.mac] }],
] as const;

for (const [what, options] of LAYOUTS) {
  test(`${what}: frames go out in order at once, and the driver soon hears of all with one interrupt`, () => {
    const { on, driver, link, transmit, queueFrame, pass } = connect(options);
    const first = frameOf({ data: new Uint8Array(100).fill(1) });
    queueFrame(first);
    driver.notify(TRANSMIT);
    queueFrame(first);
    queueFrame(first);
    driver.notify(TRANSMIT);
    assert.deepEqual(link.sent, [first, first, first]);
    pass(TRANSMIT_TOLD_NS - 1);
    const early = driver.readIsr();
    pass(1);
    assert.deepEqual([early, on.pin.risingEdges, driver.readIsr()], [0, 1, 1]);
    assert.deepEqual(
      transmit.takeUsed().map(({ writtenBytes }) => writtenBytes),
      [0, 0, 0],
    );
    pass(TRANSMIT_TOLD_NS);
    assert.equal(on.pin.risingEdges, 1);
  });

  test(`${what}: the driver hears at once of as many frames as may wait`, () => {
    const { on, driver, queueFrame } = connect(options);
    for (let count = 1; count < TRANSMIT_UNTOLD_FRAMES_MAX; count++) {
      queueFrame(frameOf());
      driver.notify(TRANSMIT);
    }
    const before = on.pin.level;
    queueFrame(frameOf());
    driver.notify(TRANSMIT);
    assert.deepEqual([before, on.pin.level], [false, true]);
  });

  test(`${what}: a frame arrives in a buffer behind its header`, () => {
    const { on, link, receive, headerBytes, offerBuffers, bufferBytes } = connect(options);
    offerBuffers(2);
    const frame = frameOf({ data: new Uint8Array(200).fill(5) });
    assert.equal(link.deliver(frame), true);
    assert.equal(on.pin.level, true);
    assert.deepEqual(
      receive.takeUsed().map(({ writtenBytes }) => writtenBytes),
      [headerBytes + frame.length],
    );
    const header = headerBytes === 12 ? [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0] : [...new Uint8Array(10)];
    assert.deepEqual(bufferBytes(0, headerBytes + frame.length), [...header, ...frame]);
  });

  test(`${what}: a frame that has no room waits until the driver has offered some`, () => {
    const { driver, link, receive, offerBuffers } = connect(options);
    assert.equal(link.deliver(frameOf()), false);
    assert.equal(driver.readStatus() & NEEDS_RESET, 0);
    assert.equal(link.timesReady, 0);
    link.onReady = () => assert.equal(link.deliver(frameOf()), true);
    receive.offer([writable(BUFFERS_GPA, 2048)]);
    assert.equal(receive.mustNotify(), true);
    driver.notify(RECEIVE);
    assert.equal(link.timesReady, 1);
    assert.equal(receive.takeUsed().length, 1);
    offerBuffers(1);
    assert.equal(link.timesReady, 1);
  });
}

test("a driver that has buffers left is not asked to notify", () => {
  for (const options of [{}, { wanted: [NET_FEATURE.mac] }, { offersPacked: true }]) {
    const { link, receive, offerBuffers } = connect(options);
    offerBuffers(2);
    receive.mustNotify();
    link.deliver(frameOf());
    receive.offer([writable(BUFFERS_GPA, 2048)]);
    assert.equal(receive.mustNotify(), false);
  }
});

test("the longest frame arrives in as many merged buffers as it needs, and what is left over waits for the next", () => {
  const { link, receive, offerBuffers, bufferBytes } = connect();
  offerBuffers(4, 512);
  const frame = frameOf({ data: Uint8Array.from({ length: FRAME_BYTES_MAX - 14 }, (_, index) => index) });
  assert.equal(link.deliver(frame), true);
  const used = receive.takeUsed();
  assert.deepEqual(
    used.map(({ writtenBytes }) => writtenBytes),
    [512, 512, 506],
  );
  assert.deepEqual(bufferBytes(0, 12).slice(10), [3, 0]);
  const got = [...bufferBytes(0, 512).slice(12), ...bufferBytes(1, 512), ...bufferBytes(2, 506)];
  assert.deepEqual(got, [...frame]);

  // One buffer is left, which is not enough; it is used as the first when there are others.
  assert.equal(link.deliver(frame), false);
  link.onReady = () => assert.equal(link.deliver(frame), true);
  offerBuffers(2, 512);
  assert.deepEqual(bufferBytes(3, 512).slice(12), [...frame.subarray(0, 500)]);
  assert.equal(receive.takeUsed().length, 3);
});

test("a frame that does not fit the only buffer it may have is lost, and the buffer stays", () => {
  const { link, receive, offerBuffers } = connect({ wanted: [NET_FEATURE.mac] });
  offerBuffers(1, 500);
  assert.equal(link.deliver(frameOf({ data: new Uint8Array(1500) })), true);
  assert.equal(receive.takeUsed().length, 0);
  assert.equal(link.deliver(frameOf()), true);
  assert.equal(receive.takeUsed().length, 1);
});

test("a buffer too small for a header breaks the device, and a reset mends it", () => {
  const { driver, link, offerBuffers } = connect();
  offerBuffers(1, 11);
  assert.equal(link.deliver(frameOf()), true);
  assert.equal(driver.readStatus() & NEEDS_RESET, NEEDS_RESET);
  assert.equal(link.deliver(frameOf()), true);
  driver.negotiate();
  const receive = driver.queue(RECEIVE);
  driver.ready();
  receive.offer([writable(BUFFERS_GPA, 2048)]);
  driver.notify(RECEIVE);
  link.deliver(frameOf());
  assert.equal(receive.takeUsed().length, 1);
});

test("a queue full of buffers takes as many frames", () => {
  const { link, receive, on, driver } = connect({ isLegacy: true });
  for (let index = 0; index < NET_QUEUE_SIZE; index++) {
    receive.offer([writable(BUFFERS_GPA + 0x800 * index, 0x800)]);
  }
  driver.notify(RECEIVE);
  for (let index = 0; index < NET_QUEUE_SIZE; index++) assert.equal(link.deliver(frameOf()), true);
  assert.equal(link.deliver(frameOf()), false);
  assert.equal(receive.takeUsed().length, NET_QUEUE_SIZE);
  assert.equal(on.pin.level, true);
});

test("the driver hears at once of as many bytes as may wait", () => {
  const { on, driver, queueFrame, headerBytes } = connect();
  const sendOf = (bytes: number): void => {
    queueFrame(frameOf().subarray(0, 14));
    driver.notify(TRANSMIT);
    queueFrame(new Uint8Array(bytes - 2 * headerBytes - 14));
    driver.notify(TRANSMIT);
  };
  sendOf(TRANSMIT_UNTOLD_BYTES_MAX - 1);
  const before = on.pin.level;
  queueFrame(new Uint8Array(1));
  driver.notify(TRANSMIT);
  assert.deepEqual([before, on.pin.level], [false, true]);
});

test("a small queue's driver hears before it has nothing left to send with", () => {
  const { on, driver } = connect();
  driver.negotiate();
  const small = driver.queue(TRANSMIT, { size: 8 });
  driver.ready();
  on.ram.fill(FRAME_GPA, 100, 0);
  for (let count = 0; count < 2; count++) small.offer([readable(FRAME_GPA, 72)]);
  driver.notify(TRANSMIT);
  assert.equal(on.pin.level, true);
});

test("a driver that has looked by itself and moved its event on is not interrupted", () => {
  const { on, driver, transmit, queueFrame, pass } = connect();
  queueFrame(frameOf());
  driver.notify(TRANSMIT);
  transmit.takeUsed();
  transmit.wantInterrupts(1);
  pass(TRANSMIT_TOLD_NS);
  assert.equal(on.pin.risingEdges, 0);
});

test("one timer at the most is on its way, whatever the driver does", () => {
  const { driver, timers, queueFrame } = connect();
  for (let count = 0; count < 3 * TRANSMIT_UNTOLD_FRAMES_MAX; count++) {
    queueFrame(frameOf());
    driver.notify(TRANSMIT);
    driver.writeStatus(count % 2 === 0 ? driver.readStatus() : 0);
  }
  assert.equal(timers.size, 1);
});

test("a restored device tells of what its driver had not heard of", () => {
  const first = connect();
  first.queueFrame(frameOf());
  first.driver.notify(TRANSMIT);
  const second = connect();
  second.on.ram.write(0, first.on.ram.bytes);
  second.on.pci.restore(first.on.pci.save());
  second.pass(TRANSMIT_TOLD_NS);
  assert.equal(second.on.pin.level, true);
});

test("before there is a driver, and after a reset, frames are lost", () => {
  const link = new RecordedLink();
  const on = bench(deviceOn(link).device);
  assert.equal(link.deliver(frameOf()), true);
  const driver = new ModernDriver(on);
  driver.negotiate();
  driver.queue(RECEIVE);
  driver.ready();
  assert.equal(link.deliver(frameOf()), false);
  link.onReady = () => assert.equal(link.deliver(frameOf()), true);
  driver.writeStatus(0);
  assert.equal(link.timesReady, 1);
  assert.equal(link.deliver(frameOf()), true);
});

test("a receive queue that is reset alone forgets its buffers", () => {
  const { driver, link, receive, offerBuffers } = connect();
  offerBuffers(2, 100);
  assert.equal(link.deliver(frameOf({ data: new Uint8Array(1000) })), false);
  assert.ok(driver instanceof ModernDriver);
  driver.write("queueSelect", 2, RECEIVE);
  driver.write("queueReset", 2, 1);
  const again = driver.queue(RECEIVE, { baseGpa: 0x5_0000 });
  again.offer([writable(BUFFERS_GPA + 0x8000, 2048)]);
  driver.notify(RECEIVE);
  assert.equal(link.deliver(frameOf()), true);
  assert.deepEqual([receive.takeUsed().length, again.takeUsed().length], [0, 1]);
});

test("the configuration: address, link, pairs and MTU", () => {
  const { driver, on, link } = connect();
  assert.deepEqual(
    MAC.map((_, index) => driver.readConfig(index, 1)),
    MAC,
  );
  assert.deepEqual([status(driver), driver.readConfig(8, 2), driver.readConfig(10, 2)], [1, 1, 1500]);
  driver.readIsr();
  link.setUp(false);
  assert.equal(status(driver), 0);
  assert.equal(driver.readIsr(), 2);
  assert.equal(on.pin.level, false);
});

test("nothing is sent or received while the link is down", () => {
  const { link, send, receive, offerBuffers } = connect();
  offerBuffers(1);
  link.setUp(false);
  assert.deepEqual(send(frameOf()), []);
  assert.equal(link.deliver(frameOf()), true);
  assert.equal(receive.takeUsed().length, 0);
});

test("when the link comes up again the driver is asked to announce itself, until it says that it has", () => {
  const { driver, link, command } = connect();
  link.setUp(false);
  link.setUp(true);
  assert.equal(status(driver), 3);
  assert.equal(command(3, 0), 0);
  assert.equal(status(driver), 1);
  const plain = connect({ wanted: [NET_FEATURE.status] });
  plain.link.setUp(false);
  plain.link.setUp(true);
  assert.equal(status(plain.driver), 1);
});

test("a legacy driver writes its address into the configuration, one of version 1 cannot", () => {
  const legacy = connect({ isLegacy: true, wanted: [NET_FEATURE.controlQueue, NET_FEATURE.controlReceive] });
  OTHER.forEach((byte, index) => legacy.driver.writeConfig(index, 1, byte));
  legacy.command(0, 0, 0);
  assert.deepEqual([legacy.receives(OTHER), legacy.receives(MAC)], [true, false]);
  legacy.driver.writeStatus(0);
  assert.equal(legacy.driver.readConfig(5, 1), MAC[5]);
  const modern = connect();
  OTHER.forEach((byte, index) => modern.driver.writeConfig(index, 1, byte));
  assert.equal(modern.driver.readConfig(5, 1), MAC[5]);
});

test("receive modes", () => {
  const { command, receives } = connect();
  const seen = (): boolean[] => [MAC, OTHER, GROUP, [255, 255, 255, 255, 255, 255]].map((to) => receives(to));
  assert.deepEqual(seen(), [true, true, true, true]);
  const steps = [
    [0, 0, [true, false, false, true]],
    [1, 1, [true, false, true, true]],
    [1, 0, [true, false, false, true]],
    [2, 1, [true, true, false, true]],
    [4, 1, [false, false, false, true]],
    [5, 1, [false, false, false, false]],
    [1, 1, [false, false, true, false]],
    [3, 1, [false, false, false, false]],
    [0, 1, [true, true, true, true]],
  ] as const;
  for (const [mode, isOn, expected] of steps) {
    assert.equal(command(0, mode, isOn), 0);
    assert.deepEqual(seen(), expected, `mode ${mode} ${isOn}`);
  }
});

test("tables of addresses, and their limit", () => {
  const { command, receives } = connect();
  command(0, 0, 0);
  assert.equal(command(1, 0, ...u32(1), ...OTHER, ...u32(1), ...GROUP), 0);
  assert.deepEqual([receives(OTHER), receives(GROUP), receives([...GROUP.slice(0, 5), 9])], [true, true, false]); // prettier-ignore
  const many = (count: number): number[] =>
    Array.from({ length: count }, (_, index) => [2, 0, 0, 0, 0, index]).flat();
  const max = TABLE_ADDRESSES_MAX;
  assert.equal(command(1, 0, ...u32(max), ...many(max), ...u32(0)), 0);
  assert.deepEqual(
    [receives([2, 0, 0, 0, 0, max - 1]), receives([2, 0, 0, 0, 0, max]), receives(GROUP)],
    [true, false, false],
  );
  assert.equal(command(1, 0, ...u32(max + 1), ...many(max + 1), ...u32(0)), 0);
  assert.deepEqual([receives([2, 0, 0, 0, 1, 0]), receives(GROUP)], [true, false]);
  // Not all there: nothing changes.
  assert.equal(command(1, 0, ...u32(2), ...OTHER, ...u32(0)), 1);
  assert.equal(command(1, 0, ...u32(0xffff_ffff)), 1);
  assert.equal(command(1, 0, ...u32(0), 1, 0), 1);
  assert.deepEqual([receives([2, 0, 0, 0, 1, 0]), receives(GROUP)], [true, false]);
});

test("a command is looked at up to CONTROL_BYTES_MAX", () => {
  const { command, receives } = connect();
  command(0, 0, 0);
  const tables = (count: number): number[] => [...u32(count), ...new Uint8Array(6 * count), ...u32(0)];
  const most = Math.floor((CONTROL_BYTES_MAX - 2 - 8) / 6);
  assert.equal(command(1, 0, ...tables(most)), 0);
  assert.equal(receives(OTHER), true);
  assert.equal(command(1, 0, ...u32(0), ...u32(0)), 0);
  assert.equal(command(1, 0, ...tables(most + 1)), 1);
  assert.equal(receives(OTHER), false);
});

test("the address can be set by a command", () => {
  const { driver, command, receives } = connect();
  command(0, 0, 0);
  assert.equal(command(1, 1, ...OTHER.slice(0, 5)), 1);
  assert.equal(command(1, 1, ...OTHER), 0);
  assert.equal(driver.readConfig(5, 1), OTHER[5]);
  assert.deepEqual([receives(OTHER), receives(MAC)], [true, false]);
});

test("VLANs are filtered if that was agreed on", () => {
  const { command, receives } = connect();
  command(0, 0, 0);
  assert.deepEqual([receives(MAC), receives(MAC, 7)], [true, false]);
  assert.equal(command(2, 0, ...u16(7)), 0);
  assert.deepEqual([receives(MAC, 7), receives(MAC, 7 | 0xe000), receives(MAC, 39)], [true, true, false]);
  assert.equal(command(2, 1, ...u16(7)), 0);
  assert.equal(receives(MAC, 7), false);
  assert.deepEqual([command(2, 0, ...u16(4095)), command(2, 0, ...u16(4096)), command(2, 2, 0, 0)], [0, 1, 1]); // prettier-ignore
  const plain = connect({ wanted: [NET_FEATURE.controlQueue, NET_FEATURE.controlReceive] });
  plain.command(0, 0, 0);
  assert.equal(plain.receives(MAC, 7), true);
});

test("commands that do not exist, were not agreed on or lack their data are errors", () => {
  const { command } = connect();
  const wrong = [[9, 0], [0, 6, 1], [0, 0], [1, 9], [2, 0, 1], [3, 1], [4, 0, 1, 0], [5, 0, 0, 0]]; // prettier-ignore
  for (const bytes of wrong) assert.equal(command(...bytes), 1, bytes.join(" "));
  const plain = connect({ wanted: [NET_FEATURE.controlQueue] });
  for (const bytes of [
    [0, 0, 0],
    [0, 2, 0],
    [1, 0, ...u32(0), ...u32(0)],
    [1, 1, ...OTHER],
    [2, 0, 1, 0],
    [3, 0],
  ]) {
    // prettier-ignore
    assert.equal(plain.command(...bytes), 1, bytes.join(" "));
  }
});

for (const [what, readableBytes, writableBytes] of [
  ["no command", 1, 1],
  ["no room for its answer", 3, 0],
] as const) {
  test(`${what} breaks the device`, () => {
    const { driver, control } = connect();
    const answer = writableBytes === 0 ? [] : [writable(COMMAND_GPA - 1, writableBytes)];
    control.offer([readable(COMMAND_GPA, readableBytes), ...answer]);
    driver.notify(CONTROL);
    assert.equal(driver.readStatus() & NEEDS_RESET, NEEDS_RESET);
  });
}

test("a frame without its header breaks the device", () => {
  const { driver, link, transmit } = connect();
  transmit.offer([readable(FRAME_GPA, 11)]);
  driver.notify(TRANSMIT);
  assert.equal(driver.readStatus() & NEEDS_RESET, NEEDS_RESET);
  assert.equal(link.sent.length, 0);
});

test("checksums are completed", () => {
  const { send } = connect();
  const { frame, layout } = tcpFrame({ data: Uint8Array.of(1, 2, 3) });
  // What the driver puts there: the pseudo-header's sum.
  const addresses = checksumAdd(6 + 23, frame, layout.ipOffset + 12, layout.ipOffset + 20);
  frame.set([folded(addresses) >>> 8, folded(addresses) & 0xff], layout.tcpOffset + 16);
  const [sent] = send(frame, [1, 0, 0, 0, 0, 0, ...u16(layout.tcpOffset), ...u16(16)]);
  assert.ok(sent !== undefined);
  const sum = checksumAdd(6 + 23, sent, layout.ipOffset + 12, layout.ipOffset + 20);
  assert.equal(folded(checksumAdd(sum, sent, layout.tcpOffset, frame.length)), 0xffff);
  // A sum of 0 would mean none.
  const zero = frameOf({ data: [0, 0, 0xff, 0xff, ...new Uint8Array(46)] });
  assert.deepEqual([...(send(zero, [1, 0, 0, 0, 0, 0, ...u16(14), ...u16(0)])[0] ?? [])].slice(14, 16), [255, 255]); // prettier-ignore
});

test("a checksum that is not in the frame: the frame is lost", () => {
  const { send, driver } = connect();
  const frame = frameOf();
  for (const [start, offset, count] of [
    [58, 0, 1],
    [59, 0, 0],
    [0, 59, 0],
    [0xffff, 0xffff, 0],
    [20, 38, 1],
  ] as const) {
    assert.equal(send(frame, [1, 0, 0, 0, 0, 0, ...u16(start), ...u16(offset)]).length, count);
  }
  assert.equal(driver.readStatus() & NEEDS_RESET, 0);
});

for (const [what, isIpv6, type] of [
  ["IPv4", false, GSO.tcp4],
  ["IPv4 with ECN", false, GSO.tcp4 | GSO.ecn],
  ["IPv6", true, GSO.tcp6],
] as const) {
  test(`TCP over ${what} is cut into segments`, () => {
    const { send } = connect();
    const { frame, layout } = tcpFrame({ isIpv6, data: new Uint8Array(3000) });
    const header = [1, type, ...u16(layout.headerBytes), ...u16(1400), ...u16(layout.tcpOffset), ...u16(16)];
    assert.deepEqual(
      send(frame, header).map(({ length }) => length - layout.headerBytes),
      [1400, 1400, 200],
    );
  });
}

test("segmentation that was not agreed on, of another kind, or of something else: the frame is lost", () => {
  const { frame, layout } = tcpFrame({ data: new Uint8Array(3000) });
  const header = (type: number, start = layout.tcpOffset): number[] => [1, type, 0, 0, ...u16(1448), ...u16(start), 16, 0]; // prettier-ignore
  const plain = connect({ wanted: [NET_FEATURE.csum] });
  for (const type of [GSO.tcp4, GSO.tcp6]) assert.equal(plain.send(frame, header(type)).length, 0);
  const noEcn = connect({ wanted: [NET_FEATURE.csum, NET_FEATURE.hostTso4] });
  assert.equal(noEcn.send(frame, header(GSO.tcp4 | GSO.ecn)).length, 0);
  const { send, driver } = connect();
  for (const type of [2, 3, 5, 0x7f, GSO.tcp6]) assert.equal(send(frame, header(type)).length, 0);
  assert.equal(send(frame, header(GSO.tcp4, 33)).length, 0);
  assert.equal(send(frame, header(GSO.tcp4, 0xfff0)).length, 0);
  assert.equal(driver.readStatus() & NEEDS_RESET, 0);
});

test("the longest frame that a driver may hand over, and one that is longer", () => {
  const { link, driver, transmit, on, send } = connect();
  const { frame, layout } = tcpFrame({ vlan: 1, data: new Uint8Array(TRANSMIT_FRAME_BYTES_MAX - 58) });
  assert.equal(frame.length, TRANSMIT_FRAME_BYTES_MAX);
  const header = [1, GSO.tcp4, 0, 0, ...u16(1400), ...u16(layout.tcpOffset), 16, 0];
  assert.equal(send(frame, header).length, Math.ceil((TRANSMIT_FRAME_BYTES_MAX - 58) / 1400));
  link.sent.length = 0;
  on.ram.write(FRAME_GPA, Uint8Array.from(header));
  transmit.offer([readable(FRAME_GPA, 12 + TRANSMIT_FRAME_BYTES_MAX + 1)]);
  driver.notify(TRANSMIT);
  assert.deepEqual([link.sent.length, driver.readStatus() & NEEDS_RESET], [0, 0]);
});

test("checksums that were found right are said to be, if that was agreed on", () => {
  const { frame, layout } = tcpFrame({ data: new Uint8Array(100) });
  const sender = connect();
  const header = [1, GSO.tcp4, 0, 0, ...u16(1448), ...u16(layout.tcpOffset), 16, 0];
  const [right = frame] = sender.send(frame, header);
  const wrong = Uint8Array.from(right);
  wrong[60] = 1;
  const { link, offerBuffers, bufferBytes } = connect();
  offerBuffers(3);
  for (const one of [right, wrong, frameOf()]) link.deliver(one);
  assert.deepEqual(
    [0, 1, 2].map((index) => bufferBytes(index, 1)),
    [[2], [0], [0]],
  );
  const plain = connect({ wanted: NOTHING });
  plain.offerBuffers(1);
  plain.link.deliver(right);
  assert.deepEqual(plain.bufferBytes(0, 1), [0]);
});

test("a network that needs no checksums gets IPv4's frames as they are, and large ones whole", () => {
  const link = new RecordedLink();
  link.takeUnfinished();
  const { send } = connect({ link });
  const tcp = tcpFrame({ data: new Uint8Array(5000), ipOptions: 4 });
  send(tcp.frame, [1, GSO.tcp4, 0, 0, ...u16(1448), ...u16(tcp.layout.tcpOffset), 16, 0]);
  const udp = Uint8Array.from(tcp.frame.subarray(0, 100));
  udp[14 + 9] = 17;
  send(udp, [1, 0, 0, 0, 0, 0, ...u16(tcp.layout.tcpOffset), 6, 0]);
  assert.deepEqual(link.sentUnfinished, [tcp.frame, udp]);
  assert.equal(link.sent.length, 0);
});

test("it gets everything else finished", () => {
  const link = new RecordedLink();
  link.takeUnfinished();
  const { send } = connect({ link });
  const tcp6 = tcpFrame({ isIpv6: true, data: new Uint8Array(2000) });
  assert.equal(send(tcp6.frame, [1, GSO.tcp6, 0, 0, ...u16(1000), ...u16(54), 16, 0]).length, 2);
  assert.equal(send(tcp6.frame.subarray(0, 100), [1, 0, 0, 0, 0, 0, ...u16(54), 16, 0]).length, 1);
  const tagged = tcpFrame({ vlan: 3, data: new Uint8Array(2000) });
  assert.equal(send(tagged.frame, [1, GSO.tcp4, 0, 0, ...u16(1000), ...u16(38), 16, 0]).length, 2);
  const { frame } = tcpFrame({ data: new Uint8Array(10) });
  assert.equal(send(frame, []).length, 1);
  // A checksum that is neither TCP's nor UDP's.
  assert.equal(send(frame, [1, 0, 0, 0, 0, 0, ...u16(34), 6, 0]).length, 1);
  assert.equal(send(frame, [1, 0, 0, 0, 0, 0, ...u16(14), 16, 0]).length, 1);
  assert.equal(link.sentUnfinished.length, 0);
});

test("large frames arrive for drivers that have agreed on it, with what cuts and completes them", () => {
  const { link, receive, on } = connect();
  const { frame, layout } = tcpFrame({ tcpOptions: 12, data: new Uint8Array(64_000).fill(9) });
  for (let index = 0; index < 33; index++) receive.offer([writable(BUFFERS_GPA + 2048 * index, 2048)]);
  assert.equal(link.deliverUnfinished(frame, 1448), true);
  const header = [1, GSO.tcp4, ...u16(layout.headerBytes), ...u16(1448), ...u16(34), ...u16(16), ...u16(32)];
  assert.deepEqual([...on.ram.slice(BUFFERS_GPA, 12)], header);
  assert.deepEqual(on.ram.slice(BUFFERS_GPA + 12, frame.length), frame);
  assert.equal(receive.takeUsed().length, 32);
  // One that is a single segment already is not to be cut.
  const short = tcpFrame({ data: new Uint8Array(1448) });
  assert.equal(link.deliverUnfinished(short.frame, 1448), true);
  const plain = [1, 0, 0, 0, 0, 0, ...u16(34), ...u16(16), ...u16(1)];
  assert.deepEqual([...on.ram.slice(BUFFERS_GPA + 2048 * 32, 12)], plain);

  const { guestTso4, guestCsum } = NET_FEATURE;
  for (const wanted of [[guestTso4], [guestCsum]]) {
    assert.equal(connect({ wanted }).link.deliverUnfinished(frame, 1448), undefined);
  }
});

test("a frame for which the queue can never hold enough buffers is lost", () => {
  const { link, receive, driver } = connect();
  for (let index = 0; index < 63; index++) receive.offer([writable(BUFFERS_GPA + 16 * index, 16)]);
  assert.equal(link.deliver(frameOf({ data: new Uint8Array(1500) })), false);
  receive.offer([writable(BUFFERS_GPA, 16)]);
  driver.notify(RECEIVE);
  assert.equal(link.deliver(frameOf({ data: new Uint8Array(1500) })), true);
  assert.equal(receive.takeUsed().length, 0);
  assert.equal(link.deliver(frameOf()), true);
  assert.equal(receive.takeUsed().length, 5);
});

test("what is sent may be answered before the call returns", () => {
  const { link, receive, offerBuffers, send } = connect();
  offerBuffers(1);
  link.onSend = () => assert.equal(link.deliver(frameOf()), true);
  send(frameOf());
  assert.equal(receive.takeUsed().length, 1);
});

for (const offersPacked of [false, true]) {
  test(`a saved ${offersPacked ? "packed" : "split"} device goes on with its buffers, filter and address`, () => {
    const first = connect({ offersPacked });
    first.command(0, 0, 0);
    first.command(1, 0, ...u32(0), ...u32(1), ...GROUP);
    first.command(2, 0, ...u16(7));
    first.command(1, 1, ...OTHER);
    first.offerBuffers(2, 500);
    const long = frameOf({ to: OTHER, data: new Uint8Array(1200) });
    assert.equal(first.link.deliver(long), false);
    const saved = first.on.pci.save();

    const link = new RecordedLink();
    const on = bench(deviceOn(link).device, { offersPacked });
    on.ram.write(0, first.on.ram.bytes);
    on.pci.restore(saved);
    assert.deepEqual(on.pci.save(), saved);
    assert.equal(link.deliver(long), false);
    assert.equal(link.deliver(frameOf({ to: MAC, data: new Uint8Array(1200) })), true);
    assert.equal(link.deliver(frameOf({ to: GROUP, vlan: 7, data: new Uint8Array(600) })), true);
    // The driver's side is the first one's, whose rings were copied.
    first.on.ram.write(0, on.ram.bytes);
    assert.deepEqual(
      first.receive.takeUsed().map(({ writtenBytes }) => writtenBytes),
      [500, 12 + 618 - 500],
    );
  });
}

test("a restored device shows the link that it is plugged into, and hears nothing of what waited before", () => {
  const first = connect();
  const saved = first.on.pci.save();
  const link = new RecordedLink();
  const second = connect({ link });
  assert.equal(link.deliver(frameOf()), false);
  link.isUp = false;
  second.on.pci.restore(saved);
  assert.equal(link.timesReady, 1);
  assert.equal(status(second.driver), 0);
});

test("a reset gives everything back its first state", () => {
  const { command, link, on } = connect();
  const fresh = connect();
  command(0, 0, 0);
  command(1, 1, ...OTHER);
  link.setUp(false);
  link.setUp(true);
  on.pci.reset();
  fresh.on.pci.reset();
  const { session, ...others } = on.pci.save();
  const { session: freshSession, ...freshOthers } = fresh.on.pci.save();
  assert.deepEqual(others, freshOthers);
  assert.deepEqual({ ...Object(session), generation: 0 }, { ...Object(freshSession), generation: 0 });
});

test("what nobody can use is not offered: interrupts of the queues and version 1 are", () => {
  const { driver } = connect();
  assert.ok(driver instanceof ModernDriver);
  const offered = driver.offered();
  assert.deepEqual(
    [...offered].toSorted((a, b) => a - b),
    [
      ...Object.values(NET_FEATURE),
      VIRTIO_FEATURE.indirectDescriptors,
      VIRTIO_FEATURE.eventIndex,
      VIRTIO_FEATURE.version1,
      VIRTIO_FEATURE.ringReset,
    ],
  );
});
