import assert from "node:assert/strict";
import { test } from "node:test";
import { AtapiDrive } from "./atapi-drive.ts";
import { DISC_SECTOR_BYTES } from "./disc.ts";
import type { TestHost } from "./testing.ts";
import { BUFFER_GPA, controller, patternBytes, ST, TestDisk } from "./testing.ts";

const OK = ST.ready | ST.seek;
const DISC_SECTORS = 300;
const wanted = patternBytes(DISC_SECTORS * 4);
const sectors = (first: number, count: number): Uint8Array =>
  wanted.slice(first * DISC_SECTOR_BYTES, (first + count) * DISC_SECTOR_BYTES);

const identity = { serial: "CD-SERIAL", firmware: "2.5", model: "MAKER CD-ROM drive" };

function withDrive(hasDisc = true) {
  const disc = new TestDisk(DISC_SECTORS * 4);
  const drive = new AtapiDrive({ name: "cd", disc: hasDisc ? disc : undefined, identity, isSecond: false });
  const host = new PacketHost(controller(drive));
  return { host, drive, disc };
}

/** Puts bytes of different widths behind one another; a pair is a value and its width, the highest byte first. */
const packet = (...bytes: readonly number[]): Uint8Array => {
  const full = new Uint8Array(12);
  full.set(bytes);
  return full;
};
const be16 = (value: number): number[] => [value >> 8, value & 0xff];
const be32 = (value: number): number[] => [value >>> 24, (value >> 16) & 0xff, ...be16(value & 0xffff)];

interface Answer {
  readonly status: number;
  readonly data: Uint8Array;
  /** Byte counts of the blocks. */
  readonly blocks: readonly number[];
}

/** The packet protocol as a driver follows it. */
class PacketHost {
  readonly host: TestHost;

  constructor(host: TestHost) {
    this.host = host;
  }

  async begin(bytes: Uint8Array, limit: number, features = 0): Promise<void> {
    const { host } = this;
    host.out(6, 0xa0);
    host.out(1, features);
    host.out(4, limit & 0xff);
    host.out(5, limit >> 8);
    host.out(7, 0xa0);
    assert.deepEqual(
      [await host.settled(), host.in(2) & 3, host.irq.level],
      [(host.alternateStatus & ~ST.drq) | ST.drq, 1, false],
    );
    host.giveData(bytes);
  }

  /** Sends a packet and takes or gives data in PIO until the command's end. */
  async send(bytes: Uint8Array, { limit = 0xfffe, parameters = new Uint8Array(0) } = {}): Promise<Answer> {
    const { host } = this;
    await this.begin(bytes, limit);
    const data: number[] = [];
    const blocks: number[] = [];
    let given = 0;
    while ((await host.settled()) & ST.drq) {
      assert.equal(host.irq.level, true);
      host.in(7);
      const count = host.in(4) | (host.in(5) << 8);
      blocks.push(count);
      const isIn = (host.in(2) & 3) === 2;
      if (isIn) data.push(...host.takeData(count + (count & 1)).subarray(0, count));
      else host.giveData(parameters.subarray(given, given + count));
      given += count;
    }
    assert.equal(host.irq.level, true);
    assert.equal(host.in(2) & 3, 3);
    return { status: host.in(7), data: Uint8Array.from(data), blocks };
  }

  /** Status, sense key, code and qualifier of a command that is to fail. */
  async failure(bytes: Uint8Array): Promise<number[]> {
    const { status } = await this.send(bytes);
    const error = this.host.in(1);
    const { data } = await this.send(packet(0x03, 0, 0, 0, 18));
    return [status, error >> 4, data[2] ?? 0, data[12] ?? 0, data[13] ?? 0];
  }

  /** Gets the unit attention of the reset out of the way. */
  async calm(): Promise<this> {
    await this.send(packet(0));
    return this;
  }
}

const good = async (host: PacketHost, bytes: Uint8Array): Promise<Uint8Array> => {
  const { status, data } = await host.send(bytes);
  assert.equal(status, OK);
  return data;
};

test("the signature tells a packet device, and hosts that look for a disk are told so by it", async () => {
  const { host } = withDrive();
  assert.deepEqual(host.host.registers, [1, 1, 1, 0x14, 0xeb, 0xa0, 0]);
  for (const code of [0xec, 0x20]) {
    host.host.out(4, 0);
    host.host.out(5, 0);
    assert.equal(await host.host.run({ code }), OK | ST.error);
    assert.deepEqual(host.host.registers.slice(0, 5), [4, 1, 1, 0x14, 0xeb]);
  }
});

