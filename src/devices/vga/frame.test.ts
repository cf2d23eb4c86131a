/** Pictures of every kind of mode, drawn by the guest through ports and window and read pixel by pixel. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { renderVbe } from "./frame.ts";
import { VgaBench } from "./testing.ts";

const WINDOW = 0xa0000;
const FRAME_BUFFER = 0xe0000000;
const VBE = {
  width: 1,
  height: 2,
  depth: 3,
  enable: 4,
  bank: 5,
  virtualWidth: 6,
  virtualHeight: 7,
  x: 8,
  y: 9,
};
const ENABLED = 0x41;

const PALETTE_16 = [0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f];
/** 320 × 200 with 256 colours, chained (mode 13h). */
const MODE_13 = {
  miscellaneous: 0x63,
  sequencer: [0x01, 0x0f, 0x00, 0x0e],
  crtc: [
    0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x41, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9c,
    0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff,
  ],
  graphics: [0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x05, 0x0f, 0xff],
  attribute: [...Array(16).keys(), 0x41, 0x00, 0x0f, 0x00, 0x00],
};
/** 640 × 480 with 16 colours (mode 12h). */
const MODE_12 = {
  miscellaneous: 0xe3,
  sequencer: [0x01, 0x0f, 0x00, 0x06],
  crtc: [
    0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xea,
    0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff,
  ],
  graphics: [0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0f, 0xff],
  attribute: [...PALETTE_16, 0x01, 0x00, 0x0f, 0x00, 0x00],
};
/** 320 × 200 with four colours, as the CGA has it (mode 4). */
const MODE_4 = {
  miscellaneous: 0x63,
  sequencer: [0x09, 0x03, 0x00, 0x02],
  crtc: [
    0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc1, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9c,
    0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xa2, 0xff,
  ],
  graphics: [0x00, 0x00, 0x00, 0x00, 0x00, 0x30, 0x0f, 0x00, 0xff],
  attribute: [
    0, 0x13, 0x15, 0x17, 2, 4, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x01, 0x00, 0x03, 0x00,
    0x00,
  ],
};

function bench(mode: typeof MODE_13): VgaBench {
  const v = new VgaBench();
  v.setMode(mode);
  return v;
}

/** Entry `index` of the DAC, in six bits. */
function setColor(v: VgaBench, index: number, ...components: readonly number[]): void {
  v.out(0x3c8, index);
  for (const component of components) v.out(0x3c9, component);
}

function vbe(width: number, height: number, depth: number): VgaBench {
  const v = new VgaBench();
  v.pci.reset();
  v.pci.writeConfig(0x10, 4, FRAME_BUFFER);
  v.pci.writeConfig(0x04, 2, 2);
  v.vbe(VBE.width, width);
  v.vbe(VBE.height, height);
  v.vbe(VBE.depth, depth);
  v.vbe(VBE.enable, ENABLED);
  return v;
}

const vbeRegisters = (v: VgaBench) => v.chip.vbe.registers.save();

test("mode 13h: a byte is a pixel of two by two dots", () => {
  const v = bench(MODE_13);
  setColor(v, 200, 63, 0, 32);
  v.write(WINDOW + 320 * 199 + 319, 200);
  v.write(WINDOW + 320 * 2 + 1, 200);
  const frame = v.chip.frame();
  assert.deepEqual([frame.width, frame.height], [640, 400]);
  assert.deepEqual(v.line(frame, 4).slice(0, 6), [0, 0, 0xff0082, 0xff0082, 0, 0]);
  assert.deepEqual(v.line(frame, 5), v.line(frame, 4));
  assert.deepEqual(v.line(frame, 399).slice(-3), [0, 0xff0082, 0xff0082]);
  assert.equal(frame.pixels[3], 0xff);
  assert.equal(v.slots.get(WINDOW >> 12)?.kind, "memory");
});

