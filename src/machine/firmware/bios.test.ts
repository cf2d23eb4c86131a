import assert from "node:assert/strict";
import { test } from "node:test";
import type { BlockDevice } from "../../block/index.ts";
import { KiB, MiB } from "../../base/index.ts";
import { MemoryDisk, SECTOR_BYTES } from "../../block/index.ts";
import { FirmwareBench, RAM_BYTES } from "./testing.ts";

const BUFFER = 0x5000;
const FLOPPY_BYTES = 1440 * KiB;

/** A disk whose sectors begin with their number, and whose first one can be booted. */
function disk(sizeBytes: number, signature = 0xaa55): MemoryDisk {
  const bytes = new Uint8Array(sizeBytes);
  const view = new DataView(bytes.buffer);
  for (let sector = 0; sector * SECTOR_BYTES < sizeBytes; sector++)
    view.setUint32(sector * SECTOR_BYTES, sector, true);
  view.setUint16(510, signature, true);
  return new MemoryDisk(bytes);
}

test("the self-test points vectors at the ROM, and the ROM is where a processor starts", async () => {
  const { ram } = await FirmwareBench.start();
  assert.equal(ram.readU8(0xffff0), 0xea);
  assert.equal(ram.readU8(0xffffe), 0xfc);
  assert.equal(String.fromCharCode(...ram.slice(0xffff5, 8)), "11/22/26");
  assert.equal(ram.readU32(4 * 0x10), 0xf000_c100);
  assert.equal(ram.readU32(4 * 0x60), 0);
});

test("a kernel that is loaded directly finds what the self-test leaves, without having run it", () => {
  const bench = FirmwareBench.justReset();
  assert.equal(bench.ram.readU32(4 * 0x10), 0xf000_c100);
  assert.deepEqual([bench.ram.readU16(0x40e), bench.ram.readU16(0x413)], [0x9fc0, 639]);
  assert.deepEqual([bench.ram.readU8(0x9fc00), bench.ram.readU16(0x400)], [1, 0x3f8]);
  assert.deepEqual([bench.ram.readU8(0x449), bench.ram.readU16(0x44a)], [3, 80]);
  assert.deepEqual([bench.ram.readU16(0x463), bench.ram.readU8(0x484)], [0x3d4, 24]);
});

test("equipment and memory size are as the BIOS data area has them", async () => {
  const bench = await FirmwareBench.start({ diskettes: [disk(FLOPPY_BYTES)] });
  // Diskette, coprocessor, pointing device, two serial ports, a printer.
  assert.equal((await bench.interrupt(0x11)).eax, 0x4407);
  assert.equal((await bench.interrupt(0x12)).eax, 639);
});

test("hard disks are read by cylinder, head and sector", async () => {
  const bench = await FirmwareBench.start({ disks: [disk(8 * MiB)] });
  // Cylinder 1, head 2, sector 3 of 16 heads and 63 sectors.
  const answer = await bench.interrupt(0x13, { ax: 0x0202, bx: BUFFER, cx: 0x0103, dx: 0x0280 });
  assert.equal(answer.carry, false);
  assert.equal(answer.eax, 0x0002);
  const first = (16 + 2) * 63 + 2;
  assert.equal(bench.ram.readU32(BUFFER), first);
  assert.equal(bench.ram.readU32(BUFFER + SECTOR_BYTES), first + 1);
  // Code that was translated from there is told.
  assert.deepEqual(bench.written.at(-1), [BUFFER, 2 * SECTOR_BYTES]);
});

test("a virtual-8086 task reads into upper memory where its monitor has put it", async () => {
  const bench = await FirmwareBench.start({ disks: [disk(8 * MiB)] });
  const { ram } = bench;
  const [directory, table, frame, upper] = [0x10_0000, 0x10_1000, 0x10_2000, 0xd_0000];
  ram.writeU32(directory, table | 7);
  for (let page = 0; page < 256; page++) ram.writeU32(table + 4 * page, (page << 12) | 7);
  ram.writeU32(table + 4 * (upper >>> 12), frame | 7);
  const task = { rflags: 1n << 17n, cr0: 0x8000_0001n, cr3: BigInt(directory) };
  const registers = { ax: 0x0201, bx: 0, cx: 0x0002, dx: 0x0080, es: upper >>> 4 };

  const answer = await bench.interrupt(0x13, registers, task);
  assert.deepEqual([answer.carry, answer.eax, ram.readU32(frame)], [false, 1, 1]);
  assert.equal(ram.readU32(upper), 0);
  // Read-only for the task: nothing is read.
  ram.writeU32(table + 4 * (upper >>> 12), frame | 5);
  assert.equal((await bench.interrupt(0x13, registers, task)).carry, true);
});

