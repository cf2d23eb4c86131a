import assert from "node:assert/strict";
import { test } from "node:test";
import { FRAME_BYTES_MAX } from "../../net/index.ts";
import { BROADCAST, frameOf, RecordedLink } from "../../net/testing.ts";
import { frameCheckSequence, multicastHash } from "../ethernet/frame-check-sequence.ts";
import {
  CR,
  ISR,
  MAC,
  Ne2000Driver,
  PORT,
  RCR,
  REG,
  RING_START,
  RING_STOP,
  TRANSMIT_PAGE,
} from "./testing.ts";

const OTHER = [0x52, 0x54, 0, 0x12, 0x34, 0x57];
const GROUP = [0x01, 0x00, 0x5e, 0x00, 0x12, 0x34];
const longFrame = (length: number, to: readonly number[] = MAC): Uint8Array =>
  frameOf({ to, data: Uint8Array.from({ length: length - 14 }, (_, index) => index * 7) });

function started(rcr?: number, isWords?: boolean, link?: RecordedLink): Ne2000Driver {
  const driver = new Ne2000Driver(link);
  driver.start(rcr, isWords);
  return driver;
}

test("configuration space: Realtek's RTL8029 with 32 ports", () => {
  const { card } = new Ne2000Driver();
  assert.equal(card.readConfig(0, 4), 0x802910ec);
  assert.equal(card.readConfig(8, 4) >>> 8, 0x020000);
  card.writeConfig(0x10, 4, 0xffffffff);
  assert.equal(card.readConfig(0x10, 4), 0xffffffe1);
});

for (const [what, isWords, size] of [
  ["bytes", false, 1],
  ["words", true, 2],
  ["double words", true, 4],
] as const) {
  test(`the PROM and packet memory by ${what}`, () => {
    const driver = started(RCR.broadcast, isWords);
    const prom = driver.readMemory(0, 32, size);
    const doubled = (bytes: readonly number[]): number[] => bytes.flatMap((byte) => [byte, byte]);
    assert.deepEqual([...prom], [...doubled([...MAC, 0, 0, 0, 0, 0, 0, 0, 0]), 0x57, 0x57, 0x57, 0x57]);
    const bytes = Uint8Array.from({ length: 512 }, (_, index) => index * 3);
    driver.writeMemory(0x4100, bytes, size);
    assert.deepEqual(driver.readMemory(0x4100, 512, size), bytes);
    assert.equal(driver.read("isr") & ISR.complete, ISR.complete);
  });
}

test("outside the card's memory there is nothing", () => {
  const driver = started();
  for (const address of [0x20, 0x3ffe, 0x8000, 0xfffe]) {
    driver.writeMemory(address, Uint8Array.of(1, 2, 3, 4));
    assert.deepEqual([...driver.readMemory(address, 2)], [0xff, 0xff], address.toString(16));
  }
  driver.writeMemory(0, Uint8Array.of(1, 2));
  assert.deepEqual([...driver.readMemory(0, 2)], [MAC[0], MAC[0]]);
});

test("remote DMA: nothing without a count, an interrupt at its end, the address shows where it is", () => {
  const driver = started();
  driver.write("isr", 0xff);
  assert.equal(driver.pin.level, false);
  assert.equal(driver.read("data", 2), 0xffff);
  driver.write("data", 0x1234, 2);
  driver.write("rbcr0", 4);
  driver.write("rsar1", 0x40);
  driver.write("rsar0", 0);
  driver.write("cr", CR.start | CR.read);
  driver.read("data", 2);
  assert.deepEqual([driver.read("isr"), driver.read("rsar0"), driver.read("rsar1")], [0, 2, 0x40]);
  driver.read("data", 2);
  assert.deepEqual([driver.read("isr"), driver.pin.level], [ISR.complete, true]);
  driver.write("isr", ISR.complete);
  assert.equal(driver.pin.level, false);
  driver.write("cr", CR.start | CR.read);
  assert.equal(driver.read("isr"), ISR.complete);
});

test("frames are sent from memory, padded if they are short", () => {
  const driver = started();
  const frame = longFrame(1000, BROADCAST);
  driver.send(frame);
  assert.deepEqual(driver.link.sent, [frame]);
  assert.deepEqual([driver.read("tsr") & 1, driver.read("isr") & ISR.transmitted, driver.pin.level], [1, 2, true]); // prettier-ignore
  assert.equal(driver.read("cr") & CR.transmit, 0);
  driver.send(longFrame(20));
  assert.equal(driver.link.sent[1]?.length, 60);
  driver.send(longFrame(FRAME_BYTES_MAX));
  driver.send(longFrame(FRAME_BYTES_MAX + 1));
  assert.equal(driver.link.sent.length, 3);
});

