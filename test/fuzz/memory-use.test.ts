import assert from "node:assert/strict";
import { after, test } from "node:test";

import { KiB, MiB } from "../../src/base/index.ts";
import { fuzzBoardMemory } from "./board-fuzz.ts";
import { build } from "./board-machine.ts";
import { assertBelowLimits, assertComesToRest, FUZZ_LIMITS } from "./memory-use.ts";

const FREE_PORT = 0x300;
const ACCESSES = 4000;
const kept: unknown[] = [];
after(() => void (kept.length = 0));

/** 512 MiB outside of V8's figures, resident only where they have been written. */
const untouchedMemory = (): Uint8Array => new Uint8Array(new WebAssembly.Memory({ initial: 8192 }).buffer);
const untouched = untouchedMemory();
let touchedBytes = 0;
const touch = (): void => void (untouched[(touchedBytes += 8 * KiB)] = 1);

// The resident ones first: what earlier tests give back would hide them.
for (const [what, leak] of [
  ["resident", touch],
  ["heap", () => kept.push(Array.from({ length: 50 }, () => 1))],
  ["arrayBuffers", () => kept.push(new Uint8Array(2 * KiB))],
] as const) {
  test(`what takes more and more is told with how much it is: ${what}`, () => {
    const goOn = (count: number): void => {
      for (let time = 0; time < count; time++) leak();
    };
    const subjects = [
      { name: "innocent", goOn: () => undefined },
      { name: "guilty", goOn },
    ];
    assert.throws(
      () => assertComesToRest(subjects, ACCESSES),
      new RegExp(`AssertionError.*: guilty: every 4,000 operations take more .*\\b${what} [1-9]`),
    );
    kept.length = 0;
  });
}

test("a card of a board that keeps something of each access is told by its name", () => {
  const machine = build(false);
  const keep = (value: unknown): void => void kept.push([value]);
  machine.board.ports.claim("leaky-card", FREE_PORT, 4, {
    readPort: () => 0,
    writePort: (_offset, _size, value) => keep(Array.from({ length: 50 }, () => value)),
  });
  assert.throws(
    () => fuzzBoardMemory(1, ACCESSES, machine),
    (error) => {
      assert.ok(error instanceof assert.AssertionError);
      const names = error.message.split("\n").map((line) => /^([^:(]+):/.exec(line)?.[1]);
      assert.deepEqual(names, ["leaky-card", "together", undefined]);
      return true;
    },
  );
  kept.length = 0;
});

test("what only fills its buffers comes to rest", () => {
  const bytes = untouchedMemory();
  let at = 0;
  const fill = (): void => void (bytes[(at = Math.min(at + 16 * KiB, 24 * MiB))] = 1);
  const goOn = (count: number): void => {
    for (let time = 0; time < count; time++) fill();
  };
  assertComesToRest([{ name: "buffered", goOn }], ACCESSES);
  assert.equal(at, 24 * MiB);
});

test("a process beyond its limits is told with the subject's name and figures", () => {
  assertBelowLimits("nothing");
  const held = new Uint8Array(8 * MiB).fill(1);
  assertBelowLimits("little");
  const limits = { ...FUZZ_LIMITS, arrayBuffers: 4 * MiB };
  assert.throws(
    () => assertBelowLimits("the hoard", limits),
    /the hoard: the process holds more memory .*arrayBuffers 8\.\d\d.*at most .*arrayBuffers 4\.00/,
  );
  assert.equal(held.length, 8 * MiB);
});