test("sectors past the end are not found, and the status stays until asked for", async () => {
  const bench = await FirmwareBench.start({ diskettes: [disk(FLOPPY_BYTES)] });
  const answer = await bench.interrupt(0x13, { ax: 0x0201, bx: BUFFER, cx: 0x5001, dx: 0 });
  assert.equal(answer.carry, true);
  assert.equal(answer.eax, 0x0400);
  const status = await bench.interrupt(0x13, { ax: 0x0100, dx: 0 });
  assert.equal(status.eax, 0x0400);
  assert.equal(status.carry, true);
});

test("what was written is on the disk", async () => {
  const medium = disk(FLOPPY_BYTES);
  const bench = await FirmwareBench.start({ diskettes: [medium] });
  bench.ram.fill(BUFFER, SECTOR_BYTES, 0x5a);
  const answer = await bench.interrupt(0x13, { ax: 0x0301, bx: BUFFER, cx: 0x4f12, dx: 0x0100 });
  assert.equal(answer.carry, false);
  assert.equal(medium.bytes.at(-1), 0x5a);
});

test("another diskette is told once, an empty drive every time, and neither is read as what was there before", async () => {
  const medium: { device: BlockDevice | undefined } = { device: disk(FLOPPY_BYTES, 0x11) };
  const bench = await FirmwareBench.start({ diskettes: [medium] });
  const read = async (cx: number): Promise<readonly [boolean, number]> => {
    const answer = await bench.interrupt(0x13, { ax: 0x0201, bx: BUFFER, cx, dx: 0 });
    return [answer.carry, answer.eax >> 8];
  };
  assert.deepEqual(await read(0x4f12), [false, 0]);
  medium.device = disk(FLOPPY_BYTES / 2, 0x22);
  assert.deepEqual(await read(0x4f09), [true, 0x06]);
  assert.deepEqual(await read(0x4f12), [true, 0x04], "a diskette of 720K has 9 sectors in a track");
  assert.deepEqual(await read(0x4f09), [false, 0]);
  medium.device = undefined;
  assert.deepEqual(await read(0x0001), [true, 0x80]);
  assert.deepEqual(await read(0x0001), [true, 0x80]);
  medium.device = disk(FLOPPY_BYTES, 0x33);
  assert.equal((await bench.interrupt(0x13, { ax: 0x1600, dx: 0 })).eax >> 8, 0x06);
  assert.deepEqual(await read(0x4f12), [false, 0]);
});

test("drive parameters: geometry, number of drives, type of diskette", async () => {
  const bench = await FirmwareBench.start({
    diskettes: [disk(FLOPPY_BYTES)],
    disks: [disk(8 * MiB), disk(4 * MiB)],
  });
  const diskette = await bench.interrupt(0x13, { ax: 0x0800, dx: 0 });
  assert.deepEqual([diskette.ecx, diskette.edx, diskette.ebx], [0x4f12, 0x0101, 4]);
  assert.deepEqual([diskette.es, diskette.di], [0xf000, 0xefc7]);
  const first = await bench.interrupt(0x13, { ax: 0x0800, dx: 0x80 });
  assert.deepEqual([first.ecx, first.edx], [0x0f3f, 0x0f02]);
  assert.equal((await bench.interrupt(0x13, { ax: 0x0800, dx: 0x82 })).carry, true);
});

