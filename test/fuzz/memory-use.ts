/**
 * What the fuzz says of the host's memory: however long a guest goes on with a device, memory comes to rest, and whatever
 * subjects are tried one after another, the process stays below limits. Looks at V8's heap after a full collection, at
 * what is allocated beside it (contents of array buffers, memories of WebAssembly) and at what is resident.
 */
import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { createContext, runInContext } from "node:vm";
import { KiB, MiB } from "../../src/base/index.ts";

/** All in bytes. */
export interface MemoryUse {
  readonly heap: number;
  /** Beside the heap, as far as V8 is told of it. */
  readonly external: number;
  readonly arrayBuffers: number;
  /** With guest RAM and all else that V8 does not count. */
  readonly resident: number;
}

/** Growth in one turn of {@link assertComesToRest} that counts as none: V8's own notes on the code that ran. */
export const REST: MemoryUse = {
  heap: 128 * KiB,
  external: 1 * MiB,
  arrayBuffers: 1 * MiB,
  resident: 8 * MiB,
};
/** Turns that devices have to fill their buffers, and V8 to optimize what it runs. */
const TURNS_MAX = 6;

/** What a process may have more than at the first look of {@link assertBelowLimits}: many times what one subject needs. */
export const FUZZ_LIMITS: MemoryUse = {
  heap: 48 * MiB,
  external: 128 * MiB,
  arrayBuffers: 128 * MiB,
  resident: 512 * MiB,
};

const KINDS = ["heap", "external", "arrayBuffers", "resident"] as const;

setFlagsFromString("--expose-gc");
/** Only contexts that are made after that have gc(). */
const withCollector = createContext();

const memoryUse = (): MemoryUse => {
  const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage();
  return { heap: heapUsed, external, arrayBuffers, resident: rss };
};

function memoryUseAfterCollection(): MemoryUse {
  runInContext("gc()", withCollector);
  return memoryUse();
}

const growth = (from: MemoryUse, to: MemoryUse): MemoryUse => ({
  heap: to.heap - from.heap,
  external: to.external - from.external,
  arrayBuffers: to.arrayBuffers - from.arrayBuffers,
  resident: to.resident - from.resident,
});

const isWithin = (use: MemoryUse, limits: MemoryUse): boolean =>
  KINDS.every((kind) => use[kind] <= limits[kind]);

const inMiB = (bytes: number): string => (bytes / MiB).toFixed(2);

const figures = (use: MemoryUse): string => KINDS.map((kind) => `${kind} ${inMiB(use[kind])}`).join(", ");

/** Something that a guest can go on with for as long as it likes. */
export interface Endless {
  readonly name: string;
  /** Does `count` things more. */
  readonly goOn: (count: number) => void;
}

/** Looks at memory between turns. */
class Turns {
  #before = memoryUseAfterCollection();

  /** The growth in each turn, if there was no turn without; undefined if memory came to rest. */
  unendingGrowth(turn: () => void): MemoryUse[] | undefined {
    const turns: MemoryUse[] = [];
    while (turns.length < TURNS_MAX) {
      turn();
      const after = memoryUseAfterCollection();
      const grown = growth(this.#before, after);
      this.#before = after;
      if (isWithin(grown, REST)) return undefined;
      turns.push(grown);
    }
    return turns;
  }
}

const described = (name: string, count: number, turns: readonly MemoryUse[]): string =>
  `${name}: every ${count.toLocaleString("en-US")} operations take more memory of the host: ` +
  turns.map((turn) => `(${figures(turn)})`).join(" ");

/**
 * Throws, with names and figures in MiB, unless a turn of `count` operations with each of `subjects` leaves memory where it
 * was. They take their turns together; only if memory grows is each tried alone, for its name.
 */
export function assertComesToRest(subjects: readonly Endless[], count: number): void {
  const turns = new Turns();
  const together = turns.unendingGrowth(() => {
    for (const { goOn } of subjects) goOn(count);
  });
  if (together === undefined) return;
  const guilty = subjects.flatMap(({ name, goOn }) => {
    const alone = turns.unendingGrowth(() => goOn(count));
    return alone === undefined ? [] : [described(name, count, alone)];
  });
  assert.fail(
    [...guilty, described("together", count, together), `(in MiB; ${figures(REST)} count as none)`].join(
      "\n",
    ),
  );
}

let first: MemoryUse | undefined;

/** Throws, with `name` and figures in MiB, if the process has grown beyond `limits` since the first call in it. */
export function assertBelowLimits(name: string, limits = FUZZ_LIMITS): void {
  first ??= memoryUseAfterCollection();
  if (isWithin(growth(first, memoryUse()), limits)) return;
  const grown = growth(first, memoryUseAfterCollection());
  assert.ok(
    isWithin(grown, limits),
    `${name}: the process holds more memory than at the beginning: ${figures(grown)} (in MiB; at most ${figures(limits)})`,
  );
}
