import assert from "node:assert/strict";
import { test } from "node:test";

import { MiB, unwrap } from "../../base/index.ts";
import { PortBus, RamDma } from "../../hw/index.ts";
import { createGuestRam } from "../../memory/index.ts";
import { DmaPair } from "./index.ts";

const RAM_BYTES = 4 * MiB;
const PAGE_PORT = [0x87, 0x83, 0x81, 0x82, 0x8f, 0x8b, 0x89, 0x8a] as const;
const MODE = {
  demand: 0x00,
  single: 0x40,
  block: 0x80,
  cascade: 0xc0,
  verify: 0x00,
  toMemory: 0x04,
  fromMemory: 0x08,
  auto: 0x10,
  down: 0x20,
} as const;

function machine() {
  const ram = unwrap(createGuestRam({ sizeBytes: RAM_BYTES, reservedPrefixBytes: 0 }));
  const written: string[] = [];
  const pair = new DmaPair(new RamDma(ram, (gpa, bytes) => written.push(`${gpa.toString(16)}+${bytes}`)));
  const ports = new PortBus();
  pair.claimPorts(ports);
  pair.reset();
  pair.openCascade();
  const out = (port: number, value: number): void => ports.writePort(port, 1, value);
  const read = (port: number): number => ports.readPort(port, 1);
  /** Ports of a channel's controller: register `number` of 0 to 15. */
  const port = (channel: number, number: number): number => (channel < 4 ? number : 0xc0 + 2 * number);
  const readWord = (channel: number, number: number): number => {
    out(port(channel, 0x0c), 0);
    const low = read(port(channel, number));
    return low | (read(port(channel, number)) << 8);
  };
  return {
    ram,
    pair,
    ports,
    written,
    out,
    in: read,
    port,
    /** Programs the channel as drivers do, masked meanwhile; `count` is units less one. */
    program(channel: number, { mode, page = 0, address, count }: Record<string, number>) {
      const local = channel % 4;
      out(port(channel, 0x0a), 4 | local);
      out(port(channel, 0x0c), 0);
      out(port(channel, 0x0b), (mode ?? 0) | local);
      out(PAGE_PORT[channel] ?? 0, page);
      for (const [number, value] of [
        [2 * local, address ?? 0],
        [2 * local + 1, count ?? 0],
      ] as const) {
        out(port(channel, number), value & 0xff);
        out(port(channel, number), value >> 8);
      }
      out(port(channel, 0x0a), local);
    },
    address: (channel: number) => readWord(channel, 2 * (channel % 4)),
    count: (channel: number) => readWord(channel, 2 * (channel % 4) + 1),
    status: (channel: number) => read(port(channel, 8)),
    bytes: (gpa: number, length: number) => [...ram.slice(gpa, length)],
    /** The device at the channel, with its request up. */
    device(channel: number) {
      const device = pair.channel(channel);
      device.setRequest(true);
      return device;
    },
  };
}

const bytes = (...values: number[]) => Uint8Array.from(values);
const series = (length: number) => Uint8Array.from({ length }, (_, index) => index & 0xff);

for (const mode of ["demand", "single", "block"] as const) {
  test(`a device's bytes go to memory and back in ${mode} mode, until the terminal count`, () => {
    const m = machine();
    m.program(2, { mode: MODE[mode] | MODE.toMemory, page: 0x12, address: 0x3456, count: 5 });
    const device = m.device(2);
    assert.deepEqual(device.toMemory(bytes(1, 2, 3, 4)), { countBytes: 4, isTerminal: false });
    assert.equal(m.address(2), 0x345a);
    assert.equal(m.count(2), 1);
    assert.equal(m.status(2), 0x40);
    assert.deepEqual(device.toMemory(bytes(5, 6, 7, 8)), { countBytes: 2, isTerminal: true });
    assert.deepEqual(m.bytes(0x123456, 8), [1, 2, 3, 4, 5, 6, 0, 0]);
    assert.equal(m.count(2), 0xffff);
    assert.equal(m.status(2), 0x44);
    assert.equal(m.status(2), 0x40);
    // Without autoinitialization the channel is masked at the terminal count.
    assert.deepEqual(device.toMemory(bytes(9)), { countBytes: 0, isTerminal: false });

    m.program(2, { mode: MODE[mode] | MODE.fromMemory, page: 0x12, address: 0x3456, count: 3 });
    const target = new Uint8Array(6);
    assert.deepEqual(device.fromMemory(target), { countBytes: 4, isTerminal: true });
    assert.deepEqual([...target], [1, 2, 3, 4, 0, 0]);
  });
}