test("the extensions read by sector number, and say how large the disk is", async () => {
  const bench = await FirmwareBench.start({ disks: [disk(8 * MiB)] });
  const check = await bench.interrupt(0x13, { ax: 0x4100, bx: 0x55aa, dx: 0x80 });
  assert.deepEqual([check.carry, check.ebx, check.eax >> 8], [false, 0xaa55, 0x21]);
  const packet = 0x6000;
  bench.ram.write(
    packet,
    Uint8Array.of(16, 0, 3, 0, 0, 0, BUFFER >> 4, BUFFER >> 12, 7, 0, 0, 0, 0, 0, 0, 0),
  );
  const read = await bench.interrupt(0x13, { ax: 0x4200, si: packet, dx: 0x80 });
  assert.equal(read.carry, false);
  assert.equal(bench.ram.readU32(BUFFER + 2 * SECTOR_BYTES), 9);
  bench.ram.writeU16(packet, 0x1e);
  const parameters = await bench.interrupt(0x13, { ax: 0x4800, si: packet, dx: 0x80 });
  assert.equal(parameters.carry, false);
  assert.equal(bench.ram.readU64(packet + 16), BigInt((8 * MiB) / SECTOR_BYTES));
  assert.equal(bench.ram.readU16(packet + 24), SECTOR_BYTES);
});

test("a transfer that would leave memory is refused, a count past the end too", async () => {
  const bench = await FirmwareBench.start({ disks: [disk(8 * MiB)] });
  const packet = 0x6000;
  bench.ram.write(packet, Uint8Array.of(16, 0, 1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0));
  const answer = await bench.interrupt(0x13, { ax: 0x4200, si: packet, dx: 0x80 });
  assert.deepEqual([answer.carry, answer.eax >> 8], [true, 0x04]);
});

test("the first bootable drive is started at 0000:7C00 with its number in DL", async () => {
  const bench = await FirmwareBench.start({
    diskettes: [disk(FLOPPY_BYTES, 0)],
    disks: [disk(8 * MiB)],
  });
  const answer = await bench.interrupt(0x19);
  assert.deepEqual([answer.cs, answer.ip, answer.edx & 0xff], [0, 0x7c00, 0x80]);
  assert.equal(bench.ram.readU16(0x7dfe), 0xaa55);
  assert.deepEqual(bench.text(), [
    "Booting from floppy disk...",
    "It is not bootable.",
    "Booting from hard disk...",
  ]);
});

test("a boot sector that gives up by INT 18h lets the next drive have its turn, in the order that was set", async () => {
  const bench = await FirmwareBench.start({
    diskettes: [disk(FLOPPY_BYTES)],
    disks: [disk(8 * MiB)],
    bootOrder: ["disk", "floppy"],
  });
  assert.equal((await bench.interrupt(0x19)).edx & 0xff, 0x80);
  assert.equal((await bench.interrupt(0x18)).edx & 0xff, 0);
  const last = await bench.interrupt(0x18);
  assert.equal(last.cs, 0xf000);
  assert.equal(bench.text().at(-1), "No bootable device.");
});

test("the memory map comes range by range, and ends with EBX 0", async () => {
  const bench = await FirmwareBench.start();
  const ranges: [bigint, bigint, number][] = [];
  const state = { ebx: 0 };
  do {
    const answer = await bench.interrupt(0x15, {
      ax: 0xe820,
      bx: state.ebx,
      cx: 20,
      dx: 0x534d4150,
      di: BUFFER,
    });
    assert.equal(answer.carry, false);
    assert.equal(answer.eax, 0x534d4150);
    ranges.push([bench.ram.readU64(BUFFER), bench.ram.readU64(BUFFER + 8), bench.ram.readU32(BUFFER + 16)]);
    state.ebx = answer.ebx;
  } while (state.ebx !== 0);
  assert.deepEqual(ranges, [
    [0n, 0x9fc00n, 1],
    [0x9fc00n, 0x400n, 2],
    [0xe0000n, 0x20000n, 2],
    [0x100000n, BigInt(RAM_BYTES - MiB), 1],
  ]);
});

test("older calls say the same of the extended memory", async () => {
  const bench = await FirmwareBench.start();
  assert.equal((await bench.interrupt(0x15, { ax: 0x8800 })).eax, 3072);
  const e801 = await bench.interrupt(0x15, { ax: 0xe801 });
  assert.deepEqual([e801.eax, e801.ebx, e801.ecx, e801.edx], [3072, 0, 3072, 0]);
});

