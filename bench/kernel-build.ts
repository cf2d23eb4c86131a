/**
 * Makes the CPU kernels of kernels/ with gcc, from the same sources in three forms: a static Linux program of 64 bits,
 * one of 32 bits, and a multiboot kernel that differs from the latter only in how it starts and prints. What has been
 * made is kept in build/bench under a name that depends on the sources, the flags and the compiler.
 */

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { builtFile } from "./built.ts";
import { firstLineOf } from "./tools.ts";

const SOURCES = fileURLToPath(new URL("kernels/", import.meta.url));

/** In the order in which they run; those of floating point stand apart because they have a goal of their own. */
const INTEGER_KERNELS = [
  ...["fib", "sieve", "sha256", "hash", "bytecode", "sort"],
  ...["strings", "copy", "rep", "muldiv", "parser"],
] as const;
const FLOAT_KERNELS = ["matrix", "mandelbrot", "nbody"] as const;
export const KERNELS: readonly string[] = [...INTEGER_KERNELS, ...FLOAT_KERNELS];

export const isFloatKernel = (name: string): boolean => FLOAT_KERNELS.some((each) => each === name);

/**
 * Freestanding and not position-independent, so that the same code runs with and without an operating system. Loops
 * that copy stay loops instead of becoming calls of memcpy, and no product is fused with a sum.
 */
const FLAGS = [
  ...[
    "-std=gnu11",
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-ffreestanding",
    "-fno-pie",
    "-fno-stack-protector",
  ],
  ...["-fno-asynchronous-unwind-tables", "-fcf-protection=none", "-ffp-contract=off", "-fno-math-errno"],
  ...["-fno-tree-loop-distribute-patterns", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none"],
];
const BITS_32 = ["-m32", "-march=pentium4", "-mfpmath=sse"];

const FORMS = {
  linux64: { flags: ["-m64", "-march=x86-64"], start: "start-linux.c" },
  linux32: { flags: BITS_32, start: "start-linux.c" },
  multiboot32: {
    flags: [...BITS_32, `-Wl,-T,${SOURCES}multiboot.ld,--no-warn-rwx-segments`],
    start: "start-multiboot.c",
  },
} as const;

/** The path of the kernels in that form. Throws with gcc's own words when it fails. */
export function buildKernels(form: keyof typeof FORMS): string {
  const { flags, start } = FORMS[form];
  const files = readdirSync(SOURCES).sort();
  const sources = files.filter(
    (file) => file.endsWith(".c") && (!file.startsWith("start-") || file === start),
  );
  const words = [...FLAGS, ...flags, ...sources.map((file) => SOURCES + file), "-lgcc"];
  const compiler = firstLineOf("gcc", ["--version"]) ?? "";
  const madeOf = [compiler, words.join("\0"), ...files.map((file) => readFileSync(SOURCES + file))];
  return builtFile(`kernels-${form}`, madeOf, (path) => {
    execFileSync("gcc", ["-o", path, ...words], { stdio: ["ignore", "ignore", "inherit"] });
  });
}
