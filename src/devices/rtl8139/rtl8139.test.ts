import assert from "node:assert/strict";
import { test } from "node:test";
import { FRAME_BYTES_MAX } from "../../net/index.ts";
import { BROADCAST, frameOf } from "../../net/testing.ts";
import { frameCheckSequence, multicastHash } from "../ethernet/frame-check-sequence.ts";
import { CR, ISR, MAC, PORT, RCR, REG, REGISTERS_GPA, Rtl8139Driver, RX_BUFFER_GPA, TSD } from "./testing.ts";

const OTHER = [0x52, 0x54, 0, 0x12, 0x34, 0x57];
const GROUP = [0x01, 0x00, 0x5e, 0x00, 0x12, 0x34];
const UNLOCK = 0xc0;
const longFrame = (length: number, to: readonly number[] = MAC): Uint8Array =>
  frameOf({ to, data: Uint8Array.from({ length: length - 14 }, (_, index) => index * 7) });

function started(rcr?: number, lengthCode?: number): Rtl8139Driver {
  const driver = new Rtl8139Driver();
  driver.start(rcr, lengthCode);
  return driver;
}

const address = (driver: Rtl8139Driver): number[] =>
  MAC.map((_, index) => driver.ports.readPort(PORT + index, 1));

/** Reads a word of the EEPROM over its wires. */
function readEeprom(driver: Rtl8139Driver, word: number): number {
  const [program, cs, sk, di, out] = [0x80, 8, 4, 2, 1];
  const clock = (data: number): number => {
    driver.write("eeprom", program | cs | data, 1);
    driver.write("eeprom", program | cs | data | sk, 1);
    return driver.read("eeprom", 1) & out;
  };
  driver.write("eeprom", program | cs, 1);
  for (let bit = 10; bit >= 0; bit--) clock((((6 << 6) | word) >>> bit) & 1 ? di : 0);
  let value = 0;
  for (let bit = 0; bit < 16; bit++) value = (value << 1) | clock(0);
  driver.write("eeprom", 0, 1);
  return value;
}

test("configuration space: Realtek's RTL8139C in ports and in memory", () => {
  const { card } = new Rtl8139Driver();
  assert.equal(card.readConfig(0, 4), 0x813910ec);
  assert.equal(card.readConfig(8, 4), 0x02000010);
  for (const [bar, mask] of [
    [0x10, 0xffffff01],
    [0x14, 0xffffff00],
  ] as const) {
    // prettier-ignore
    card.writeConfig(bar, 4, 0xffffffff);
    assert.equal(card.readConfig(bar, 4), mask);
  }
});

test("the chip says that it is an RTL8139C, and its registers are in memory too", () => {
  const driver = new Rtl8139Driver();
  assert.equal(driver.read("tcr") & 0x7cc0_0000, 0x7400_0000);
  driver.write("tcr", 0xffff_ffff);
  assert.equal(driver.read("tcr") & 0x7cc0_0000, 0x7400_0000);
  assert.equal(driver.read("rerid", 1), 0x10);
  driver.mmio.writeMmio(REGISTERS_GPA + REG.rbstart, 4, 0x1234_5678);
  assert.equal(driver.read("rbstart"), 0x1234_5678);
  assert.equal(driver.ports.readPort(PORT + 0xe0, 4), 0);
});

test("the EEPROM has signature, identity and address", () => {
  const driver = new Rtl8139Driver();
  assert.deepEqual([0, 1, 2].map((word) => readEeprom(driver, word)), [0x8129, 0x10ec, 0x8139]); // prettier-ignore
  const words = [7, 8, 9].map((word) => readEeprom(driver, word));
  assert.deepEqual(words, [MAC[0] | (MAC[1] << 8), MAC[2] | (MAC[3] << 8), MAC[4] | (MAC[5] << 8)]);
});