test("a block of extended memory is moved", async () => {
  const bench = await FirmwareBench.start();
  bench.ram.fill(0x12_3456, 64, 0x77);
  const table = BUFFER;
  bench.ram.write(table + 0x10, Uint8Array.of(0xff, 0xff, 0x56, 0x34, 0x12, 0x93, 0, 0));
  bench.ram.write(table + 0x18, Uint8Array.of(0xff, 0xff, 0x00, 0x00, 0x30, 0x93, 0, 0));
  const answer = await bench.interrupt(0x15, { ax: 0x8700, cx: 32, si: table });
  assert.deepEqual([answer.carry, answer.eax], [false, 0]);
  assert.deepEqual([...bench.ram.slice(0x30_0000 + 62, 3)], [0x77, 0x77, 0]);
});

test("a wait is over when its time is, and is called again until then", async () => {
  const bench = await FirmwareBench.start();
  const waiting = await bench.interrupt(0x15, { ax: 0x8600, cx: 0, dx: 1000 });
  assert.equal(waiting.ip, 0xc000 + 16 * 0x15 + 5);
  bench.clock.advance(1_000_000);
  const done = await bench.interrupt(0x15, { ax: 0x8600, cx: 0, dx: 1000 });
  assert.equal(done.ip, 0xc000 + 16 * 0x15 + 2);
});

test("keys come from the keyboard through INT 9h to INT 16h", async () => {
  const bench = await FirmwareBench.start();
  const type = async (): Promise<void> => {
    for (let i = 0; i < 40; i++) {
      bench.clock.advance(1_000_000);
      bench.timers.runDue(bench.clock.nowNs());
      await bench.interrupt(0x09);
    }
  };
  assert.equal((await bench.interrupt(0x16, { ax: 0x0100 })).zero, true);
  bench.board.keyboard.type("aB");
  await type();
  assert.equal((await bench.interrupt(0x16, { ax: 0x0100 })).eax, 0x1e61);
  assert.equal((await bench.interrupt(0x16, { ax: 0x0000 })).eax, 0x1e61);
  assert.equal((await bench.interrupt(0x16, { ax: 0x1000 })).eax, 0x3042);
  const empty = await bench.interrupt(0x16, { ax: 0x0000 });
  assert.equal(empty.ip, 0xc000 + 16 * 0x16 + 5);
  bench.board.keyboard.key("ArrowUp", true);
  bench.board.keyboard.key("ArrowUp", false);
  await type();
  assert.equal((await bench.interrupt(0x16, { ax: 0x1100 })).eax, 0x48e0);
  assert.equal((await bench.interrupt(0x16, { ax: 0x0000 })).eax, 0x4800);
});

test("a key repeats as a program sets it, and the keyboard's acknowledgement is no key", async () => {
  const bench = await FirmwareBench.start();
  const run = async (ms: number): Promise<void> => {
    for (let i = 0; i < ms; i++) {
      bench.clock.advance(1_000_000);
      bench.timers.runDue(bench.clock.nowNs());
      await bench.interrupt(0x09);
    }
  };
  const takeKeys = async (): Promise<number> => {
    let count = 0;
    while ((await bench.interrupt(0x16, { ax: 0x0100 })).zero === false) {
      assert.equal((await bench.interrupt(0x16, { ax: 0x0000 })).eax, 0x1e61);
      count++;
    }
    return count;
  };
  await bench.interrupt(0x16, { ax: 0x0305, bx: 0x001f });
  await run(10);
  assert.equal(await takeKeys(), 0);
  bench.board.keyboard.key("KeyA", true);
  await run(245);
  assert.equal(await takeKeys(), 1);
  // Behind a quarter of a second, twice a second.
  await run(1010);
  assert.equal(await takeKeys(), 3);
  bench.board.keyboard.key("KeyA", false);
  await run(1000);
  assert.equal(await takeKeys(), 0);
});

test("a character is typed by its number on the keypad while alt is held", async () => {
  const bench = await FirmwareBench.start();
  const codes = [0x38, 0x48, 0xc8, 0x4c, 0xcc, 0xb8];
  for (const code of codes) {
    bench.board.ports.writePort(0x64, 1, 0xd2);
    bench.board.ports.writePort(0x60, 1, code);
    await bench.interrupt(0x09);
  }
  // 8 and 5: U.
  assert.equal((await bench.interrupt(0x16, { ax: 0x0000 })).eax, 85);
  assert.equal((await bench.interrupt(0x16, { ax: 0x0100 })).zero, true);
});

