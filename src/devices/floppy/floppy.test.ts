import assert from "node:assert/strict";
import { test } from "node:test";

import { MemoryDisk } from "../../block/index.ts";
import { FLOPPY_FORMATS, floppyFormatOf, formatSizeBytes } from "./formats.ts";
import { FloppyDrive } from "./index.ts";
import { fillOf, floppyMachine, numberedDisk } from "./testing.ts";

const SECTOR = 512;
const READ = 0xe6;
const READ_ONE_SIDE = 0x46;
const WRITE = 0xc5;
const NOT_AUTO = { gap: 0x1b, dtl: 0xff } as const;

/** The bytes of a data command. */
const command = (code: number, select: number, [c, h, r]: readonly number[], eot: number) =>
  [code, select, c ?? 0, h ?? 0, r ?? 0, 2, eot, NOT_AUTO.gap, NOT_AUTO.dtl] as const;
const sectorOf144 = (c: number, h: number, r: number): number => (c * 2 + h) * 18 + r - 1;
const filled = (...sectors: readonly number[]): number[] =>
  sectors.flatMap((sector) => Array<number>(SECTOR).fill(fillOf(sector)));

async function started(format = "1.44M", isReadOnly = false) {
  const disk = numberedDisk(format, isReadOnly);
  const m = floppyMachine(disk);
  await m.start();
  return { ...m, disk };
}

// Reset and polling.

test("after power-on the controller is held in reset and silent", async () => {
  const m = floppyMachine(numberedDisk("1.44M"));
  m.fdc.reset();
  assert.deepEqual([m.in(2), m.msr(), m.in(5)], [0, 0, 0]);
  m.out(5, 0x10);
  await m.pass();
  assert.equal(m.irq.risingEdges, 0);
  assert.equal(m.msr(), 0);
});

test("out of reset it polls: one interrupt, and four drives to sense", async () => {
  const m = floppyMachine(numberedDisk("1.44M"));
  m.out(2, 0x0c);
  assert.equal(m.msr(), 0x80);
  assert.equal(m.irq.level, false);
  await m.pass();
  assert.equal(m.irq.level, true);
  const sensed = [0, 1, 2, 3].map(() => m.ask(0x08));
  assert.deepEqual(sensed, [
    [0xc0, 0],
    [0xc1, 0],
    [0xc2, 0],
    [0xc3, 0],
  ]);
  assert.equal(m.irq.level, false);
  assert.equal(m.irq.risingEdges, 1);
  assert.deepEqual(m.ask(0x08), [0x80]);
});

test("the reset of DSR ends by itself, and one in DOR lasts", async () => {
  const m = await started();
  m.give(0x0f, 0);
  m.out(4, 0x80);
  assert.equal(m.msr(), 0x80);
  await m.pass();
  assert.deepEqual(m.ask(0x08), [0xc0, 0]);
  m.out(2, 0x08);
  m.out(4, 0x80);
  await m.pass();
  assert.equal(m.irq.level, false);
  assert.equal(m.msr(), 0);
});

test("CONFIGURE with polling disabled right after a reset keeps it from interrupting", async () => {
  const m = floppyMachine(numberedDisk("1.44M"));
  m.out(2, 0x0c);
  m.give(0x13, 0, 0x57, 0);
  await m.pass();
  assert.equal(m.irq.level, false);
  assert.deepEqual(m.ask(0x08), [0x80]);
});

test("powered down by DSR it takes nothing until it is reset", async () => {
  const m = await started();
  m.out(4, 0x40);
  assert.equal(m.msr(), 0);
  m.out(5, 0x10);
  assert.equal(m.in(5), 0);
  m.out(2, 0);
  m.out(2, 0x1c);
  await m.pass();
  assert.deepEqual(m.ask(0x10), [0x90]);
});

test("without the gate in DOR interrupts do not come out", async () => {
  const m = floppyMachine(numberedDisk("1.44M"));
  m.out(2, 0x04);
  await m.pass();
  assert.equal(m.irq.level, false);
  m.out(2, 0x0c);
  assert.equal(m.irq.level, true);
});

// Commands without data.

test("VERSION, LOCK and the registers that an AT does not have", async () => {
  const m = await started();
  assert.deepEqual(m.ask(0x10), [0x90]);
  assert.deepEqual(m.ask(0x94), [0x10]);
  assert.deepEqual(m.ask(0x14), [0x00]);
  assert.deepEqual([m.in(0), m.in(1)], [0xff, 0xff]);
  m.out(3, 0xff);
  assert.equal(m.in(3), 0xff);
  m.out(3, 0x02);
  assert.equal(m.in(3), 0xfe);
});

