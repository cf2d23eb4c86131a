/** What else a guest does, each on a different path of an emulator. No goals: they show where it is weak. */

import type { GuestSession } from "./guest-session.ts";
import { timeCommand } from "./shell-command.ts";
import type { BothTimes } from "./time-figures.ts";

export const WORKLOADS = {
  "600,000 system calls": "dd if=/dev/zero of=/dev/null bs=1 count=300000 2>/dev/null",
  "400 processes": "i=0; while [ $i -lt 400 ]; do /bin/true; i=$((i+1)); done",
  "find in /sys and /proc": "find /sys /proc >/dev/null 2>&1",
  "sha256 of 24 MiB": "dd if=/dev/zero bs=1M count=24 2>/dev/null | sha256sum >/dev/null",
  "gzip and back, 1 MiB": "dd if=/bin/busybox bs=1M count=1 2>/dev/null | gzip -9 | gunzip >/dev/null",
  "300,000 sums in awk": "awk 'BEGIN { for (i = 0; i < 300000; i++) x += i * 1.5 }'",
} as const satisfies Record<string, string>;

export type WorkloadName = keyof typeof WORKLOADS;

const isWorkload = (name: string): name is WorkloadName => Object.hasOwn(WORKLOADS, name);

export const WORKLOAD_NAMES: readonly WorkloadName[] = Object.keys(WORKLOADS).filter(isWorkload);

/** The sum is the shell's to work out: its result is not in what was typed. */
const END = "; echo ended-$((6*7))";
const MARK = "ended-42";

export function timeWorkload(session: GuestSession, name: WorkloadName): Promise<BothTimes> {
  return timeCommand(session, WORKLOADS[name] + END, MARK);
}