test("mode X: planes in turn, a page apart, 240 lines", () => {
  const v = bench(MODE_13);
  v.indexed(0x3c4, 4, 0x06);
  v.indexed(0x3d4, 0x14, 0x00);
  v.indexed(0x3d4, 0x17, 0xe3);
  v.indexed(0x3d4, 0x07, 0x3e);
  v.indexed(0x3d4, 0x12, 0xdf);
  setColor(v, 9, 63, 63, 0);
  const page = 80 * 240;
  v.indexed(0x3c4, 2, 1 << 2);
  v.write(WINDOW + page + 80 * 239 + 10, 9);
  v.indexed(0x3d4, 0x0c, page >> 8);
  v.indexed(0x3d4, 0x0d, page & 0xff);
  const frame = v.chip.frame();
  assert.deepEqual([frame.width, frame.height], [640, 480]);
  const pixel = 2 * (4 * 10 + 2);
  assert.deepEqual(v.line(frame, 479).slice(pixel - 1, pixel + 3), [0, 0xffff00, 0xffff00, 0]);
  assert.deepEqual(v.line(frame, 477).slice(pixel, pixel + 2), [0, 0]);
});

test("mode 12h: four planes are a colour of the palette, and panning moves it", () => {
  const v = bench(MODE_12);
  // Set/reset 0Eh in the dot at (9, 479).
  v.indexed(0x3ce, 0, 0x0e);
  v.indexed(0x3ce, 1, 0x0f);
  v.indexed(0x3ce, 8, 0x40);
  v.read(WINDOW + 80 * 479 + 1);
  v.write(WINDOW + 80 * 479 + 1, 0);
  const frame = v.chip.frame();
  assert.deepEqual([frame.width, frame.height], [640, 480]);
  assert.deepEqual(v.line(frame, 479).slice(8, 11), [0, 0xffff55, 0]);
  v.in(0x3da);
  v.out(0x3c0, 0x33);
  v.out(0x3c0, 3);
  assert.deepEqual(v.line(v.chip.frame(), 479).slice(5, 8), [0, 0xffff55, 0]);
});

test("mode 4: two bits a pixel, odd lines 8 KiB further on", () => {
  const v = bench(MODE_4);
  v.write(0xb8000, 0x1b);
  v.write(0xba001, 0x80);
  const frame = v.chip.frame();
  assert.deepEqual([frame.width, frame.height], [640, 400]);
  // Palette registers 1 to 3 name entries 13h, 15h and 17h of the DAC.
  const colors = [0x000000, 0x00ffaa, 0xaa55aa, 0xaaffaa];
  const twice = (pixels: readonly number[]): number[] =>
    pixels.flatMap((pixel) => [colors[pixel] ?? 0, colors[pixel] ?? 0]);
  assert.deepEqual(v.line(frame, 0).slice(0, 10), twice([0, 1, 2, 3, 0]));
  assert.deepEqual(v.line(frame, 1).slice(0, 10), twice([0, 1, 2, 3, 0]));
  assert.deepEqual(v.line(frame, 2).slice(0, 12), twice([0, 0, 0, 0, 2, 0]));
});

test("text: glyphs of plane 2, colours, the ninth dot of line graphics, the cursor, a split screen", () => {
  const v = new VgaBench();
  const glyph = (character: number, rows: readonly number[]): void => {
    rows.forEach((row, at) => (v.ram.slotMemory[4 * (32 * character + at) + 2] = row));
  };
  glyph(0x41, [0x81, 0x18]);
  glyph(0xc4, [0xff]);
  v.write(0xb8000, 0x1e41, 2);
  v.write(0xb8002, 0x07c4, 2);
  v.write(0xb8000 + 160, 0x4020, 2);
  v.indexed(0x3d4, 0x0e, 0);
  v.indexed(0x3d4, 0x0f, 81);
  const frame = v.chip.frame();
  const [yellow, blue, gray] = [0xffff55, 0x0000aa, 0xaaaaaa];
  assert.deepEqual([frame.width, frame.height], [720, 400]);
  assert.deepEqual(v.line(frame, 0).slice(0, 9), [yellow, ...Array<number>(6).fill(blue), yellow, blue]);
  assert.deepEqual(v.line(frame, 0).slice(9, 18), Array(9).fill(gray));
  assert.deepEqual(v.line(frame, 1).slice(2, 6), [blue, yellow, yellow, blue]);
  assert.deepEqual(v.line(frame, 16).slice(0, 9), Array(9).fill(0xaa0000));
  assert.deepEqual(v.line(frame, 16 + 13).slice(9, 18), Array(9).fill(0), "the cell has no foreground");
  v.write(0xb8000 + 163, 0x07);
  assert.deepEqual(v.line(v.chip.frame(), 16 + 13).slice(9, 18), Array(9).fill(gray));
  v.clock.advance(150_000_000);
  assert.deepEqual(v.line(v.chip.frame(), 16 + 13).slice(9, 18), Array(9).fill(0), "the cursor blinks");
  // From line 100 on the picture begins again at address 0.
  v.indexed(0x3d4, 0x18, 99);
  v.indexed(0x3d4, 0x11, 0x0e);
  v.indexed(0x3d4, 0x07, 0x0f);
  v.indexed(0x3d4, 0x09, 0x0f);
  v.indexed(0x3d4, 0x0d, 80);
  const split = v.chip.frame();
  assert.deepEqual(v.line(split, 0).slice(0, 9), Array(9).fill(0xaa0000));
  assert.deepEqual(v.line(split, 99).slice(0, 9), Array(9).fill(0));
  assert.deepEqual(v.line(split, 100).slice(0, 9), [yellow, ...Array<number>(6).fill(blue), yellow, blue]);
});

