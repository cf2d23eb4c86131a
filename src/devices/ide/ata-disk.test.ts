import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryDisk, SECTOR_BYTES } from "../../block/index.ts";
import { TRANSFER_MAX_BYTES } from "./ide-drive.ts";
import { controller, disk, TestDisk, patternBytes, ST } from "./testing.ts";
import type { Command } from "./testing.ts";

const SECTORS = 4096;
const OK = ST.ready | ST.seek;
const ABRT = 0x04;
const IDNF = 0x10;
const UNC = 0x40;

const pattern = patternBytes(SECTORS);
const sectors = (first: number, count: number): Uint8Array =>
  pattern.slice(first * SECTOR_BYTES, (first + count) * SECTOR_BYTES);

function withDisk() {
  const held = new TestDisk(SECTORS);
  return { held, host: controller(disk(held)) };
}

function words(bytes: Uint8Array): Uint16Array {
  return new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
}

function text(bytes: Uint8Array, word: number, count: number): string {
  const characters = Array.from({ length: 2 * count }, (_, at) => bytes[2 * word + (at ^ 1)] ?? 0);
  return String.fromCharCode(...characters).trimEnd();
}

test("IDENTIFY DEVICE describes the disk, with an interrupt before the block and none after it", async () => {
  const { host } = withDisk();
  host.issue({ code: 0xec });
  assert.equal(host.irq.level, true);
  assert.equal(host.alternateStatus, OK | ST.drq);
  assert.equal(host.in(7), OK | ST.drq);
  assert.equal(host.irq.level, false);
  const bytes = host.takeData(SECTOR_BYTES);
  assert.deepEqual([host.alternateStatus, host.irq.risingEdges], [OK, 1]);
  const word = words(bytes);
  assert.equal(word[0], 0x0040);
  assert.deepEqual([word[1], word[3], word[6]], [4, 16, 63]);
  assert.deepEqual([word[54], word[55], word[56], word[57], word[58]], [4, 16, 63, 4032, 0]);
  assert.equal(word[49], 0x2f00);
  assert.deepEqual([word[60], word[61]], [SECTORS, 0]);
  assert.deepEqual([word[100], word[101], word[102], word[103]], [SECTORS, 0, 0, 0]);
  assert.deepEqual([word[82], word[83], word[84]], [0x4068, 0x7400, 0x4040]);
  assert.deepEqual([word[47], word[59], word[63], word[88]], [0x8010, 0x0110, 0x0007, 0x003f]);
  assert.deepEqual([text(bytes, 10, 10), text(bytes, 23, 4), text(bytes, 27, 20)], ["TEST-SERIAL", "1.0", "Test disk"]); // prettier-ignore
  assert.equal(bytes.reduce((sum, byte) => sum + byte, 0) & 0xff, 0);
});

test("a disk above 128 GiB tells LBA28's end and its own", async () => {
  const huge = {
    sizeBytes: 2 ** 33 * SECTOR_BYTES,
    isReadOnly: true,
    canDiscard: false,
    read: () => Promise.reject(new Error("not read")),
    write: () => Promise.reject(new Error("not written")),
    flush: () => Promise.reject(new Error("not flushed")),
    discard: () => Promise.reject(new Error("not discarded")),
    close: () => Promise.resolve(),
  };
  const host = controller(disk(huge));
  const word = words(await host.readPio({ code: 0xec }));
  assert.deepEqual([word[1], word[60], word[61]], [16383, 0xffff, 0x0fff]);
  assert.deepEqual([word[100], word[101], word[102], word[103]], [0, 0, 2, 0]);
  assert.equal(await host.run({ code: 0xf8 }), OK);
  assert.deepEqual(host.registers.slice(2, 6), [0xff, 0xff, 0xff, 0xef]);
  assert.equal(await host.run({ code: 0x27 }), OK);
  assert.deepEqual([host.in(3), host.in(4), host.in(5)], [0xff, 0xff, 0xff]);
  host.control(0x80);
  assert.deepEqual([host.in(3), host.in(4), host.in(5)], [0xff, 1, 0]);
});