test("control and pause are a break: what was typed before is gone, and INT 1Bh is to be called", async () => {
  const bench = await FirmwareBench.start();
  const take = async (code: number): Promise<number> => {
    bench.board.ports.writePort(0x64, 1, 0xd2);
    bench.board.ports.writePort(0x60, 1, code);
    return (await bench.interrupt(0x09)).eax >>> 8;
  };
  assert.deepEqual([await take(0x1e), await take(0x1d), await take(0xe0), await take(0x46)], [0, 0, 0, 0x1b]);
  assert.equal((await bench.interrupt(0x16, { ax: 0x0000 })).eax, 0);
  assert.equal(bench.ram.readU8(0x471), 0x80);
});

test("teletype output moves the cursor and scrolls at the end of the screen", async () => {
  const bench = await FirmwareBench.start();
  for (let line = 0; line < 26; line++) {
    for (const character of `line ${line}\r\n`) {
      await bench.interrupt(0x10, { ax: 0x0e00 | character.charCodeAt(0), bx: 7 });
    }
  }
  const text = bench.text();
  assert.deepEqual([text[0], text.at(-1)], ["line 2", "line 25"]);
  const cursor = await bench.interrupt(0x10, { ax: 0x0300 });
  assert.equal(cursor.edx, 0x1800);
  assert.deepEqual(bench.board.textScreen()?.cursor, { column: 0, row: 24 });
});

test("characters with attributes, windows that scroll, and modes", async () => {
  const bench = await FirmwareBench.start();
  await bench.interrupt(0x10, { ax: 0x0200, dx: 0x0205 });
  await bench.interrupt(0x10, { ax: 0x0941, bx: 0x001e, cx: 3 });
  assert.equal((await bench.interrupt(0x10, { ax: 0x0800 })).eax, 0x1e41);
  await bench.interrupt(0x10, { ax: 0x0601, bx: 0x0700, cx: 0x0000, dx: 0x184f });
  assert.equal(bench.ram.readU16(0xb8000 + 2 * (80 + 5)), 0x1e41);
  await bench.interrupt(0x10, { ax: 0x0001 });
  assert.equal((await bench.interrupt(0x10, { ax: 0x0f00 })).eax, 0x2801);
  assert.equal(bench.board.textScreen()?.columns, 40);
  assert.deepEqual(bench.text(), []);
});

test("the clock is told in ticks and in BCD", async () => {
  const bench = await FirmwareBench.start();
  const time = await bench.interrupt(0x1a, { ax: 0x0200 });
  assert.deepEqual([time.ecx, time.edx >> 8], [0x1234, 0x56]);
  const date = await bench.interrupt(0x1a, { ax: 0x0400 });
  assert.deepEqual([date.ecx, date.edx], [0x2026, 0x1122]);
  const before = await bench.interrupt(0x1a, { ax: 0x0000 });
  await bench.interrupt(0x08);
  const after = await bench.interrupt(0x1a, { ax: 0x0000 });
  assert.equal(after.edx - before.edx, 1);
});

test("the day's last tick is followed by its first, once told", async () => {
  const bench = await FirmwareBench.start();
  await bench.interrupt(0x1a, { ax: 0x0100, cx: 0x18, dx: 0x00af });
  await bench.interrupt(0x08);
  const first = await bench.interrupt(0x1a, { ax: 0x0000 });
  assert.deepEqual([first.ecx, first.edx, first.eax], [0, 0, 1]);
  assert.equal((await bench.interrupt(0x1a, { ax: 0x0000 })).eax, 0);
});

test("PCI functions are found by their ID and their class, and read", async () => {
  const bench = await FirmwareBench.start();
  const present = await bench.interrupt(0x1a, { ax: 0xb101 });
  assert.deepEqual([present.carry, present.edx], [false, 0x20494350]);
  const found = await bench.interrupt(0x1a, { ax: 0xb102, cx: 0x1237, dx: 0x8086, si: 0 });
  assert.deepEqual([found.carry, found.ebx], [false, 0]);
  assert.equal((await bench.interrupt(0x1a, { ax: 0xb103, cx: 0x0600, si: 1 })).carry, true);
  assert.equal((await bench.interrupt(0x1a, { ax: 0xb109, bx: 0, di: 0 })).ecx, 0x8086);
  assert.equal((await bench.interrupt(0x1a, { ax: 0xb109, bx: 0, di: 1 })).carry, true);
});

