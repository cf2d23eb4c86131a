import assert from "node:assert/strict";
import { test } from "node:test";
import { checksumAdd, folded, FRAME_BYTES_MAX } from "../../net/index.ts";
import { frameOf, RecordedLink } from "../../net/testing.ts";
import { tcpFrame } from "../ethernet/testing.ts";
import { E1000Driver, machine, RCTL, TCTL_ENABLE, TX_RING_GPA } from "./testing.ts";

const ICR = { written: 1, empty: 2, low: 0x8000 } as const;
/** Command bytes: end of packet, FCS by the card, report; extended. */
const EOP = 0x01;
const IFCS = 0x02;
const SUM = 0x04;
const TSE = 0x04;
const RS = 0x08;
const DEXT = 0x20;
const VLE = 0x40;
const IDE = 0x80;
const DATA = 1 << 20;

function connect(link?: RecordedLink) {
  const on = machine(link);
  const driver = new E1000Driver(on);
  driver.start();
  driver.read("icr");
  return { on, driver, link: on.link };
}

interface Context {
  readonly isTcp?: boolean;
  readonly isIpv4?: boolean;
  readonly isSegmented?: boolean;
  readonly ipOffset: number;
  readonly tcpOffset: number;
  readonly tcpField?: number;
  readonly headerBytes?: number;
  readonly segmentBytes?: number;
}

/** Queues a context descriptor as the manual's section 3.3.6 lays it out. */
function context(driver: E1000Driver, options: Context): void {
  const { isTcp = true, isIpv4 = true, isSegmented = false, ipOffset, tcpOffset } = options;
  const { tcpField = tcpOffset + 16, headerBytes = 0, segmentBytes = 0 } = options;
  const ip = ipOffset | ((ipOffset + 10) << 8) | ((tcpOffset - 1) << 16);
  const tcp = tcpOffset | (tcpField << 8);
  const command = (isTcp ? 1 : 0) | (isIpv4 ? 2 : 0) | (isSegmented ? TSE : 0) | DEXT;
  driver.queue(ip + tcp * 2 ** 32, command << 24, (headerBytes << 8) | (segmentBytes << 16));
}

/** Queues a frame in extended descriptors of at most `pieceBytes`. */
function data(
  driver: E1000Driver,
  frame: Uint8Array,
  command: number,
  options = 0,
  pieceBytes = 1 << 20,
  tag = 0,
) {
  for (let at = 0; at < frame.length; at += pieceBytes) {
    const piece = frame.subarray(at, at + pieceBytes);
    const isLast = at + piece.length === frame.length;
    const commands = (isLast ? EOP | RS : 0) | IFCS | DEXT | command;
    driver.queue(driver.buffer(piece), piece.length | DATA | (commands << 24), (options << 8) | (tag << 16));
  }
}

const tcpSum = (frame: Uint8Array, at = 34): number =>
  folded(checksumAdd(checksumAdd(6 + frame.length - at, frame, at - 8, at), frame, at, frame.length));

test("a legacy descriptor is sent, written back and announced", () => {
  const { driver, link, on } = connect();
  driver.write("ims", ICR.written);
  const frame = frameOf({ data: new Uint8Array(100).fill(1) });
  driver.send(frame);
  assert.deepEqual(link.sent, [frame]);
  assert.deepEqual([on.ram.readU8(TX_RING_GPA + 12) & 1, on.pin.level, driver.read("tdh")], [1, true, 1]);
  assert.equal(driver.read("icr"), ICR.written | ICR.empty);
  driver.send(frame, EOP | IFCS);
  assert.equal(on.ram.readU8(TX_RING_GPA + 16 + 12) & 1, 0);
  assert.equal(driver.read("icr"), ICR.empty);
  driver.send(frame, EOP | IFCS | 0x10);
  assert.equal(on.ram.readU8(TX_RING_GPA + 32 + 12) & 1, 1);
});