for (const code of [0x00, 0x01, 0x0b, 0x11, 0x18, 0x19, 0x1d, 0x1f, 0x25, 0x47, 0x8a, 0xcd, 0xff]) {
  test(`the command ${code.toString(16)} is invalid: one byte, no interrupt`, async () => {
    const m = await started();
    assert.deepEqual(m.ask(code), [0x80]);
    assert.equal(m.irq.level, false);
    assert.equal(m.msr(), 0x80);
  });
}

test("DUMPREG gives back what SPECIFY, CONFIGURE, PERPENDICULAR MODE, LOCK and SEEK have set", async () => {
  const m = await started();
  assert.deepEqual(m.ask(0x0e), [0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0]);
  assert.deepEqual(m.ask(0x03, 0xdf, 0x02), []);
  assert.deepEqual(m.ask(0x13, 0, 0x5a, 0x11), []);
  assert.deepEqual(m.ask(0x12, 0x8f), []);
  assert.deepEqual(m.ask(0x94), [0x10]);
  await m.seek(0, 7);
  await m.seek(2, 9);
  assert.deepEqual(m.ask(0x0e), [7, 0, 9, 0, 0xdf, 0x02, 0, 0x8f, 0x5a, 0x11]);
  // Without OW the drives' bits stay.
  assert.deepEqual(m.ask(0x12, 0x3c), []);
  assert.deepEqual(m.ask(0x0e).slice(7, 8), [0x8c]);
  assert.deepEqual(m.ask(0x12, 0x03), []);
  // A software reset leaves what is locked, and the drives' perpendicular bits.
  await m.start();
  assert.deepEqual(m.ask(0x0e), [0, 0, 0, 0, 0xdf, 0x02, 0, 0x8c, 0x0a, 0x11]);
  m.ask(0x14);
  await m.start();
  assert.deepEqual(m.ask(0x0e), [0, 0, 0, 0, 0xdf, 0x02, 0, 0x0c, 0x20, 0]);
});

test("SENSE DRIVE STATUS shows track 0, write protection, and a drive that is not there", async () => {
  const m = await started("1.44M", true);
  assert.deepEqual(m.ask(0x04, 0x04), [0x7c]);
  await m.seek(0, 3);
  assert.deepEqual(m.ask(0x04, 0x00), [0x68]);
  assert.deepEqual(m.ask(0x04, 0x01), [0x29]);
  const writable = await started();
  assert.deepEqual(writable.ask(0x04, 0x00), [0x38]);
});

// Moving heads.

test("SEEK interrupts when it ends, busy until it is sensed, and seeks of two drives overlap", async () => {
  const m = floppyMachine(numberedDisk("1.44M"), numberedDisk("720K"));
  await m.start();
  m.give(0x0f, 0, 40);
  m.give(0x0f, 1, 20);
  assert.equal(m.msr(), 0x83);
  assert.equal(m.irq.level, false);
  const edges = m.irq.risingEdges;
  await m.pass();
  assert.equal(m.irq.level, true);
  assert.equal(m.msr(), 0x83);
  assert.deepEqual(m.ask(0x08), [0x20, 40]);
  // The other one's interrupt comes again.
  assert.equal(m.irq.level, true);
  assert.equal(m.irq.risingEdges, edges + 2);
  assert.equal(m.msr(), 0x82);
  assert.deepEqual(m.ask(0x08), [0x21, 20]);
  assert.equal(m.irq.level, false);
  assert.equal(m.msr(), 0x80);
});

test("an implied seek during a seek of the same drive is where the heads stay", async () => {
  const m = await started();
  m.ask(0x13, 0, 0x40, 0);
  m.give(0x0f, 0, 60);
  m.dma.program(SECTOR);
  assert.deepEqual((await m.run(...command(READ, 0, [7, 0, 1], 18))).slice(0, 4), [0, 0, 0, 7]);
  assert.deepEqual(m.ask(0x08), [0x20, 7]);
  assert.deepEqual((await m.run(0x4a, 0)).slice(3, 4), [7]);
});

test("RECALIBRATE finds track 0, and reports a drive that has none", async () => {
  const m = await started();
  await m.seek(0, 40);
  m.give(0x07, 0);
  await m.pass();
  assert.deepEqual(m.ask(0x08), [0x20, 0]);
  assert.equal(m.drives[0]?.isAtTrack0, true);
  m.give(0x07, 1);
  await m.pass();
  assert.deepEqual(m.ask(0x08), [0x71, 0]);
});

