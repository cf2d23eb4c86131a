/** The loop in the guest's busybox shell that SPECIFICATION.md has a goal for, and the same on the host. */

import { spawnSync } from "node:child_process";
import type { GuestSession } from "./guest-session.ts";
import { waitedSeconds } from "./proc.ts";
import { timeCommand } from "./shell-command.ts";
import type { BothTimes } from "./time-figures.ts";

const LOOP = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
/** The count shows that the loop really ran. */
const TYPED = `${LOOP}; echo counted-$i`;
const MARK = "counted-200000";
const NATIVE_TIMEOUT_MS = 60_000;

/** The session is at the guest's mark. */
export function timeShellLoop(session: GuestSession): Promise<BothTimes> {
  return timeCommand(session, TYPED, MARK);
}

/** The limit, of the host's busybox. */
export function nativeLoop(): BothTimes {
  const startSeconds = waitedSeconds(process.pid);
  const startMs = performance.now();
  const shell = spawnSync("busybox", ["sh", "-c", TYPED], { encoding: "utf8", timeout: NATIVE_TIMEOUT_MS });
  const wallSeconds = (performance.now() - startMs) / 1000;
  if (shell.error !== undefined) throw shell.error;
  if (shell.stdout.trim() !== MARK) throw new Error(`the host's busybox said ${shell.stdout}${shell.stderr}`);
  return { wallSeconds, processorSeconds: waitedSeconds(process.pid) - startSeconds };
}