test("short frames go out padded, several descriptors are one frame, and the ring goes round", () => {
  const { driver, link } = connect();
  driver.send(frameOf({ data: [5] }));
  assert.equal(link.sent[0]?.length, 60);
  const frame = frameOf({ data: new Uint8Array(200).fill(4) });
  for (let turn = 0; turn < 10; turn++) {
    link.sent.length = 0;
    driver.send(frame.subarray(0, 50), IFCS);
    assert.equal(link.sent.length, 0);
    driver.send(frame.subarray(50));
    assert.deepEqual(link.sent, [frame]);
  }
});

test("nothing is sent while the transmitter is off or the card is no bus master, and all of it afterwards", () => {
  const { driver, link, on } = connect();
  driver.write("tctl", 0);
  driver.send(frameOf());
  driver.send(frameOf());
  assert.equal(link.sent.length, 0);
  driver.write("tctl", TCTL_ENABLE);
  assert.equal(link.sent.length, 2);
  on.card.writeConfig(4, 2, 2);
  driver.send(frameOf());
  assert.equal(link.sent.length, 2);
});

test("the longest frame is sent, a longer one is lost", () => {
  const { driver, link } = connect();
  driver.send(new Uint8Array(FRAME_BYTES_MAX));
  driver.send(new Uint8Array(FRAME_BYTES_MAX + 1));
  assert.deepEqual(
    link.sent.map(({ length }) => length),
    [FRAME_BYTES_MAX],
  );
  assert.equal(driver.read("tdh"), 2);
});

test("legacy checksums: from a start to the end, put at an offset", () => {
  const { driver, link } = connect();
  driver.send(frameOf({ data: [0, 0, 0x12, 0x34, ...new Uint8Array(42)] }), EOP | IFCS | RS | SUM, { css: 14, cso: 14 }); // prettier-ignore
  assert.deepEqual([...(link.sent[0] ?? [])].slice(14, 18), [0xed, 0xcb, 0x12, 0x34]);
  // What is not in the frame changes nothing.
  const frame = frameOf();
  driver.send(frame, EOP | IFCS | RS | SUM, { css: 14, cso: 59 });
  driver.send(frame, EOP | IFCS | RS | SUM, { css: 200, cso: 14 });
  assert.deepEqual(link.sent.slice(1), [frame, frame]);
});

test("extended checksums: IP's and TCP's by the context, each if it is wanted", () => {
  const { driver, link } = connect();
  const { frame, layout } = tcpFrame({ data: new Uint8Array(90).fill(8) });
  const pseudo = folded(checksumAdd(6 + frame.length - 34, frame, 26, 34));
  frame.set([pseudo >>> 8, pseudo & 0xff], 50);
  new DataView(frame.buffer).setUint16(16, frame.length - 14);
  for (const options of [1, 2, 3]) {
    context(driver, layout);
    data(driver, frame, 0, options, 60);
    driver.kick();
    const sent = link.sent.pop() ?? frame;
    assert.equal(folded(checksumAdd(0, sent, 14, 34)) === 0xffff, (options & 1) !== 0);
    assert.equal(tcpSum(sent) === 0xffff, (options & 2) !== 0);
  }
});

test("a checksum's range can end before the frame does", () => {
  const { driver, link } = connect();
  driver.queue((14 | (14 << 8) | (17 << 16)) + 0, DEXT << 24, 0);
  data(driver, frameOf({ data: [0, 0, 0x12, 0x34, 0xff, ...new Uint8Array(41)] }), 0, 1);
  driver.kick();
  assert.deepEqual([...(link.sent[0] ?? [])].slice(14, 19), [0xed, 0xcb, 0x12, 0x34, 0xff]);
});