test("RECALIBRATE gives up after 79 steps, so that heads far in need another one", async () => {
  const m = await started();
  await m.seek(0, 82);
  m.give(0x07, 0);
  await m.pass();
  assert.deepEqual(m.ask(0x08), [0x70, 0]);
  m.give(0x07, 0);
  await m.pass();
  assert.deepEqual(m.ask(0x08), [0x20, 0]);
});

test("RELATIVE SEEK steps in and out without knowing where it is", async () => {
  const m = await started();
  m.give(0xcf, 0, 5);
  await m.pass();
  assert.deepEqual(m.ask(0x08), [0x20, 5]);
  m.give(0x8f, 0, 2);
  await m.pass();
  assert.deepEqual(m.ask(0x08), [0x20, 3]);
  assert.deepEqual((await m.run(0x4a, 0)).slice(3, 5), [3, 0]);
});

test("the changed line falls by a step with a diskette inside, of the drive that is selected", async () => {
  const m = floppyMachine(numberedDisk("1.44M"));
  await m.start();
  assert.equal(m.in(7), 0xff);
  m.give(0x07, 0);
  await m.pass();
  m.ask(0x08);
  assert.equal(m.in(7), 0xff);
  await m.seek(0, 1);
  assert.equal(m.in(7), 0x7f);
  assert.ok(m.fdc.eject(0));
  assert.equal(m.in(7), 0xff);
  await m.seek(0, 2);
  assert.equal(m.in(7), 0xff);
  assert.equal(m.fdc.insert(0, numberedDisk("720K")).ok, true);
  await m.seek(0, 3);
  assert.equal(m.in(7), 0x7f);
  m.out(2, 0xfd);
  assert.equal(m.in(7), 0x7f);
});

// Reading.

test("READ DATA moves sectors until the terminal count; the result names the sector behind", async () => {
  const m = await started();
  m.dma.program(2 * SECTOR);
  await m.seek(0, 5);
  const edges = m.irq.risingEdges;
  m.give(...command(READ, 0x04, [5, 1, 3], 18));
  assert.equal(m.msr(), 0x10);
  assert.equal(m.irq.level, false);
  await m.pass();
  assert.equal(m.irq.level, true);
  assert.equal(m.irq.risingEdges, edges + 1);
  assert.equal(m.msr(), 0xd0);
  assert.equal(m.in(5), 0x04);
  assert.equal(m.irq.level, false);
  assert.deepEqual(m.result(), [0, 0, 5, 1, 5, 2]);
  assert.equal(m.msr(), 0x80);
  assert.deepEqual(m.dma.received, filled(sectorOf144(5, 1, 3), sectorOf144(5, 1, 4)));
});

test("the terminal count within a sector ends there", async () => {
  const m = await started();
  m.dma.program(SECTOR + 100);
  assert.deepEqual(await m.run(...command(READ_ONE_SIDE, 0, [0, 0, 1], 18)), [0, 0, 0, 0, 0, 3, 2]);
  assert.equal(m.dma.received.length, SECTOR + 100);
});

for (const [what, code, select, start, count, end] of [
  ["the last sector of one side", READ_ONE_SIDE, 0, [2, 0, 18], 1, [0, 0, 0, 3, 0, 1, 2]],
  ["the last sector of side 0 of two", READ, 0, [2, 0, 18], 1, [0, 0, 0, 2, 1, 1, 2]],
  ["the last sector of side 1 of two", READ, 4, [2, 1, 18], 1, [4, 0, 0, 3, 0, 1, 2]],
  ["across both sides", READ, 0, [2, 0, 18], 19, [4, 0, 0, 3, 0, 1, 2]],
  ["beyond the end of one side", READ_ONE_SIDE, 0, [2, 0, 18], 2, [0x40, 0x80, 0, 3, 0, 1, 2]],
  ["beyond the end of the cylinder", READ, 0, [2, 0, 18], 20, [0x44, 0x80, 0, 3, 0, 1, 2]],
  ["beyond the end of side 1", READ, 4, [2, 1, 18], 2, [0x44, 0x80, 0, 3, 0, 1, 2]],
] as const) {
  test(`the result after ${what} is as in table 5-6`, async () => {
    const m = await started();
    await m.seek(0, 2);
    m.dma.program(count * SECTOR);
    assert.deepEqual(await m.run(...command(code, select, start, 18)), end);
    const first = sectorOf144(start[0], start[1], start[2]);
    const read = Array.from({ length: m.dma.received.length / SECTOR }, (_, index) => first + index);
    assert.deepEqual(m.dma.received, filled(...read));
  });
}