test("IDENTIFY PACKET DEVICE describes a CD-ROM drive", async () => {
  const { host } = withDrive();
  const bytes = await host.host.readPio({ code: 0xa1 });
  const word = new Uint16Array(bytes.buffer);
  assert.deepEqual([word[0], word[49], word[82]], [0x85c0, 0x0f00, 0x4218]);
  assert.equal(bytes[2 * 27 + 1], "M".charCodeAt(0));
  assert.equal(bytes.reduce((sum, byte) => sum + byte, 0) & 0xff, 0);
});

test("commands of disks are aborted, those of power management and transfer modes are not", async () => {
  const { host } = withDrive();
  for (const code of [0x00, 0x30, 0xc8, 0x91, 0xe7]) {
    assert.equal(await host.host.run({ code }), OK | ST.error);
    assert.equal(host.host.in(1), 4);
  }
  assert.equal(await host.host.run({ code: 0xef, features: 3, count: 0x22 }), OK);
  assert.equal(await host.host.run({ code: 0xef, features: 2 }), OK | ST.error);
  assert.equal(await host.host.run({ code: 0xe5 }), OK);
  assert.equal(host.host.in(2), 0xff);
});

test("the first command after power-on reports the reset, and only it", async () => {
  const { host } = withDrive();
  assert.equal((await good(host, packet(0x12, 0, 0, 0, 36))).length, 36);
  assert.deepEqual(await host.failure(packet(0)), [OK | ST.error, 6, 6, 0x29, 0]);
  await good(host, packet(0));
  // Sense data is told once.
  assert.deepEqual(
    (await good(host, packet(3, 0, 0, 0, 18))).subarray(2, 14),
    new Uint8Array(12).fill(10, 5, 6),
  );
});

test("INQUIRY names the drive, cut to what the host has room for", async () => {
  const { host } = withDrive();
  const data = await good(host, packet(0x12, 0, 0, 0, 96));
  assert.deepEqual([...data.subarray(0, 8)], [5, 0x80, 0, 0x21, 31, 0, 0, 0]);
  assert.equal(String.fromCharCode(...data.subarray(8)), "MAKER   CD-ROM drive    2.5 ");
  assert.equal((await good(host, packet(0x12, 0, 0, 0, 5))).length, 5);
  assert.deepEqual(await host.failure(packet(0x12, 1, 0x80, 0, 96)), [OK | ST.error, 5, 5, 0x24, 0]);
});

for (const [name, bytes] of [
  ["READ(10)", packet(0x28, 0, ...be32(7), 0, ...be16(3))],
  ["READ(12)", packet(0xa8, 0, ...be32(7), ...be32(3))],
  ["READ CD of the data", packet(0xbe, 0, ...be32(7), 0, 0, 3, 0x10)],
  ["READ CD of Mode 1 data", packet(0xbe, 2 << 2, ...be32(7), 0, 0, 3, 0x10)],
  ["READ CD MSF", packet(0xb9, 0, 0, 0, 2, 7, 0, 2, 10, 0x10)],
] as const) {
  test(`${name} gives blocks of at most the byte count that the host has set`, async () => {
    const { host } = withDrive();
    await host.calm();
    const whole = await host.send(bytes);
    assert.deepEqual([whole.status, whole.blocks], [OK, [3 * DISC_SECTOR_BYTES]]);
    assert.deepEqual(whole.data, sectors(7, 3));
    const cut = await host.send(bytes, { limit: 0x901 });
    assert.deepEqual(cut.blocks, [0x900, 0x900, 6144 - 0x1200]);
    assert.deepEqual(cut.data, sectors(7, 3));
  });
}

test("a long read is taken apart, and a read of nothing ends well", async () => {
  const { host, disc } = withDrive();
  await host.calm();
  const { data, status } = await host.send(packet(0x28, 0, ...be32(0), 0, ...be16(DISC_SECTORS)), {
    limit: 0xffff,
  });
  assert.deepEqual([status, data], [OK, sectors(0, DISC_SECTORS)]);
  assert.deepEqual(disc.log, ["read 0+512", "read 512+512", "read 1024+176"]);
  assert.equal((await good(host, packet(0x28))).length, 0);
});

