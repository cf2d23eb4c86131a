import assert from "node:assert/strict";
import { test } from "node:test";

import type { InputEvent } from "../../vmm/index.ts";
import { READER_MAX_BYTES } from "./byte-reader.ts";
import { encodePixelFormat, SERVER_PIXEL_FORMAT } from "./pixel-format.ts";
import { RfbSession } from "./rfb-session.ts";
import type { RfbSecurity } from "./rfb-handshake.ts";
import type { RfbPicture } from "./rfb-session.ts";
import { TestRfbScreen, TestZlib } from "./testing.ts";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
const ascii = (characters: string): Uint8Array => new TextEncoder().encode(characters);
const turn = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

function pictureOf(width: number, height: number): { -readonly [Key in keyof RfbPicture]: RfbPicture[Key] } {
  return {
    width,
    height,
    pixels: Uint32Array.from({ length: width * height }, (_, index) => (index * 77) & 0xff_ffff),
  };
}

const NO_PASSWORD: RfbSecurity = { kind: "none" };
/** The password "secret" makes zeros of every challenge. */
const PASSWORD: RfbSecurity = { kind: "password", encrypt: () => new Uint8Array(16) };

function connect({ security = NO_PASSWORD, picture = pictureOf(100, 40), isLooking = true } = {}) {
  const sent: Uint8Array[] = [];
  const inputs: InputEvent[] = [];
  const events: string[] = [];
  let backlog = 0;
  const session: RfbSession = new RfbSession({
    security,
    name: "a VM",
    entropy: (byteCount) => new Uint8Array(byteCount).fill(0x55),
    createZlib: () => new TestZlib(),
    send: (bytes) => void sent.push(bytes),
    backlogBytes: () => backlog,
    input: (input) => void inputs.push(input),
    picture: () => picture,
    joined: (isExclusive) => void events.push(`joined ${isExclusive}`),
    denied: () => void events.push("denied"),
    look: (isUrgent) => {
      events.push(isUrgent ? "look now" : "look");
      // As somebody who looks a moment later.
      if (isLooking && isUrgent) queueMicrotask(() => session.looked([], false));
    },
    close: (reason) => void events.push(`closed: ${reason}`),
  });
  const client = {
    session,
    picture,
    inputs,
    events,
    says: (...bytes: readonly number[]) => session.receive(Uint8Array.from(bytes)),
    taken: (): Uint8Array => Buffer.concat(sent.splice(0)),
    setBacklog(byteCount: number) {
      backlog = byteCount;
    },
    /** The handshake of version 3.8 without a password. */
    join() {
      session.receive(ascii("RFB 003.008\n"));
      client.says(1);
      client.says(1);
      session.looked([], false);
      client.taken();
      events.length = 0;
      return this;
    },
    encodings(...numbers: readonly number[]) {
      const bytes = new DataView(new ArrayBuffer(4 + 4 * numbers.length));
      bytes.setUint8(0, 2);
      bytes.setUint16(2, numbers.length);
      for (const [index, number] of numbers.entries()) bytes.setInt32(4 + 4 * index, number);
      session.receive(new Uint8Array(bytes.buffer));
    },
    request(isIncremental: boolean, x = 0, y = 0, width = picture.width, height = picture.height) {
      client.says(
        3,
        Number(isIncremental),
        ...[x, y, width, height].flatMap((value) => [value >> 8, value & 0xff]),
      );
    },
  };
  return client;
}

test("the handshake of 3.8: version, security, its result, size, format and name", async () => {
  const client = connect();
  assert.equal(text(client.taken()), "RFB 003.008\n");
  client.session.receive(ascii("RFB 003.0"));
  client.session.receive(ascii("08\n"));
  assert.deepEqual([...client.taken()], [1, 1]);
  client.says(1);
  assert.deepEqual([...client.taken()], [0, 0, 0, 0]);
  client.says(1);
  assert.deepEqual(client.events, ["joined false", "look now"]);
  assert.equal(client.taken().length, 0, "the picture has not been looked at");
  await turn();
  const init = client.taken();
  assert.deepEqual([...init.subarray(0, 4)], [0, 100, 0, 40]);
  assert.deepEqual(new Uint8Array(init.subarray(4, 20)), encodePixelFormat(SERVER_PIXEL_FORMAT));
  assert.equal(text(init.subarray(20)), "\0\0\0\x04a VM");
});

