/**
 * One CPU kernel in one contestant, timed between its marks on the output by the host's clocks: guests' own clocks are
 * not to be trusted with a comparison of emulators.
 */

import type { Command } from "./contestant.ts";
import { GuestSession } from "./guest-session.ts";
import type { BothTimes } from "./time-figures.ts";
import { firstThreadSeconds, treeProcessorSeconds } from "./proc.ts";

const TIMEOUT_MS = 300_000;
const ATTEMPTS = 5;

export interface KernelRun extends BothTimes {
  /** As the kernel printed it, in hexadecimal digits. */
  readonly checksum: string;
}

/** The kernel has been started or is about to be, in a process that does not end with it. */
export async function timeKernel(
  session: GuestSession,
  kernel: string,
  processorSecondsOf: (pid: number) => number = treeProcessorSeconds,
): Promise<KernelRun> {
  const beginMs = await session.waitFor(`kernel-begin ${kernel}`, TIMEOUT_MS);
  const beginSeconds = processorSecondsOf(session.pid);
  const endMs = await session.waitFor(`kernel-end ${kernel} `, TIMEOUT_MS);
  const processorSeconds = processorSecondsOf(session.pid) - beginSeconds;
  const checksum = await session.lineEnd(TIMEOUT_MS);
  return { wallSeconds: (endMs - beginMs) / 1000, processorSeconds, checksum };
}

/** In an emulator of its own. */
export async function runInEmulator(command: Command, kernel: string): Promise<KernelRun> {
  const session = new GuestSession(command);
  try {
    return await timeKernel(session, kernel);
  } finally {
    await session.stop();
  }
}

/**
 * As a program of the host, which waits behind the kernel until it is stopped. Natively a kernel may take so little
 * time that a busy host reads both marks at once; it is then run again.
 */
export async function runNatively(program: string, kernel: string): Promise<KernelRun> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const session = new GuestSession({ program, arguments: [kernel, "wait"] });
    try {
      const run = await timeKernel(session, kernel, firstThreadSeconds);
      if (run.wallSeconds > 0 && run.processorSeconds > 0) return run;
    } finally {
      await session.stop();
    }
  }
  throw new Error(`${kernel} took no time in each of ${ATTEMPTS} runs`);
}