test("a verify transfer counts and touches neither memory nor the device's bytes", () => {
  const m = machine();
  m.program(2, { mode: MODE.single | MODE.verify, address: 0x1000, count: 1 });
  assert.deepEqual(m.device(2).toMemory(bytes(1, 2)), { countBytes: 2, isTerminal: true });
  assert.deepEqual(m.written, []);
  m.program(2, { mode: MODE.single | MODE.verify, address: 0x1000, count: 1 });
  const target = bytes(1, 2, 3);
  m.device(2).fromMemory(target);
  assert.deepEqual([...target], [0xff, 0xff, 3]);
});

test("a channel that is programmed the other way, cascades or is masked serves nothing", () => {
  const m = machine();
  m.program(2, { mode: MODE.single | MODE.fromMemory, address: 0x1000, count: 9 });
  const device = m.device(2);
  assert.equal(device.toMemory(bytes(1)).countBytes, 0);
  assert.equal(device.fromMemory(bytes(1)).countBytes, 1);
  m.out(0x0b, MODE.cascade | 2);
  assert.equal(device.fromMemory(bytes(1)).countBytes, 0);
  m.out(0x0b, MODE.single | MODE.fromMemory | 2);
  m.out(0x0a, 6);
  assert.equal(device.fromMemory(bytes(1)).countBytes, 0);
  m.out(0x0e, 0);
  assert.equal(device.fromMemory(bytes(1)).countBytes, 1);
  m.out(0x0f, 0x04);
  assert.equal(device.fromMemory(bytes(1)).countBytes, 0);
  assert.equal(m.in(0x0f), 0x04);
});

test("autoinitialization reloads address and count and leaves the channel open", () => {
  const m = machine();
  m.program(3, { mode: MODE.single | MODE.toMemory | MODE.auto, address: 0x2000, count: 2 });
  const device = m.device(3);
  assert.deepEqual(device.toMemory(bytes(1, 2, 3, 4)), { countBytes: 3, isTerminal: true });
  assert.deepEqual([m.address(3), m.count(3)], [0x2000, 2]);
  assert.equal(device.toMemory(bytes(7)).countBytes, 1);
  assert.deepEqual(m.bytes(0x2000, 3), [7, 2, 3]);
  assert.equal(m.in(0x0f) & 0x08, 0);
});

test("addresses count down, in bytes and in words", () => {
  const m = machine();
  m.program(1, { mode: MODE.single | MODE.toMemory | MODE.down, address: 0x2002, count: 9 });
  m.device(1).toMemory(bytes(1, 2, 3, 4));
  assert.deepEqual(m.bytes(0x1fff, 4), [4, 3, 2, 1]);
  assert.equal(m.address(1), 0x1ffe);
  m.program(1, { mode: MODE.single | MODE.fromMemory | MODE.down, address: 0x2002, count: 9 });
  const back = new Uint8Array(4);
  m.device(1).fromMemory(back);
  assert.deepEqual([...back], [1, 2, 3, 4]);
  m.program(6, { mode: MODE.single | MODE.toMemory | MODE.down, address: 0x2000, count: 9 });
  m.device(6).toMemory(bytes(1, 2, 3, 4));
  assert.deepEqual(m.bytes(0x3ffe, 4), [3, 4, 1, 2]);
});

