/**
 * Makes kernels of the guests in guests/: GNU as and ld (Debian package binutils), then objcopy, because a multiboot
 * loader may refuse ELF files of 64 bits although their code begins in 32. What has been made is kept in build/system
 * under a name that depends on all sources.
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const GUESTS = fileURLToPath(new URL("guests/", import.meta.url));
const INCLUDES = `${GUESTS}include/`;
const BUILT = fileURLToPath(new URL("../../build/system/", import.meta.url));

const TOOLS = ["as", "ld", "objcopy"] as const;

/** Names of all guests, in alphabetical order. */
export function guestNames(): string[] {
  return readdirSync(GUESTS)
    .filter((file) => file.endsWith(".s"))
    .map((file) => file.slice(0, -".s".length))
    .sort();
}

export function sourceOf(name: string): string {
  return `${GUESTS}${name}.s`;
}

/** Why no guest can be assembled here, if so. */
export function missingTools(): string | undefined {
  for (const tool of TOOLS) {
    try {
      execFileSync(tool, ["--version"], { stdio: "ignore" });
    } catch {
      return `${tool} is not installed (Debian package binutils)`;
    }
  }
  return undefined;
}

/**
 * The guest as a multiboot kernel: the path of an ELF file. It runs through `rounds` times; without them as often as
 * guests/include/guest.s says.
 */
export function assembleGuest(name: string, rounds?: number): string {
  const source = sourceOf(name);
  const hash = createHash("sha256");
  const includes = readdirSync(INCLUDES).sort();
  for (const path of [source, ...includes.map((file) => INCLUDES + file)]) hash.update(readFileSync(path));
  const symbols = rounds === undefined ? [] : ["--defsym", `ROUNDS=${rounds}`];
  hash.update(symbols.join());
  const stem = `${BUILT}${name}-${hash.digest("hex").slice(0, 16)}`;
  const kernel = `${stem}.elf`;
  if (existsSync(kernel)) return kernel;

  mkdirSync(BUILT, { recursive: true });
  // Another process may be at the same: each makes its own files and moves the last one into place.
  const own = `${stem}.${process.pid}`;
  const run = (tool: (typeof TOOLS)[number], ...args: string[]): void => {
    execFileSync(tool, args, { stdio: ["ignore", "inherit", "inherit"] });
  };
  run("as", "--64", ...symbols, "-I", INCLUDES, source, "-o", `${own}.o`);
  const script = ["-T", `${INCLUDES}guest.ld`];
  run(
    "ld",
    "-m",
    "elf_x86_64",
    "-z",
    "max-page-size=4096",
    "--no-warn-rwx-segments",
    ...script,
    `${own}.o`,
    "-o",
    own,
  );
  run("objcopy", "-O", "elf32-i386", own, `${own}.elf`);
  renameSync(`${own}.elf`, kernel);
  rmSync(own);
  rmSync(`${own}.o`);
  return kernel;
}