test("address and configuration are written only while they are unlocked, and loaded again from the EEPROM", () => {
  const driver = new Rtl8139Driver();
  assert.deepEqual(address(driver), [...MAC]);
  driver.write("idr0", 0x0403_0201);
  driver.write("config1", 0xff, 1);
  assert.deepEqual([...address(driver), driver.read("config1", 1)], [...MAC, 0x0c]);
  driver.write("eeprom", UNLOCK, 1);
  driver.write("idr0", 0x0403_0201);
  driver.write("config1", 0x2c, 1);
  driver.write("eeprom", 0, 1);
  assert.deepEqual([...address(driver).slice(0, 4), driver.read("config1", 1)], [1, 2, 3, 4, 0x2c]);
  driver.write("cr", CR.reset, 1);
  assert.deepEqual(address(driver).slice(0, 4), [1, 2, 3, 4]);
  driver.write("eeprom", 0x40, 1);
  assert.deepEqual(address(driver), [...MAC]);
  assert.equal(driver.read("eeprom", 1), 0);
});

test("frames are sent by four descriptors in turn, with an interrupt", () => {
  const driver = started();
  for (let count = 0; count < 6; count++) {
    const frame = longFrame(100 + count, BROADCAST);
    assert.equal(driver.send(frame) & (TSD.own | TSD.ok), TSD.own | TSD.ok);
    assert.deepEqual(driver.link.sent.at(-1), frame);
  }
  assert.deepEqual([driver.link.sent.length, driver.pin.level, driver.read("isr", 2)], [6, true, ISR.transmitted]); // prettier-ignore
  driver.write("isr", ISR.transmitted, 2);
  assert.equal(driver.pin.level, false);
  assert.equal(driver.read("tsad", 2), 0xf00f);
  driver.send(longFrame(20));
  assert.equal(driver.link.sent.at(-1)?.length, 60);
});

test("descriptors are sent in their order, when the transmitter is on and the card a bus master", () => {
  const driver = started();
  driver.write("cr", 0, 1);
  driver.write("tsd1", 70);
  driver.write("tsd0", 60);
  assert.equal(driver.read("tsd0") & (TSD.own | TSD.ok), 0);
  assert.equal(driver.read("tsad", 2), 0x000c);
  driver.card.writeConfig(4, 2, 3);
  driver.write("cr", CR.transmit, 1);
  assert.equal(driver.link.sent.length, 0);
  driver.card.writeConfig(4, 2, 7);
  assert.deepEqual(
    driver.link.sent.map(({ length }) => length),
    [60, 70],
  );
  driver.write("tsd3", 60);
  assert.equal(driver.link.sent.length, 2);
});

test("the longest frame is sent; a longer one, and one that is not in RAM, are lost but done", () => {
  const driver = started();
  driver.send(longFrame(FRAME_BYTES_MAX));
  assert.equal(driver.send(longFrame(FRAME_BYTES_MAX + 1)) & TSD.ok, TSD.ok);
  driver.ports.writePort(PORT + REG.tsad0 + 8, 4, 0xffff_fff0);
  driver.write("tsd2", 100);
  assert.equal(driver.read("tsd2") & TSD.ok, TSD.ok);
  driver.send(longFrame(60));
  assert.deepEqual(
    driver.link.sent.map(({ length }) => length),
    [FRAME_BYTES_MAX],
  );
});

test("frames arrive behind a header of status and length, with their check sequence", () => {
  const driver = started();
  assert.equal(driver.read("cr", 1) & CR.empty, CR.empty);
  const frame = longFrame(301);
  driver.link.deliver(frame);
  driver.link.deliver(frameOf({ data: [9] }));
  assert.deepEqual([driver.read("cr", 1) & CR.empty, driver.read("isr", 2), driver.pin.level], [0, ISR.received, true]); // prettier-ignore
  assert.equal(driver.read("cbr", 2), 312 + 68);
  const [first, second] = driver.received();
  assert.deepEqual(first, { status: 0x4001, frame, checkSequence: frameCheckSequence(frame) });
  assert.deepEqual([second?.status, second?.frame.length], [0x2001, 60]);
  assert.deepEqual([...(second?.frame.subarray(14, 17) ?? [])], [9, 0, 0]);
  assert.equal(driver.read("cr", 1) & CR.empty, CR.empty);
});

