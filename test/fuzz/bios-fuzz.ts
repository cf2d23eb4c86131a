/**
 * BIOS fuzz: programs that call the built-in BIOS's services with registers, segments and parameter blocks of any kind, on
 * data areas and vectors that they have overwritten, with keys and mouse movements in between. Nothing is thrown, nothing
 * takes for ever, and a service goes back to its stub.
 */
import assert from "node:assert/strict";
import { MiB } from "../../src/base/index.ts";
import { MemoryDisk } from "../../src/block/index.ts";
import { FirmwareBench } from "../../src/machine/firmware/testing.ts";
import { Random } from "../oracle/index.ts";
import { assertBelowLimits } from "./memory-use.ts";

const CALLS = 400;
/** A string of 64 Ki characters scrolls the screen hundreds of times. */
const CALL_MAX_MS = 10_000;
const ROM_SEGMENT = 0xf000;
/** Each with the values of AH that it knows, or of AX. */
const SERVICES: readonly (readonly [vector: number, functions: readonly number[]])[] = [
  [0x08, []],
  [0x09, []],
  [
    0x10,
    [
      0, 1, 2, 3, 5, 6, 7, 8, 9, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x1a, 0x1b, 0x1c,
      0x4f,
    ],
  ],
  [0x11, []],
  [0x12, []],
  [0x13, [0, 1, 2, 3, 4, 5, 8, 9, 0x15, 0x16, 0x18, 0x41, 0x42, 0x43, 0x44, 0x45, 0x47, 0x48, 0x4b]],
  [0x14, [0, 1, 2, 3, 4, 5]],
  [0x15, [0x24, 0x83, 0x86, 0x87, 0x88, 0xc0, 0xc1, 0xc2, 0xe8]],
  [0x16, [0, 1, 2, 3, 5, 9, 0x0a, 0x10, 0x11, 0x12]],
  [0x17, [0, 1, 2]],
  [0x1a, [0, 1, 2, 3, 4, 5, 6, 7, 0xb1]],
  [0x70, []],
  [0x74, []],
];
/** The vectors, the data area, the extended data area, and where parameter blocks are. */
const AREAS = [
  { gpa: 0x0, bytes: 0x400 },
  { gpa: 0x400, bytes: 0x100 },
  { gpa: 0x9fc00, bytes: 0x400 },
  { gpa: 0x30000, bytes: 0x100 },
] as const;
const SEGMENTS = [0, 0x40, 0x3000, 0x9fc0, 0xa000, 0xb800, 0xf000, 0xffff, 0x1ff_0000, 0xfff_0000] as const;

const word = (random: Random): number => random.pick([0, 1, 2, 0x80, 0xff, 0xffff, random.below(0x10000)]);

async function step(bench: FirmwareBench, random: Random): Promise<void> {
  switch (random.below(8)) {
    case 0: {
      const { gpa, bytes } = random.pick(AREAS);
      return bench.ram.writeU8(gpa + random.below(bytes), random.below(256));
    }
    case 1:
      bench.board.mouse.move(random.below(512) - 256, random.below(512) - 256, {
        left: random.below(2) === 0,
        right: random.below(2) === 0,
        middle: false,
      });
      return void bench.board.keyboard.key(
        random.pick(["KeyA", "Insert", "CapsLock", "F1"] as const),
        random.below(2) === 0,
      );
    case 2:
      bench.clock.advance(random.pick([1000, 1_000_000, 1_000_000_000]));
      return void bench.timers.runDue(bench.clock.nowNs());
    default: {
      const [vector, functions] = random.pick(SERVICES);
      const known = functions.length === 0 ? random.below(256) : random.pick(functions);
      const ah = random.below(16) === 0 ? random.below(256) : known;
      const answer = await bench.interrupt(vector, {
        ax: (ah << 8) | random.below(random.pick([4, 0x40, 0x100])),
        ...{ bx: word(random), cx: word(random), dx: word(random), bp: word(random) },
        ...{ si: word(random), di: word(random) },
        ...{ es: random.pick(SEGMENTS), ds: random.pick(SEGMENTS) },
      });
      assert.equal(answer.cs, ROM_SEGMENT);
    }
  }
}

/** Fuzzes `count` machines of seeds from `seed` on; rejects with the first failure and its seed. */
export async function fuzzBios(seed: number, count: number): Promise<number> {
  for (let next = seed; next < seed + count; next++) {
    const random = new Random(next);
    const disk = (sizeBytes: number): MemoryDisk => new MemoryDisk(new Uint8Array(sizeBytes));
    const bench = await FirmwareBench.start({ diskettes: [disk(1474560)], disks: [disk(2 * MiB)] });
    try {
      for (let call = 0; call < CALLS; call++) {
        const startMs = performance.now();
        await step(bench, random);
        const tookMs = performance.now() - startMs;
        assert.ok(tookMs < CALL_MAX_MS, `a call took ${tookMs.toFixed(0)} ms`);
      }
      assertBelowLimits("the built-in BIOS");
    } catch (error) {
      throw new Error(`bios, seed ${String(next)}`, { cause: error });
    }
  }
  return count;
}