test("READ CD puts sync and header in front of each sector", async () => {
  const { host } = withDrive();
  await host.calm();
  const { data } = await host.send(packet(0xbe, 0, ...be32(75), 0, 0, 200, 0xb0));
  const size = 12 + 4 + DISC_SECTOR_BYTES;
  assert.equal(data.length, 200 * size);
  for (const [index, header] of [
    [0, [0, 3, 0, 1]],
    [199, [0, 5, 0x49, 1]],
  ] as const) {
    // prettier-ignore
    const sector = data.subarray(index * size, (index + 1) * size);
    assert.deepEqual([...sector.subarray(0, 12)], [0, ...Array<number>(10).fill(255), 0]);
    assert.deepEqual([...sector.subarray(12, 16)], header);
    assert.deepEqual(sector.slice(16), sectors(75 + index, 1));
  }
  const headers = await good(host, packet(0xbe, 0, ...be32(0), 0, 0, 2, 0x20));
  assert.deepEqual([...headers], [0, 2, 0, 1, 0, 2, 1, 1]);
});

test("packets by DMA move data through the bus master and end with one interrupt", async () => {
  const { host } = withDrive();
  await host.calm();
  const { host: bus } = host;
  const edges = bus.irq.risingEdges;
  bus.prepareDma("in", [{ gpa: BUFFER_GPA, bytes: 4 * DISC_SECTOR_BYTES, isLast: true }]);
  await host.begin(packet(0x28, 0, ...be32(20), 0, ...be16(4)), 0, 1);
  bus.startDma();
  assert.equal(await bus.settled(), OK);
  assert.deepEqual([bus.inBusMaster(2), bus.in(2) & 3, bus.irq.risingEdges - edges], [4, 3, 1]);
  assert.deepEqual(bus.ram.slice(BUFFER_GPA, 4 * DISC_SECTOR_BYTES).slice(), sectors(20, 4));
});

test("a byte count of 0 aborts a packet with data in PIO, and no other", async () => {
  const { host } = withDrive();
  await host.calm();
  assert.equal((await host.send(packet(0), { limit: 0 })).status, OK);
  assert.equal((await host.send(packet(0x25), { limit: 0 })).status, OK | ST.error);
  assert.equal(host.host.in(1), 4);
});

for (const [name, bytes, sense] of [
  ["an unknown command", packet(0x04), [5, 0x20, 0]],
  ["a read behind the end", packet(0x28, 0, ...be32(DISC_SECTORS), 0, 0, 1), [5, 0x21, 0]],
  ["a read across the end", packet(0xa8, 0, ...be32(DISC_SECTORS - 1), ...be32(2)), [5, 0x21, 0]],
  ["a read as far as numbers go", packet(0xa8, 0, ...be32(-1), ...be32(-1)), [5, 0x21, 0]],
  ["a seek behind the end", packet(0x2b, 0, ...be32(DISC_SECTORS)), [5, 0x21, 0]],
  ["READ CD of audio", packet(0xbe, 1 << 2, ...be32(0), 0, 0, 1, 0x10), [5, 0x64, 0]],
  ["READ CD with error correction", packet(0xbe, 0, ...be32(0), 0, 0, 1, 0xf8), [5, 0x24, 0]],
  ["READ CD with sub-channels", packet(0xbe, 0, ...be32(0), 0, 0, 1, 0x10, 1), [5, 0x24, 0]],
  ["READ CD MSF in front of the disc", packet(0xb9, 0, 0, 0, 0, 0, 0, 2, 0, 0x10), [5, 0x21, 0]],
  ["a table of contents from track 2 on", packet(0x43, 0, 0, 0, 0, 0, 2, 0, 20), [5, 0x24, 0]],
  ["ATIP", packet(0x43, 0, 4, 0, 0, 0, 0, 0, 20), [5, 0x24, 0]],
  ["saved mode pages", packet(0x5a, 0, 0xc1, 0, 0, 0, 0, 0, 99), [5, 0x39, 0]],
  ["an unknown mode page", packet(0x5a, 0, 0x05, 0, 0, 0, 0, 0, 99), [5, 0x24, 0]],
  ["asynchronous events", packet(0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8), [5, 0x24, 0]],
  ["track 2", packet(0x52, 1, ...be32(2), 0, 0, 36), [5, 0x24, 0]],
] as const) {
  test(`${name} is an illegal request`, async () => {
    const { host } = withDrive();
    await host.calm();
    assert.deepEqual(await host.failure(bytes), [OK | ST.error, sense[0], ...sense]);
  });
}