for (const [depth, bytes, value, shown] of [
  [15, 2, 0x7c1f, 0xff00ff],
  [16, 2, 0x07e1, 0x00ff08],
  [24, 1, 0x7f, 0x00007f],
  [32, 4, 0x00123456, 0x123456],
] as const) {
  test(`VBE with ${depth} bits a pixel: through the frame buffer, and a bank at A0000h`, () => {
    const v = vbe(800, 600, depth);
    const at = (599 * 800 + 799) * Math.ceil(depth / 8);
    v.write(FRAME_BUFFER + at, value, bytes);
    const frame = v.chip.frame();
    assert.deepEqual([frame.width, frame.height], [800, 600]);
    assert.deepEqual(v.line(frame, 599).slice(-2), [0, shown]);
    v.vbe(VBE.bank, at >> 16);
    assert.equal(v.read(WINDOW + (at & 0xffff), bytes), value);
    v.write(WINDOW + (at & 0xffff), 0, bytes);
    assert.equal(v.line(v.chip.frame(), 599).at(-1), 0);
    assert.equal(v.chip.screen().kind, "graphics");
  });
}

test("VBE with 8 bits: the DAC, in six bits or eight, a wider line, the offsets", () => {
  const v = vbe(640, 480, 8);
  setColor(v, 7, 63, 0, 63);
  v.vbe(VBE.virtualWidth, 1024);
  assert.equal(v.readVbe(VBE.virtualHeight), 16384);
  v.vbe(VBE.x, 10);
  v.vbe(VBE.y, 20);
  v.write(FRAME_BUFFER + 20 * 1024 + 11, 7);
  assert.deepEqual(v.line(v.chip.frame(), 0).slice(0, 3), [0, 0xff00ff, 0]);
  v.vbe(VBE.enable, ENABLED | 0x20);
  assert.equal(v.line(v.chip.frame(), 0)[1], 0xff00ff);
  setColor(v, 7, 0x12, 0x34, 0xfe);
  assert.equal(v.line(v.chip.frame(), 0)[1], 0x1234fe);
});

test("VBE with 32 bits: every pixel is where it should be, also if lines begin between words or behind the end of memory", () => {
  const memory = Uint8Array.from({ length: 4096 }, (_, at) => (at * 37) ^ (at >> 3));
  const [width, height, lineBytes] = [7, 5, 64];
  for (const startBytes of [0, 4, 6, memory.length - 4 * lineBytes - 28, memory.length - 100]) {
    const frame = renderVbe({ width, height, depth: 32, lineBytes, startBytes }, memory, []);
    const expected = Array.from({ length: width * height }, (_, pixel) => {
      const at = startBytes + Math.floor(pixel / width) * lineBytes + 4 * (pixel % width);
      const byte = (offset: number): number => memory[(at + offset) % memory.length] ?? 0;
      return [byte(2), byte(1), byte(0), 255];
    });
    assert.deepEqual([...frame.pixels], expected.flat(), `from ${startBytes} on`);
  }
});