test("3.7 has no result without a password, and with 3.3 the server chooses", async () => {
  const seven = connect();
  seven.taken();
  seven.session.receive(ascii("RFB 003.007\n"));
  assert.deepEqual([...seven.taken()], [1, 1]);
  seven.says(1);
  assert.deepEqual([...seven.taken()], []);
  seven.says(0);
  await turn();
  assert.equal(seven.taken().length, 28);
  assert.deepEqual(seven.events, ["joined true", "look now"]);

  const three = connect({ security: PASSWORD });
  three.taken();
  three.session.receive(ascii("RFB 003.003\n"));
  assert.deepEqual([...three.taken()], [0, 0, 0, 2, ...new Uint8Array(16).fill(0x55)]);
  three.session.receive(new Uint8Array(16));
  assert.deepEqual([...three.taken()], [0, 0, 0, 0]);
});

test("a wrong password is told with its reason, a right one lets in", () => {
  const client = connect({ security: PASSWORD });
  client.taken();
  client.session.receive(ascii("RFB 003.008\n"));
  client.says(2);
  assert.deepEqual([...client.taken()], [1, 2, ...new Uint8Array(16).fill(0x55)]);
  client.session.receive(new Uint8Array(16).fill(1));
  assert.equal(text(client.taken()), "\0\0\0\x01\0\0\0\x15the password is wrong");
  assert.deepEqual(client.events, ["denied", "closed: the password is wrong"]);
  client.session.receive(new Uint8Array(16));
  assert.equal(client.taken().length, 0, "a second try is not read");

  const none = connect({ security: PASSWORD });
  none.session.receive(ascii("RFB 003.008\n"));
  none.says(1);
  assert.deepEqual(none.events, ["closed: it chose security type 1, which was not offered"]);
});

test("updates: all at first, then what has changed and nothing else, only when asked for", async () => {
  const client = connect({ isLooking: false }).join();
  const screen = new TestRfbScreen(100, 40);
  client.request(false);
  client.session.looked([], false);
  await turn();
  screen.decode(client.taken());
  assert.deepEqual(screen.pixels, swapped(client.picture.pixels));
  client.session.looked([{ x: 0, y: 0, width: 100, height: 40 }], false);
  await turn();
  assert.equal(client.taken().length, 0, "nobody has asked");
  client.request(true);
  await turn();
  screen.decode(client.taken());
  client.request(true);
  assert.equal(client.session.isWaiting, true);
  client.picture.pixels[70] = 0x123456;
  client.session.looked([{ x: 70, y: 0, width: 1, height: 1 }], false);
  await turn();
  const { rectangles } = screen.decode(client.taken());
  assert.deepEqual(rectangles, [{ x: 64, y: 0, width: 36, height: 16, encoding: 0 }]);
  assert.deepEqual(screen.pixels, swapped(client.picture.pixels));
});

test("who asks for everything gets it as it is when somebody has looked, not as it was", async () => {
  const client = connect({ isLooking: false }).join();
  client.request(false);
  await turn();
  assert.deepEqual([client.events, client.taken().length], [["look now"], 0]);
  client.picture.pixels.fill(7);
  client.session.looked([], false);
  await turn();
  const screen = new TestRfbScreen(100, 40);
  screen.decode(client.taken());
  assert.deepEqual([...new Set(screen.pixels)], [7 << 16]);
});

const swapped = (pixels: Uint32Array): Uint32Array =>
  pixels.map((pixel) => ((pixel & 0xff) << 16) | (pixel & 0xff00) | ((pixel >>> 16) & 0xff));

