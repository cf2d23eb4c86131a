import assert from "node:assert/strict";
import { test } from "node:test";
import { SERIAL_OUTPUT_SLACK_BYTES, SERIAL_OUTPUT_WINDOW_BYTES, SerialChannel } from "./serial-channel.ts";

function channel() {
  const output: number[] = [];
  const consumer = {
    output: (chunk: Uint8Array) => output.push(chunk.length),
    inputTaken: () => undefined,
  };
  const subject = new SerialChannel(consumer, "com1");
  return { subject, output };
}

test("a port is asked to wait before the window is full, and what shares it may still send", () => {
  const { subject, output } = channel();
  const free = SERIAL_OUTPUT_WINDOW_BYTES - SERIAL_OUTPUT_SLACK_BYTES;
  for (let sent = 1; sent < free; sent++) assert.equal(subject.transmit(0x78), true);
  assert.equal(subject.transmit(0x78), false);
  assert.equal(subject.transmit(0x79), false);
  subject.move();
  assert.deepEqual(output, [free + 1]);
});

test("what is sent beyond the window is lost: the consumer never gets more than it has to expect", () => {
  const { subject, output } = channel();
  for (let sent = 0; sent < SERIAL_OUTPUT_WINDOW_BYTES / 2; sent++) subject.transmit(0x78);
  subject.move();
  for (let sent = 0; sent < SERIAL_OUTPUT_WINDOW_BYTES; sent++) subject.transmit(0x78);
  subject.move();
  assert.equal(subject.transmit(0x78), false);
  subject.move();
  assert.deepEqual(output, [SERIAL_OUTPUT_WINDOW_BYTES / 2, SERIAL_OUTPUT_WINDOW_BYTES / 2]);
});