for (const [name, command, blockSectors, first, count] of [
  ["READ SECTORS", { code: 0x20, lba: 5, count: 3 }, 1, 5, 3],
  ["READ SECTORS without retries", { code: 0x21, lba: 0, count: 1 }, 1, 0, 1],
  ["READ SECTORS of 256, which is a count of 0", { code: 0x20, lba: 100, count: 0 }, 1, 100, 256],
  ["READ SECTORS by cylinder, head and sector", { code: 0x20, address: "chs", cylinder: 2, head: 3, sector: 4, count: 2 }, 1, 2 * 1008 + 3 * 63 + 3, 2], // prettier-ignore
  ["READ SECTORS EXT", { code: 0x24, address: "lba48", lba: 3000, count: 300 }, 1, 3000, 300],
  ["READ MULTIPLE", { code: 0xc4, lba: 7, count: 10 }, 8, 7, 10],
  ["READ MULTIPLE EXT", { code: 0x29, address: "lba48", lba: 1, count: 1025 }, 8, 1, 1025],
] as const satisfies readonly (readonly [string, Command, number, number, number])[]) {
  test(`${name} gives each block once, with an interrupt for each`, async () => {
    const { host } = withDisk();
    assert.equal(await host.run({ code: 0xc6, count: 8 }), OK);
    const before = host.irq.risingEdges;
    host.issue(command);
    const bytes = new Uint8Array(count * SECTOR_BYTES);
    for (let done = 0; done < count; done += blockSectors) {
      assert.equal(await host.settled(), OK | ST.drq);
      assert.equal(host.irq.level, true);
      host.in(7);
      const block = Math.min(blockSectors, count - done) * SECTOR_BYTES;
      bytes.set(host.takeData(block, 4), done * SECTOR_BYTES);
    }
    assert.deepEqual(bytes, sectors(first, count));
    assert.equal(await host.settled(), OK);
    assert.deepEqual(
      [host.irq.level, host.irq.risingEdges - before],
      [false, Math.ceil(count / blockSectors)],
    );
    assert.deepEqual([host.in(1), host.in(2)], [0, 0]);
  });
}

for (const [name, command, blockSectors, first, count] of [
  ["WRITE SECTORS", { code: 0x30, lba: 9, count: 3 }, 1, 9, 3],
  ["WRITE SECTORS EXT", { code: 0x34, address: "lba48", lba: 40, count: 513 }, 1, 40, 513],
  ["WRITE MULTIPLE", { code: 0xc5, lba: 64, count: 5 }, 4, 64, 5],
  ["WRITE MULTIPLE EXT", { code: 0x39, address: "lba48", lba: 64, count: 9 }, 4, 64, 9],
] as const satisfies readonly (readonly [string, Command, number, number, number])[]) {
  test(`${name} takes the first block without an interrupt and says with one that all is written`, async () => {
    const { host, held } = withDisk();
    await host.run({ code: 0xc6, count: 4 });
    const bytes = sectors(first, count).map((byte) => byte ^ 0xff);
    const before = host.irq.risingEdges;
    host.issue(command);
    assert.deepEqual([await host.settled(), host.irq.level], [OK | ST.drq, false]);
    assert.equal(await host.writePio(command, bytes, blockSectors * SECTOR_BYTES), OK);
    assert.equal(host.irq.risingEdges - before, Math.ceil(count / blockSectors));
    const at = first * SECTOR_BYTES;
    assert.deepEqual(held.inner.bytes.slice(at, at + bytes.length), bytes);
    assert.deepEqual(held.inner.bytes.slice(at - SECTOR_BYTES, at), sectors(first - 1, 1));
    assert.equal(held.log.includes("flush"), false);
  });
}

test("requests to the back end are bounded, however long the command", async () => {
  const { host, held } = withDisk();
  await host.readPio({ code: 0x24, address: "lba48", lba: 0, count: SECTORS }, SECTORS);
  const chunk = TRANSFER_MAX_BYTES / SECTOR_BYTES;
  assert.deepEqual(
    held.log,
    Array.from({ length: SECTORS / chunk }, (_, index) => `read ${index * chunk}+${chunk}`),
  );
});

test("forced unit access and a disabled write cache end a write with a flush", async () => {
  const { host, held } = withDisk();
  await host.run({ code: 0xc6, count: 4 });
  const wide = { address: "lba48", lba: 2, count: 1 } as const;
  assert.equal(await host.writePio({ code: 0xce, ...wide }, sectors(0, 1)), OK);
  assert.deepEqual(held.log.splice(0), ["write 2+1", "flush"]);
  assert.equal(await host.run({ code: 0xef, features: 0x82 }), OK);
  assert.equal(await host.writePio({ code: 0x34, ...wide }, sectors(0, 1)), OK);
  assert.deepEqual(held.log.splice(0), ["flush", "write 2+1", "flush"]);
  assert.equal(await host.run({ code: 0xef, features: 0x02 }), OK);
  assert.equal(await host.run({ code: 0xe7 }), OK);
  assert.equal(await host.run({ code: 0xea }), OK);
  assert.deepEqual(held.log, ["flush", "flush"]);
});

