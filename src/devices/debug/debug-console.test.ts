import assert from "node:assert/strict";
import { test } from "node:test";
import { PortBus } from "../../hw/index.ts";
import { DEBUG_CONSOLE_BYTES_MAX, DEBUG_CONSOLE_PORT, DebugConsole } from "./index.ts";

/** A listener that takes so many bytes before it asks to wait. */
function guest(takenCount: number) {
  const heard: number[] = [];
  const listener = { room: takenCount };
  const device = new DebugConsole({ transmit: (byte) => heard.push(byte) > 0 && --listener.room > 0 });
  const ports = new PortBus();
  ports.claim(device.name, DEBUG_CONSOLE_PORT, 1, device);
  const say = (text: string): void => {
    for (const byte of new TextEncoder().encode(text)) ports.writePort(DEBUG_CONSOLE_PORT, 1, byte);
  };
  return { device, ports, say, listener, text: () => String.fromCharCode(...heard) };
}

test("firmware finds the port by what it reads, and is heard", () => {
  const { ports, say, text } = guest(Infinity);
  assert.equal(ports.readPort(DEBUG_CONSOLE_PORT, 1), 0xe9);
  say("SeaBIOS");
  assert.equal(text(), "SeaBIOS");
});

test("what the listener has no room for waits until it has", () => {
  const { device, say, text, listener } = guest(2);
  say("abcdef");
  assert.equal(text(), "ab");
  listener.room = 3;
  device.transmitReady();
  assert.equal(text(), "abcde");
  say("g");
  listener.room = Infinity;
  device.transmitReady();
  assert.equal(text(), "abcdefg");
  assert.equal(device.lostCount, 0);
});

test("what waits has a limit, and what is beyond it is lost and counted", () => {
  const { device, say, text, listener } = guest(1);
  say("x".repeat(DEBUG_CONSOLE_BYTES_MAX + 11));
  assert.equal(device.lostCount, 10);
  listener.room = Infinity;
  device.transmitReady();
  assert.equal(text().length, DEBUG_CONSOLE_BYTES_MAX + 1);
});
