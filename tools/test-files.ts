/**
 * A reporter for `npm test`, beside the usual one, that looks at whole test files. It leaves the path of each file that
 * has passed in build/passed-test-files.txt, as soon as it has: what is not there when the run ends, however it ends,
 * has failed or was never finished (`.ci/run` asks). And it names the files that took longest, start of their process
 * included, so that the limit on the time of all tests (SPECIFICATION.md) is kept by whoever makes it worse.
 *
 * Its destination is not the usual one's: a runner that ends by --test-force-exit waits for one reporter of each.
 */
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { TestEvent } from "node:test/reporters";

const SHOWN_COUNT = 15;
const PASSED_FILES = resolve("build/passed-test-files.txt");

// oxlint-disable-next-line import/no-default-export -- the runner takes a reporter from there
export default async function* testFiles(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const durationMsOf = new Map<string, number>();
  mkdirSync(resolve(PASSED_FILES, ".."), { recursive: true });
  writeFileSync(PASSED_FILES, "");
  for await (const { type, data } of source) {
    // A file is itself reported as a test, with its path as the name.
    if (type !== "test:complete" || data.nesting > 0 || resolve(data.name) !== data.file) continue;
    durationMsOf.set(data.name, data.details.duration_ms);
    if (data.details.passed) appendFileSync(PASSED_FILES, `${data.name}\n`);
  }
  const shown = [...durationMsOf].toSorted(([, a], [, b]) => b - a).slice(0, SHOWN_COUNT);
  yield `slowest of ${durationMsOf.size} test files, in seconds:\n`;
  for (const [file, durationMs] of shown) yield `${(durationMs / 1000).toFixed(1).padStart(7)}  ${file}\n`;
}
