import assert from "node:assert/strict";
import { test } from "node:test";

import { ManualClock, NS_PER_MS, TimerQueue } from "../../base/index.ts";
import { asPorts, PortBus, RecordedLine } from "../../hw/index.ts";
import {
  I8042,
  I8042_COMMAND_OFFSET,
  I8042_DATA_OFFSET,
  isKeyCode,
  KEY_CODES,
  keyOfScanCode,
  MAX_PENDING_KEY_EVENTS,
  Ps2Keyboard,
  Ps2Mouse,
  TYPED_KEY_NS,
} from "./index.ts";

const DATA = 0x60;
const COMMAND = 0x64;

function controller() {
  const clock = new ManualClock();
  const timers = new TimerQueue();
  const keyboardIrq = new RecordedLine();
  const auxIrq = new RecordedLine();
  const keyboard = new Ps2Keyboard({ clock, timers });
  const mouse = new Ps2Mouse();
  const events: string[] = [];
  const chip = new I8042({
    clock,
    timers,
    keyboardIrq,
    auxIrq,
    keyboard,
    aux: mouse,
    onA20: (enabled) => events.push(`a20 ${enabled}`),
    onReset: () => events.push("reset"),
  });
  events.length = 0;
  const bus = new PortBus();
  bus.claim("data", DATA, 1, asPorts(chip.registers, I8042_DATA_OFFSET));
  bus.claim("command", COMMAND, 1, asPorts(chip.registers, I8042_COMMAND_OFFSET));
  const pass = (ns: number): void => {
    const endNs = clock.nowNs() + ns;
    for (
      let due = timers.nextDeadlineNs();
      due !== undefined && due <= endNs;
      due = timers.nextDeadlineNs()
    ) {
      clock.advanceTo(due);
      timers.runDue(due);
    }
    clock.advanceTo(endNs);
  };
  const status = (): number => bus.readPort(COMMAND, 1);
  const data = (): number => bus.readPort(DATA, 1);
  return {
    chip,
    keyboard,
    mouse,
    keyboardIrq,
    auxIrq,
    events,
    pass,
    status,
    data,
    command: (value: number) => bus.writePort(COMMAND, 1, value),
    write: (value: number) => bus.writePort(DATA, 1, value),
    /** Reads bytes as a driver does that waits for each, until none comes for a millisecond. */
    drain() {
      const bytes: number[] = [];
      for (;;) {
        if ((status() & 1) === 0) pass(NS_PER_MS);
        if ((status() & 1) === 0) return bytes;
        bytes.push(data());
      }
    },
  };
}

test("self-tests pass and the command byte can be read and written", () => {
  const c = controller();
  c.command(0xaa);
  assert.deepEqual(c.drain(), [0x55]);
  c.command(0xab);
  c.command(0xa9);
  assert.deepEqual(c.drain(), [0x00, 0x00]);
  c.command(0x20);
  assert.deepEqual(c.drain(), [0x65]);
  c.command(0x60);
  assert.equal(c.status() & 0x08, 0x08);
  c.write(0x74);
  assert.equal(c.status() & 0x08, 0);
  c.command(0x20);
  assert.deepEqual(c.drain(), [0x74]);
});

test("keys arrive translated to set 1, with an interrupt each", () => {
  const c = controller();
  c.keyboard.key("KeyA", true);
  c.keyboard.key("KeyA", false);
  c.keyboard.key("ArrowUp", true);
  c.keyboard.key("ArrowUp", false);
  c.keyboard.key("F7", true);
  c.keyboard.key("F7", false);
  assert.deepEqual(c.drain(), [0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8, 0x41, 0xc1]);
  assert.equal(c.keyboardIrq.risingEdges, 8);
  assert.equal(c.keyboardIrq.level, false);
});

test("without translation keys arrive in set 2", () => {
  const c = controller();
  c.command(0x60);
  c.write(0x25);
  c.keyboard.key("KeyA", true);
  c.keyboard.key("KeyA", false);
  c.keyboard.key("Pause", true);
  c.keyboard.key("Pause", false);
  assert.deepEqual(c.drain(), [0x1c, 0xf0, 0x1c, 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77]);
});

