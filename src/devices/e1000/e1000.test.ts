import assert from "node:assert/strict";
import { test } from "node:test";
import { StateReader } from "../../hw/index.ts";
import { frameOf } from "../../net/testing.ts";
import type { RecordedLink } from "../../net/testing.ts";
import { E1000Driver, IO_PORT, MAC, machine, place, REG, REGISTERS_GPA } from "./testing.ts";

const ICR = { txdw: 1, txqe: 2, lsc: 4, rxt0: 0x80, mdac: 0x200 } as const;

function connect(link?: RecordedLink) {
  const on = machine(link);
  return { on, driver: new E1000Driver(on), link: on.link, pin: on.pin };
}

/** Reads a word of the EEPROM over its wires, as the manual's section 5.3.1 says. */
function readByWires(driver: E1000Driver, address: number, words = 1): number[] {
  const [sk, cs, di, out] = [1, 2, 4, 8];
  const clock = (data: number): number => {
    driver.write("eecd", cs | data);
    driver.write("eecd", cs | data | sk);
    const bit = (driver.read("eecd") & out) === 0 ? 0 : 1;
    driver.write("eecd", cs | data);
    return bit;
  };
  driver.write("eecd", cs);
  for (let bit = 8; bit >= 0; bit--) clock((((6 << 6) | address) >>> bit) & 1 ? di : 0);
  const found = Array.from({ length: words }, () => {
    let word = 0;
    for (let bit = 0; bit < 16; bit++) word = (word << 1) | clock(0);
    return word;
  });
  driver.write("eecd", 0);
  return found;
}

function readByRegister(driver: E1000Driver, address: number): number {
  driver.write("eerd", (address << 8) | 1);
  const value = driver.read("eerd");
  assert.equal(value & 0x10, 0x10);
  return value >>> 16;
}

function mdic(driver: E1000Driver, register: number, written?: number, phy = 1, interrupt = 0): number {
  const operation = written === undefined ? 2 << 26 : 1 << 26;
  driver.write("mdic", (operation | (phy << 21) | (register << 16) | (written ?? 0) | interrupt) >>> 0);
  const value = driver.read("mdic");
  assert.equal(value & 0x1000_0000, 0x1000_0000);
  return value;
}

const MAC_WORDS = [MAC[0] | (MAC[1] << 8), MAC[2] | (MAC[3] << 8), MAC[4] | (MAC[5] << 8)];

test("configuration space: Intel's 82540EM with registers in memory and a window in I/O space", () => {
  const { on } = connect();
  assert.equal(on.card.readConfig(0, 4), 0x100e8086);
  assert.equal(on.card.readConfig(8, 4) >>> 8, 0x020000);
  assert.equal(on.card.readConfig(0x2c, 4), 0x001e8086);
  for (const [bar, mask] of [
    [0x10, 0xfffe0000],
    [0x14, 0],
    [0x18, 0xffffffc1],
  ] as const) {
    // prettier-ignore
    on.card.writeConfig(bar, 4, 0xffffffff);
    assert.equal(on.card.readConfig(bar, 4), mask);
  }
});

test("the EEPROM has the address, by register and by wires, and its words add up", () => {
  const { driver } = connect();
  assert.equal(driver.read("eecd") & 0x100, 0x100);
  assert.deepEqual([0, 1, 2].map((word) => readByRegister(driver, word)), MAC_WORDS); // prettier-ignore
  assert.deepEqual([0, 1, 2].map((word) => readByWires(driver, word)[0]), MAC_WORDS); // prettier-ignore
  assert.deepEqual(readByWires(driver, 0, 3), MAC_WORDS);
  assert.deepEqual(readByWires(driver, 63, 2), [readByRegister(driver, 63), MAC_WORDS[0]]);
  let sum = 0;
  for (let word = 0; word < 64; word++) sum += readByRegister(driver, word);
  assert.equal(sum & 0xffff, 0xbaba);
  assert.equal(readByRegister(driver, 64), 0xffff);
  driver.write("eerd", 0xffff_ffee);
  assert.equal(driver.read("eerd"), 0xffff_ffee);
});