test("the routing of PCI's interrupts is given to who brings room for it, and its size to others", async () => {
  const bench = await FirmwareBench.start();
  const header = { es: 0x3000, di: 0x10 };
  const size = (): number => bench.ram.readU16(0x30010);
  bench.ram.writeU16(0x30010, 16);
  const refused = await bench.interrupt(0x1a, { ...header, ax: 0xb10e });
  assert.deepEqual([refused.carry, (refused.eax >>> 8) & 0xff, size()], [true, 0x89, 31 * 16]);
  bench.ram.writeU32(0x30012, 0x4000_0008);
  const given = await bench.interrupt(0x1a, { ...header, ax: 0xb10e, bx: 0xffff });
  assert.deepEqual([given.carry, given.ebx], [false, 0]);
  assert.deepEqual([bench.ram.readU8(0x40009), bench.ram.readU8(0x4000a)], [1 << 3, 0x60]);
});

test("a program whose segments begin beyond all RAM gets no answer, and stops nobody", async () => {
  const bench = await FirmwareBench.start();
  // As a segment that was loaded in protected mode: at FFF00000h.
  const es = 0xfff_0000;
  const calls = [
    ...[0x1002, 0x1009, 0x1012, 0x1017, 0x1100, 0x1300, 0x1b00, 0x4f00, 0x4f01, 0x4f09].map((ax) => [
      0x10,
      ax,
    ]),
    ...[0x0201, 0x4200, 0x4800, 0x4b00].map((ax) => [0x13, ax]),
    ...[0x8300, 0x8700, 0xe820].map((ax) => [0x15, ax]),
    ...[0xb10e].map((ax) => [0x1a, ax]),
  ] as const;
  for (const [vector = 0, ax = 0] of calls) {
    const registers = { ax, es, ds: es, bx: 0x1000, cx: 3, dx: 0x80, bp: 0x100, si: 0x200, di: 0x300 };
    assert.ok((await bench.interrupt(vector, registers)).ip > 0);
  }
});

test("characters leave by a serial port, and one that is not there times out", async () => {
  const bench = await FirmwareBench.start();
  await bench.interrupt(0x14, { ax: 0x00e3, dx: 0 });
  const sent = await bench.interrupt(0x14, { ax: 0x0141, dx: 0 });
  assert.equal(sent.eax & 0x8000, 0);
  bench.clock.advance(10_000_000);
  bench.timers.runDue(bench.clock.nowNs());
  await bench.interrupt(0x14, { ax: 0x0142, dx: 1 });
  assert.deepEqual(bench.sent, [
    ["com1", 0x41],
    ["com2", 0x42],
  ]);
  assert.equal((await bench.interrupt(0x14, { ax: 0x0141, dx: 3 })).eax & 0x8000, 0x8000);
});

test("a character that comes within a second is waited for, with interrupts enabled", async () => {
  const bench = await FirmwareBench.start();
  const waiting = 0xc000 + 16 * 0x14 + 5;
  const receive = async () => await bench.interrupt(0x14, { ax: 0x0200, dx: 0 });
  assert.equal((await receive()).ip, waiting);
  bench.clock.advance(900_000_000);
  bench.timers.runDue(bench.clock.nowNs());
  assert.equal((await receive()).ip, waiting);
  bench.board.serialInput(Uint8Array.of(0x61));
  const { eax, ip } = await receive();
  assert.equal(eax, 0x61);
  assert.notEqual(ip, waiting);

  assert.equal((await receive()).ip, waiting);
  bench.clock.advance(1_000_000_000);
  assert.equal((await receive()).eax & 0x8000, 0x8000);
});

