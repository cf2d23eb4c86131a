/** A command typed on the serial console of a Linux guest, timed by the host's clock. */

import type { GuestSession } from "./guest-session.ts";
import { treeProcessorSeconds } from "./proc.ts";
import type { BothTimes } from "./time-figures.ts";

const TIMEOUT_MS = 300_000;
/** Long enough for a prompt or an echo to be complete. */
const QUIET_MS = 700;

/** The session is at a prompt or about to be. `mark` is in what the command prints, not in the command itself. */
export async function timeCommand(session: GuestSession, command: string, mark: string): Promise<BothTimes> {
  if (command.includes(mark)) throw new RangeError(`the echo of "${command}" would pass for its end`);
  await session.waitForQuiet(QUIET_MS);
  session.type(command);
  await session.waitForQuiet(QUIET_MS);
  const startMs = session.nowMs();
  const startSeconds = treeProcessorSeconds(session.pid);
  session.type("\n");
  const endMs = await session.waitFor(mark, TIMEOUT_MS);
  return {
    wallSeconds: (endMs - startMs) / 1000,
    processorSeconds: treeProcessorSeconds(session.pid) - startSeconds,
  };
}
