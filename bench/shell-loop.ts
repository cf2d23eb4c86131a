/** A loop in the guest's busybox shell, typed on its serial console, and the same on the host. */

import { spawnSync } from "node:child_process";
import type { GuestSession } from "./guest-session.ts";
import { treeProcessorSeconds } from "./proc.ts";

const LOOP = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
/** The count stands in the output and not in the echo of what was typed: the loop really ran. */
const TYPED = `${LOOP}; echo counted-$i`;
const MARK = "counted-200000";
const TIMEOUT_MS = 300_000;
/** Long enough for a prompt or an echo to be complete. */
const QUIET_MS = 700;

export interface ShellLoop {
  /** From the newline to the mark, by the host's clock. */
  readonly wallSeconds: number;
  /** Of all processes and threads in that time. */
  readonly processorSeconds: number;
}

/** The session is at the guest's mark. */
export async function runShellLoop(session: GuestSession): Promise<ShellLoop> {
  await session.waitForQuiet(QUIET_MS);
  session.type(TYPED);
  await session.waitForQuiet(QUIET_MS);
  const startMs = session.nowMs();
  const startSeconds = treeProcessorSeconds(session.pid);
  session.type("\n");
  const endMs = await session.waitFor(MARK, TIMEOUT_MS);
  return {
    wallSeconds: (endMs - startMs) / 1000,
    processorSeconds: treeProcessorSeconds(session.pid) - startSeconds,
  };
}

/** The limit; undefined where the host has no busybox. */
export function nativeLoopSeconds(): number | undefined {
  const startMs = performance.now();
  const shell = spawnSync("busybox", ["sh", "-c", TYPED], { encoding: "utf8", timeout: TIMEOUT_MS });
  const seconds = (performance.now() - startMs) / 1000;
  if (shell.error !== undefined) return undefined;
  if (shell.stdout.trim() !== MARK) throw new Error(`the host's busybox said ${shell.stdout}${shell.stderr}`);
  return seconds;
}
