/** `typevisor demo`: fetches the guests that are missing, then shows them all at once. */

import { closestNames, GUEST_CATALOGUE } from "../../host/index.ts";
import type { VmDefinition } from "../../vmm/index.ts";
import { printError } from "./cli-parts.ts";
import type { CliParts } from "./cli-parts.ts";
import { DEMO_GUESTS } from "./demo-defaults.ts";
import { runDemo } from "./demo/index.ts";
import type { DemoGuest } from "./demo/index.ts";
import { EXIT } from "./exit-status.ts";

export interface DemoFlags {
  /** Names of guests; none means the usual ones. */
  readonly names: readonly string[];
  readonly timeoutSeconds: number;
  readonly mirror: string | undefined;
  /** As `run` has it. */
  readonly profile: VmDefinition["profile"];
}

export async function demo(
  { names, timeoutSeconds, mirror, profile }: DemoFlags,
  { spawn }: CliParts,
): Promise<number> {
  const wanted = names.length === 0 ? DEMO_GUESTS : [...new Set(names)];
  const known = GUEST_CATALOGUE.map(({ name }): string => name);
  const unknown = wanted.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const [close] = closestNames(unknown, known);
    printError(
      `There is no guest named "${unknown}"; ` +
        (close === undefined ? `there are ${known.join(", ")}.` : `did you mean ${close}?`),
    );
    return EXIT.error;
  }
  const guests = await fetched(wanted, mirror, profile);
  return guests === undefined ? EXIT.error : await runDemo({ guests, timeoutSeconds, spawn });
}

/** The guests' files, fetched where they are missing; undefined when one cannot be had, which has then been said. */
async function fetched(
  names: readonly string[],
  mirror: string | undefined,
  profile: VmDefinition["profile"],
): Promise<DemoGuest[] | undefined> {
  const { fetchGuests, ProgressPrinter } = await import("./guests/index.ts");
  const printer = new ProgressPrinter(process.stderr);
  const result = await fetchGuests(names, { mirror, onProgress: printer.show });
  printer.finish();
  if (!result.ok) {
    printError(`${result.error.message}.`);
    return undefined;
  }
  return result.value.map((guest) => ({
    title: guest.title,
    mark: guest.mark,
    definition: {
      name: guest.name,
      kernel: guest.kernelPath,
      initrd: guest.initrdPath,
      module: guest.modulePaths,
      append: guest.commandLine,
      memory: guest.memorySizeBytes,
      profile,
    },
  }));
}