test("PrintScreen and Pause make the sequences that set 1 drivers know", () => {
  const c = controller();
  c.keyboard.key("PrintScreen", true);
  c.keyboard.key("PrintScreen", false);
  c.keyboard.key("Pause", true);
  const printScreen = [0xe0, 0x2a, 0xe0, 0x37, 0xe0, 0xb7, 0xe0, 0xaa];
  const pause = [0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5];
  assert.deepEqual(c.drain(), [...printScreen, ...pause]);
});

test("every key makes and breaks distinct codes", () => {
  const seen = new Set<string>();
  for (const key of [...KEY_CODES].filter(isKeyCode)) {
    const c = controller();
    c.keyboard.key(key, true);
    const made = c.drain();
    assert.ok(made.length > 0, key);
    seen.add(made.join(" "));
    c.keyboard.key(key, false);
    assert.equal(c.drain().length, key === "Pause" ? 0 : made.length, key);
  }
  assert.equal(seen.size, KEY_CODES.size);
});

test("a key is known by its code in set 1, as the controller sends it", () => {
  const c = controller();
  for (const key of [...KEY_CODES]
    .filter(isKeyCode)
    .filter((name) => name !== "PrintScreen" && name !== "Pause")) {
    c.keyboard.key(key, true);
    const codes = c.drain();
    assert.equal(keyOfScanCode(codes.at(-1) ?? 0, codes.length > 1), key);
  }
  assert.equal(keyOfScanCode(0x37, true), "PrintScreen");
  assert.equal(keyOfScanCode(0x46, true), "Pause");
  assert.equal(keyOfScanCode(0x7f, false), undefined);
});

test("the same byte is read until the next one has come over the wire", () => {
  const c = controller();
  c.keyboard.key("KeyA", true);
  c.keyboard.key("KeyB", true);
  c.pass(NS_PER_MS);
  assert.equal(c.data(), 0x1e);
  assert.equal(c.data(), 0x1e);
  assert.equal(c.status() & 1, 0);
  c.pass(NS_PER_MS);
  assert.equal(c.data(), 0x30);
});

test("text is typed with shift where a US keyboard needs it", () => {
  const c = controller();
  assert.equal(c.keyboard.type("aB\n"), 3);
  const codes: number[] = [];
  for (let key = 0; key < 3; key++) {
    codes.push(...c.drain());
    c.pass(TYPED_KEY_NS);
  }
  assert.deepEqual(codes, [0x1e, 0x9e, 0x2a, 0x30, 0xb0, 0xaa, 0x1c, 0x9c]);
  assert.equal(c.keyboard.type("oké"), 2);
});

test("a text comes as fast as somebody types who is fast, and keys behind it wait for it", () => {
  const c = controller();
  c.keyboard.type("abc");
  c.keyboard.key("Enter", true);
  assert.deepEqual(c.drain(), [0x1e, 0x9e]);
  c.pass(TYPED_KEY_NS - 4 * NS_PER_MS);
  assert.deepEqual(c.drain(), []);
  c.pass(TYPED_KEY_NS / 2);
  assert.deepEqual(c.drain(), [0x30, 0xb0]);
  c.pass(TYPED_KEY_NS);
  assert.deepEqual(c.drain(), [0x2e, 0xae, 0x1c]);
  // A reset takes away what was still to be typed.
  c.keyboard.type("ab");
  c.chip.reset();
  c.keyboard.reset();
  c.pass(4 * TYPED_KEY_NS);
  assert.deepEqual(c.drain(), []);
});

test("Linux's keyboard probe: reset, identify, LEDs, rate, enable", () => {
  const c = controller();
  c.write(0xff);
  assert.deepEqual(c.drain(), [0xfa, 0xaa]);
  c.write(0xf2);
  assert.deepEqual(c.drain(), [0xfa, 0xab, 0x41], "the identity 83h is translated like any byte");
  c.write(0xed);
  c.drain();
  c.write(0x05);
  assert.deepEqual(c.drain(), [0xfa]);
  assert.deepEqual(c.keyboard.leds, { scrollLock: true, numLock: false, capsLock: true });
  c.write(0xf3);
  c.drain();
  c.write(0x00);
  assert.deepEqual(c.drain(), [0xfa]);
  c.write(0xf5);
  c.drain();
  c.keyboard.key("KeyA", true);
  assert.deepEqual(c.drain(), []);
  c.write(0xf4);
  assert.deepEqual(c.drain(), [0xfa]);
  c.write(0xee);
  assert.deepEqual(c.drain(), [0xee]);
  c.write(0xf0);
  c.drain();
  c.write(0x03);
  assert.deepEqual(c.drain(), [0xfe], "set 3 is not there");
});

