/** Programs, where they run on the host, and the guest in which they must do the same. */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { VmOptions } from "../../src/apps/embed/index.ts";
import { buildCpio } from "../../src/host/index.ts";
import type { CpioEntry } from "../../src/host/index.ts";
import { compareOutcomes } from "./compare.ts";
import type { Comparison, Explanation } from "./compare.ts";
import { programFiles, runInGuest } from "./guest-run.ts";
import { runOnHost } from "./host-run.ts";
import type { HostPlace } from "./host-run.ts";
import type { Outcome, Program } from "./program.ts";

export interface Suite {
  readonly title: string;
  readonly programs: readonly Program[];
  readonly host: HostPlace;
  readonly guest: VmOptions;
  readonly explanations: readonly Explanation[];
}

/** All on the host first, then all in the guest, whose outcomes are given as they come. */
export async function* runSuite(suite: Suite): AsyncGenerator<Comparison, void, undefined> {
  const expected: Outcome[] = [];
  for (const program of suite.programs) expected.push(await runOnHost(program, suite.host));
  let index = 0;
  for await (const outcome of runInGuest(suite.guest, suite.programs)) {
    const program = suite.programs[index];
    const host = expected[index];
    if (program === undefined || host === undefined) throw new Error("the guest ran more than it was given");
    index++;
    yield compareOutcomes(program, host, outcome, suite.explanations);
  }
}

/**
 * Writes an initramfs: a ready one, then the programs' files over it (the kernel unpacks one archive after the
 * other). Gives its path.
 */
export async function writeInitramfs(
  basePath: string,
  programs: readonly Program[],
  extra: readonly CpioEntry[],
  folder: string,
): Promise<string> {
  const path = join(folder, "initramfs.cpio");
  const overlay = buildCpio([...extra, ...programFiles(programs)]);
  await writeFile(path, [await readFile(basePath), overlay]);
  return path;
}