test("the EEPROM is granted to whoever requests it, and a half-read word is forgotten with its deselection", () => {
  const { driver } = connect();
  driver.write("eecd", 0x40);
  assert.equal(driver.read("eecd") & 0xc0, 0xc0);
  driver.write("eecd", 0);
  assert.equal(driver.read("eecd") & 0xc0, 0);
  driver.write("eecd", 2);
  driver.write("eecd", 2 | 4 | 1);
  driver.write("eecd", 0);
  assert.deepEqual(readByWires(driver, 1), [MAC_WORDS[1]]);
});

test("the PHY: identity, abilities, a negotiated gigabit", () => {
  const { driver, link } = connect();
  const read = (register: number): number => mdic(driver, register) & 0xffff;
  assert.deepEqual([read(2), read(3)], [0x0141, 0x0c20]);
  assert.equal(read(1) & 0x24, 0x24);
  assert.equal(read(17) & 0xac00, 0xac00);
  assert.equal(read(10) & 0x0800, 0x0800);
  link.setUp(false);
  assert.deepEqual([read(1) & 0x24, read(17), read(10), read(5)], [0, 0, 0, 0]);
  link.setUp(true);
  // The loss of the link is shown once, even when it is up again.
  assert.equal(read(1) & 4, 4);
  link.setUp(false);
  link.setUp(true);
  assert.equal(read(1) & 4, 0);
  assert.equal(read(1) & 4, 4);
});

test("the PHY: registers are written, a reset and a negotiation end by themselves, the last with an interrupt", () => {
  const { driver } = connect();
  mdic(driver, 4, 0x01e1);
  assert.equal(mdic(driver, 4) & 0xffff, 0x01e1);
  driver.read("icr");
  mdic(driver, 0, 0x1300);
  assert.equal(mdic(driver, 0) & 0xffff, 0x1100);
  assert.equal(driver.read("icr") & ICR.lsc, ICR.lsc);
  mdic(driver, 0, 0x9140);
  assert.deepEqual([mdic(driver, 0) & 0xffff, mdic(driver, 4) & 0xffff], [0x1140, 0x0de1]);
  // What is read-only, and what is not there.
  mdic(driver, 2, 0x5555);
  assert.equal(mdic(driver, 2) & 0xffff, 0x0141);
  mdic(driver, 31, 0x5555);
  assert.equal(mdic(driver, 31) & 0xffff, 0);
});

test("the PHY: another address and another operation are errors, an interrupt comes if it is wanted", () => {
  const { driver } = connect();
  assert.equal(mdic(driver, 2, undefined, 0) & 0x4000_0000, 0x4000_0000);
  driver.write("mdic", (1 << 21) | (2 << 16));
  assert.equal(driver.read("mdic") & 0x4000_0000, 0x4000_0000);
  driver.read("icr");
  mdic(driver, 2);
  assert.equal(driver.read("icr"), 0);
  mdic(driver, 2, undefined, 1, 0x2000_0000);
  assert.equal(driver.read("icr"), ICR.mdac);
});

test("interrupts: causes, mask, reading and writing take them away", () => {
  const { driver, pin } = connect();
  driver.write("ims", ICR.lsc | ICR.rxt0);
  assert.equal(driver.read("ims"), ICR.lsc | ICR.rxt0);
  driver.write("ics", ICR.txdw);
  assert.equal(pin.level, false);
  driver.write("ics", ICR.lsc);
  assert.equal(pin.level, true);
  assert.equal(driver.read("ics"), ICR.txdw | ICR.lsc);
  driver.write("icr", ICR.lsc);
  assert.equal(pin.level, false);
  driver.write("ics", ICR.rxt0);
  driver.write("imc", ICR.rxt0);
  assert.equal(pin.level, false);
  driver.write("ims", ICR.rxt0);
  assert.equal(pin.level, true);
  assert.equal(driver.read("icr"), ICR.txdw | ICR.rxt0);
  assert.equal(pin.level, false);
  assert.equal(driver.read("icr"), 0);
  assert.equal(driver.read("imc"), 0);
  driver.write("ics", 0xffff_ffff);
  assert.equal(driver.read("icr"), 0x1f6df);
});