test("Linux's AUX probe: loop, off, on, interrupt", () => {
  const c = controller();
  c.command(0x60);
  c.write(0x47);
  c.command(0xd3);
  c.write(0x5a);
  assert.equal(c.status() & 0x21, 0x21);
  assert.equal(c.auxIrq.level, true);
  assert.equal(c.data(), 0x5a);
  assert.equal(c.auxIrq.level, false);
  c.command(0xa7);
  c.command(0x20);
  assert.equal(c.data() & 0x20, 0x20);
  c.command(0xa8);
  c.command(0x20);
  assert.equal(c.data() & 0x20, 0);
  assert.equal(c.keyboardIrq.risingEdges, 2, "the controller's replies interrupt as the keyboard's do");
});

test("the mouse answers and reports movement once enabled", () => {
  const c = controller();
  const mouse = (byte: number): number[] => {
    c.command(0xd4);
    c.write(byte);
    return c.drain();
  };
  assert.deepEqual(mouse(0xff), [0xfa, 0xaa, 0x00]);
  assert.deepEqual(mouse(0xf2), [0xfa, 0x00]);
  assert.deepEqual(mouse(0xf3), [0xfa]);
  assert.deepEqual(mouse(40), [0xfa]);
  assert.deepEqual(mouse(0xe9), [0xfa, 0x00, 2, 40]);
  const still = { left: false, right: false, middle: false };
  c.mouse.move(5, 5, still);
  assert.deepEqual(c.drain(), [], "not enabled");
  assert.deepEqual(mouse(0xf4), [0xfa]);
  c.mouse.move(300, -1, { left: true, right: false, middle: false });
  assert.deepEqual(c.drain(), [0x29, 0xff, 0xff, 0x09, 45, 0x00]);
  assert.deepEqual(mouse(0xeb), [0xfa, 0x09, 0, 0]);
  assert.deepEqual(mouse(0xee), [0xfa]);
  assert.deepEqual(mouse(0xf2), [0xf2], "wrap mode echoes");
  assert.deepEqual(mouse(0xec), [0xfa]);
});

test("the wheel turns for drivers that have knocked for it, until a reset", () => {
  const c = controller();
  const mouse = (...bytes: readonly number[]): number[] => {
    for (const byte of bytes) {
      c.command(0xd4);
      c.write(byte);
      c.pass(NS_PER_MS);
    }
    return c.drain();
  };
  const still = { left: false, right: false, middle: false };
  mouse(0xf3, 200, 0xf3, 80, 0xf3, 100);
  assert.deepEqual(mouse(0xf2), [0xfa, 0x00], "another order");
  mouse(0xf3, 200, 0xf3, 100, 0xf3, 80);
  assert.deepEqual(mouse(0xf2), [0xfa, 0x03]);
  mouse(0xf4);
  c.mouse.move(2, 0, still, 1);
  assert.deepEqual(c.drain(), [0x08, 2, 0, 1]);
  c.mouse.move(0, 0, still, -10);
  assert.deepEqual(c.drain(), [0x08, 0, 0, 0xf8, 0x08, 0, 0, 0xfe], "as far as a packet goes, then the rest");
  const other = new Ps2Mouse();
  other.restore(c.mouse.save());
  other.move(0, 0, still, 3);
  assert.deepEqual([other.takeByte(), other.takeByte(), other.takeByte(), other.takeByte()], [0x08, 0, 0, 3]);
  assert.deepEqual(mouse(0xff), [0xfa, 0xaa, 0x00]);
  mouse(0xf4);
  c.mouse.move(1, 0, still, 1);
  assert.deepEqual(c.drain(), [0x08, 1, 0]);
});

test("a switched-off connector holds its bytes back", () => {
  const c = controller();
  c.command(0xad);
  c.keyboard.key("KeyA", true);
  assert.deepEqual(c.drain(), []);
  c.command(0xae);
  assert.deepEqual(c.drain(), [0x1e]);
});

test("the output port and the pulse command reach A20 and reset", () => {
  const c = controller();
  c.command(0xd1);
  c.write(0xdd);
  c.command(0xd1);
  c.write(0xdf);
  c.command(0xdd);
  c.command(0xdf);
  assert.deepEqual(c.events, ["a20 false", "a20 true", "a20 false", "a20 true"]);
  c.command(0xfe);
  c.command(0xff);
  c.command(0xd1);
  c.write(0xde);
  assert.deepEqual(c.events.slice(4), ["reset", "a20 true", "reset"]);
  c.command(0xd0);
  assert.deepEqual(c.drain(), [0xdf & ~0x10]);
});