test("a transfer wraps within its 64 KiB, up and down", () => {
  const m = machine();
  m.program(0, { mode: MODE.single | MODE.toMemory, page: 1, address: 0xfffe, count: 9 });
  m.device(0).toMemory(bytes(1, 2, 3, 4));
  assert.deepEqual(m.bytes(0x1fffe, 4), [1, 2, 0, 0]);
  assert.deepEqual(m.bytes(0x10000, 2), [3, 4]);
  assert.equal(m.in(0x87), 1);
  m.program(0, { mode: MODE.single | MODE.toMemory | MODE.down, page: 3, address: 1, count: 9 });
  m.device(0).toMemory(bytes(1, 2, 3, 4));
  assert.deepEqual(m.bytes(0x30000, 2), [2, 1]);
  assert.deepEqual(m.bytes(0x3fffe, 2), [4, 3]);
});

test("word channels address 128 KiB, leave out bit 0 of the page, and take whole words only", () => {
  const m = machine();
  m.program(5, { mode: MODE.single | MODE.toMemory, page: 0x03, address: 0xffff, count: 9 });
  const device = m.device(5);
  assert.deepEqual(device.toMemory(bytes(1, 2, 3, 4, 5)), { countBytes: 4, isTerminal: false });
  assert.deepEqual(m.bytes(0x3fffe, 2), [1, 2]);
  assert.deepEqual(m.bytes(0x20000, 2), [3, 4]);
  assert.equal(m.count(5), 7);
  assert.equal(device.toMemory(bytes(1)).countBytes, 0);
  m.program(7, { mode: MODE.single | MODE.fromMemory, page: 0x02, address: 0, count: 0 });
  const target = new Uint8Array(4);
  assert.deepEqual(m.device(7).fromMemory(target), { countBytes: 2, isTerminal: true });
  assert.deepEqual([...target], [3, 4, 0, 0]);
});

test("all of 64 KiB goes in one transfer, and memory is told in bounded pieces", () => {
  const m = machine();
  m.program(2, { mode: MODE.single | MODE.toMemory, page: 2, address: 0x0800, count: 0xffff });
  const source = series(0x10000 + 5);
  assert.deepEqual(m.device(2).toMemory(source), { countBytes: 0x10000, isTerminal: true });
  assert.deepEqual(m.bytes(0x20800, 0xf800), [...source.subarray(0, 0xf800)]);
  assert.deepEqual(m.bytes(0x20000, 0x800), [...source.subarray(0xf800, 0x10000)]);
  assert.equal(m.written.length, 17);
});

test("outside RAM writes are dropped and reads give the idle bus", () => {
  const m = machine();
  m.program(2, { mode: MODE.single | MODE.toMemory, page: 0xff, address: 0xfffe, count: 9 });
  assert.deepEqual(m.device(2).toMemory(bytes(1, 2, 3, 4)), { countBytes: 4, isTerminal: false });
  assert.deepEqual(m.written, []);
  m.program(5, { mode: MODE.single | MODE.fromMemory, page: 0xff, address: 0xffff, count: 9 });
  const target = bytes(1, 2, 3, 4);
  m.device(5).fromMemory(target);
  assert.deepEqual([...target], [0xff, 0xff, 0xff, 0xff]);
});

test("a transfer that begins in RAM and ends behind it moves what is RAM", () => {
  const m = machine();
  m.program(6, { mode: MODE.single | MODE.toMemory, page: 0x3e, address: 0xf000, count: 0x1fff });
  m.device(6).toMemory(new Uint8Array(0x4000).fill(0x5a));
  assert.deepEqual(new Set(m.bytes(RAM_BYTES - 0x2000, 0x2000)), new Set([0x5a]));
  assert.deepEqual(m.bytes(0x3e0000, 2), [0x5a, 0x5a]);
});

test("the first controller has the bus through channel 4 only", () => {
  const m = machine();
  m.program(2, { mode: MODE.single | MODE.toMemory, address: 0x1000, count: 9 });
  const device = m.device(2);
  m.out(0xd4, 4);
  assert.equal(device.toMemory(bytes(1)).countBytes, 0);
  m.out(0xd4, 0);
  assert.equal(device.toMemory(bytes(1)).countBytes, 1);
  m.out(0xd6, 0);
  assert.equal(device.toMemory(bytes(1)).countBytes, 0);
  m.out(0xd6, MODE.cascade);
  m.out(0xd0, 4);
  assert.equal(device.toMemory(bytes(1)).countBytes, 0);
  m.out(0xd0, 0);
  m.out(0x08, 4);
  assert.equal(device.toMemory(bytes(1)).countBytes, 0);
});