test("with MSI the card sends a message for each interrupt, and nothing again when it is restored", () => {
  const { on, driver, pin } = connect();
  assert.equal(on.card.readConfig(0x34, 1), 0xf0);
  on.card.writeConfig(0xf4, 4, 0xfee0_0000);
  on.card.writeConfig(0xfc, 2, 0x31);
  on.card.writeConfig(0xf2, 2, 1);
  driver.write("ims", ICR.lsc);
  driver.write("ics", ICR.lsc);
  driver.write("ics", ICR.lsc);
  assert.deepEqual(on.messages, ["fee00000=31"]);
  const other = machine();
  other.card.restore(on.card.save());
  assert.deepEqual(other.messages, []);
  assert.deepEqual(other.card.save(), on.card.save());
  assert.equal(driver.read("icr"), ICR.lsc);
  driver.write("ics", ICR.lsc);
  assert.deepEqual(on.messages, ["fee00000=31", "fee00000=31"]);
  assert.deepEqual([pin.risingEdges, other.pin.risingEdges], [0, 0]);
});

test("the throttle keeps interrupts apart", () => {
  const { driver, pin } = connect();
  driver.write("itr", 1000);
  driver.write("ims", ICR.lsc);
  driver.write("ics", ICR.lsc);
  assert.equal(pin.risingEdges, 1);
  driver.read("icr");
  driver.write("ics", ICR.lsc);
  assert.equal(pin.level, false);
  driver.pass(255_999);
  assert.equal(pin.level, false);
  driver.pass(1);
  assert.equal(pin.risingEdges, 2);
  driver.read("icr");
  driver.pass(256_000);
  driver.write("ics", ICR.lsc);
  assert.equal(pin.risingEdges, 3);
  assert.ok(driver.on.timers.size <= 1);
});

test("the link's state is in the status, and its changes interrupt", () => {
  const { driver, link, pin } = connect();
  assert.equal(driver.read("status") & 0xc3, 0x83);
  driver.write("ims", ICR.lsc);
  link.setUp(false);
  assert.deepEqual([driver.read("status") & 2, pin.level], [0, true]);
  assert.equal(driver.read("icr"), ICR.lsc);
  link.setUp(true);
  assert.deepEqual([driver.read("status") & 2, driver.read("icr")], [2, ICR.lsc]);
});

test("registers are whole: other writes have no effect, other reads give a part", () => {
  const { on, driver } = connect();
  driver.write("rdbal", 0x1234_5678);
  assert.equal(driver.read("rdbal"), 0x1234_5670);
  on.mmio.writeMmio(REGISTERS_GPA + REG.rdbal, 2, 0xffff);
  on.mmio.writeMmio(REGISTERS_GPA + REG.rdbal + 1, 1, 0xff);
  assert.equal(driver.read("rdbal"), 0x1234_5670);
  assert.equal(on.mmio.readMmio(REGISTERS_GPA + REG.rdbal + 2, 2), 0x1234);
  assert.equal(on.mmio.readMmio(REGISTERS_GPA + REG.rdbal + 1, 1), 0x56);
  for (const nothing of [0x50, 0x8000, 0x1_0000, 0x1_fffc]) {
    on.mmio.writeMmio(REGISTERS_GPA + nothing, 4, 0xffff_ffff);
    assert.equal(on.mmio.readMmio(REGISTERS_GPA + nothing, 4), 0);
  }
});

test("control has two places, and descriptor rings sizes in steps of 128 bytes", () => {
  const { on, driver } = connect();
  on.mmio.writeMmio(REGISTERS_GPA + 4, 4, 0x41);
  assert.deepEqual([driver.read("ctrl"), on.mmio.readMmio(REGISTERS_GPA + 4, 4)], [0x41, 0x41]);
  driver.write("rdlen", 0xffff_ffff);
  assert.equal(driver.read("rdlen"), 0xfff80);
});