test("what is not in packet memory, and what is sent in loopback, goes nowhere but is done", () => {
  const driver = started();
  driver.send(longFrame(100));
  driver.link.sent.length = 0;
  driver.write("isr", 0xff);
  for (const page of [0, 0x3f, 0x80, 0xff]) {
    driver.write("tpsr", page);
    driver.write("cr", CR.start | CR.noDma | CR.transmit);
  }
  driver.write("tpsr", TRANSMIT_PAGE);
  driver.write("tcr", 2);
  driver.write("cr", CR.start | CR.noDma | CR.transmit);
  assert.deepEqual([driver.link.sent.length, driver.read("isr")], [0, ISR.transmitted]);
  driver.link.deliver(frameOf());
  assert.equal(driver.received().length, 0);
});

test("frames arrive in the ring with status, length and check sequence", () => {
  const driver = started();
  const frame = longFrame(300);
  driver.write("isr", 0xff);
  assert.equal(driver.link.deliver(frame), true);
  assert.equal(driver.pin.level, true);
  assert.equal(driver.read("isr"), ISR.received);
  assert.equal(driver.curr, RING_START + 3);
  driver.link.deliver(frameOf({ data: [9] }));
  const [first, second] = driver.received();
  assert.deepEqual(first, { status: 1, frame, checkSequence: frameCheckSequence(frame) });
  assert.deepEqual([second?.status, second?.frame.length], [0x21, 60]);
  assert.deepEqual([...(second?.frame.subarray(14, 17) ?? [])], [9, 0, 0]);
});

for (const [length, pages] of [
  [248, 1],
  [249, 2],
  [504, 2],
  [505, 3],
  [FRAME_BYTES_MAX, 6],
] as const) {
  test(`a frame of ${length} bytes takes ${pages} pages`, () => {
    const driver = started();
    driver.link.deliver(longFrame(length));
    assert.equal(driver.curr, RING_START + 1 + pages);
  });
}

test("the ring goes round many times", () => {
  const driver = started();
  for (let turn = 0; turn < 60; turn++) {
    const frame = longFrame(60 + turn * 24);
    assert.equal(driver.link.deliver(frame), true);
    assert.equal(driver.link.deliver(frame), true);
    assert.deepEqual(
      driver.received().map((one) => one.frame),
      [frame, frame],
    );
  }
});

test("a frame for which the ring has no room waits until the boundary moves on", () => {
  const driver = started();
  const frame = longFrame(1400);
  let count = 0;
  while (driver.link.deliver(frame)) count++;
  // 58 pages, of which one is kept free behind the driver, and one between its ends.
  assert.equal(count, Math.floor((RING_STOP - RING_START - 2) / 6));
  driver.link.onReady = () => void driver.link.deliver(frame);
  assert.notEqual(driver.curr, driver.read("bnry"));
  assert.equal(driver.received().length, count + 1);
  assert.ok(driver.link.timesReady > 0);
});

test("a ring whose ends are on one page is empty", () => {
  const driver = started();
  driver.curr = RING_START;
  assert.equal(driver.link.deliver(longFrame(300)), true);
  assert.equal(driver.curr, RING_START + 2);
});

test("rings without room and pages outside them: frames are lost or wait, and nothing else happens", () => {
  const driver = started();
  driver.write("pstop", RING_START);
  assert.equal(driver.link.deliver(longFrame(300)), true);
  driver.write("pstart", 0);
  driver.write("pstop", 1);
  assert.equal(driver.link.deliver(longFrame(60)), true);
  driver.write("pstop", 0xff);
  driver.curr = 0xff;
  for (let count = 0; count < 100; count++) driver.link.deliver(longFrame(1500));
  driver.write("pstart", 0xf0);
  for (let count = 0; count < 100; count++) driver.link.deliver(longFrame(1500));
  assert.deepEqual([...driver.readMemory(0, 2)], [MAC[0], MAC[0]]);
});

test("addresses: its own, broadcast, groups by their hash, everybody's", () => {
  const receives = (rcr: number, to: readonly number[], isGroupSet = false): boolean => {
    const driver = started(rcr);
    const hash = multicastHash(Uint8Array.from(GROUP));
    driver.write("cr", CR.start | CR.noDma | CR.page1);
    driver.ports.writePort(PORT + REG.mar0 + (hash >>> 3), 1, isGroupSet ? 1 << (hash & 7) : ~(1 << (hash & 7)) & 0xff); // prettier-ignore
    driver.write("cr", CR.start | CR.noDma);
    driver.link.deliver(frameOf({ to }));
    return driver.received().length > 0;
  };
  assert.deepEqual([receives(0, MAC), receives(0, OTHER), receives(0, BROADCAST)], [true, false, false]);
  assert.deepEqual([receives(RCR.broadcast, BROADCAST), receives(RCR.promiscuous, OTHER)], [true, true]);
  assert.deepEqual([receives(RCR.multicast, GROUP, true), receives(RCR.multicast, GROUP)], [true, false]);
  assert.deepEqual([receives(0, GROUP, true), receives(RCR.monitor, MAC)], [false, false]);
});