test("a bad sector is a medium error that names it, after what is in front of it", async () => {
  const { host, disc } = withDrive();
  await host.calm();
  disc.badSectors.add(13 * 4 + 2);
  const { status, data } = await host.send(packet(0x28, 0, ...be32(11), 0, ...be16(5)));
  assert.deepEqual([status, data], [OK | ST.error, sectors(11, 2)]);
  const sense = await good(host, packet(3, 0, 0, 0, 18));
  assert.deepEqual([sense[0], sense[2], sense[6], sense[12]], [0xf0, 3, 13, 0x11]);
});

test("capacity, table of contents, sessions, full table and track describe one data track", async () => {
  const { host } = withDrive();
  await host.calm();
  assert.deepEqual([...(await good(host, packet(0x25)))], [0, 0, 1, 43, 0, 0, 8, 0]);
  const toc = (flags: number, format: number, start = 0, control = 0) =>
    good(host, packet(0x43, flags, format, 0, 0, 0, start, 0, 200, control));
  assert.deepEqual(
    [...(await toc(0, 0))],
    [0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xaa, 0, 0, 0, 1, 44],
  );
  assert.deepEqual([...(await toc(2, 0, 0xaa))], [0, 10, 1, 1, 0, 0x14, 0xaa, 0, 0, 0, 6, 0]);
  assert.deepEqual([...(await toc(2, 0, 1))].slice(8, 12), [0, 0, 2, 0]);
  const sessions = [0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0];
  assert.deepEqual([...(await toc(0, 1))], sessions);
  // The format where SFF-8020i has it.
  assert.deepEqual([...(await toc(0, 0, 0, 0x40))], sessions);
  const full = await toc(0, 2);
  assert.deepEqual([full.length, full[1]], [48, 46]);
  assert.deepEqual([0, 1, 2, 3].map((entry) => [...full.subarray(4 + 11 * entry + 3, 15 + 11 * entry)]), [
    [0xa0, 0, 0, 0, 0, 1, 0, 0],
    [0xa1, 0, 0, 0, 0, 1, 0, 0],
    [0xa2, 0, 0, 0, 0, 0, 6, 0],
    [1, 0, 0, 0, 0, 0, 2, 0],
  ]); // prettier-ignore
  const information = await good(host, packet(0x51, 0, 0, 0, 0, 0, 0, 0, 34));
  assert.deepEqual([information.length, ...information.subarray(0, 7)], [34, 0, 32, 0x0e, 1, 1, 1, 1]);
  const track = await good(host, packet(0x52, 1, ...be32(1), 0, 0, 36));
  assert.deepEqual([track.length, track[1], track[5], track[26], track[27]], [36, 34, 4, 1, 44]);
  const position = await good(host, packet(0x42, 0, 0x40, 1, 0, 0, 0, 0, 16));
  assert.deepEqual([...position.subarray(0, 8)], [0, 0x15, 0, 12, 1, 0x14, 1, 1]);
});

test("mode pages are told, changed as far as they can be, and come back with a reset", async () => {
  const { host } = withDrive();
  await host.calm();
  const sense = (selector: number) => good(host, packet(0x5a, 0, selector, 0, 0, 0, 0, 0, 255));
  const all = await sense(0x3f);
  assert.deepEqual([all[0], all[1], all[2]], [0, all.length - 2, 0x01]);
  const codes: number[] = [];
  for (let at = 8; at < all.length; at += 2 + (all[at + 1] ?? 0)) codes.push(all[at] ?? 0);
  assert.deepEqual(codes, [0x01, 0x0d, 0x0e, 0x2a]);
  const six = await good(host, packet(0x1a, 0, 0x0d, 0, 255));
  assert.deepEqual([...six], [11, 0x01, 0, 0, 0x0d, 6, 0, 0x0d, 0, 60, 0, 75]);
  assert.deepEqual([...(await sense(0x4d))].slice(10), [0, 0x0f, 0, 0, 0, 0]);

  const select = (list: readonly number[], length = list.length) =>
    host.send(packet(0x55, 0x10, 0, 0, 0, 0, 0, ...be16(length)), { parameters: Uint8Array.from(list) });
  const header = [0, 0, 0, 0, 0, 0, 0, 0];
  assert.equal((await select([...header, 0x0d, 6, 9, 0xff, 9, 9, 9, 9])).status, OK);
  assert.deepEqual([...(await sense(0x0d))].slice(8), [0x0d, 6, 0, 0x0f, 0, 60, 0, 75]);
  assert.deepEqual([...(await sense(0x8d))].slice(8), [0x0d, 6, 0, 0x0d, 0, 60, 0, 75]);
  // A page that cannot be changed, one of the wrong length, a list that is too short.
  for (const bad of [
    [...header, 0x2a, 18, ...Array<number>(18).fill(0)],
    [...header, 0x0d, 4, 0, 0, 0, 0],
    header.slice(2),
  ]) {
    assert.equal((await select(bad)).status, OK | ST.error);
  }
  assert.equal((await host.send(packet(0x55, 0x10, 0, 0, 0, 0, 0, 4, 1))).status, OK | ST.error);
  host.host.out(7, 0x08);
  await host.calm();
  assert.deepEqual([...(await sense(0x0d))].slice(8), [0x0d, 6, 0, 0x0d, 0, 60, 0, 75]);
});

