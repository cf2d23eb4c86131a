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

/** Seen with QEMU 7.2. */
export const qemuDiffers: readonly PeerDifference[] = [
  ...differences("segments", {
    "TCG checks neither limits nor types nor null selectors at accesses (SDM 3A 5.3, 5.5)":
      /limit|expand|below|B bit|store to|read from|PUSH|null selector is/,
    "TCG sets the accessed bit of data segments only (SDM 3A 3.4.5.1)": /marks the code segment accessed/,
  }),
  ...differences("gates", {
    "TCG does not compare a gate's offset with the limit of its code (CALL in SDM 2)": /offset beyond/,
    "TCG gives conforming code the RPL 0 (CALL in SDM 2)": /conforming/,
    "TCG raises #TS for an inner stack that is not present (SDM 3A 6.15, #SS)": /stack that is not present/,
    "TCG pushes beyond the inner stack's limit, over what lies there": /without room|stack of CPL 0/,
  }),
  ...differences("gates-long", {
    "TCG takes code with both L and D (SDM 3A 5.2.1)": /both L and D/,
    "TCG's error code is the offset in the IDT, 16 times the vector (SDM 3A 6.13)": /with the vector/,
  }),
  ...differences("tasks", {
    "TCG has the old task's IP, or no stack, for faults of the new one (SDM 3A 7.3)": /in the new TSS is #/,
    "TCG has no T flag (SDM 3A 7.2.1)": /T flag/,
  }),
  ...differences("exceptions", {
    "TCG does not save RF for faults (SDM 3B 17.3.1.1)": /RF in the saved flags/,
    "TCG has no unmasked SSE exceptions (SDM 1 11.5)": /unmasked SSE/,
    "TCG has no alignment check (SDM 3A 6.15, #AC)": /is #AC/,
    "TCG never sets EXT (SDM 3A 6.13)": /EXT/,
    "TCG looks at the privilege level, or at CR0.TS, first (SDM 3A 6.9)": /^#UD/,
    "TCG does not check null selectors at accesses (SDM 3A 5.4.1)": /DIV's memory operand/,
  }),
  ...differences("double-fault", {
    "TCG's error code is the offset in the IDT, without EXT (SDM 3A 6.13)": /benign/,
  }),
  ...differences("canonical", {
    "TCG raises #GP(0) for the stack, too (SDM 3A 6.15, #SS)": /by R[BS]P|POP|PUSH|stack is/,
    "TCG does not check CLFLUSH (SDM 2)": /CLFLUSH/,
    "TCG's branches fault at their targets (JMP in SDM 2)": /at the|pushes nothing|pops nothing/,
    "TCG writes any address into an MSR (WRMSR in SDM 2)": /WRMSR/,
  }),
  ...differences("debug", {
    "TCG has no DR7.GD (SDM 3B 17.2.4)": /GD/,
    "TCG has no INT1 (SDM 2)": /INT1/,
    "TCG's MOV to SS does not delay traps (SDM 3A 6.8.3)": /hit by MOV to SS/,
  }),
  ...differences("interrupts", {
    "TCG does not save RF between iterations (SDM 3B 17.3.1.1)": /RF/,
  }),
  ...differences("paging-32", { "TCG leaves P out of the error code (SDM 3A 4.7)": /RSVD/ }),
  ...differences("paging-long", {
    "TCG leaves P out of the error code (SDM 3A 4.7)": /RSVD|reserved|MAXPHY|below 2|PS in/,
  }),
  ...differences("paging-pae", {
    "TCG leaves P out of the error code (SDM 3A 4.7)": /RSVD|is reserved/,
    "TCG has no registers for the four pointers (SDM 3A 4.4.1)": /pointer/,
  }),
  ...differences("protection", {
    "TCG lets the processor's own accesses through with AC (SDM 3A 4.6.1)": /even with AC/,
  }),
  ...differences("msrs", {
    "TCG ignores reserved bits and MSRs that it does not know (SDM 4)":
      /refuses|cannot be written|does not exist|another processor|only be read|that faults|behind the last/,
    "TCG does not write the TSC": /the TSC can be written/,
    "TCG takes any CR0 (SDM 3A 2.5)": /CR0/,
  }),
  ...differences("syscalls", {
    "TCG's SYSEXIT and SYSRET check no address (SDM 2)": /not canonical/,
    "TCG looks at SYSCALL's mode too late (SDM 2)": /compatibility/,
    "TCG's SYSRET takes RF and VM from R11 (SDM 2)": /without RF and VM/,
  }),
  ...differences("syscalls-32", { "TCG has SYSCALL outside 64-bit mode (SDM 2)": /is #UD/ }),
  ...differences("vm86", {
    "TCG checks no limits (SDM 3A 20.1.1)": /FFFFH (?:is|of)/,
    "TCG enters handlers of CPL 1 (SDM 3A 20.3)": /CPL 1/,
  }),
];

/** Guests that do not come to their end in QEMU. */
export const qemuStops: Readonly<Record<string, string>> = {
  canonical: "what LGDT and LIDT refuse in the manual leaves TCG without tables",
  gates: "TCG has written over the guest's memory (an inner stack without room)",
  msrs: "TCG takes CR0 with PG and without PE",
  "processor-reset": "a reset ends QEMU here (-no-reboot)",
  reload: "a reset ends QEMU here (-no-reboot)",
  smc: "TCG runs on where nothing answers, through a gigabyte of zeros",
};

function differences(guest: string, reasons: Readonly<Record<string, RegExp>>): PeerDifference[] {
  return Object.entries(reasons).map(([reason, checks]) => ({ guest, checks, reason }));
}

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

const TIMEOUT_MS = 10_000;

export async function runInQemu(kernel: string, commandLine: string): Promise<string> {
  const args = [
    "-accel",
    "tcg",
    "-cpu",
    "max,vendor=GenuineIntel",
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