for (const [what, close, open] of [
  ["mask", [0x0a, 0x06], [0x0a, 0x02]],
  ["all masks", [0x0f, 0x0f], [0x0e, 0x00]],
  ["command", [0x08, 0x04], [0x08, 0x00]],
  ["cascade", [0xd4, 0x04], [0xd4, 0x00]],
] as const) {
  test(`a device that waits is told when the ${what} lets it be served`, () => {
    const m = machine();
    m.program(2, { mode: MODE.single | MODE.toMemory, address: 0x1000, count: 9 });
    m.out(close[0], close[1]);
    const device = m.device(2);
    const served: number[] = [];
    device.onGrant(() => {
      served.push(device.toMemory(bytes(1, 2)).countBytes);
      device.setRequest(false);
    });
    assert.deepEqual(served, []);
    m.out(open[0], open[1]);
    assert.deepEqual(served, [2]);
    m.out(close[0], close[1]);
    m.out(open[0], open[1]);
    assert.deepEqual(served, [2]);
  });
}

test("a device without a request is not served", () => {
  const m = machine();
  m.program(2, { mode: MODE.single | MODE.toMemory, address: 0x1000, count: 9 });
  assert.equal(m.pair.channel(2).toMemory(bytes(1)).countBytes, 0);
});

test("a software request runs to the terminal count, masked or not, and then is gone", () => {
  const m = machine();
  m.program(1, { mode: MODE.block | MODE.toMemory, address: 0x4000, count: 0x1fff });
  m.out(0x0a, 5);
  m.out(0x09, 5);
  assert.equal(m.status(1), 0x02);
  assert.deepEqual(new Set(m.bytes(0x4000, 0x2000)), new Set([0xff]));
  assert.equal(m.bytes(0x6000, 1)[0], 0);
});

test("a software request waits while the controller is disabled, and can be taken back", () => {
  const m = machine();
  m.program(1, { mode: MODE.block | MODE.verify, address: 0x4000, count: 3 });
  m.out(0x08, 4);
  m.out(0x09, 5);
  m.out(0x09, 6);
  assert.equal(m.status(1), 0x60);
  m.out(0x09, 2);
  assert.equal(m.status(1), 0x20);
  m.out(0x08, 0);
  assert.equal(m.status(1), 0x02);
  assert.equal(m.address(1), 0x4004);
});

test("memory goes to memory through the temporary register, across both channels' wraps", () => {
  const m = machine();
  m.ram.write(0x1fffe, bytes(1, 2));
  m.ram.write(0x10000, bytes(3, 4));
  m.program(0, { mode: MODE.block, page: 1, address: 0xfffe, count: 3 });
  m.program(1, { mode: MODE.block, page: 2, address: 0x0000, count: 3 });
  m.out(0x08, 1);
  m.out(0x09, 4);
  assert.deepEqual(m.bytes(0x20000, 5), [1, 2, 3, 4, 0]);
  assert.equal(m.in(0x0d), 4);
  assert.equal(m.status(1), 0x02);
  assert.equal(m.address(0), 2);
});

test("with channel 0's address held, memory is filled with one byte", () => {
  const m = machine();
  m.ram.writeU8(0x5000, 0x77);
  m.program(0, { mode: MODE.block | MODE.auto, address: 0x5000, count: 1 });
  m.program(1, { mode: MODE.block | MODE.down, address: 0x6fff, count: 0xfff });
  m.out(0x08, 3);
  m.out(0x09, 4);
  assert.deepEqual(new Set(m.bytes(0x6000, 0x1000)), new Set([0x77]));
  assert.deepEqual([m.bytes(0x5fff, 1)[0], m.bytes(0x7000, 1)[0]], [0, 0]);
  assert.deepEqual([m.address(0), m.count(0)], [0x5000, 1]);
});

