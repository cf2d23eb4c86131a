import assert from "node:assert/strict";
import { test } from "node:test";
import { MmioBus } from "../../hw/index.ts";
import { CfiFlash, FLASH_BLOCK_BYTES, FLASH_BUFFER_BYTES } from "./index.ts";

const GPA = 0xffc0_0000;
const BLOCKS = 132;
const READY = 0x80;
const SEQUENCE_ERROR = 0xb0;

/** A chip as its driver sees it. */
function driver(contents = new Uint8Array(BLOCKS * FLASH_BLOCK_BYTES).fill(0xff)) {
  const shown: boolean[] = [];
  const changes: (readonly [number, number])[] = [];
  const chip = new CfiFlash({
    name: "flash",
    contents,
    showArray: (isShown) => shown.push(isShown),
    onChange: (offset, lengthBytes) => changes.push([offset, lengthBytes]),
  });
  const bus = new MmioBus();
  bus.claim("flash", GPA, contents.length, chip);
  chip.reset();
  const read = (offset: number): number => bus.readMmio(GPA + offset, 1);
  const write = (offset: number, ...values: readonly number[]): void => {
    for (const value of values) bus.writeMmio(GPA + offset, 1, value);
  };
  const buffered = (offset: number, bytes: Uint8Array): void => {
    write(offset, 0xe8, bytes.length - 1);
    for (const [index, value] of bytes.entries()) write(offset + index, value);
  };
  return { chip, bus, contents, shown, changes, read, write, buffered };
}

test("OVMF tells the chip from RAM and ROM by the answer to Clear and Read Status", () => {
  const { read, write, shown } = driver();
  write(0, 0x50);
  assert.equal(read(0), 0xff);
  write(0, 0x70);
  assert.equal(read(0), 0x00);
  write(0, 0xff);
  assert.equal(read(0), 0xff);
  assert.deepEqual(shown, [true, false, true]);
});

test("a byte is programmed by either command, and bits go from 1 to 0 only", () => {
  const { read, write, contents, changes, shown } = driver();
  write(5, 0x10, 0x5f, 0x40, 0xf3);
  assert.equal(contents[5], 0x53);
  assert.equal(read(5), READY);
  assert.deepEqual(changes, [
    [5, 1],
    [5, 1],
  ]);
  assert.deepEqual(shown, [true, false]);
  write(5, 0xff);
  assert.equal(read(5), 0x53);
});

test("an erased block is all ones, and its neighbours are not touched", () => {
  const { write, read, contents, changes } = driver(new Uint8Array(3 * FLASH_BLOCK_BYTES));
  write(FLASH_BLOCK_BYTES + 7, 0x20, 0xd0);
  assert.deepEqual(changes, [[FLASH_BLOCK_BYTES, FLASH_BLOCK_BYTES]]);
  assert.equal(read(0), READY);
  const sums = [0, 1, 2].map((block) =>
    contents
      .subarray(block * FLASH_BLOCK_BYTES, (block + 1) * FLASH_BLOCK_BYTES)
      .reduce((total, byte) => total + byte, 0),
  );
  assert.deepEqual(sums, [0, 0xff * FLASH_BLOCK_BYTES, 0]);
});

test("a buffer is programmed at once when it is confirmed, at its limit too", () => {
  const { write, read, buffered, contents, changes, chip } = driver();
  const bytes = Uint8Array.from({ length: FLASH_BUFFER_BYTES }, (_, index) => index);
  buffered(0x100, bytes);
  assert.deepEqual(changes, []);
  write(0x100, 0xd0);
  assert.deepEqual(contents.slice(0x100, 0x100 + FLASH_BUFFER_BYTES), bytes);
  assert.deepEqual(changes, [[0x100, FLASH_BUFFER_BYTES]]);
  assert.equal(read(0), READY);
  assert.equal(chip.sequenceErrors, 0);
});

test("wider accesses are several cycles", () => {
  const { bus, contents, write } = driver();
  write(8, 0xe8, 3);
  bus.writeMmio(GPA + 8, 4, 0x4433_2211);
  write(8, 0xd0);
  assert.deepEqual([...contents.subarray(8, 12)], [0x11, 0x22, 0x33, 0x44]);
  assert.equal(bus.readMmio(GPA, 4), 0x8080_8080);
});

