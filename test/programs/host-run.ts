/** Programs on the host's processor: the same scripts, the same environment, standard output and error in one file. */

import { spawn } from "node:child_process";
import { open, readFile } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";

import { ENVIRONMENT } from "./program.ts";
import type { Outcome, Program } from "./program.ts";

/**
 * The C library chooses routines by the processor's features, and some give other results (fma() by the instruction
 * gives another NaN than fma() without). The guest's processor lacks these features, so the host's library is told not
 * to use them: both run the same code.
 */
const TUNABLES = "glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-FMA4,-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ";

export interface HostPlace {
  /** Where files of the run may be written. */
  readonly scratchFolder: string;
  /** Searched before the system's folders. */
  readonly binaryFolder?: string;
  /** What sh is started with, "chroot FOLDER" for one; nothing for the host's own sh. */
  readonly prefix?: readonly string[];
}

export async function runOnHost(program: Program, place: HostPlace): Promise<Outcome> {
  const outputPath = join(place.scratchFolder, `${program.name}.host`);
  const [command, ...rest] = [...(place.prefix ?? []), "sh", "-c", program.script];
  const path =
    place.binaryFolder === undefined ? ENVIRONMENT.PATH : `${place.binaryFolder}:${ENVIRONMENT.PATH}`;
  const startMs = performance.now();
  await using output = await open(outputPath, "w");
  const child = spawn(command, rest, {
    cwd: place.scratchFolder,
    env: { ...ENVIRONMENT, PATH: path, GLIBC_TUNABLES: TUNABLES },
    stdio: ["ignore", output.fd, output.fd],
  });
  const status = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  });
  const seconds = (performance.now() - startMs) / 1000;
  return { status, output: await readFile(outputPath, "latin1"), seconds };
}