for (const [name, command] of [
  ["READ SECTORS across the end", { code: 0x20, lba: SECTORS - 1, count: 2 }],
  ["READ SECTORS EXT far behind the end", { code: 0x24, address: "lba48", lba: 2 ** 47, count: 1 }],
  ["WRITE SECTORS behind the end", { code: 0x30, lba: SECTORS, count: 1 }],
  ["READ DMA across the end", { code: 0xc8, lba: SECTORS - 255, count: 0 }],
  ["READ VERIFY behind the end", { code: 0x40, lba: SECTORS, count: 1 }],
  ["SEEK behind the end", { code: 0x70, lba: SECTORS }],
  ["a sector 0", { code: 0x20, address: "chs", sector: 0, count: 1 }],
  ["a sector behind the track", { code: 0x20, address: "chs", sector: 64, count: 1 }],
  ["a cylinder too far", { code: 0x20, address: "chs", cylinder: 4, count: 1 }],
] as const satisfies readonly (readonly [string, Command])[]) {
  test(`${name} is not found`, async () => {
    const { host, held } = withDisk();
    assert.equal(await host.run(command), OK | ST.error);
    assert.equal(host.in(1), IDNF);
    assert.equal(host.irq.risingEdges, 1);
    assert.deepEqual(held.log, []);
  });
}

for (const [name, command] of [
  ["NOP", { code: 0x00 }],
  ["DEVICE RESET", { code: 0x08 }],
  ["PACKET", { code: 0xa0 }],
  ["IDENTIFY PACKET DEVICE", { code: 0xa1 }],
  ["READ LONG", { code: 0x22, count: 1 }],
  ["FORMAT TRACK", { code: 0x50, count: 1 }],
  ["SMART", { code: 0xb0, features: 0xd8 }],
  ["SET MAX ADDRESS", { code: 0xf9 }],
  ["SET MULTIPLE MODE of 32", { code: 0xc6, count: 32 }],
  ["SET MULTIPLE MODE of 3", { code: 0xc6, count: 3 }],
  ["a transfer mode that is not there", { code: 0xef, features: 3, count: 0x23 }],
  ["an unknown feature", { code: 0xef, features: 0x77 }],
  ["a translation without sectors", { code: 0x91, count: 0 }],
] as const satisfies readonly (readonly [string, Command])[]) {
  test(`${name} is aborted`, async () => {
    const { host } = withDisk();
    assert.equal(await host.run(command), OK | ST.error);
    assert.equal(host.in(1), ABRT);
    assert.equal(await host.run({ code: 0xe5 }), OK);
    assert.equal(host.in(1), 0);
  });
}

test("a block size of 0 disables READ and WRITE MULTIPLE, one that there is not does too", async () => {
  const { host } = withDisk();
  for (const count of [0, 32]) {
    await host.run({ code: 0xc6, count: 4 });
    await host.run({ code: 0xc6, count });
    for (const code of [0xc4, 0xc5, 0x29, 0x39, 0xce]) {
      assert.equal(await host.run({ code, count: 1 }), OK | ST.error);
      assert.equal(host.in(1), ABRT);
    }
  }
});

test("INITIALIZE DEVICE PARAMETERS changes the translation and what IDENTIFY tells of it", async () => {
  const { host } = withDisk();
  assert.equal(await host.run({ code: 0x91, address: "chs", count: 32, head: 7 }), OK);
  const chs = { code: 0x20, address: "chs", cylinder: 3, head: 7, sector: 32, count: 1 } as const;
  assert.deepEqual(await host.readPio(chs), sectors((3 * 8 + 7) * 32 + 31, 1));
  const word = words(await host.readPio({ code: 0xec }));
  assert.deepEqual([word[1], word[3], word[6]], [4, 16, 63]);
  assert.deepEqual([word[54], word[55], word[56], word[57]], [16, 8, 32, 4096]);
});

