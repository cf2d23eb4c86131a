/** The runs of CPU kernels as they come in, each compared with those before it, and the figures made of them. */

import { LABELS } from "./contestant.ts";
import type { ContestantName } from "./contestant.ts";
import type { Figure } from "./figures.ts";
import type { GroupName } from "./groups.ts";
import type { KernelRun } from "./kernel-run.ts";
import type { Clock } from "./part.ts";
import type { Rounds } from "./rounds.ts";
import { timeFigures } from "./time-figures.ts";

const CHECKSUM = /^[0-9a-f]{16}$/;

export class KernelResults {
  /** Of each round, by kernel and contestant. */
  readonly #runs = new Map<string, Map<ContestantName, KernelRun[]>>();
  /** By kernel, the first checksum and whose it was. */
  readonly #checksums = new Map<string, { readonly checksum: string; readonly name: ContestantName }>();

  /** Throws when the checksum is another than somebody got before: a wrong result's time means nothing. */
  add(kernel: string, name: ContestantName, run: KernelRun): void {
    const { checksum } = run;
    const first = this.#checksums.get(kernel) ?? { checksum, name };
    if (checksum !== first.checksum || !CHECKSUM.test(checksum)) {
      throw new Error(
        `${kernel} computed ${checksum} in ${LABELS[name]} and ${first.checksum} in ${LABELS[first.name]}`,
      );
    }
    this.#checksums.set(kernel, first);
    const byName = this.#runs.get(kernel) ?? new Map<ContestantName, KernelRun[]>();
    byName.set(name, [...(byName.get(name) ?? []), run]);
    this.#runs.set(kernel, byName);
  }

  /** Of each kernel that was run. */
  figures(clock: Clock, groupsOf: (kernel: string) => readonly GroupName[]): Figure[] {
    return [...this.#runs].flatMap(([kernel, byName]) => {
      const runs: Rounds<KernelRun> = Object.fromEntries(byName);
      return timeFigures(clock, kernel, runs, (run) => run, groupsOf(kernel));
    });
  }
}
