import assert from "node:assert/strict";
import { test } from "node:test";
import { MiB, unwrap } from "../../base/index.ts";
import { asPorts, PortBus, RamDma } from "../../hw/index.ts";
import { createGuestRam } from "../../memory/index.ts";
import {
  FW_CFG_FILES_MAX,
  FW_CFG_ITEM,
  FW_CFG_PORT_BASE,
  FW_CFG_PORT_BYTES,
  FwCfg,
  littleEndian,
} from "./index.ts";

const SELECTOR = FW_CFG_PORT_BASE;
const DATA = FW_CFG_PORT_BASE + 1;
const DMA_HIGH = FW_CFG_PORT_BASE + 4;
const DMA_LOW = FW_CFG_PORT_BASE + 8;
const REQUEST_GPA = 0x1000;
const TARGET_GPA = 0x2000;
const READ = 2;
const SKIP = 4;
const SELECT = 8;
const WRITE = 16;

const swapped = (value: number): number => {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value);
  return view.getUint32(0, true);
};

function guest() {
  const ram = unwrap(createGuestRam({ sizeBytes: 2 * MiB, reservedPrefixBytes: 0 }));
  const device = new FwCfg(new RamDma(ram, () => undefined));
  device.addFile({ name: "etc/e820", contents: Uint8Array.of(1, 2, 3) });
  device.addFile({ name: "bootorder", contents: new TextEncoder().encode("/rom\0") });
  const ports = new PortBus();
  ports.claim("fw-cfg", FW_CFG_PORT_BASE, FW_CFG_PORT_BYTES, asPorts(device.registers));
  const read = (selector: number, lengthBytes: number): number[] => {
    ports.writePort(SELECTOR, 2, selector);
    return Array.from({ length: lengthBytes }, () => ports.readPort(DATA, 1));
  };
  /** The request's control word afterwards. */
  const dma = (control: number, lengthBytes: number, target: number, requestGpa = REQUEST_GPA): number => {
    const request = new DataView(new ArrayBuffer(16));
    request.setUint32(0, control);
    request.setUint32(4, lengthBytes);
    request.setBigUint64(8, BigInt(target));
    ram.write(REQUEST_GPA, new Uint8Array(request.buffer));
    ports.writePort(DMA_HIGH, 4, 0);
    ports.writePort(DMA_LOW, 4, swapped(requestGpa));
    return swapped(ram.readU32(REQUEST_GPA));
  };
  return { ram, device, ports, read, dma };
}

const text = (bytes: readonly number[]): string => String.fromCharCode(...bytes);

test("firmware finds the device by its signature and what it can do", () => {
  const { read, ports } = guest();
  assert.equal(text(read(FW_CFG_ITEM.signature, 4)), "QEMU");
  assert.deepEqual(read(FW_CFG_ITEM.interfaceVersion, 4), [3, 0, 0, 0]);
  const signature = [DMA_HIGH, DMA_LOW].flatMap((port) => [...littleEndian(ports.readPort(port, 4), 4)]);
  assert.equal(text(signature), "QEMU CFG");
});

test("files are found in the directory, and read by their number to their end", () => {
  const { read } = guest();
  const directory = read(FW_CFG_ITEM.fileDirectory, 4 + 128);
  assert.deepEqual(directory.slice(0, 4), [0, 0, 0, 2]);
  assert.deepEqual(directory.slice(4, 12), [0, 0, 0, 3, 0, 0x20, 0, 0]);
  assert.equal(text(directory.slice(12, 21)), "etc/e820\0");
  assert.deepEqual(read(0x20, 5), [1, 2, 3, 0, 0]);
  assert.equal(text(read(0x21, 4)), "/rom");
});

test("DMA selects, skips and reads, and pads with zeros", () => {
  const { ram, dma } = guest();
  ram.fill(TARGET_GPA, 8, 0xff);
  assert.equal(dma((0x20 << 16) | SELECT | SKIP, 1, 0), 0);
  assert.equal(dma(READ, 4, TARGET_GPA), 0);
  assert.deepEqual([...ram.slice(TARGET_GPA, 6)], [2, 3, 0, 0, 0xff, 0xff]);
});

test("DMA outside guest RAM is an error, and so is writing", () => {
  const { dma } = guest();
  assert.equal(dma((0x20 << 16) | SELECT | READ, 4, 2 * MiB - 2), 1);
  assert.equal(dma((0x20 << 16) | SELECT | READ, 0xffff_ffff, 0), 1);
  assert.equal(dma((0x20 << 16) | SELECT | WRITE, 1, TARGET_GPA), 1);
});

test("a request that is not in RAM is not answered", () => {
  const { dma } = guest();
  assert.equal(dma(SELECT, 0, 0, 2 * MiB - 8), SELECT);
});

test("a file is replaced in its place, and the directory has a limit", () => {
  const { device, read } = guest();
  device.addFile({ name: "etc/e820", contents: Uint8Array.of(9) });
  assert.deepEqual(read(0x20, 2), [9, 0]);
  for (let index = 2; index < FW_CFG_FILES_MAX; index++)
    device.addFile({ name: `file ${index}`, contents: Uint8Array.of(index) });
  assert.throws(() => device.addFile({ name: "one more", contents: new Uint8Array(1) }));
});

test("the place in an item survives a snapshot", () => {
  const { device, read, ports } = guest();
  read(0x20, 1);
  const state = device.save();
  read(0x21, 3);
  device.restore(state);
  assert.equal(ports.readPort(DATA, 1), 2);
});

test("contents that depend on the machine are made when they are selected, and stay while they are read", () => {
  const { device, read, ports, dma, ram } = guest();
  let value = 1;
  device.addFile({ name: "etc/now", contents: () => new Uint8Array(2).fill(value) });
  value = 2;
  assert.deepEqual(read(0x22, 1), [2]);
  value = 3;
  assert.equal(ports.readPort(DATA, 1), 2);
  assert.equal(dma((0x22 << 16) | SELECT | READ, 2, TARGET_GPA), 0);
  assert.deepEqual([...ram.slice(TARGET_GPA, 2)], [3, 3]);
});