test("GET CONFIGURATION lists the profile and features, all, current or one", async () => {
  const { host, drive } = withDrive();
  await host.calm();
  const get = (type: number, start = 0, length = 255) =>
    good(host, packet(0x46, type, ...be16(start), 0, 0, 0, ...be16(length)));
  const all = await get(0);
  assert.deepEqual([...all.subarray(0, 8)], [0, 0, 0, all.length - 4, 0, 0, 0, 8]);
  assert.deepEqual([...(await get(2, 3))].slice(8), [0, 3, 3, 4, 0x29, 0, 0, 0]);
  assert.equal((await get(2, 0x107)).length, 8);
  drive.unit.eject();
  const current = await get(1);
  assert.deepEqual([current[7], current.length < all.length], [0, true]);
});

// The tray.

const TEST_UNIT_READY = packet(0);
const EJECT = packet(0x1b, 0, 0, 0, 2);
const LOAD = packet(0x1b, 0, 0, 0, 3);
const EVENTS = packet(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8);
const NO_DISC = [OK | ST.error, 2, 2, 0x3a, 1];
const TRAY_OPEN = [OK | ST.error, 2, 2, 0x3a, 2];
const CHANGED = [OK | ST.error, 6, 6, 0x28, 0];

test("without a disc what needs one is not ready", async () => {
  const { host } = withDrive(false);
  await host.calm();
  for (const bytes of [TEST_UNIT_READY, packet(0x25), packet(0x28, 0, 0, 0, 0, 0, 0, 0, 1), packet(0x43)]) {
    assert.deepEqual(await host.failure(bytes), NO_DISC);
  }
  assert.deepEqual([...(await good(host, EVENTS))], [0, 6, 4, 0x10, 0, 0, 0, 0]);
});

test("the guest opens and closes the tray; the disc is new to it afterwards", async () => {
  const { host, drive } = withDrive();
  await host.calm();
  await good(host, EJECT);
  assert.equal(drive.unit.isTrayOpen, true);
  assert.deepEqual(await host.failure(TEST_UNIT_READY), TRAY_OPEN);
  assert.deepEqual([...(await good(host, EVENTS))].slice(4), [3, 1, 0, 0]);
  assert.deepEqual([...(await good(host, EVENTS))].slice(4), [0, 1, 0, 0]);
  assert.equal((await good(host, packet(0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8)))[1], 0x10);
  await good(host, LOAD);
  assert.deepEqual([...(await good(host, EVENTS))].slice(4), [2, 2, 0, 0]);
  assert.deepEqual(await host.failure(TEST_UNIT_READY), CHANGED);
  await good(host, TEST_UNIT_READY);
});

test("the operator changes the disc", async () => {
  const { host, drive } = withDrive();
  await host.calm();
  assert.equal(drive.unit.eject(), true);
  assert.deepEqual(await host.failure(TEST_UNIT_READY), TRAY_OPEN);
  drive.unit.insert(new TestDisk(40));
  assert.deepEqual(await host.failure(TEST_UNIT_READY), CHANGED);
  assert.equal((await good(host, packet(0x25)))[3], 9);
});

test("a locked tray opens for nobody but a pin, and tells the guest that somebody asked", async () => {
  const { host, drive } = withDrive();
  await host.calm();
  await good(host, packet(0x1e, 0, 0, 0, 1));
  assert.deepEqual(await host.failure(EJECT), [OK | ST.error, 5, 5, 0x53, 2]);
  assert.equal(drive.unit.eject(), false);
  assert.deepEqual([...(await good(host, EVENTS))].slice(4), [1, 2, 0, 0]);
  await good(host, TEST_UNIT_READY);
  assert.equal(drive.unit.eject({ isForced: true }), true);
  assert.deepEqual(await host.failure(TEST_UNIT_READY), TRAY_OPEN);
});