test("the fixed disk parameter tables are where INT 41h and 46h point, for the disks there are", async () => {
  const bench = await FirmwareBench.start({ disks: [disk(64 * MiB)] });
  const pointer = bench.ram.readU32(4 * 0x41);
  const table = Buffer.from(bench.dma.readable((pointer >>> 16) * 16 + (pointer & 0xffff), 16) ?? []);
  const { ecx, edx } = await bench.interrupt(0x13, { ax: 0x0800, dx: 0x80 });
  const lastCylinder = ((ecx >>> 8) & 0xff) | ((ecx & 0xc0) << 2);
  assert.deepEqual(
    [table.readUInt16LE(0), table[2], table[14]],
    [lastCylinder + 1, ((edx >>> 8) & 0xff) + 1, ecx & 0x3f],
  );
  assert.deepEqual([table.readUInt16LE(5), table[8], table.readUInt16LE(12)], [0xffff, 8, lastCylinder + 1]);
  assert.equal(bench.ram.readU32(4 * 0x46), 0);
});

test("a serial port is set up at the rates of the extended function, and its modem lines", async () => {
  const bench = await FirmwareBench.start();
  await bench.interrupt(0x14, { ax: 0x0400, bx: 0x0201, cx: 0x030b, dx: 1 });
  const { ports } = bench.board;
  assert.equal(ports.readPort(0x2fb, 1), 0x1f);
  ports.writePort(0x2fb, 1, 0x80);
  assert.deepEqual([ports.readPort(0x2f8, 1), ports.readPort(0x2f9, 1)], [1, 0]);
  ports.writePort(0x2fb, 1, 0x03);
  await bench.interrupt(0x14, { ax: 0x0501, bx: 0x0b, dx: 1 });
  assert.equal((await bench.interrupt(0x14, { ax: 0x0500, dx: 1 })).ebx & 0xff, 0x0b);
});

test("codes of the keyboard are offered to INT 15h, which leaves them to the BIOS", async () => {
  const bench = await FirmwareBench.start();
  const offered = await bench.interrupt(0x15, { ax: 0x4f1e });
  assert.deepEqual([offered.eax, offered.carry], [0x4f1e, true]);
  const configuration = await bench.interrupt(0x15, { ax: 0xc000 });
  const features = bench.ram.readU8(configuration.es * 16 + (configuration.ebx & 0xffff) + 5);
  assert.equal(features & 0x10, 0x10);
});

test("the keyboard says that it is an enhanced one", async () => {
  const bench = await FirmwareBench.start();
  assert.equal((await bench.interrupt(0x16, { ax: 0x0900 })).eax & 0xff, 0x34);
  assert.equal((await bench.interrupt(0x16, { ax: 0x0a00 })).ebx, 0x41ab);
});

test("characters are printed, and a printer that is not there times out", async () => {
  const bench = await FirmwareBench.start();
  assert.equal((await bench.interrupt(0x17, { ax: 0x0100, dx: 0 })).eax >>> 8, 0x90);
  assert.equal((await bench.interrupt(0x17, { ax: 0x0041, dx: 0 })).eax >>> 8, 0x90);
  assert.deepEqual(bench.sent, [["lpt1", 0x41]]);
  assert.equal((await bench.interrupt(0x17, { ax: 0x0041, dx: 1 })).eax & 0x0100, 0x0100);
  const { eax: equipment } = await bench.interrupt(0x11, {});
  assert.deepEqual([(equipment >>> 9) & 7, (equipment >>> 14) & 3], [2, 1]);
});

test("control, alt and delete restart the machine", async () => {
  const bench = await FirmwareBench.start();
  for (const key of ["ControlLeft", "AltLeft", "Delete"] as const) bench.board.keyboard.key(key, true);
  for (let i = 0; i < 20; i++) {
    bench.clock.advance(1_000_000);
    bench.timers.runDue(bench.clock.nowNs());
    await bench.interrupt(0x09);
  }
  assert.equal(bench.resets > 0, true);
});

test("unknown functions are refused in the way of their service", async () => {
  const bench = await FirmwareBench.start({ disks: [disk(8 * MiB)] });
  const system = await bench.interrupt(0x15, { ax: 0x5300 });
  assert.deepEqual([system.carry, system.eax >> 8], [true, 0x86]);
  const disks = await bench.interrupt(0x13, { ax: 0x7700, dx: 0x80 });
  assert.deepEqual([disks.carry, disks.eax >> 8], [true, 0x01]);
});