test("overlapping memory is copied a byte at a time, as the chip does it", () => {
  const m = machine();
  m.ram.writeU8(0x1000, 0x31);
  m.program(0, { mode: MODE.block, address: 0x1000, count: 7 });
  m.program(1, { mode: MODE.block, address: 0x1001, count: 7 });
  m.out(0x08, 1);
  m.out(0x09, 4);
  assert.deepEqual(m.bytes(0x1000, 10), [...Array<number>(9).fill(0x31), 0]);
});

test("memory to memory from and to where there is none, and on the second controller, ends as it should", () => {
  const m = machine();
  m.program(0, { mode: MODE.block, page: 0xff, address: 0, count: 0xffff });
  m.program(1, { mode: MODE.block, page: 0xf0, address: 0, count: 0xffff });
  m.out(0x08, 1);
  m.out(0x09, 4);
  assert.deepEqual([m.status(0), m.in(0x0d)], [0x02, 0xff]);
  m.program(5, { mode: MODE.block, address: 0x800, count: 3 });
  m.out(0xd0, 1);
  m.out(0xd2, 4);
  assert.equal(m.status(4), 0x02);
  assert.deepEqual(m.written, []);
});

test("the flip-flop is shared by a controller's channels; master clear resets it and masks all", () => {
  const m = machine();
  m.out(0x0c, 0);
  m.out(0x00, 0x34);
  m.out(0x02, 0x12);
  m.out(0x0c, 0);
  assert.deepEqual([m.in(0x00), m.in(0x02)], [0x34, 0x12]);
  m.out(0x00, 0xaa);
  m.out(0x0e, 0);
  m.out(0x0d, 0);
  assert.equal(m.in(0x00), 0xaa);
  assert.equal(m.in(0x0f), 0x0f);
  assert.equal(m.in(0x0d), 0);
});

test("page registers without a channel are storage; words spread over two registers", () => {
  const m = machine();
  for (const port of [0x84, 0x85, 0x86, 0x88, 0x8c, 0x8d, 0x8e, 0x8f]) m.out(port, port ^ 0xff);
  for (const port of [0x84, 0x85, 0x86, 0x88, 0x8c, 0x8d, 0x8e, 0x8f]) assert.equal(m.in(port), port ^ 0xff);
  m.ports.writePort(0x81, 2, 0x1234);
  assert.deepEqual([m.in(0x81), m.in(0x82)], [0x34, 0x12]);
  assert.equal(m.ports.readPort(0x81, 4), 0x7b00_1234);
  m.out(0xd8, 0);
  // Both bytes of a word reach one register of the second controller, and its flip-flop.
  m.ports.writePort(0xc4, 2, 0xbeef);
  assert.equal(m.address(5), 0xbeef);
  m.out(0xd8, 0);
  assert.equal(m.ports.readPort(0xc4, 2), 0xbeef);
});

test("registers that can only be written read as all ones", () => {
  const m = machine();
  assert.deepEqual(
    [0x09, 0x0a, 0x0b, 0x0c, 0x0e].map((port) => m.in(port)),
    [0xff, 0xff, 0xff, 0xff, 0xff],
  );
});

test("a saved pair goes on in another one, and a reset one is as new", () => {
  const m = machine();
  m.program(2, { mode: MODE.single | MODE.toMemory | MODE.auto, page: 5, address: 0x1000, count: 9 });
  m.program(7, { mode: MODE.block | MODE.fromMemory, page: 9, address: 0x2000, count: 99 });
  m.out(0x85, 0x11);
  m.device(2).toMemory(bytes(1, 2, 3));
  m.out(0x00, 0x01);
  const saved = m.pair.save();
  const other = machine();
  other.pair.restore(saved);
  assert.deepEqual(other.pair.save(), saved);
  assert.deepEqual(other.device(2).toMemory(series(20)), { countBytes: 7, isTerminal: true });
  assert.deepEqual(other.bytes(0x51003, 7), [...series(7)]);
  other.pair.channel(2).setRequest(false);
  other.pair.reset();
  other.pair.openCascade();
  assert.deepEqual(other.pair.save(), machine().pair.save());
});