for (const [what, bytes, result] of [
  ["another cylinder", command(READ, 0, [9, 0, 1], 18), [0x40, 0x04, 0x10, 9, 0, 1, 2]],
  ["another head", command(READ, 0, [0, 1, 1], 18), [0x40, 0x04, 0, 0, 1, 1, 2]],
  ["sector 0", command(READ, 0, [0, 0, 0], 18), [0x40, 0x04, 0, 0, 0, 0, 2]],
  ["a sector behind the last", command(READ, 0, [0, 0, 19], 30), [0x40, 0x04, 0, 0, 0, 19, 2]],
  ["sectors of another size", [0x46, 0, 0, 0, 1, 3, 18, 27, 0xff], [0x40, 0x04, 0, 0, 0, 1, 3]],
  ["single density", command(0x06, 0, [0, 0, 1], 18), [0x40, 0x01, 0, 0, 0, 1, 2]],
] as const) {
  test(`reading ${what} finds nothing`, async () => {
    const m = await started();
    assert.deepEqual(await m.run(...bytes), result);
    assert.equal(m.dma.received.length, 0);
  });
}

test("a read over the end of the format stops at the sector that is not there", async () => {
  const m = await started();
  assert.deepEqual(await m.run(...command(READ, 0, [0, 0, 17], 21)), [0x40, 0x04, 0, 0, 0, 19, 2]);
  assert.equal(m.dma.received.length, 2 * SECTOR);
});

test("at another data rate no address mark is found, and at the right one it is", async () => {
  const m = await started("720K");
  assert.deepEqual((await m.run(0x4a, 0)).slice(0, 3), [0x40, 0x01, 0]);
  m.out(7, 2);
  assert.deepEqual((await m.run(0x4a, 0)).slice(0, 3), [0, 0, 0]);
  m.out(4, 1);
  assert.deepEqual((await m.run(0x4a, 0)).slice(0, 3), [0x40, 0x01, 0]);
});

for (const [format, rate] of [
  ["160K", 2],
  ["180K", 2],
  ["320K", 2],
  ["360K", 2],
  ["720K", 2],
  ["1.2M", 0],
  ["1.44M", 0],
  ["1.68M", 0],
  ["2.88M", 3],
] as const) {
  test(`the first and the last sector of ${format} are read`, async () => {
    const m = await started(format);
    const { cylinders, heads, sectorsPerTrack } = FLOPPY_FORMATS.find(({ name }) => name === format) ?? {
      cylinders: 0,
      heads: 0,
      sectorsPerTrack: 0,
    };
    m.out(7, rate);
    m.dma.program(SECTOR);
    assert.deepEqual((await m.run(...command(READ, 0, [0, 0, 1], sectorsPerTrack))).slice(0, 3), [0, 0, 0]);
    assert.deepEqual(m.dma.received, filled(0));
    const last = [cylinders - 1, heads - 1, sectorsPerTrack] as const;
    const select = (heads - 1) << 2;
    await m.seek(0, last[0]);
    m.dma.program(SECTOR);
    assert.deepEqual((await m.run(...command(READ, select, last, sectorsPerTrack))).slice(0, 3), [
      select,
      0,
      0,
    ]);
    assert.deepEqual(m.dma.received, filled(cylinders * heads * sectorsPerTrack - 1));
    // Behind the last cylinder nothing is formatted.
    await m.seek(0, cylinders);
    assert.deepEqual((await m.run(0x4a, 0)).slice(0, 2), [0x40, 0x01]);
  });
}

test("the other side of a one-sided diskette has no address marks", async () => {
  const m = await started("180K");
  m.out(7, 2);
  assert.deepEqual((await m.run(0x4a, 0x04)).slice(0, 3), [0x44, 0x01, 0]);
});

test("a 1.2M drive reads a 360K diskette at 300 kbit/s, two steps to a track", async () => {
  const m = await started("1.2M");
  m.fdc.eject(0);
  assert.equal(m.fdc.insert(0, numberedDisk("360K")).ok, true);
  m.out(7, 1);
  await m.seek(0, 20);
  assert.deepEqual((await m.run(0x4a, 0)).slice(0, 4), [0, 0, 0, 10]);
  await m.seek(0, 21);
  assert.deepEqual((await m.run(0x4a, 0)).slice(0, 2), [0x40, 0x01]);
});

test("READ ID sees the sectors turn by", async () => {
  const m = await started();
  await m.seek(0, 4);
  const seen = new Set<number>();
  for (let i = 0; i < 40; i++) {
    const [st0, st1, st2, c, h, r, n] = await m.run(0x4a, 0x04);
    assert.deepEqual([st0, st1, st2, c, h, n], [0x04, 0, 0, 4, 1, 2]);
    seen.add(r ?? 0);
    m.clock.advance(20_000);
  }
  assert.deepEqual(
    [...seen].sort((a, b) => a - b),
    Array.from({ length: 18 }, (_, index) => index + 1),
  );
});

