import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { speedChart } from "../../bench/chart/speed-chart.ts";
import { figure } from "../../bench/figures.ts";
import { readResult } from "../../bench/result-reader.ts";
import { KERNEL_32, resultOf, TWO_KERNELS } from "./testing.ts";

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

/** The attributes of every element of that class. */
function elements(svg: string, name: string, className: string): Map<string, string>[] {
  return [...svg.matchAll(new RegExp(`<${name} class="${className}"([^>]*)>`, "g"))].map(
    ([, attributes = ""]) =>
      new Map([...attributes.matchAll(/(\S+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [key, value])),
  );
}

const numbers = (attributes: Map<string, string> | undefined, ...names: string[]): number[] =>
  names.map((name) => Number(attributes?.get(name)));

test("a bar begins at TCG and ends at the geometric mean, on a logarithmic scale", () => {
  const svg = speedChart(resultOf([...TWO_KERNELS, KERNEL_32]));

  const [one] = elements(svg, "line", "one").map((line) => Number(line.get("x1")));
  // 1/4, where v86 is, 1/2, 2, 4, 8 and 16, where the processor itself is.
  const grid = elements(svg, "line", "grid").map((line) => Number(line.get("x1")));
  assert.equal(grid.length, 6);
  const doubling = (one ?? NaN) - (grid[1] ?? NaN);
  const bars = elements(svg, "rect", "typevisor").map((bar) => numbers(bar, "x", "width"));
  const [fourTimes = [], half = []] = bars;
  const [fourX = NaN, fourWidth = NaN] = fourTimes;
  const [halfX = NaN, halfWidth = NaN] = half;
  assert.ok(Math.abs(fourX - (one ?? NaN)) < 0.1 && Math.abs(fourWidth - 2 * doubling) < 0.1);
  assert.ok(Math.abs(halfX + halfWidth - (one ?? NaN)) < 0.1 && Math.abs(halfWidth - doubling) < 0.1);
});

test("a goal stands on TCG's scale, also one against v86", () => {
  const svg = speedChart(resultOf([KERNEL_32]));
  const [one] = elements(svg, "line", "one").map((line) => line.get("x1"));
  // Four times v86's quarter.
  assert.match(svg, new RegExp(`<path class="goal" d="M ${Number(one).toFixed(1)} `));
});

test("the span of a group reaches from its slowest to its fastest member", () => {
  const svg = speedChart(resultOf(TWO_KERNELS));
  const [span] = elements(svg, "line", "span");
  const [twice, eightTimes] = numbers(span, "x1", "x2");
  const grid = elements(svg, "line", "grid").map((line) => Number(line.get("x1")));
  assert.ok(grid.includes(twice ?? NaN) && grid.includes(eightTimes ?? NaN));
  assert.ok((twice ?? NaN) < (eightTimes ?? NaN));
});

test("it can be read by ear, in the dark, and whatever a processor is called", () => {
  const svg = speedChart(resultOf([...TWO_KERNELS, KERNEL_32]));

  assert.match(
    svg,
    /<desc>CPU kernels \(2\): Typevisor 4\.00, native 16\.0\. 32-bit kernels: Typevisor 0\.50, v86 0\.25/,
  );
  assert.match(svg, /prefers-color-scheme: dark/);
  assert.match(svg, /a &lt;fast&gt; processor/);
  const opened = [...svg.matchAll(/<(?:title|desc|style|text|svg)[ >]/g)];
  const closed = [...svg.matchAll(/<\/(?:title|desc|style|text|svg)>/g)];
  assert.equal(opened.length, closed.length);
  assert.ok(opened.length > 20);
});

test("without anything that TCG ran there is no chart", () => {
  const alone = figure("fib", "s", { typevisor: [1] }, { groups: ["cpuKernels"] });
  assert.throws(() => speedChart(resultOf([alone])), RangeError);
});

test("the README's chart is that of the recorded result", () => {
  const result = readResult(read("bench/results/recorded.json"));
  assert.ok(result.groups.length > 3);
  assert.equal(read("docs/speed.svg"), speedChart(result));
});