test("a disc that is taken out in the middle of a read ends the read", async () => {
  const { host, drive, disc } = withDrive();
  await host.calm();
  disc.isHeld = true;
  await host.begin(packet(0x28, 0, ...be32(0), 0, ...be16(2)), 0xfffe);
  drive.unit.eject();
  disc.release();
  assert.equal(await host.host.settled(), OK | ST.error);
  assert.equal(host.host.in(1) >> 4, 2);
});

test("DEVICE RESET ends whatever is under way, resets the unit and unlocks the tray", async () => {
  const { host, drive, disc } = withDrive();
  await host.calm();
  await good(host, packet(0x1e, 0, 0, 0, 1));
  disc.isHeld = true;
  await host.begin(packet(0x28, 0, ...be32(0), 0, ...be16(2)), 0xfffe);
  const edges = host.host.irq.risingEdges;
  host.host.out(7, 0x08);
  assert.equal(host.host.alternateStatus, ST.busy);
  disc.release();
  assert.equal(await host.host.settled(), 0);
  assert.deepEqual(host.host.registers.slice(0, 5), [1, 1, 1, 0x14, 0xeb]);
  assert.deepEqual([host.host.irq.risingEdges, drive.unit.isLocked], [edges, false]);
  assert.deepEqual(await host.failure(TEST_UNIT_READY), [OK | ST.error, 6, 6, 0x29, 0]);
});

test("SRST leaves the tray's lock and attentions alone", async () => {
  const { host, drive } = withDrive();
  await host.calm();
  await good(host, packet(0x1e, 0, 0, 0, 1));
  host.host.control(4);
  host.host.control(0);
  assert.deepEqual(host.host.registers, [1, 1, 1, 0x14, 0xeb, 0xa0, 0]);
  await good(host, TEST_UNIT_READY);
  assert.equal(drive.unit.isLocked, true);
});

// Saved state.

for (const [name, before, after] of [
  [
    "before the packet",
    async ({ host }: PacketHost) => host.issue({ code: 0xa0, lba: 0xffff00, features: 0 }),
    async ({ host }: PacketHost) => {
      host.giveData(packet(0));
      assert.equal(await host.settled(), OK);
    },
  ],
  [
    "in the middle of the packet",
    async ({ host }: PacketHost) => {
      host.issue({ code: 0xa0, lba: 0xff0000 });
      host.giveData(packet(0x28, 0, 0, 0, 0, 7).subarray(0, 6));
    },
    async ({ host }: PacketHost) => {
      host.giveData(Uint8Array.of(0, 0, 1, 0, 0, 0));
      assert.equal(await host.settled(), OK | ST.drq);
      assert.deepEqual(host.takeData(DISC_SECTOR_BYTES), sectors(7, 1));
    },
  ],
  [
    "in the middle of a block",
    async (host: PacketHost) => {
      await host.begin(packet(0x28, 0, ...be32(9), 0, ...be16(2)), 0x800);
      await host.host.settled();
      host.host.takeData(1000);
    },
    async ({ host }: PacketHost) => {
      assert.deepEqual(host.takeData(1048), sectors(9, 1).slice(1000));
      assert.equal(await host.settled(), OK | ST.drq);
      assert.deepEqual(host.takeData(2048), sectors(10, 1));
    },
  ],
  [
    "with sense data and a locked tray",
    async (host: PacketHost) => {
      await host.send(packet(0x1e, 0, 0, 0, 1));
      await host.send(EJECT);
    },
    async (host: PacketHost) => {
      assert.equal((await good(host, packet(3, 0, 0, 0, 18)))[12], 0x53);
      assert.deepEqual(await host.failure(EJECT), [OK | ST.error, 5, 5, 0x53, 2]);
    },
  ],
  [
    "with the disc taken out",
    async (host: PacketHost) => void (await host.send(EJECT)),
    async (host: PacketHost) => assert.deepEqual(await host.failure(TEST_UNIT_READY), TRAY_OPEN),
  ],
] as const) {
  test(`saved and restored: ${name}`, async () => {
    const first = withDrive();
    await first.host.calm();
    await before(first.host);
    const saved = first.host.host.ide.save();
    const second = withDrive();
    second.host.host.ide.restore(saved);
    assert.deepEqual(second.host.host.ide.save(), saved);
    await after(second.host);
  });
}