test("READ TRACK takes sectors as they lie and says when their IDs differ", async () => {
  const m = await started();
  assert.deepEqual(await m.run(...command(0x42, 0, [0, 0, 1], 3)), [0, 0, 0, 1, 0, 1, 2]);
  assert.deepEqual(m.dma.received, filled(0, 1, 2));
  m.dma.program(Infinity);
  assert.deepEqual((await m.run(...command(0x42, 0, [0, 0, 5], 2))).slice(0, 3), [0, 0x04, 0]);
  assert.deepEqual(m.dma.received, filled(0, 1));
  m.dma.program(Infinity);
  assert.deepEqual((await m.run(...command(0x42, 0, [0, 0, 1], 30))).slice(0, 2), [0x40, 0x05]);
  assert.equal(m.dma.received.length, 18 * SECTOR);
});

test("VERIFY reads without the host, to EOT or for a count of sectors", async () => {
  const m = await started();
  m.dma.isOpen = false;
  assert.deepEqual(await m.run(...command(0xd6, 0, [0, 0, 1], 18)), [4, 0, 0, 1, 0, 1, 2]);
  const counted = [0x56, 0x80, 0, 0, 3, 2, 18, 27, 4] as const;
  assert.deepEqual(await m.run(...counted), [0, 0, 0, 0, 0, 7, 2]);
  const beyond = [0x56, 0x80, 0, 0, 17, 2, 18, 27, 4] as const;
  assert.deepEqual(await m.run(...beyond), [0x40, 0x80, 0, 1, 0, 1, 2]);
  assert.deepEqual((await m.run(...command(0x56, 0, [0, 0, 1], 19))).slice(0, 2), [0x40, 0x04]);
  assert.equal(m.dma.received.length, 0);
});

test("an implied seek brings the heads where the command wants them", async () => {
  const m = await started();
  m.ask(0x13, 0, 0x40, 0);
  m.dma.program(SECTOR);
  assert.deepEqual((await m.run(...command(READ, 0, [33, 0, 2], 18))).slice(0, 4), [0, 0, 0, 33]);
  assert.deepEqual(m.dma.received, filled(sectorOf144(33, 0, 2)));
  assert.equal(m.ask(0x0e)[0], 33);
});

test("without a diskette, drive or motor a command waits for index pulses until a reset", async () => {
  const m = await started();
  for (const stop of [() => m.out(2, 0x0c), () => m.out(2, 0xfd), () => m.fdc.eject(0)]) {
    stop();
    m.give(...command(READ, m.in(2) & 3, [0, 0, 1], 18));
    await m.pass(5_000_000_000);
    assert.equal(m.msr(), 0x10);
    await m.start();
    assert.equal(m.msr(), 0x80);
  }
});

test("ejecting while sectors are read ends nothing and reads nothing more", async () => {
  const m = await started();
  m.dma.isOpen = false;
  m.give(...command(READ, 0, [0, 0, 1], 18));
  await m.pass();
  assert.equal(m.dma.isRequested, true);
  m.fdc.eject(0);
  assert.equal(m.dma.isRequested, false);
  m.dma.open();
  await m.pass(2_000_000_000);
  assert.equal(m.msr(), 0x10);
  assert.equal(m.dma.received.length, 0);
});

test("a channel that is opened late is served; one that stays closed is an overrun", async () => {
  const m = await started();
  m.dma.isOpen = false;
  m.dma.program(SECTOR);
  m.give(...command(READ, 0, [0, 0, 1], 18));
  await m.pass();
  assert.equal(m.dma.isRequested, true);
  m.dma.open();
  assert.deepEqual(m.result().slice(0, 3), [0, 0, 0]);
  m.dma.isOpen = false;
  m.give(...command(READ, 0, [0, 0, 1], 18));
  await m.pass(1_000_000_000);
  assert.deepEqual(m.result(), [0x40, 0x10, 0, 0, 0, 1, 2]);
  assert.equal(m.dma.isRequested, false);
});

test("a sector that the image cannot read is a data error", async () => {
  const m = await started();
  m.disk.read = () => Promise.resolve({ ok: false, error: { code: "disk-io", message: "bad" } });
  assert.deepEqual(await m.run(...command(READ, 0, [0, 0, 1], 18)), [0x40, 0x20, 0x20, 0, 0, 1, 2]);
});