test("the query says what the chip is", () => {
  const { write, read } = driver();
  write(0x55, 0x98);
  const table = Array.from({ length: 0x36 }, (_, at) => read(at));
  assert.equal(String.fromCharCode(...table.slice(0x10, 0x13)), "QRY");
  assert.deepEqual(table.slice(0x13, 0x17), [1, 0, 0x31, 0]);
  assert.equal(2 ** (table[0x2a] ?? 0), FLASH_BUFFER_BYTES);
  assert.deepEqual(table.slice(0x2c, 0x31), [1, BLOCKS - 1, 0, 16, 0]);
  assert.equal(2 ** (table[0x27] ?? 0), 1024 * 1024);
  assert.equal(String.fromCharCode(...table.slice(0x31, 0x36)), "PRI11");
  write(0, 0x90);
  assert.deepEqual([read(0), read(1), read(2)], [0x89, 0, 0]);
});

const BROKEN_SEQUENCES: readonly (readonly [string, (guest: ReturnType<typeof driver>) => void])[] = [
  ["an erasure that is not confirmed", ({ write }) => write(0, 0x20, 0x41)],
  [
    "a buffer that is not confirmed",
    ({ buffered, write }) => {
      buffered(0, Uint8Array.of(0));
      write(0, 0xff);
    },
  ],
  ["buffered data far from its start", ({ write }) => [write(0, 0xe8, 1, 0), write(2, 0)]],
  ["buffered data before its start", ({ write }) => [write(4, 0xe8, 1, 0), write(3, 0)]],
  [
    "a buffer across two blocks",
    ({ buffered, write }) => {
      buffered(FLASH_BLOCK_BYTES - 1, new Uint8Array(2));
      write(0, 0xd0);
    },
  ],
  ["locking", ({ write }) => write(0, 0x60, 0x01)],
];
for (const [what, act] of BROKEN_SEQUENCES) {
  test(`${what} is a command sequence error and changes nothing`, () => {
    const guest = driver();
    act(guest);
    assert.equal(guest.read(0), SEQUENCE_ERROR);
    assert.equal(guest.chip.sequenceErrors, 1);
    assert.deepEqual(guest.changes, []);
    guest.write(0, 0x50, 0x70);
    assert.equal(guest.read(0), 0);
  });
}

test("the last byte of the chip ends a buffer", () => {
  const { buffered, write, contents, changes, chip } = driver();
  write(contents.length - 1, 0xe8, 1, 0, 0, 0xd0);
  assert.equal(chip.sequenceErrors, 1);
  assert.deepEqual(changes, []);
  buffered(contents.length - 1, Uint8Array.of(0x3c));
  write(0, 0xd0);
  assert.equal(contents.at(-1), 0x3c);
});

test("a reset shows the array and keeps what is in it", () => {
  const { chip, write, read, shown } = driver();
  write(1, 0x10, 0x77, 0x20);
  chip.reset();
  assert.equal(read(1), 0x77);
  assert.equal(shown.at(-1), true);
  write(1, 0xd0);
  assert.equal(read(1), 0x77);
});

test("a half-written buffer survives a snapshot", () => {
  const first = driver();
  first.write(0, 0xe8, 1, 0x12);
  const second = driver();
  second.chip.restore(first.chip.save());
  assert.equal(second.shown.at(-1), false);
  second.write(1, 0x34);
  second.write(0, 0xd0);
  assert.deepEqual([...second.contents.subarray(0, 2)], [0x12, 0x34]);
});

test("whatever cycles a guest makes up, only what it was told to change has changed", () => {
  const sizeBytes = 3 * FLASH_BLOCK_BYTES;
  const guest = driver(new Uint8Array(sizeBytes).fill(0xff));
  const commands = [0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0x90, 0x98, 0xd0, 0xe8, 0xff];
  const mirror = guest.contents.slice();
  let state = 0x2545_f491;
  const random = (limit: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % limit;
  };
  let changeCount = 0;
  for (let cycle = 0; cycle < 20_000; cycle++) {
    const size = ([1, 2, 4] as const)[random(3)] ?? 1;
    // Often at the edges of blocks, where runs would leave them.
    const block = random(3) * FLASH_BLOCK_BYTES;
    const offset = Math.min(
      sizeBytes - size,
      block + ([0, 1, FLASH_BLOCK_BYTES - 2, random(FLASH_BLOCK_BYTES)][random(4)] ?? 0),
    );
    const value = [commands[random(commands.length)] ?? 0, random(3), random(0x1_0000_0000)][random(3)] ?? 0;
    guest.bus.writeMmio(GPA + offset, size, value);
    guest.bus.readMmio(GPA + offset, size);
    for (const [at, lengthBytes] of guest.changes.splice(0)) {
      mirror.set(guest.contents.subarray(at, at + lengthBytes), at);
      changeCount++;
    }
  }
  assert.deepEqual(guest.contents, mirror);
  assert.ok(changeCount > 500, `${changeCount} changes`);
  assert.ok(guest.chip.sequenceErrors > 500);
});
