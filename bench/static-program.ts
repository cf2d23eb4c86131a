/**
 * Programs of our own, made when the bench runs: gcc (Debian packages gcc and libc6-dev) builds one static binary, which
 * every guest and the host then run. What has been made is kept in build/bench under a name that depends on the source
 * and the options.
 */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { builtFile } from "./built.ts";

const SOURCES = fileURLToPath(new URL("programs/", import.meta.url));

/** For the processor that every contestant offers: nothing beyond x86-64's first level. */
const OPTIONS = ["-O2", "-static", "-march=x86-64", "-Wall", "-Wextra"];

/** Path of the binary made of programs/NAME. */
export function buildStaticProgram(name: string, ...further: readonly string[]): string {
  const source = `${SOURCES}${name}`;
  const options = [...OPTIONS, ...further];
  const madeOf = [readFileSync(source), options.join("\0")];
  return builtFile(name.replace(/\.\w+$/, ""), madeOf, (path) => {
    try {
      execFileSync("gcc", [...options, source, "-o", path], { stdio: ["ignore", "inherit", "inherit"] });
    } catch (cause) {
      throw new Error(`gcc cannot build ${name}; on Debian: apt-get install gcc libc6-dev`, { cause });
    }
  });
}
