/**
 * The guest of programs/device-exits.S: a multiboot kernel that runs a loop when it is sent the loop's letter. Of several
 * runs the shortest was disturbed least.
 */

import { MiB } from "../src/base/index.ts";
import type { Emulator } from "./emulator.ts";
import { GuestSession } from "./guest-session.ts";
import { buildStaticProgram } from "./static-program.ts";

/** The guest's letters for its loops. */
const LOOPS = { empty: "e", portRead: "i", portWrite: "o", mmioRead: "m" } as const;
type Loop = keyof typeof LOOPS;

/** COUNT of programs/device-exits.S. */
const ITERATIONS = 2_000_000;
const LIMIT_MS = 120_000;
const MEMORY_BYTES = 16 * MiB;

const FLAGS = ["-m32", "-nostdlib", "-Wl,-N,-Ttext=0x100000,--build-id=none,--no-warn-rwx-segments"];

/** Nanoseconds per iteration of each loop: of the first run, which also translates it, and as many after it, the least. */
export async function timeExits(
  emulator: Emulator,
  repetitions: number,
): Promise<Readonly<Record<Loop, number>>> {
  const kernelPath = buildStaticProgram("device-exits.S", ...FLAGS);
  const session = new GuestSession(
    emulator.command({ kernelPath, commandLine: "", memorySizeBytes: MEMORY_BYTES }),
  );
  try {
    await session.waitFor("@ready", LIMIT_MS);
    const shortest = { empty: Infinity, portRead: Infinity, portWrite: Infinity, mmioRead: Infinity };
    for (let repetition = 0; repetition <= repetitions; repetition++) {
      for (const loop of ["empty", "portRead", "portWrite", "mmioRead"] as const) {
        const startMs = session.nowMs();
        session.type(LOOPS[loop]);
        const endMs = await session.waitFor("@done", LIMIT_MS);
        shortest[loop] = Math.min(shortest[loop], ((endMs - startMs) * 1e6) / ITERATIONS);
      }
    }
    return shortest;
  } finally {
    await session.stop();
  }
}