test("an answer of the image after a reset is dropped", async () => {
  const m = await started();
  let answer: () => void = () => assert.fail("the image was asked");
  m.disk.read = () =>
    new Promise((resolve) => {
      answer = () => resolve({ ok: true, value: undefined });
    });
  m.give(...command(READ, 0, [0, 0, 1], 18));
  await m.pass();
  await m.start();
  answer();
  await m.pass();
  assert.equal(m.msr(), 0x80);
  assert.equal(m.irq.level, false);
  assert.equal(m.dma.received.length, 0);
});

test("however often a guest resets, the image is asked for one thing at a time, in order", async () => {
  const m = await started();
  const answers: (() => void)[] = [];
  const read = m.disk.read.bind(m.disk);
  m.disk.read = (offset, target) =>
    new Promise((resolve) => {
      answers.push(() => void read(offset, target).then(resolve));
    });
  for (let sector = 1; sector <= 10; sector++) {
    m.dma.program(SECTOR);
    m.give(...command(READ, 0, [0, 0, sector], 18));
    await m.pass();
    if (sector < 10) await m.start();
  }
  assert.equal(answers.length, 1);
  answers[0]?.();
  await m.pass();
  assert.equal(answers.length, 2);
  assert.equal(m.dma.received.length, 0);
  answers[1]?.();
  await m.pass();
  assert.deepEqual(m.result(), [0, 0, 0, 0, 0, 11, 2]);
  assert.deepEqual(m.dma.received, filled(9));
});

// Writing.

test("WRITE DATA changes the image, and the rest of the last sector becomes zeros", async () => {
  const m = await started();
  const sent = Array.from({ length: SECTOR + 10 }, (_, index) => (index * 3) & 0xff);
  m.dma.program(sent.length, sent);
  await m.seek(0, 1);
  assert.deepEqual(await m.run(...command(WRITE, 0, [1, 0, 4], 18)), [0, 0, 0, 1, 0, 6, 2]);
  const at = sectorOf144(1, 0, 4) * SECTOR;
  assert.deepEqual([...m.disk.bytes.subarray(at, at + SECTOR + 10)], sent);
  assert.deepEqual(new Set(m.disk.bytes.subarray(at + SECTOR + 10, at + 2 * SECTOR)), new Set([0]));
  assert.equal(m.disk.bytes[at + 2 * SECTOR], fillOf(sectorOf144(1, 0, 6)));
});

test("writes go on on the other side", async () => {
  const m = await started();
  m.dma.program(3 * SECTOR, Array<number>(3 * SECTOR).fill(0xe1));
  assert.deepEqual(await m.run(...command(WRITE, 0, [0, 0, 17], 18)), [4, 0, 0, 0, 1, 2, 2]);
  assert.deepEqual(new Set(m.disk.bytes.subarray(16 * SECTOR, 19 * SECTOR)), new Set([0xe1]));
  assert.equal(m.disk.bytes[19 * SECTOR], fillOf(19));
});

for (const [what, bytes] of [
  ["WRITE DATA", command(WRITE, 0, [0, 0, 1], 18)],
  ["WRITE DELETED DATA", command(0x49, 0, [0, 0, 1], 18)],
  ["FORMAT TRACK", [0x4d, 0, 2, 18, 0x54, 0xf6]],
] as const) {
  test(`${what} does not write a protected diskette`, async () => {
    const m = await started("1.44M", true);
    assert.deepEqual((await m.run(...bytes)).slice(0, 3), [0x40, 0x02, 0]);
    assert.equal(m.disk.bytes[0], fillOf(0));
    assert.equal(m.dma.isRequested, false);
  });
}

test("a write that the host cannot make is an equipment check, or protection found late", async () => {
  const m = await started();
  const codes = ["disk-full", "disk-read-only"] as const;
  const results = [];
  for (const code of codes) {
    m.disk.write = () => Promise.resolve({ ok: false, error: { code, message: "no" } });
    results.push((await m.run(...command(WRITE, 0, [0, 0, 1], 18))).slice(0, 3));
  }
  assert.deepEqual(results, [
    [0x50, 0, 0],
    [0x40, 0x02, 0],
  ]);
});