test("TCP segmentation, with its own context beside that of checksums", () => {
  const { driver, link } = connect();
  const { frame, layout } = tcpFrame({ data: Uint8Array.from({ length: 3000 }, (_, index) => index) });
  const segmented = { ...layout, isSegmented: true, segmentBytes: 1448 };
  context(driver, segmented);
  context(driver, { ipOffset: 20, tcpOffset: 40 });
  data(driver, frame, TSE, 3, 1000);
  driver.kick();
  assert.deepEqual(
    link.sent.map((one) => [one.length - 54, tcpSum(one), folded(checksumAdd(0, one, 14, 34))]),
    [1448, 1448, 104].map((length) => [length, 0xffff, 0xffff]),
  );
  const sent = link.sent.flatMap((one) => [...one.subarray(54)]);
  assert.deepEqual(sent, [...frame.subarray(54)]);
});

test("segments of UDP, and headers that are not there: the frame is lost and counted", () => {
  const { driver, link, on } = connect();
  const { frame, layout } = tcpFrame({ data: new Uint8Array(2000) });
  const good = { ...layout, isSegmented: true, segmentBytes: 1000 };
  for (const wrong of [{ isTcp: false }, { isIpv4: false }, { headerBytes: 20 }, { segmentBytes: 0 }]) {
    context(driver, { ...good, ...wrong });
    data(driver, frame, TSE, 3);
    driver.kick();
  }
  assert.equal(link.sent.length, 0);
  assert.equal(on.mmio.readMmio(0xe000_40fc, 4), 4);
});

test("a network that needs no segments gets an IPv4 datagram whole, with its length and sum", () => {
  const link = new RecordedLink();
  link.takeUnfinished();
  const { driver } = connect(link);
  const { frame, layout } = tcpFrame({ data: new Uint8Array(5000).fill(6) });
  context(driver, { ...layout, isSegmented: true, segmentBytes: 1448 });
  data(driver, frame, TSE, 3);
  driver.kick();
  const [sent = frame] = link.sentUnfinished;
  assert.deepEqual([link.sent.length, sent.length], [0, frame.length]);
  assert.equal(new DataView(sent.buffer).getUint16(16), frame.length - 14);
  assert.equal(folded(checksumAdd(0, sent, 14, 34)), 0xffff);
  const tcp6 = tcpFrame({ isIpv6: true, data: new Uint8Array(2000) });
  context(driver, { ...tcp6.layout, isIpv4: false, isSegmented: true, segmentBytes: 1000 });
  data(driver, tcp6.frame, TSE, 2);
  driver.kick();
  assert.deepEqual([link.sent.length, link.sentUnfinished.length], [2, 1]);
});

test("in VLAN mode a tag is put in, also into segments", () => {
  const { driver, link } = connect();
  const frame = frameOf({ data: new Uint8Array(60) });
  driver.send(frame, EOP | IFCS | RS | VLE, { special: 0x2007 });
  assert.deepEqual(link.sent[0], frame);
  driver.write("ctrl", 0x4000_0000);
  driver.send(frame, EOP | IFCS | RS | VLE, { special: 0x2007 });
  driver.send(frame, EOP | IFCS | RS, { special: 0x2007 });
  assert.deepEqual(link.sent.slice(1), [frameOf({ vlan: 0x2007, data: new Uint8Array(60) }), frame]);
  link.sent.length = 0;
  const tcp = tcpFrame({ data: new Uint8Array(2000) });
  context(driver, { ...tcp.layout, isSegmented: true, segmentBytes: 1400 });
  data(driver, tcp.frame, TSE | VLE, 3, 1 << 20, 5);
  driver.kick();
  assert.deepEqual(
    link.sent.map((one) => [one.length, ...one.subarray(12, 18)]),
    [
      [1458, 0x81, 0, 0, 5, 8, 0],
      [658, 0x81, 0, 0, 5, 8, 0],
    ],
  );
});

