import assert from "node:assert/strict";
import { test } from "node:test";

import { MemoryDisk } from "../../block/index.ts";
import { AtapiDrive } from "../../devices/ide/drives.ts";
import type { CdromUnit } from "../../devices/ide/drives.ts";
import { biosMedium } from "../pc/removable-drives.ts";
import { bootableDisc, FirmwareBench } from "./testing.ts";
import type { Answer } from "./testing.ts";

const SECTOR = 2048;
const CD = 0xe0;
const PACKET = 0x6000;
const BUFFER = 0x5000;
const LOCK = 0x4500;
const UNLOCK = 0x4501;
const ASK = 0x4502;
const EJECT = 0x4600;
const CHANGED = 0x4900;

/** Its first sector ends with `mark`. */
function bootableCd(mark: number): MemoryDisk {
  const bytes = bootableDisc();
  bytes[SECTOR - 1] = mark;
  return new MemoryDisk(bytes);
}

interface Booted {
  readonly bench: FirmwareBench;
  readonly unit: CdromUnit;
  /** INT 13h for the CD. */
  readonly call: (ax: number) => Promise<Answer>;
  /** Whether the carry flag is set, and AH. */
  readonly status: (ax: number) => Promise<readonly [boolean, number]>;
}

/** A machine that has booted from a CD. */
async function booted(): Promise<Booted> {
  const identity = { serial: "1", firmware: "1", model: "CD" };
  const { unit } = new AtapiDrive({ name: "cd", disc: bootableCd(1), identity, isSecond: false });
  const bench = await FirmwareBench.start({
    cds: [biosMedium(unit)],
    disks: [new MemoryDisk(new Uint8Array(1 << 20))],
    bootOrder: ["cdrom"],
  });
  const started = await bench.interrupt(0x19);
  assert.equal(started.edx & 0xff, CD);
  // One sector, the first one, to 0000:5000.
  bench.ram.write(PACKET, Uint8Array.of(16, 0, 1, 0, 0, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
  const call = async (ax: number): Promise<Answer> =>
    await bench.interrupt(0x13, { ax, bx: 0x55aa, dx: CD, si: PACKET });
  const status = async (ax: number): Promise<readonly [boolean, number]> => {
    const { carry, eax } = await call(ax);
    return [carry, (eax >> 8) & 0xff];
  };
  return { bench, unit, call, status };
}

const OK = [false, 0] as const;

test("a CD's drive says that it can be locked and ejected, a disk that it cannot", async () => {
  const { bench, call } = await booted();
  assert.equal((await call(0x4100)).ecx & 0xffff, 0x0007);
  assert.equal((await bench.interrupt(0x13, { ax: 0x4100, bx: 0x55aa, dx: 0x80 })).ecx & 0xffff, 0x0005);
  bench.ram.writeU16(PACKET, 0x1a);
  await call(0x4800);
  assert.equal(bench.ram.readU16(PACKET + 2) & 0x74, 0x34);
  for (const ax of [LOCK, EJECT]) {
    const { carry, eax } = await bench.interrupt(0x13, { ax, dx: 0x80 });
    assert.deepEqual([carry, eax >> 8], [true, 0xb2]);
  }
  const unchanged = await bench.interrupt(0x13, { ax: CHANGED, dx: 0x80 });
  assert.deepEqual([unchanged.carry, unchanged.eax >> 8], [false, 0]);
});

test("locks are counted, and only the last unlocking opens the way to the eject button", async () => {
  const { unit, call, status } = await booted();
  assert.equal((await call(ASK)).eax, 0);
  assert.equal((await call(LOCK)).eax, 1);
  assert.equal((await call(LOCK)).eax, 1);
  assert.equal((await call(UNLOCK)).eax, 1);
  assert.deepEqual([unit.isLocked, unit.eject()], [true, false]);
  assert.deepEqual(await status(EJECT), [true, 0xb1]);
  assert.equal((await call(UNLOCK)).eax, 0);
  assert.equal(unit.isLocked, false);
  assert.deepEqual(await status(UNLOCK), [true, 0xb0]);
  assert.deepEqual(await status(0x4503), [true, 0x01]);
});

test("a drive is locked 255 times at most, and still is then", async () => {
  const { call, status } = await booted();
  for (let count = 0; count < 255; count++) assert.deepEqual(await status(LOCK), OK);
  assert.deepEqual(await status(LOCK), [true, 0xb4]);
  assert.equal((await call(ASK)).eax, 1);
});

test("a tray that a driver has locked by packets is not opened", async () => {
  const { unit, status } = await booted();
  unit.setLocked(true);
  assert.deepEqual(await status(EJECT), [true, 0xb1]);
  assert.equal(unit.isTrayOpen, false);
});

test("ejecting opens the tray, and nothing is read until there is a disc again, which is told of once", async () => {
  const { bench, unit, status } = await booted();
  assert.deepEqual(await status(EJECT), OK);
  assert.equal(unit.isTrayOpen, true);
  assert.deepEqual(await status(0x4200), [true, 0x31]);
  assert.deepEqual(await status(EJECT), [true, 0x31]);
  assert.deepEqual(await status(LOCK), OK, "an empty drive can be locked");
  assert.deepEqual(await status(UNLOCK), OK);
  unit.insert(bootableCd(2));
  assert.deepEqual(await status(0x4200), [true, 0x06]);
  assert.deepEqual(await status(0x4200), OK);
  assert.equal(bench.ram.readU8(BUFFER + SECTOR - 1), 2);
  unit.insert(bootableCd(3));
  await status(0x4100);
  assert.deepEqual(await status(CHANGED), [true, 0x06]);
  assert.deepEqual(await status(CHANGED), OK);
});

test("a program that has taken over INT 15h, AH = 52h refuses, and says why", async () => {
  const { bench, unit, status } = await booted();
  for (const [ah, told] of [
    [0xb3, 0xb3],
    [0xb1, 0xb1],
    [0x86, 0xb1],
  ] as const) {
    bench.ejectAnswer = { ah, carry: true };
    assert.deepEqual(await status(EJECT), [true, told]);
    assert.equal(unit.isTrayOpen, false);
  }
  bench.ejectAnswer = { ah: 0, carry: false };
  assert.deepEqual(await status(EJECT), OK);
});

test("diskettes have none of this", async () => {
  const bench = await FirmwareBench.start({ diskettes: [new MemoryDisk(new Uint8Array(1440 * 1024))] });
  for (const ax of [LOCK, EJECT, CHANGED]) {
    const { carry, eax } = await bench.interrupt(0x13, { ax, dx: 0 });
    assert.deepEqual([carry, eax >> 8], [true, 0x01]);
  }
});

test("an image of a diskette goes with the CD that it is on", async () => {
  const disc = new MemoryDisk(bootableDisc([], "diskette"));
  let device: MemoryDisk | undefined = disc;
  const cd = {
    get device() {
      return device;
    },
  };
  const bench = await FirmwareBench.start({ cds: [cd], bootOrder: ["cdrom"] });
  await bench.interrupt(0x19);
  const read = async (): Promise<readonly [boolean, number]> => {
    const { carry, eax } = await bench.interrupt(0x13, { ax: 0x0201, bx: BUFFER, cx: 1, dx: 0 });
    return [carry, eax >> 8];
  };
  assert.deepEqual(await read(), OK);
  for (const next of [undefined, new MemoryDisk(bootableDisc([], "diskette"))]) {
    device = next;
    assert.deepEqual(await read(), [true, 0x20]);
  }
  device = disc;
  assert.deepEqual(await read(), OK);
});