test("VBE: what cannot be is refused, what can be is told, and the largest mode is there", () => {
  const v = new VgaBench();
  assert.equal(v.readVbe(0), 0xb0c5);
  assert.equal(v.readVbe(10), 256);
  v.vbe(VBE.enable, 0x02);
  assert.deepEqual(
    [1, 2, 3].map((index) => v.readVbe(index)),
    [1920, 1200, 32],
  );
  v.vbe(VBE.enable, ENABLED);
  assert.equal(v.chip.vbe.isEnabled, false, "a mode without a size is none");
  for (const [index, value] of [
    [1, 1921],
    [2, 1201],
    [3, 17],
  ] as const)
    v.vbe(index, value);
  v.vbe(VBE.enable, 0);
  assert.deepEqual(
    [1, 2, 3].map((index) => v.readVbe(index)),
    [0, 0, 8],
  );
  v.vbe(VBE.width, 1920);
  v.vbe(VBE.height, 1200);
  v.vbe(VBE.depth, 32);
  v.vbe(VBE.enable, ENABLED);
  v.vbe(VBE.bank, 256);
  v.vbe(VBE.virtualWidth, 0xffff);
  assert.equal(v.readVbe(VBE.bank), 0);
  assert.equal(v.readVbe(VBE.virtualWidth), 1920, "lines so wide have no room");
  v.vbe(VBE.y, 0xffff);
  assert.equal(v.chip.frame().pixels.length, 1920 * 1200 * 4);
});

test("enabling VBE clears the screen unless it is asked not to, and characters of text come back behind it", () => {
  const v = new VgaBench();
  v.print(0, 0, "text");
  v.vbe(VBE.width, 640);
  v.vbe(VBE.height, 400);
  v.vbe(VBE.enable, ENABLED | 0x80);
  assert.equal(v.read(WINDOW), 0x74, "plane 0 of the text");
  v.vbe(VBE.enable, 0);
  assert.equal(v.lines()[0], "text");
  v.vbe(VBE.enable, ENABLED);
  assert.equal(v.read(WINDOW), 0);
});

test("the function's second range has the ports and the registers of VBE", () => {
  const v = new VgaBench();
  v.pci.reset();
  v.pci.writeConfig(0x18, 4, 0xe2000000);
  v.pci.writeConfig(0x04, 2, 2);
  assert.equal(v.pci.readConfig(0, 4), 0x11111234);
  assert.equal(v.pci.readConfig(0x08, 4), 0x03000002);
  v.write(0xe2000502, 1024, 2);
  v.write(0xe2000504, 768, 2);
  v.write(0xe2000506, 32, 2);
  v.write(0xe2000508, ENABLED, 2);
  assert.deepEqual(v.chip.vbe.mode, { width: 1024, height: 768, depth: 32, lineBytes: 4096, startBytes: 0 });
  v.write(0xe2000408, 3);
  for (const component of [1, 2, 3]) v.write(0xe2000409, component);
  v.out(0x3c7, 3);
  assert.deepEqual([v.in(0x3c9), v.in(0x3c9), v.in(0x3c9)], [1, 2, 3]);
  assert.equal(v.read(0xe2000000, 4), 0, "no EDID");
});

test("the frame buffer is seen where its range is decoded, and nowhere else", () => {
  const v = vbe(640, 480, 8);
  v.pci.writeConfig(0x10, 4, 0xffffffff);
  assert.equal(v.pci.readConfig(0x10, 4), 0xff000008);
  assert.equal(v.slots.has(FRAME_BUFFER >>> 12), false);
  v.pci.writeConfig(0x10, 4, 0xd0000000);
  assert.equal(v.slots.get(0xd0000000 / 4096)?.kind, "memory");
  v.pci.writeConfig(0x04, 2, 0);
  assert.equal(v.slots.has(0xd0000000 / 4096), false);
});

test("a snapshot of a mode that cannot be shows none, and other bits of a mode that is off stay", () => {
  const v = new VgaBench();
  v.vbe(VBE.enable, 0x62);
  const saved = v.chip.save();
  const other = new VgaBench();
  other.chip.restore(saved);
  assert.deepEqual(other.chip.save(), saved);
  other.chip.restore({ ...saved, vbe: { index: 4, registers: { ...vbeRegisters(v), enable: ENABLED } } });
  assert.equal(other.chip.vbe.isEnabled, false);
});

test("saved state restores the picture and what the processor sees, with video memory", () => {
  const v = vbe(640, 480, 32);
  v.write(FRAME_BUFFER + 4 * 100, 0x00abcdef, 4);
  v.vbe(VBE.bank, 3);
  const other = new VgaBench();
  other.chip.restore(v.chip.save());
  other.pci.restore(v.pci.save());
  assert.deepEqual(other.chip.frame(), v.chip.frame());
  assert.deepEqual(other.slots, v.slots);
  assert.equal(other.line(other.chip.frame(), 0)[100], 0xabcdef);
});