test("key events are bounded", () => {
  const c = controller();
  let taken = 0;
  while (c.keyboard.key("KeyX", taken % 2 === 0)) taken++;
  assert.equal(taken, MAX_PENDING_KEY_EVENTS + 1, "the first is in the keyboard's own buffer");
});

test("saved state continues in another controller", () => {
  const c = controller();
  c.keyboard.key("KeyA", true);
  c.keyboard.key("KeyA", false);
  c.pass(NS_PER_MS);
  c.command(0xd4);
  const other = controller();
  other.keyboard.restore(c.keyboard.save());
  other.mouse.restore(c.mouse.save());
  other.chip.restore(c.chip.save());
  assert.equal(other.keyboardIrq.level, true);
  other.write(0xf2);
  assert.deepEqual(other.drain(), [0x1e, 0x9e, 0xfa, 0x00]);
});

test("a held key repeats after the delay at the rate that the driver sets, until it goes up", () => {
  const c = controller();
  const makes = (ms: number): number => {
    let count = 0;
    for (let passed = 0; passed < ms; passed++) {
      c.pass(NS_PER_MS);
      count += Number((c.status() & 1) !== 0 && c.data() === 0x1e);
    }
    return count;
  };
  c.keyboard.key("KeyA", true);
  assert.deepEqual(c.drain(), [0x1e]);
  c.keyboard.key("KeyA", true);
  assert.equal(makes(490), 0, "that it is pressed again while it is down is nothing new");
  // 10.9 a second.
  assert.equal(makes(1000), 11);
  c.keyboard.key("KeyA", false);
  assert.deepEqual(c.drain(), [0x9e]);
  assert.equal(makes(1000), 0);

  for (const byte of [0xf3, 0x00]) {
    c.write(byte);
    assert.deepEqual(c.drain(), [0xfa]);
  }
  c.keyboard.key("KeyA", true);
  assert.deepEqual(c.drain(), [0x1e]);
  assert.equal(makes(240), 0);
  assert.equal(makes(1000), 30);
});

test("the key that went down last is the one that repeats, and Pause never does", () => {
  const c = controller();
  const waitAndDrain = (): number[] => {
    c.pass(2000 * NS_PER_MS);
    return c.drain();
  };
  c.keyboard.key("ShiftLeft", true);
  c.keyboard.key("KeyA", true);
  assert.deepEqual(c.drain(), [0x2a, 0x1e]);
  c.keyboard.key("ShiftLeft", false);
  assert.deepEqual(c.drain(), [0xaa]);
  assert.deepEqual(
    waitAndDrain(),
    [0x1e, 0x1e],
    "one in the controller and one behind it, the others are lost",
  );
  c.keyboard.key("KeyB", true);
  c.keyboard.key("KeyB", false);
  assert.deepEqual(c.drain(), [0x30, 0xb0]);
  assert.deepEqual(waitAndDrain(), [], "it does not begin again");
  c.keyboard.key("Pause", true);
  assert.deepEqual(c.drain(), [0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5]);
  assert.deepEqual(waitAndDrain(), []);
});

test("a keyboard that is disabled, reset or restored repeats nothing, and a restored one keeps the rate", () => {
  for (const command of [0xf5, 0xff]) {
    const c = controller();
    c.keyboard.key("KeyA", true);
    c.drain();
    c.write(command);
    c.drain();
    c.pass(2000 * NS_PER_MS);
    assert.deepEqual(c.drain(), []);
  }
  const c = controller();
  for (const byte of [0xf3, 0x60]) {
    c.write(byte);
    c.drain();
  }
  c.keyboard.key("KeyA", true);
  c.drain();
  const other = controller();
  other.keyboard.restore(c.keyboard.save());
  other.pass(2000 * NS_PER_MS);
  assert.deepEqual(other.drain(), []);
  other.keyboard.key("KeyA", true);
  assert.deepEqual(other.drain(), [0x1e]);
  other.pass(990 * NS_PER_MS);
  assert.deepEqual(other.drain(), []);
  other.pass(20 * NS_PER_MS);
  assert.deepEqual(other.drain(), [0x1e]);
});
