import assert from "node:assert/strict";
import { test } from "node:test";
import { defined } from "../../base/index.ts";
import { OUTSIDE, type RegionBlock, type RegionNode, blockKey, buildGraph } from "./graph.ts";

const OPS_PER_BLOCK = 10;

/** Too many for a loop that is unrolled. */
const MANY_INSTRUCTIONS = 17;

/** Blocks named by their offsets, each with the offsets that follow it. */
function blocksOf(
  flow: Record<number, readonly number[]>,
  instructionCount = MANY_INSTRUCTIONS,
): RegionBlock[] {
  return Object.entries(flow).map(([name, successors], i) => ({
    key: Number(name),
    offset: Number(name),
    inlinesCall: false,
    isTailCall: false,
    start: i * OPS_PER_BLOCK,
    end: (i + 1) * OPS_PER_BLOCK,
    instructionCount,
    successors,
  }));
}

const edgesOf = (nodes: readonly RegionNode[]): number[][] =>
  nodes.map(({ edges }) => edges.map(({ offset }) => offset));
const leaving = (nodes: readonly RegionNode[]): number[] =>
  nodes.flatMap(({ edges }) => edges.filter(({ to }) => to === OUTSIDE).map(({ offset }) => offset));

/** 1 leads to 2 and to 3, which lead to each other and away. */
const twoEntries = { 1: [2, 3], 2: [3, 9], 3: [2, 9] };

test("a loop that is entered in two places has a copy of one of them, with ops of its own", () => {
  let opCount = 3 * OPS_PER_BLOCK;
  const nodes = buildGraph(blocksOf(twoEntries), ({ start, end }) => {
    const copy = opCount;
    opCount += end - start;
    return copy;
  });

  assert.deepEqual(leaving(nodes), [9, 9, 9]);
  assert.equal(nodes.length, 4);
  assert.equal(new Set(nodes.map(({ block }) => block.start)).size, 4);
  assert.equal(nodes.filter(({ isHeader }) => isHeader).length, 1);
  // Each copy is followed by what its original was.
  assert.deepEqual(
    edgesOf(nodes).toSorted((a, b) => (a[0] ?? 0) - (b[0] ?? 0)),
    [
      [2, 3],
      [2, 9],
      [3, 9],
      [3, 9],
    ].toSorted((a, b) => (a[0] ?? 0) - (b[0] ?? 0)),
  );
});

/** 1 runs on into the loop of 2, 3 and 4, to the branch at the end of its first block. */
const runsIntoLoop = { 1: [3, 4], 2: [3, 4], 3: [2, 9], 4: [2, 9] };

test("a block that runs on into a loop ends where the loop begins instead of entering it twice", () => {
  const blocks = blocksOf(runsIntoLoop);
  const shortened: number[][] = [];

  const nodes = buildGraph(
    blocks,
    () => undefined,
    ({ key }, to) => {
      shortened.push([key, to]);
      return { start: 100, end: 103, instructionCount: 5 };
    },
  );

  assert.deepEqual(shortened, [[1, 2]]);
  assert.deepEqual(leaving(nodes), [9, 9]);
  assert.deepEqual(
    nodes.map(({ block, edges }) => [block.offset, ...edges.map(({ offset }) => offset)]),
    [
      [1, 2],
      [2, 3, 4],
      [4, 2, 9],
      [3, 2, 9],
    ],
  );
  const { block } = defined(nodes[0], "an entry");
  assert.deepEqual([block.start, block.end, block.instructionCount], [100, 103, 5]);
});

test("a block in none of whose instructions the loop begins stays as it is", () => {
  const blocks = blocksOf(runsIntoLoop);

  const nodes = buildGraph(blocks, copiesBehind(blocks));

  assert.deepEqual(edgesOf(nodes)[0], [3, 4]);
  assert.ok(nodes.length > 4);
});

test("a block does not run on into an inlined call of the same code", () => {
  const inCallee = (key: number): number => (key === 1 ? key : blockKey(key, 1));
  const blocks = blocksOf(runsIntoLoop).map((block) => ({
    ...block,
    key: inCallee(block.key),
    successors: block.successors.map(inCallee),
  }));
  const shortened: number[] = [];

  const nodes = buildGraph(blocks, copiesBehind(blocks), ({ key }) => {
    shortened.push(key);
    return undefined;
  });

  assert.ok(nodes.length > 4);
  assert.ok(!shortened.includes(1));
});

test("without room for a copy the edge leaves", () => {
  const nodes = buildGraph(blocksOf(twoEntries), () => undefined);

  assert.equal(nodes.length, 3);
  assert.equal(leaving(nodes).filter((offset) => offset !== 9).length, 1);
});

test("blocks that all lead to each other make no more copies than are allowed", () => {
  const names = Array.from({ length: 12 }, (_, i) => i + 1);
  let copies = 0;

  const nodes = buildGraph(blocksOf(Object.fromEntries(names.map((name) => [name, names]))), () => ++copies);

  assert.ok(nodes.length <= 12 + 32);
  // Those of the attempt to do with a few are given up.
  assert.ok(copies <= 32 + 4);
});

/** Gives each copy ops of its own. */
function copiesBehind(blocks: readonly RegionBlock[]): (block: RegionBlock) => number {
  let opCount = blocks.length * OPS_PER_BLOCK;
  return ({ start, end }) => {
    const copy = opCount;
    opCount += end - start;
    return copy;
  };
}

/** A loop of 2 and 3, which may be left in 3. */
const smallLoop = { 1: [2], 2: [3], 3: [2, 9] };

test("a small loop is written several times, of which the last leads back to the second", () => {
  const blocks = blocksOf(smallLoop, 1);

  const nodes = buildGraph(blocks, copiesBehind(blocks));

  assert.deepEqual(
    nodes.map(({ edges }) => edges.map(({ to }) => to)),
    [[1], [2], [3, OUTSIDE], [4], [5, OUTSIDE], [6], [7, OUTSIDE], [8], [3, OUTSIDE]],
  );
  assert.deepEqual(
    nodes.map(({ isHeader }) => isHeader),
    [false, false, false, true, false, false, false, false, false],
  );
  assert.equal(new Set(nodes.map(({ block }) => block.start)).size, 9);
  assert.deepEqual(leaving(nodes), [9, 9, 9, 9]);
});

test("a loop is written so often that it has no more than 36 instructions", () => {
  const blocks = blocksOf(smallLoop, 6);

  const nodes = buildGraph(blocks, copiesBehind(blocks));

  assert.equal(nodes.length, 1 + 2 * 3);
});

test("of nested loops the inner one is unrolled", () => {
  const blocks = blocksOf({ 1: [2], 2: [2, 3], 3: [1, 9] }, 1);

  const nodes = buildGraph(blocks, copiesBehind(blocks));

  assert.equal(nodes.length, 2 + 4);
  assert.equal(nodes.filter(({ isHeader }) => isHeader).length, 2);
});

test("a small loop stays as it is where there is no room for copies", () => {
  const nodes = buildGraph(blocksOf(smallLoop, 1), () => undefined);

  assert.equal(nodes.length, 3);
  assert.deepEqual(leaving(nodes), [9]);
});

test("a loop with several paths stays as it is", () => {
  const blocks = blocksOf({ 1: [2, 3], 2: [1, 9], 3: [1, 9] }, 1);

  const nodes = buildGraph(blocks, copiesBehind(blocks));

  assert.equal(nodes.length, 3);
});