test("at the end of a command the registers name its last sector, in the command's own way", async () => {
  const { host } = withDisk();
  await host.readPio({ code: 0x20, lba: 0x123, count: 2 }, 2);
  assert.deepEqual(host.registers.slice(1, 6), [0, 0x24, 0x01, 0, 0xe0]);
  await host.readPio({ code: 0x20, address: "chs", cylinder: 1, head: 15, sector: 63, count: 2 }, 2);
  assert.deepEqual(host.registers.slice(1, 6), [0, 1, 2, 0, 0xa0]);
});

test("a bad sector is found: what is in front of it is given, then its address", async () => {
  const { host, held } = withDisk();
  held.badSectors.add(1003);
  const command = { code: 0x24, address: "lba48", lba: 1000, count: 8 } as const;
  assert.deepEqual(await host.readPio(command, 3), sectors(1000, 3));
  assert.equal(await host.settled(), OK | ST.error);
  assert.equal(host.irq.level, true);
  assert.deepEqual(host.registers.slice(0, 5), [UNC, 8, 1003 & 0xff, 1003 >> 8, 0]);
  assert.equal(await host.run({ code: 0x40, lba: 1003, count: 1 }), OK | ST.error);
  assert.equal(host.in(1), UNC);
  assert.equal(await host.run({ code: 0x40, lba: 1004, count: 20 }), OK);
});

test("a write that the host has no room for is a device fault", async () => {
  const { host, held } = withDisk();
  held.badSectors.add(50);
  held.error = { code: "disk-full", message: "No room." };
  assert.equal(
    await host.writePio({ code: 0x30, lba: 50, count: 1 }, sectors(0, 1)),
    OK | ST.fault | ST.error,
  );
  assert.deepEqual([host.in(1), host.in(3)], [ABRT, 50]);
});

test("a read-only disk aborts writes and is read all the same", async () => {
  const host = controller(disk(new MemoryDisk(patternBytes(8), { isReadOnly: true })));
  for (const code of [0x30, 0xca, 0x34, 0x3d]) {
    assert.equal(await host.run({ code, count: 1 }), OK | ST.error);
    assert.equal(host.in(1), ABRT);
  }
  assert.equal(await host.run({ code: 0xe7 }), OK);
  assert.deepEqual(await host.readPio({ code: 0x20, lba: 7, count: 1 }), sectors(7, 1));
});

test("power modes are kept until the disk is used, and sleep until a reset", async () => {
  const { host } = withDisk();
  const mode = async (): Promise<number> => {
    await host.run({ code: 0xe5 });
    return host.in(2);
  };
  assert.equal(await mode(), 0xff);
  await host.run({ code: 0xe0 });
  assert.equal(await mode(), 0);
  await host.run({ code: 0x95 });
  assert.equal(await mode(), 0x80);
  await host.readPio({ code: 0x20, count: 1 });
  assert.equal(await mode(), 0xff);
  await host.run({ code: 0xe6 });
  const edges = host.irq.risingEdges;
  host.issue({ code: 0xec });
  assert.deepEqual([host.alternateStatus & ST.drq, host.irq.risingEdges], [0, edges]);
  host.control(4);
  host.control(0);
  assert.equal(await host.settled(), OK);
  assert.equal(await mode(), 0xff);
});

test("SRST brings features back to their defaults unless told to keep them, and keeps the transfer mode", async () => {
  const { host } = withDisk();
  const enabled = async (): Promise<(number | undefined)[]> => {
    const word = words(await host.readPio({ code: 0xec }));
    return [word[59], word[85], word[63]];
  };
  const change = async (): Promise<void> => {
    await host.run({ code: 0xc6, count: 8 });
    await host.run({ code: 0xef, features: 0x82 });
    await host.run({ code: 0xef, features: 0x55 });
    await host.run({ code: 0xef, features: 3, count: 0x22 });
  };
  await change();
  assert.deepEqual(await enabled(), [0x0108, 0x4008, 0x0407]);
  host.control(4);
  host.control(0);
  assert.deepEqual(await enabled(), [0x0110, 0x4068, 0x0407]);
  await change();
  await host.run({ code: 0xef, features: 0x66 });
  host.control(4);
  host.control(0);
  assert.deepEqual(await enabled(), [0x0108, 0x4008, 0x0407]);
  host.ide.reset();
  host.enable();
  assert.deepEqual(await enabled(), [0x0110, 0x4068, 0x0007]);
});
