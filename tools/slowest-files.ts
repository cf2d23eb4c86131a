/**
 * A reporter for `npm test`, beside the usual one: names the test files that took longest, start of their process
 * included, so that the limit on the time of all tests (SPECIFICATION.md) is kept by whoever makes it worse.
 */
import { resolve } from "node:path";
import type { TestEvent } from "node:test/reporters";

const SHOWN_COUNT = 15;

// oxlint-disable-next-line import/no-default-export -- the runner takes a reporter from there
export default async function* slowestFiles(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const durationMsOf = new Map<string, number>();
  for await (const { type, data } of source) {
    // A file is itself reported as a test, with its path as the name.
    if (type === "test:complete" && data.nesting === 0 && resolve(data.name) === data.file) {
      durationMsOf.set(data.name, data.details.duration_ms);
    }
  }
  const slowest = [...durationMsOf].toSorted(([, a], [, b]) => b - a).slice(0, SHOWN_COUNT);
  yield `slowest of ${durationMsOf.size} test files, in seconds:\n`;
  for (const [file, durationMs] of slowest) yield `${(durationMs / 1000).toFixed(1).padStart(7)}  ${file}\n`;
}