test("a stopped chip loses frames, and says that it is reset", () => {
  const driver = started();
  driver.write("cr", CR.stop | CR.noDma);
  assert.equal(driver.read("isr") & ISR.reset, ISR.reset);
  assert.equal(driver.link.deliver(frameOf()), true);
  driver.write("cr", CR.start | CR.noDma);
  assert.equal(driver.read("isr") & ISR.reset, 0);
  assert.equal(driver.received().length, 0);
});

test("a command that neither starts nor stops leaves the chip as it is", () => {
  const driver = started();
  driver.send(frameOf());
  driver.write("cr", CR.page1);
  assert.equal(driver.link.deliver(frameOf()), true);
  driver.write("cr", CR.noDma | CR.transmit);
  assert.deepEqual([driver.received().length, driver.link.sent.length], [1, 2]);
  driver.write("cr", CR.stop | CR.noDma);
  driver.write("cr", CR.noDma | CR.transmit);
  assert.equal(driver.link.deliver(frameOf()), true);
  assert.deepEqual([driver.received().length, driver.link.sent.length], [0, 2]);
});

test("the reset port resets the chip but not its memory, and late frames are lost", () => {
  const driver = started();
  driver.writeMemory(0x4500, Uint8Array.of(0x12, 0x34));
  while (driver.link.deliver(longFrame(1400)));
  const { timesReady } = driver.link;
  driver.read("reset");
  driver.write("reset", 0);
  assert.deepEqual(
    [driver.read("isr"), driver.read("cr"), driver.link.timesReady],
    [0x80, 0x21, timesReady + 1],
  );
  driver.start();
  assert.deepEqual([...driver.readMemory(0x4500, 2)], [0x12, 0x34]);
});

test("pages: what was written is read on page 2, the chip is named on page 3", () => {
  const driver = started();
  const at = (page: number, offset: number): number => {
    driver.write("cr", CR.start | CR.noDma | page);
    return driver.ports.readPort(PORT + offset, 1);
  };
  const { page2, page3 } = CR;
  assert.deepEqual([at(0, 0x0a), at(0, 0x0b), at(page3, 0x0e), at(page3, 0x0f)], [0x50, 0x43, 0x29, 0x80]);
  assert.deepEqual([at(page2, 1), at(page2, 2), at(page2, 0x0c), at(page2, 0x0e), at(page2, 0x0f)], [RING_START, RING_STOP, RCR.broadcast, 0x49, 0x7f]); // prettier-ignore
  assert.equal(at(CR.page1, 1), MAC[0]);
  assert.equal(at(page2, 0) & 0xc0, page2);
});

test("a masked interrupt comes when it is unmasked", () => {
  const driver = started();
  driver.write("imr", 0);
  driver.write("isr", 0xff);
  driver.link.deliver(frameOf());
  assert.equal(driver.pin.level, false);
  driver.write("imr", ISR.received);
  assert.equal(driver.pin.level, true);
});

test("a saved card goes on in another one", () => {
  const first = started();
  first.link.deliver(longFrame(700));
  first.write("rbcr0", 200);
  first.write("rsar1", 0x47);
  const saved = first.card.save();
  const second = new Ne2000Driver();
  second.card.restore(saved);
  assert.deepEqual(second.card.save(), saved);
  assert.equal(second.pin.level, true);
  assert.deepEqual(
    second.received().map(({ frame }) => frame),
    [longFrame(700)],
  );
});

test("a restored card hears nothing of what waited before", () => {
  const saved = started().card.save();
  const link = new RecordedLink();
  const driver = started(RCR.broadcast, true, link);
  while (link.deliver(longFrame(1400)));
  link.onReady = () => assert.equal(link.deliver(longFrame(1400)), true);
  driver.card.restore(saved);
  assert.deepEqual([link.timesReady, driver.received().length], [1, 0]);
});

test("while a frame waits for room the driver is reminded of those that it has not taken", () => {
  const driver = started();
  while (driver.link.deliver(longFrame(1400)));
  driver.write("isr", 0xff);
  driver.pass(999_999);
  assert.equal(driver.pin.level, false);
  driver.pass(1);
  assert.equal(driver.pin.level, true);
  driver.write("isr", 0xff);
  driver.pass(1_000_000);
  assert.equal(driver.pin.level, true);
  driver.received();
  driver.write("isr", 0xff);
  driver.pass(1_000_000);
  assert.deepEqual([driver.pin.level, driver.timers.size], [false, 0]);
});
