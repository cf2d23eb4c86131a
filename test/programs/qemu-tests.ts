/**
 * Programs of QEMU's tests/tcg, compiled as its makefiles do. Left out: tests of what the guest's processor does not
 * have (AVX, 3DNow!), of QEMU's gdb stub and plugins, and `vsyscall`, which prints the time.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { GuestName } from "../../src/host/index.ts";
import type { Explanation } from "./compare.ts";
import type { Program } from "./program.ts";
import { runTool } from "./run-tool.ts";

interface QemuTest {
  readonly name: string;
  /** Below tests/tcg. */
  readonly sources: readonly string[];
  readonly widths: readonly Width[];
  readonly flags?: readonly string[];
  /** What its output is piped into, so that it is the same at each run. */
  readonly filter?: string;
  readonly limitSeconds?: number;
}

type Width = 32 | 64;
const BOTH = [32, 64] as const;

const x86 = (name: string, widths: readonly Width[] = BOTH, flags: readonly string[] = []): QemuTest => ({
  name: `test-i386-${name}`,
  sources: [`i386/test-i386-${name}.c`],
  widths,
  flags,
});
const everywhere = (name: string, filter?: string): QemuTest => {
  const test = { name, sources: [`multiarch/${name}.c`], widths: BOTH };
  return filter === undefined ? test : { ...test, filter };
};
const float = (name: string): QemuTest => ({
  name,
  sources: [`multiarch/${name}.c`, "multiarch/libs/float_helpers.c"],
  widths: BOTH,
});

/** The two that print tens of thousands of results, and for which the others are a complement. */
const MAIN_TESTS: readonly QemuTest[] = [
  {
    name: "test-i386",
    sources: ["i386/test-i386.c", "i386/test-i386-code16.S", "i386/test-i386-vm86.S"],
    widths: [32],
    flags: ["-fno-pie", "-no-pie"],
  },
  { name: "test-x86_64", sources: ["i386/test-i386.c"], widths: [64] },
];

const TEST_MMX: QemuTest = {
  name: "test-mmx",
  sources: ["i386/test-mmx.c"],
  widths: [64],
  flags: ["-masm=intel", "-O"],
};

const FURTHER_TESTS: readonly QemuTest[] = [
  x86("f2xm1"),
  x86("fbstp"),
  x86("fisttp"),
  x86("fldcst"),
  x86("fp-exceptions"),
  x86("fpatan"),
  x86("fscale"),
  x86("fxam"),
  x86("fxtract"),
  x86("fyl2x"),
  x86("fyl2xp1"),
  x86("pseudo-denormal"),
  x86("snan-convert"),
  x86("sse-exceptions", BOTH, ["-msse4.1", "-mfpmath=sse"]),
  x86("pcmpistri", BOTH, ["-msse4.2"]),
  x86("ssse3", [64]),
  x86("bmi2", BOTH, ["-O2"]),
  x86("adcox", BOTH, ["-O2"]),
  TEST_MMX,
  float("float_convs"),
  float("float_convd"),
  float("float_madds"),
  everywhere("sha1"),
  everywhere("sha512"),
  { ...everywhere("sha512"), name: "sha512-sse", flags: ["-msse4.1", "-O3"] },
  everywhere("overflow"),
  everywhere("sigbus"),
  everywhere("munmap-pthread"),
  everywhere("threadcount"),
  everywhere("testthread", "sort"),
  // How many alarms and signals a thread sees is chance; that all of them run is not.
  everywhere("signals", "sed 's/ saw .*//' | sort"),
  everywhere("test-mmap", "sed 's/0x[0-9a-f]*/ADDRESS/'"),
  { ...everywhere("linux-test"), sources: ["multiarch/linux/linux-test.c"] },
  { name: "cmpxchg", sources: ["x86_64/cmpxchg.c"], widths: [64] },
  { name: "noexec", sources: ["x86_64/noexec.c"], widths: [64] },
  // 66 MB of text from 186,623 operand pairs.
  { ...x86("fprem"), filter: "sha256sum", limitSeconds: 1200 },
];

export type QemuSelection = "main" | "all";

/** A 64-bit kernel without 16-bit segments (Debian's cloud kernel) cannot run test-i386, so that one needs linux-i386. */
export const QEMU_GUESTS = ["linux-amd64", "linux-i386"] as const satisfies readonly GuestName[];
export type QemuGuest = (typeof QEMU_GUESTS)[number];

export const QEMU_EXPLANATIONS: readonly Explanation[] = [
  {
    program: /^test-(i386|x86_64)/,
    line: /^sh[lr]dw +A=\w+ B=\w+ C=0*[13][1-9a-f] /,
    reason:
      "SHLD and SHRD of 16 bits by a count (modulo 32) above 16: the manual leaves destination and flags undefined. " +
      "The guest shifts in the destination's bits once more; an AMD EPYC shifts in the source's.",
  },
];

/** Compiles the tests of one guest into a folder, and gives how each is run. */
export async function buildQemuTests(
  sourceFolder: string,
  binaryFolder: string,
  guest: QemuGuest,
  selection: QemuSelection,
): Promise<Program[]> {
  await mkdir(binaryFolder, { recursive: true });
  const helper = join(binaryFolder, "line-buffered.c");
  await writeFile(helper, LINE_BUFFERED);
  const tests = selection === "main" ? MAIN_TESTS : [...MAIN_TESTS, ...FURTHER_TESTS];
  if (tests.includes(TEST_MMX)) await makeMmxTable(sourceFolder, binaryFolder);
  const programs: Program[] = [];
  for (const test of tests) {
    for (const width of test.widths.filter((candidate) => runsOn(guest, test, candidate))) {
      const name = test.widths.length === 1 ? test.name : `${test.name}-${width}`;
      const sources = test.sources.map((path) => join(sourceFolder, path));
      await runTool("gcc", [
        ...COMPILER_FLAGS,
        `-m${width}`,
        `-I${binaryFolder}`,
        ...(test.flags ?? []),
        helper,
        ...sources,
        ...["-o", join(binaryFolder, name)],
        ...["-lm", "-lpthread", "-lrt"],
      ]);
      const script = test.filter === undefined ? `exec ${name}` : `${name} | ${test.filter}`;
      const limit = test.limitSeconds === undefined ? {} : { limitSeconds: test.limitSeconds };
      programs.push({ name, script, ...limit });
    }
  }
  return programs;
}

/** What test-mmx.c includes, made from QEMU's table of instructions. */
async function makeMmxTable(sourceFolder: string, folder: string): Promise<void> {
  const source = (name: string): string => join(sourceFolder, "i386", name);
  const sets = ["MMX", "SSE", "SSE2", "SSE3", "SSSE3"];
  const tables = [source("x86.csv"), join(folder, "test-mmx.h")];
  await runTool("python3", [source("test-mmx.py"), ...tables, ...sets]);
}

const runsOn = (guest: QemuGuest, test: QemuTest, width: Width): boolean =>
  guest === "linux-i386" ? width === 32 : test.name !== "test-i386";

/** Those of tests/tcg/Makefile.target; static, because the guest has no C library. */
const COMPILER_FLAGS = ["-w", "-O0", "-g", "-fno-strict-aliasing", "-static"] as const;

/** What a program printed before it died is worth most. */
const LINE_BUFFERED = `#include <stdio.h>
__attribute__((constructor)) static void line_buffered(void) { setvbuf(stdout, NULL, _IOLBF, BUFSIZ); }
`;