for (const [what, rcr, lengthCode] of [
  ["8 KiB", 0, 0],
  ["16 KiB, frames in one piece", RCR.wrap, 1],
  ["32 KiB, frames in one piece", RCR.wrap, 2],
  ["64 KiB, which never has them in one piece", RCR.wrap, 3],
] as const) {
  test(`a buffer of ${what} goes round many times`, () => {
    const driver = started(RCR.own | rcr, lengthCode);
    for (let turn = 0; turn < 40; turn++) {
      const frames = [0, 1, 2, 3].map((index) => longFrame(60 + 33 * ((turn * 4 + index) % 44)));
      for (const frame of frames) assert.equal(driver.link.deliver(frame), true);
      assert.deepEqual(
        driver.received().map((one) => one.frame),
        frames,
      );
    }
  });
}

test("a frame that would wrap lies behind the buffer's end if the driver wants that, and else at its start", () => {
  for (const [rcr, isBehind] of [
    [RCR.own, false],
    [RCR.own | RCR.wrap, true],
  ] as const) {
    const driver = started(rcr);
    driver.ram.fill(RX_BUFFER_GPA, 0x4000, 0xee);
    for (let count = 0; count < 5; count++) driver.link.deliver(longFrame(1514));
    driver.received();
    driver.link.deliver(longFrame(1514));
    assert.equal(driver.ram.readU8(RX_BUFFER_GPA + 8192) !== 0xee, isBehind);
    assert.deepEqual(
      driver.received().map(({ frame }) => frame),
      [longFrame(1514)],
    );
  }
});

test("a frame for which there is no room waits until the driver has read", () => {
  const driver = started();
  const frame = longFrame(1514);
  let count = 0;
  while (driver.link.deliver(frame)) count++;
  assert.equal(count, 5);
  assert.equal(driver.read("cr", 1) & CR.empty, 0);
  driver.link.onReady = () => void driver.link.deliver(frame);
  assert.equal(driver.received().length, count + 1);
});

test("addresses: its own, broadcast, groups by their hash, everybody's", () => {
  const receives = (rcr: number, to: readonly number[], isGroupSet = false): boolean => {
    const driver = started(rcr);
    const hash = multicastHash(Uint8Array.from(GROUP));
    driver.ports.writePort(PORT + REG.mar0 + (hash >>> 3), 1, isGroupSet ? 1 << (hash & 7) : ~(1 << (hash & 7)) & 0xff); // prettier-ignore
    driver.link.deliver(frameOf({ to }));
    return driver.received().length > 0;
  };
  assert.deepEqual([receives(0, MAC), receives(RCR.own, MAC), receives(RCR.own, OTHER)], [false, true, false]); // prettier-ignore
  assert.deepEqual([receives(RCR.all, MAC), receives(RCR.all, OTHER)], [true, true]);
  assert.deepEqual([receives(RCR.all, BROADCAST), receives(RCR.broadcast, BROADCAST)], [false, true]);
  assert.deepEqual([receives(RCR.multicast, GROUP, true), receives(RCR.multicast, GROUP), receives(0, GROUP, true)], [true, false, false]); // prettier-ignore
});

test("a receiver that is off, and a card that is no bus master, lose frames", () => {
  const driver = started();
  driver.write("cr", CR.transmit, 1);
  assert.equal(driver.link.deliver(frameOf()), true);
  driver.write("cr", CR.receive, 1);
  driver.card.writeConfig(4, 2, 3);
  assert.equal(driver.link.deliver(frameOf()), true);
  assert.equal(driver.received().length, 0);
});

test("loopback gives back what is sent and hears nobody else", () => {
  const driver = started();
  driver.write("tcr", 3 << 17);
  const frame = longFrame(200);
  driver.send(frame);
  driver.link.deliver(longFrame(300));
  assert.equal(driver.link.sent.length, 0);
  assert.deepEqual(
    driver.received().map((one) => one.frame),
    [frame],
  );
});