test("the client's first encoding that is known is used, and ZRLE's stream goes on", async () => {
  for (const [wanted, used] of [
    [[7, 16, 5], 16],
    [[5, 16], 5],
    [[7, 8], 0],
  ] as const) {
    const client = connect().join();
    client.encodings(...wanted);
    const screen = new TestRfbScreen(100, 40);
    for (let round = 0; round < 3; round++) {
      client.picture.pixels[round] = 0xff;
      client.request(false);
      await turn();
      assert.equal(screen.decode(client.taken()).rectangles[0]?.encoding, used);
      assert.deepEqual(screen.pixels, swapped(client.picture.pixels));
    }
  }
});

test("a picture of another size: told to who knows it, cut off and filled up for who does not", async () => {
  const knowing = connect().join();
  knowing.encodings(0, -223);
  const screen = new TestRfbScreen(100, 40);
  knowing.request(false);
  await turn();
  knowing.taken();
  Object.assign(knowing.picture, pictureOf(130, 20));
  knowing.session.looked([], true);
  assert.equal(knowing.taken().length, 0, "nobody has asked");
  knowing.request(true);
  assert.deepEqual(screen.decode(knowing.taken()).rectangles, [
    { x: 0, y: 0, width: 130, height: 20, encoding: -223 },
  ]);
  knowing.request(true, 0, 0, 130, 20);
  await turn();
  screen.decode(knowing.taken());
  assert.deepEqual(screen.pixels, swapped(knowing.picture.pixels));

  const other = connect().join();
  const small = new TestRfbScreen(100, 40);
  Object.assign(other.picture, pictureOf(130, 20));
  other.session.looked([], true);
  other.request(false, 0, 0, 100, 40);
  await turn();
  small.decode(other.taken());
  assert.equal(small.pixels[99], swapped(other.picture.pixels)[99]);
  assert.equal(small.pixels[100], swapped(other.picture.pixels)[130]);
  assert.deepEqual([...new Set(small.pixels.subarray(20 * 100))], [0]);
});

test("a slow client gets nothing new until what it was sent has left, and then all of it", async () => {
  const client = connect().join();
  const screen = new TestRfbScreen(100, 40);
  client.setBacklog(1_000_000);
  client.request(false);
  await turn();
  assert.equal(client.taken().length, 0);
  assert.equal(client.session.isWaiting, false, "nobody has to look at the screen for it");
  for (let change = 0; change < 100; change++)
    client.session.looked([{ x: 0, y: 0, width: 100, height: 40 }], false);
  client.setBacklog(0);
  client.session.update();
  await turn();
  assert.equal(screen.decode(client.taken()).rectangles.length, 1);
});

test("a large picture comes in several updates, each of which is asked for", async () => {
  const client = connect({ picture: pictureOf(1920, 1200) }).join();
  const screen = new TestRfbScreen(1920, 1200);
  const sizes: number[] = [];
  client.request(false);
  await turn();
  for (let message = client.taken(); message.length > 0; message = client.taken()) {
    sizes.push(message.length);
    screen.decode(message);
    client.request(true);
    await turn();
  }
  assert.ok(sizes.length > 3 && Math.max(...sizes) < 3_000_000, sizes.join());
  assert.deepEqual(screen.pixels, swapped(client.picture.pixels));
});

test("a client of 8 bits with a colour map gets the map and its indices", async () => {
  const client = connect().join();
  const format = encodePixelFormat({ ...SERVER_PIXEL_FORMAT, bitsPerPixel: 8, depth: 8, isTrueColor: false });
  client.says(0, 0, 0, 0, ...format);
  const map = client.taken();
  assert.deepEqual([...map.subarray(0, 6)], [1, 0, 0, 0, 1, 0]);
  assert.deepEqual([...map.subarray(6 + 6 * 255)], [255, 255, 255, 255, 255, 255]);
  client.picture.pixels.fill(0xff_ffff);
  client.request(false);
  await turn();
  const screen = new TestRfbScreen(100, 40);
  screen.format = { bytesPerPixel: 1, compactBytes: 1, isBigEndian: false };
  screen.decode(client.taken());
  assert.deepEqual([...new Set(screen.pixels)], [255]);
});