test("the transmit interrupt waits for more where every descriptor may", () => {
  const { driver } = connect();
  driver.write("tidv", 50);
  driver.write("tadv", 60);
  const isRaised = (): boolean => (driver.read("icr") & ICR.written) !== 0;
  driver.send(frameOf(), EOP | IFCS | RS | IDE);
  driver.pass(51_199);
  assert.equal(isRaised(), false);
  driver.pass(1);
  assert.equal(isRaised(), true);
  driver.send(frameOf(), EOP | IFCS | RS | IDE);
  driver.send(frameOf(), EOP | IFCS | RS);
  assert.equal(isRaised(), true);
  driver.send(frameOf(), EOP | IFCS | RS | IDE);
  driver.write("tidv", 0x8000_0032);
  assert.equal(isRaised(), true);
});

test("the driver hears that the ring runs low if it says when", () => {
  for (const [frames, low] of [
    [7, 0],
    [8, ICR.low],
  ] as const) {
    const on = machine();
    const driver = new E1000Driver(on, 8, 32);
    driver.start();
    driver.write("txdctl", 1 << 25);
    driver.write("tctl", 0);
    for (let count = 0; count < frames; count++) driver.send(frameOf());
    driver.write("tctl", TCTL_ENABLE);
    assert.equal(driver.read("icr") & ICR.low, low);
  }
});

test("loopback, of the card or of its PHY, gives back what is sent and hears nobody else", () => {
  for (const isPhy of [false, true]) {
    const { driver, link } = connect();
    if (isPhy) driver.write("mdic", (1 << 26) | (1 << 21) | 0x4140);
    else driver.write("rctl", RCTL.enable | RCTL.broadcast | RCTL.stripCrc | 0xc0);
    const frame = frameOf();
    driver.send(frame);
    link.deliver(frameOf());
    assert.equal(link.sent.length, 0);
    assert.deepEqual(
      driver.received().map(({ bytes }) => bytes),
      [[...frame]],
    );
  }
});

test("what is sent may be answered before the write of the tail returns", () => {
  const { driver, link } = connect();
  link.onSend = () => assert.equal(link.deliver(frameOf()), true);
  driver.send(frameOf());
  assert.equal(driver.received().length, 1);
});

test("rings and buffers that are not in RAM, and heads and tails outside the ring, harm nobody", () => {
  const { driver, link } = connect();
  driver.queue(0xffff_ffff_0000, 60 | ((EOP | RS) << 24), 0);
  driver.kick();
  assert.equal(driver.read("tdh"), 1);
  driver.send(frameOf());
  assert.equal(link.sent.length, 1);
  driver.write("tdbah", 0xffff_ffff);
  driver.send(frameOf());
  driver.write("tdt", 0xffff);
  driver.write("tdt", 8);
  driver.write("tdlen", 0);
  driver.write("tdt", 0);
  driver.queue(0, (15 << 20) | (DEXT << 24), 0);
  driver.kick();
  assert.equal(link.sent.length, 1);
});

test("a frame whose end is still to be queued survives being saved", () => {
  const first = connect();
  const { frame, layout } = tcpFrame({ data: new Uint8Array(2000).fill(2) });
  context(first.driver, { ...layout, isSegmented: true, segmentBytes: 1000 });
  const bytes = frame.subarray(0, 1500);
  first.driver.queue(first.driver.buffer(bytes), bytes.length | DATA | ((DEXT | TSE) << 24), 3 << 8);
  first.driver.kick();
  const second = connect();
  second.on.ram.write(0, first.on.ram.bytes);
  second.on.card.restore(first.on.card.save());
  assert.deepEqual(second.on.card.save(), first.on.card.save());
  second.driver.queue(0, DEXT << 24, 0);
  second.driver.queue(0, DEXT << 24, 0);
  const rest = frame.subarray(1500);
  second.driver.queue(second.driver.buffer(rest), rest.length | DATA | ((EOP | DEXT | TSE) << 24), 0);
  second.driver.kick();
  assert.deepEqual(
    second.link.sent.map((one) => one.length - 54),
    [1000, 1000],
  );
});
