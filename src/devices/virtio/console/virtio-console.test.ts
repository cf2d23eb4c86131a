import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { QueueDriver } from "../queue/testing.ts";
import { bench, ModernDriver, readable, writable } from "../testing.ts";
import type { Bench } from "../testing.ts";
import { VirtioConsole } from "./virtio-console.ts";

const DATA_GPA = 0x20_0000;
const RECEIVE = 0;
const TRANSMIT = 1;

/** Takes as many bytes as it has room for, the last one with a request to wait. */
class Terminal {
  text = "";
  room = Infinity;

  transmit(byte: number): boolean {
    this.text += String.fromCharCode(byte);
    return --this.room > 0;
  }
}

let terminal: Terminal;
let device: VirtioConsole;
let on: Bench;
let driver: ModernDriver;
let input: QueueDriver;
let output: QueueDriver;

function connect(): void {
  driver = new ModernDriver(on);
  driver.negotiate();
  input = driver.queue(RECEIVE);
  output = driver.queue(TRANSMIT);
  driver.ready();
}

beforeEach(() => {
  terminal = new Terminal();
  device = new VirtioConsole(terminal);
  on = bench(device);
});

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textAt = (gpa: number, length: number): string => String.fromCharCode(...on.ram.slice(gpa, length));

/** Sends a text from memory of its own. */
function send(text: string, gpa = DATA_GPA): void {
  on.ram.write(gpa, bytesOf(text));
  output.offer([readable(gpa, text.length)]);
  driver.notify(TRANSMIT);
}

test("what the driver sends arrives in order, and its buffers come back", () => {
  connect();
  send("hello, ");
  on.ram.write(DATA_GPA, bytesOf("world"));
  output.offer([readable(DATA_GPA, 2), readable(DATA_GPA + 2, 3)]);
  driver.notify(TRANSMIT);
  assert.equal(terminal.text, "hello, world");
  assert.deepEqual(
    output.takeUsed().map(({ writtenBytes }) => writtenBytes),
    [0, 0],
  );
  assert.equal(on.pin.level, true);
});

test("a buffer longer than one piece", () => {
  connect();
  const text = "0123456789abcdef".repeat(1000);
  send(text);
  assert.equal(terminal.text, text);
});

test("a sink that is full makes the driver wait in the middle of a buffer", () => {
  connect();
  terminal.room = 3;
  send("abcdef");
  send("ghi", DATA_GPA + 0x1000);
  assert.equal(terminal.text, "abc");
  assert.deepEqual(output.takeUsed(), []);
  terminal.room = 4;
  device.transmitReady();
  assert.equal(terminal.text, "abcdefg");
  assert.equal(output.takeUsed().length, 1);
  terminal.room = Infinity;
  device.transmitReady();
  assert.equal(terminal.text, "abcdefghi");
  assert.equal(output.takeUsed().length, 1);
});

test("a sink that is full at a buffer's end has taken the buffer", () => {
  connect();
  terminal.room = 3;
  send("abc");
  assert.equal(output.takeUsed().length, 1);
  send("d");
  assert.equal(terminal.text, "abc");
});

test("input fills the driver's buffers, one after the other, and no more of it is taken", () => {
  connect();
  assert.equal(device.receive(bytesOf("x")), 0);
  input.offer([writable(DATA_GPA, 4)]);
  input.offer([writable(DATA_GPA + 16, 1), writable(DATA_GPA + 32, 2)]);
  assert.equal(device.receive(bytesOf("abcdefghi")), 7);
  assert.deepEqual(
    input.takeUsed().map(({ writtenBytes }) => writtenBytes),
    [4, 3],
  );
  assert.deepEqual(
    [textAt(DATA_GPA, 4), textAt(DATA_GPA + 16, 1), textAt(DATA_GPA + 32, 2)],
    ["abcd", "e", "fg"],
  );
  assert.equal(on.pin.level, true);
});

test("input that is shorter than a buffer is given at once", () => {
  connect();
  input.offer([writable(DATA_GPA, 100)]);
  assert.equal(device.receive(bytesOf("y\n")), 2);
  assert.deepEqual(
    input.takeUsed().map(({ writtenBytes }) => writtenBytes),
    [2],
  );
});

test("it is in use from when its driver is ready until it is reset", () => {
  assert.equal(device.isInUse, false);
  connect();
  assert.equal(device.isInUse, true);
  driver.writeStatus(0);
  assert.equal(device.isInUse, false);
  assert.equal(device.receive(bytesOf("z")), 0);
});

test("a reset drops what was being sent", () => {
  connect();
  terminal.room = 1;
  send("abc");
  connect();
  terminal.room = Infinity;
  device.transmitReady();
  assert.equal(terminal.text, "a");
  send("d");
  assert.equal(terminal.text, "ad");
});

test("a reset of the queue alone does too", () => {
  connect();
  terminal.room = 1;
  send("abc");
  driver.write("queueSelect", 2, TRANSMIT);
  driver.write("queueReset", 2, 1);
  output = driver.queue(TRANSMIT);
  terminal.room = Infinity;
  device.transmitReady();
  send("d");
  assert.equal(terminal.text, "ad");
});

test("an emergency write needs no queue, and the configuration says that there is one port", () => {
  driver = new ModernDriver(on);
  driver.writeConfig(8, 4, 0x141);
  assert.equal(terminal.text, "A");
  assert.deepEqual([driver.readConfig(0, 4), driver.readConfig(4, 4), driver.readConfig(8, 4)], [0, 1, 0]);
});

test("what was half sent is sent to its end by the device that was restored", () => {
  connect();
  terminal.room = 2;
  send("abcdef");
  const saved = on.pci.save();
  const other = new Terminal();
  const restored = new VirtioConsole(other);
  const next = bench(restored);
  next.ram.write(0, on.ram.bytes);
  next.pci.restore(saved);
  assert.deepEqual(next.pci.save(), saved);
  restored.transmitReady();
  assert.deepEqual([terminal.text, other.text], ["ab", "cdef"]);
});
