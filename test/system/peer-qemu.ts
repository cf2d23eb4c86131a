/**
 * The same guests in QEMU's TCG, as a peer: what two implementations agree on is seldom a mistake of the guest. QEMU is
 * not the truth, the manual is; `qemuDiffers` lists where QEMU is known to be wrong or to offer something else.
 */

import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

import type { CheckResult } from "./report.ts";

export interface PeerDifference {
  readonly guest: string;
  /** The names of checks that it is about. */
  readonly checks: RegExp;
  /** What QEMU does, and where the manual says otherwise. */
  readonly reason: string;
}

export const qemuDiffers: readonly PeerDifference[] = [
  {
    guest: "segments",
    checks: /limit|expand|below|B bit|store to|read from|PUSH|null selector is/,
    reason: "TCG checks neither limits nor types nor null selectors at accesses (SDM 3A 5.3, 5.5)",
  },
  {
    guest: "segments",
    checks: /marks the code segment accessed/,
    reason: "TCG sets the accessed bit of data segments only (SDM 3A 3.4.5.1)",
  },
];

function differenceOf(guest: string, check: CheckResult): PeerDifference | undefined {
  return qemuDiffers.find((entry) => entry.guest === guest && entry.checks.test(check.name));
}

/** As verdict.ts judges our own runs. */
export const qemu = {
  problemOf(guest: string, check: CheckResult): string | undefined {
    if (check.state !== "not ok") return undefined;
    return differenceOf(guest, check) === undefined ? check.detail : undefined;
  },
  remarkOf(guest: string, check: CheckResult): string | undefined {
    if (check.state === "ok") return undefined;
    return check.state === "skip"
      ? check.detail
      : `QEMU differs: ${differenceOf(guest, check)?.reason ?? ""}`;
  },
};

const TIMEOUT_MS = 30_000;

export async function runInQemu(kernel: string, commandLine: string): Promise<string> {
  const args = [
    "-accel",
    "tcg",
    "-cpu",
    "max",
    "-m",
    "16",
    "-display",
    "none",
    "-serial",
    "stdio",
    "-no-reboot",
  ];
  const devices = ["-device", "isa-debug-exit,iobase=0xf4"];
  const boot = ["-kernel", kernel, "-append", commandLine];
  const child = spawn("qemu-system-x86_64", [...args, ...devices, ...boot], {
    stdio: ["ignore", "pipe", "inherit"],
    timeout: TIMEOUT_MS,
  });
  const failed = new Promise<never>((_, reject) => {
    child.once("error", reject);
  });
  return await Promise.race([text(child.stdout), failed]);
}