const key = (keysym: number, isDown: boolean): number[] => [
  ...[4, Number(isDown), 0, 0],
  ...[keysym >>> 24, (keysym >> 16) & 0xff, (keysym >> 8) & 0xff, keysym & 0xff],
];
const keyNames = (inputs: readonly InputEvent[]): string[] =>
  inputs.map((input) =>
    input.kind === "press" ? `+${input.key}` : input.kind === "release" ? `-${input.key}` : "?",
  );

test("keysyms are keys of the PC, with Shift as a US keyboard needs it", () => {
  const client = connect().join();
  const pressed = (...keysyms: readonly number[]): string => {
    client.inputs.length = 0;
    for (const keysym of keysyms) client.says(...key(keysym, true), ...key(keysym, false));
    return keyNames(client.inputs).join(" ");
  };
  assert.equal(pressed(0x61), "+KeyA -KeyA");
  assert.equal(pressed(0x41), "+ShiftLeft +KeyA -KeyA -ShiftLeft", "a text that is typed without Shift");
  assert.equal(pressed(0xff0d, 0xffc9, 0xffb5), "+Enter -Enter +F12 -F12 +Numpad5 -Numpad5");
  assert.equal(pressed(0x20ac, 0x08, 0xe9), "", "keys that a PC does not have");
  client.inputs.length = 0;
  client.says(...key(0xffe2, true), ...key(0x2f, true), ...key(0x2f, false), ...key(0xffe2, false));
  assert.equal(
    keyNames(client.inputs).join(" "),
    "+ShiftRight -ShiftRight +Slash -Slash +ShiftRight -ShiftRight",
    "a layout that has / above 7",
  );
  assert.equal(pressed(0xffe5, 0x41, 0x31), "+CapsLock -CapsLock +KeyA -KeyA +Digit1 -Digit1");
});

test("extended key events name the key itself; their keysym counts when there is no code", async () => {
  const client = connect().join();
  client.encodings(0, -258);
  client.request(false, 0, 0, 1, 1);
  await turn();
  const { rectangles } = new TestRfbScreen(100, 40).decode(client.taken());
  assert.deepEqual(rectangles[0], { x: 0, y: 0, width: 0, height: 0, encoding: -258 });
  const press = (keysym: number, code: number): void =>
    client.says(255, 0, 0, 1, ...key(keysym, true).slice(4), 0, 0, code >> 8, code & 0xff);
  press(0x79, 0x2c);
  press(0, 0xc8);
  press(0, 0xe04b);
  press(0xff1b, 0);
  press(0, 0x7f);
  press(0, 0x1234);
  assert.deepEqual(keyNames(client.inputs), ["+KeyZ", "+ArrowUp", "+ArrowLeft", "+Escape"]);
});

const pointer = (mask: number, x: number, y: number): number[] => [
  5,
  mask,
  x >> 8,
  x & 0xff,
  y >> 8,
  y & 0xff,
];

test("pointer events are movement, buttons and turns of the wheel", () => {
  const client = connect().join();
  const buttons = { left: false, middle: false, right: false };
  client.says(...pointer(0, 50, 20), ...pointer(1, 53, 10), ...pointer(0, 53, 10));
  client.says(...pointer(8, 53, 10), ...pointer(0, 53, 10), ...pointer(0x10, 53, 10), ...pointer(0x16, 0, 0));
  const none = { kind: "pointer", dx: 0, dy: 0, wheel: 0, buttons };
  assert.deepEqual(client.inputs, [
    none,
    { ...none, dx: 3, dy: -10, buttons: { ...buttons, left: true } },
    none,
    { ...none, wheel: -1 },
    none,
    { ...none, wheel: 1 },
    { ...none, dx: -53, dy: -10, buttons: { left: false, middle: true, right: true } },
  ]);
});