test("the link: media status, PHY registers, an interrupt at each change", () => {
  const driver = started();
  assert.deepEqual([driver.read("msr", 1) & 0x0c, driver.read("bmsr", 2) & 0x24, driver.read("anlpar", 2)], [0, 0x24, 0x45e1]); // prettier-ignore
  driver.link.setUp(false);
  assert.deepEqual([driver.read("msr", 1) & 0x0c, driver.read("bmsr", 2) & 0x24, driver.read("anlpar", 2)], [4, 0, 0]); // prettier-ignore
  assert.deepEqual([driver.read("isr", 2), driver.pin.level], [ISR.link, true]);
  driver.write("bmcr", 0x3300, 2);
  assert.equal(driver.read("bmcr", 2), 0x3100);
  driver.write("bmcr", 0x8000, 2);
  assert.equal(driver.read("bmcr", 2), 0x1000);
});

test("the timer counts PCI clocks, and interrupts at its count", () => {
  const driver = started();
  driver.write("tctr", 0);
  driver.pass(1000);
  assert.equal(driver.read("tctr"), 33);
  driver.write("timerInterrupt", 66);
  driver.pass(999);
  assert.equal(driver.read("isr", 2), 0);
  driver.pass(1);
  assert.deepEqual([driver.read("isr", 2), driver.pin.level], [ISR.timeOut, true]);
  driver.write("isr", ISR.timeOut, 2);
  driver.write("tctr", 0);
  driver.pass(2000);
  assert.equal(driver.read("isr", 2), ISR.timeOut);
  driver.write("timerInterrupt", 0);
  assert.equal(driver.timers.size, 0);
});

test("a masked interrupt comes when it is unmasked", () => {
  const driver = started();
  driver.write("imr", 0, 2);
  driver.link.deliver(frameOf());
  assert.equal(driver.pin.level, false);
  driver.write("imr", ISR.received, 2);
  assert.equal(driver.pin.level, true);
});

test("a reset by the command register ends by itself, and late frames are lost", () => {
  const driver = started();
  while (driver.link.deliver(longFrame(1514)));
  const { timesReady } = driver.link;
  driver.write("mar0", 0x1234_5678);
  driver.write("cr", CR.reset | CR.transmit | CR.receive, 1);
  assert.deepEqual([driver.read("cr", 1), driver.read("isr", 2), driver.read("capr", 2)], [CR.empty, 0, 0xfff0]); // prettier-ignore
  assert.deepEqual([driver.read("tsd0"), driver.read("mar0"), driver.link.timesReady], [TSD.own, 0x1234_5678, timesReady + 1]); // prettier-ignore
});

test("a buffer that is not in RAM harms nobody", () => {
  const driver = started();
  driver.write("rbstart", 0xffff_fff0);
  for (let count = 0; count < 5; count++) assert.equal(driver.link.deliver(longFrame(1514)), true);
  driver.write("capr", 0xffff, 2);
  driver.link.deliver(longFrame(1514));
  driver.write("rcr", 0xffff_ffff);
  driver.link.deliver(longFrame(1514));
  assert.equal(driver.pin.level, true);
});

test("a saved card goes on in another one", () => {
  const first = started();
  first.send(longFrame(100));
  first.link.deliver(longFrame(700));
  first.write("timerInterrupt", 1000);
  const saved = first.card.save();
  const second = new Rtl8139Driver();
  second.ram.write(0, first.ram.bytes);
  second.card.restore(saved);
  assert.deepEqual(second.card.save(), saved);
  assert.equal(second.pin.level, true);
  assert.deepEqual(
    second.received().map(({ frame }) => frame),
    [longFrame(700)],
  );
  second.write("tsd1", 80);
  assert.equal(second.link.sent.length, 1);
  second.pass(40_000);
  assert.equal(second.read("isr", 2) & ISR.timeOut, ISR.timeOut);
});

test("while a frame waits for room the driver is reminded of those that it has not taken", () => {
  const driver = started();
  while (driver.link.deliver(longFrame(1514)));
  driver.write("isr", 0xff, 2);
  driver.pass(999_999);
  assert.equal(driver.pin.level, false);
  driver.pass(1);
  assert.equal(driver.pin.level, true);
  driver.write("isr", 0xff, 2);
  driver.pass(1_000_000);
  assert.equal(driver.pin.level, true);
  driver.received();
  driver.write("isr", 0xff, 2);
  driver.pass(1_000_000);
  assert.deepEqual([driver.pin.level, driver.timers.size], [false, 0]);
});