test("deleted data marks: read as other data, skipped, or looked for", async () => {
  const m = await started();
  m.dma.program(SECTOR, Array<number>(SECTOR).fill(0xdd));
  await m.run(...command(0x49, 0, [0, 0, 2], 18));
  assert.equal(m.disk.bytes[SECTOR], 0xdd);
  m.dma.program(Infinity);
  // READ DATA reads it and stops there, its ID in the result.
  assert.deepEqual(await m.run(...command(0x46, 0, [0, 0, 1], 3)), [0, 0, 0x40, 0, 0, 2, 2]);
  assert.equal(m.dma.received.length, 2 * SECTOR);
  m.dma.program(Infinity);
  assert.deepEqual(await m.run(...command(0x66, 0, [0, 0, 1], 3)), [0x40, 0x80, 0x40, 1, 0, 1, 2]);
  assert.deepEqual(m.dma.received, filled(0, 2));
  m.dma.program(Infinity);
  assert.deepEqual(await m.run(...command(0x6c, 0, [0, 0, 1], 3)), [0x40, 0x80, 0x40, 1, 0, 1, 2]);
  assert.deepEqual(m.dma.received, Array<number>(SECTOR).fill(0xdd));
  m.dma.program(Infinity);
  assert.deepEqual(await m.run(...command(0x4c, 0, [0, 0, 1], 3)), [0, 0, 0x40, 0, 0, 1, 2]);
  // Writing it again undeletes it.
  m.dma.program(SECTOR, Array<number>(SECTOR).fill(0x11));
  await m.run(...command(0x45, 0, [0, 0, 2], 18));
  m.dma.program(3 * SECTOR);
  assert.deepEqual(await m.run(...command(0x46, 0, [0, 0, 1], 18)), [0, 0, 0, 0, 0, 4, 2]);
});

test("FORMAT TRACK fills the sectors that the host lists, in any order", async () => {
  const m = await started();
  await m.seek(0, 2);
  const ids = Array.from({ length: 18 }, (_, index) => [2, 1, ((index * 5) % 18) + 1, 2]).flat();
  m.dma.program(ids.length, ids);
  assert.deepEqual((await m.run(0x4d, 0x04, 2, 18, 0x54, 0xf6)).slice(0, 3), [0x04, 0, 0]);
  const at = sectorOf144(2, 1, 1) * SECTOR;
  assert.deepEqual(new Set(m.disk.bytes.subarray(at, at + 18 * SECTOR)), new Set([0xf6]));
  assert.equal(m.disk.bytes[at - 1], fillOf(sectorOf144(2, 0, 18)));
  assert.equal(m.disk.bytes[at + 18 * SECTOR], fillOf(sectorOf144(3, 0, 1)));
  assert.equal(m.ask(0x0e)[6], 18);
});

for (const [what, bytes, ids] of [
  ["fewer sectors", [0x4d, 0, 2, 9, 0x54, 0xf6], []],
  ["larger sectors", [0x4d, 0, 3, 18, 0x54, 0xf6], []],
  ["another head's IDs", [0x4d, 0, 2, 18, 0x54, 0xf6], [0, 1, 1, 2]],
  ["sector numbers that it has not", [0x4d, 0, 2, 18, 0x54, 0xf6], [0, 0, 19, 2]],
] as const) {
  test(`an image cannot be formatted with ${what}`, async () => {
    const m = await started();
    m.dma.program(72, ids);
    assert.deepEqual((await m.run(...bytes)).slice(0, 3), [0x40, 0x02, 0]);
    assert.equal(m.disk.bytes[0], fillOf(0));
  });
}

// The host moves the bytes.

test("without DMA the host reads bytes from the FIFO, each asked for by an interrupt", async () => {
  const m = await started();
  m.ask(0x03, 0xdf, 0x03);
  m.give(...command(READ_ONE_SIDE, 0, [0, 0, 18], 18));
  assert.equal(m.msr(), 0x30);
  await m.pass();
  const edges = m.irq.risingEdges;
  const bytes: number[] = [];
  while (m.msr() === 0xf0) bytes.push(m.in(5));
  assert.deepEqual(bytes, filled(17));
  // One for each further byte, and one for the result.
  assert.equal(m.irq.risingEdges, edges + SECTOR);
  // Nobody gives the terminal count.
  assert.deepEqual(m.result(), [0x40, 0x80, 0, 1, 0, 1, 2]);
  assert.equal(m.irq.level, false);
});

test("with the FIFO enabled the host is interrupted once for sixteen bytes", async () => {
  const m = await started();
  m.ask(0x13, 0, 0x0f, 0);
  m.ask(0x03, 0xdf, 0x03);
  m.give(...command(READ_ONE_SIDE, 0, [0, 0, 18], 18));
  await m.pass();
  const edges = m.irq.risingEdges;
  for (let i = 0; i < SECTOR; i++) m.in(5);
  assert.equal(m.irq.risingEdges, edges + SECTOR / 16);
  assert.equal(m.result().length, 7);
});