test("a client that can is asked for movement instead of places", async () => {
  const client = connect().join();
  client.encodings(-257);
  client.request(false, 0, 0, 1, 1);
  await turn();
  assert.equal(new TestRfbScreen(100, 40).decode(client.taken()).rectangles[0]?.encoding, -257);
  client.says(...pointer(0, 0x7fff + 5, 0x7fff - 3));
  const [moved] = client.inputs;
  assert.ok(moved?.kind === "pointer");
  assert.deepEqual([moved.dx, moved.dy], [5, -3]);
});

test("what a client holds goes up when it leaves", () => {
  const client = connect().join();
  client.says(...key(0xffe3, true), ...key(0x63, true), ...pointer(1, 5, 5));
  client.inputs.length = 0;
  client.session.close("it went");
  assert.deepEqual(keyNames(client.inputs), ["-ControlLeft", "-KeyC", "?"]);
  const released = client.inputs.at(-1);
  assert.ok(released?.kind === "pointer");
  assert.deepEqual([released.dx, released.buttons.left], [0, false]);
});

test("texts of the clipboard are skipped, however they arrive", () => {
  const client = connect().join();
  client.says(6, 0, 0, 0, 0, 0, 0x10, 0, 1, 2, 3);
  client.session.receive(new Uint8Array(0x1000 - 3 - 1));
  client.says(99, ...key(0x61, true));
  assert.deepEqual(keyNames(client.inputs), ["+KeyA"]);
});

const MISTAKES: Readonly<Record<string, readonly [bytes: readonly number[], reason: RegExp]>> = {
  "an unknown message": [[7], /message of type 7/],
  "a QEMU message that was not offered": [[255, 1, ...new Uint8Array(10)], /QEMU's message 1/],
  "an impossible pixel format": [[0, 0, 0, 0, ...new Uint8Array(16)], /pixel format/],
  "too many encodings": [[2, 0, 0xff, 0xff], /65535 encodings/],
  "an endless text": [[6, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], /endless text/],
};

for (const [what, [bytes, reason]] of Object.entries(MISTAKES)) {
  test(`closes a client that sends ${what}`, () => {
    const client = connect().join();
    client.says(...bytes);
    assert.match(client.events.at(-1) ?? "", reason);
    assert.equal(client.events.filter((event) => event.startsWith("closed")).length, 1);
    client.says(...key(0x61, true));
    assert.deepEqual(client.inputs, []);
  });
}

test("closes a client that is none", () => {
  const client = connect();
  client.session.receive(ascii("GET / HTTP/1.1\r\n"));
  assert.deepEqual(client.events, ["closed: it speaks no RFB of version 3"]);
});

test("reads a chunk of any size, and no longer message than there is", () => {
  const client = connect().join();
  const many = Array.from({ length: READER_MAX_BYTES }, () => key(0x61, true)).flat();
  client.session.receive(Uint8Array.from(many));
  assert.equal(client.inputs.length, READER_MAX_BYTES);
});

test("random bytes of 400 clients close connections and nothing else", async () => {
  let state = 20261123;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  const types = [0, 2, 3, 4, 5, 6, 255, 7];
  let closed = 0;
  let messages = 0;
  for (let round = 0; round < 400; round++) {
    const fresh = connect(round % 8 === 0 ? { security: PASSWORD } : {});
    const client = round % 8 === 0 ? fresh : fresh.join();
    for (
      let message = 0;
      message < 40 && !client.events.some((event) => event.startsWith("closed"));
      message++
    ) {
      const bytes = Uint8Array.from(
        { length: 1 + (next() % 40) },
        () => next() % (next() % 2 === 0 ? 4 : 256),
      );
      // Mostly messages that begin as they should.
      bytes[0] = next() % 4 === 0 ? (bytes[0] ?? 0) : (types[next() % types.length] ?? 0);
      client.session.receive(bytes);
      client.session.looked([{ x: next() % 100, y: next() % 40, width: 10, height: 10 }], false);
      await Promise.resolve();
      messages++;
    }
    await turn();
    assert.ok(client.taken().length < 4_000_000);
    closed += client.events.filter((event) => event.startsWith("closed")).length;
  }
  assert.ok(messages > 1000 && closed > 100, `${messages} messages, ${closed} closed`);
});