test("the window in I/O space reaches every register, and nothing else", () => {
  const { on, driver } = connect();
  const { ports } = on;
  ports.writePort(IO_PORT, 4, REG.rdbal);
  ports.writePort(IO_PORT + 4, 4, 0xabcd_ef00);
  assert.equal(driver.read("rdbal"), 0xabcd_ef00);
  assert.deepEqual([ports.readPort(IO_PORT, 4), ports.readPort(IO_PORT + 4, 4)], [REG.rdbal, 0xabcd_ef00]);
  for (const wrong of [0x2_0000, 0x2801, 0xffff_fffc]) {
    ports.writePort(IO_PORT, 4, wrong);
    ports.writePort(IO_PORT + 4, 4, 0);
    assert.equal(ports.readPort(IO_PORT + 4, 4), 0);
  }
  ports.writePort(IO_PORT + 8, 4, 1);
  ports.writePort(IO_PORT + 4, 1, 1);
  assert.deepEqual([ports.readPort(IO_PORT + 8, 4), ports.readPort(IO_PORT + 4, 2)], [0, 0]);
});

test("the receive address comes from the EEPROM, again when that is asked for", () => {
  const { driver } = connect();
  const address = (): number[] => [driver.read("ral"), driver.read("rah")];
  const loaded = [0x1200_5452, 0x8000_5634];
  assert.deepEqual(address(), loaded);
  driver.write("ral", 1);
  driver.write("rah", 2);
  assert.deepEqual(address(), [1, 2]);
  driver.write("ctrlExt", 0x2000);
  assert.deepEqual(address(), loaded);
});

test("a reset by CTRL brings everything back but the place in the address spaces", () => {
  const { driver, pin, on } = connect();
  driver.start();
  driver.write("mta", 5, 3);
  driver.write("ims", ICR.lsc);
  driver.write("ics", ICR.lsc);
  driver.write("ctrl", 0x0400_0000);
  assert.equal(pin.level, false);
  assert.deepEqual([driver.read("ctrl"), driver.read("rctl"), driver.read("mta", 3)], [0x00140240, 0, 0]);
  const fresh = machine();
  assert.deepEqual(on.card.save(), fresh.card.save());
});

test("a saved card goes on, also with interrupts that wait", () => {
  const first = connect();
  first.driver.write("itr", 1000);
  first.driver.write("rdtr", 100);
  first.driver.write("radv", 300);
  first.driver.write("ims", ICR.lsc | ICR.rxt0);
  first.driver.start();
  first.driver.write("ics", ICR.lsc);
  first.driver.read("icr");
  first.driver.write("ics", ICR.lsc);
  first.link.deliver(frameOf());
  const saved = first.on.card.save();

  const second = connect();
  second.on.card.restore(saved);
  assert.deepEqual(second.on.card.save(), saved);
  assert.equal(second.pin.level, false);
  second.driver.pass(102_400);
  assert.equal(second.driver.read("ics") & ICR.rxt0, ICR.rxt0);
  second.driver.pass(256_000);
  assert.equal(second.pin.level, true);
});

test("a snapshot with rings that no register can describe harms nobody", () => {
  const { driver, on, link } = connect();
  driver.start();
  const saved = on.card.save();
  const huge = { rdlen: 0xffff_ffff, rdt: 0xffff_0000, tdlen: 0xffff_ffff, tdt: 0xfffe_0000 };
  on.card.restore({
    ...saved,
    registers: { ...new StateReader("e1000", saved).object("registers"), ...huge },
  });
  assert.equal(link.deliver(frameOf()), false);
  driver.write("tctl", 2);
  assert.equal(link.sent.length, 0);
});

test("the reset signal takes the card off the buses, and frames that waited are lost", () => {
  const { driver, on, link } = connect();
  driver.start();
  for (let count = 0; count < 7; count++) assert.equal(link.deliver(frameOf()), true);
  assert.equal(link.deliver(frameOf()), false);
  on.card.reset();
  assert.equal(link.timesReady, 1);
  assert.equal(on.mmio.readMmio(REGISTERS_GPA, 4), 0xffff_ffff);
  place(on.card);
  assert.equal(driver.read("rctl"), 0);
});