test("without DMA the host writes bytes to the FIFO", async () => {
  const m = await started();
  m.ask(0x03, 0xdf, 0x03);
  m.give(...command(0x45, 0, [0, 0, 17], 18));
  await m.pass();
  for (let i = 0; i < 2 * SECTOR; i++) {
    assert.equal(m.msr(), 0xb0);
    m.out(5, i & 0xff);
    await m.pass(0);
  }
  assert.deepEqual(m.result(), [0x40, 0x80, 0, 1, 0, 1, 2]);
  const written = Array.from({ length: 2 * SECTOR }, (_, index) => index & 0xff);
  assert.deepEqual([...m.disk.bytes.subarray(16 * SECTOR, 18 * SECTOR)], written);
});

test("a host that stops reading bytes has an overrun", async () => {
  const m = await started();
  m.ask(0x03, 0xdf, 0x03);
  m.give(...command(READ_ONE_SIDE, 0, [0, 0, 1], 18));
  await m.pass();
  m.in(5);
  await m.pass(1_000_000_000);
  assert.deepEqual(m.result(), [0x40, 0x10, 0, 0, 0, 1, 2]);
});

// Media.

test("images are told apart by their sizes", () => {
  const sizes = FLOPPY_FORMATS.map((format) => formatSizeBytes(format));
  assert.deepEqual(
    sizes.map((size) => size / 1024),
    [160, 180, 320, 360, 720, 1200, 1440, 1680, 2880],
  );
  assert.deepEqual(sizes.map(floppyFormatOf), [...FLOPPY_FORMATS]);
  assert.equal(floppyFormatOf(1_474_560 + SECTOR), undefined);
});

test("a diskette that no drive has, or not this one, is refused in one sentence", () => {
  const odd = FloppyDrive.forMedium(new MemoryDisk(new Uint8Array(100 * SECTOR)));
  assert.match(odd.ok ? "" : odd.error.message, /^No diskette has 100 sectors of 512 bytes; images of .*\.$/);
  const m = floppyMachine(numberedDisk("720K"));
  m.fdc.eject(0);
  const refused = m.fdc.insert(0, numberedDisk("1.44M"));
  assert.match(
    refused.ok ? "" : refused.error.message,
    /^A drive for 720K diskettes cannot read one of 1\.44M\.$/,
  );
});

// Saved state.

test("a controller saved while it waits for the host goes on in another one", async () => {
  const m = await started();
  await m.seek(0, 3);
  m.dma.isOpen = false;
  m.give(...command(READ, 0, [3, 0, 17], 18));
  await m.pass();
  const other = floppyMachine(numberedDisk("1.44M"));
  other.dma.isOpen = false;
  const saved = m.fdc.save();
  other.fdc.restore(saved);
  assert.deepEqual(other.fdc.save(), saved);
  other.dma.program(3 * SECTOR);
  other.dma.open();
  await other.pass();
  assert.deepEqual(other.result(), [4, 0, 0, 3, 1, 2, 2]);
  assert.deepEqual(
    other.dma.received,
    filled(sectorOf144(3, 0, 17), sectorOf144(3, 0, 18), sectorOf144(3, 1, 1)),
  );
});

test("one saved while the image is asked asks again; a seek and a result under way go on too", async () => {
  const m = await started();
  m.disk.read = () => new Promise(() => {});
  m.give(...command(READ, 0, [0, 0, 1], 18));
  await m.pass();
  const reading = floppyMachine(numberedDisk("1.44M"));
  reading.dma.program(SECTOR);
  reading.fdc.restore(m.fdc.save());
  await reading.pass();
  assert.deepEqual(reading.result(), [0, 0, 0, 0, 0, 2, 2]);

  await m.start();
  m.give(0x0f, 0, 30);
  const seeking = floppyMachine(numberedDisk("1.44M"));
  seeking.fdc.restore(m.fdc.save());
  assert.equal(seeking.msr(), 0x81);
  await seeking.pass();
  assert.deepEqual(seeking.ask(0x08), [0x20, 30]);

  await m.pass();
  m.give(0x0e);
  m.in(5);
  const resulting = floppyMachine(numberedDisk("1.44M"));
  resulting.fdc.restore(m.fdc.save());
  assert.equal(resulting.irq.level, true);
  assert.equal(resulting.result().length, 9);
});

test("a reset one is as new", async () => {
  const m = await started();
  m.ask(0x94);
  m.ask(0x13, 0, 0x5a, 0x11);
  m.ask(0x12, 0xff);
  await m.seek(0, 9);
  m.give(...command(READ, 0, [9, 0, 1], 18));
  m.fdc.reset();
  await m.pass();
  const fresh = floppyMachine(numberedDisk("1.44M"));
  fresh.fdc.reset();
  assert.deepEqual(m.fdc.save(), fresh.fdc.save());
});
