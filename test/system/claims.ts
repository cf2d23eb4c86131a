/**
 * What the system guests have to show: the claims about the system architecture and about changing code. A guest says
 * with `topic` which claim its next checks are of; a claim without a check that holds fails the test.
 */

export const claims = [
  // Segmentation.
  "segment limits",
  "expand-down segments",
  "conforming segments",
  "null selectors",
  "segment loading",
  "call gates",
  "call gates of 16 bits",
  "call gates of 64 bits",
  "task switches",
  "task gates",
  "LAR, LSL, VERR, VERW and ARPL",
  "privileged instructions",
  // Virtual-8086 mode.
  "virtual-8086 mode",
  "virtual-8086 monitors",
  // Paging.
  "32-bit paging",
  "page size extension",
  "PAE paging",
  "4-level paging",
  "user and supervisor pages",
  "read-only pages and CR0.WP",
  "no-execute pages",
  "SMEP",
  "SMAP",
  "global pages",
  "PCID and INVPCID",
  "accessed and dirty bits",
  "reserved bits",
  // Exceptions, interrupts and debugging.
  "exceptions and error codes",
  "priorities of exceptions",
  "double fault",
  "triple fault",
  "reset of the processor",
  "interrupt stack table",
  "interrupts",
  "NMI",
  "interrupt shadows",
  "debug registers",
  "single step",
  "RF",
  "ICEBP",
  "alignment check",
  "canonical addresses",
  "UMIP",
  // System calls and registers.
  "SYSENTER and SYSEXIT",
  "SYSCALL and SYSRET",
  "control registers",
  "MTRR",
  "PAT",
  "TSC and TSC deadline",
  "machine-check MSRs",
  "performance MSRs",
  "speculation controls",
  "unknown MSRs",
  // Changing code.
  "self-modifying code",
  "instructions across pages",
  "instructions across pages of different rights",
  "code outside RAM",
  "physical aliases",
  "the host writes code",
  "A20 gate",
] as const;

export type Claim = (typeof claims)[number];
