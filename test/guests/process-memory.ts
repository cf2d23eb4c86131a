/** What the memory of a VM's process consists of, where the host tells (Linux, proc(5) "smaps"). */

import { readFile } from "node:fs/promises";
import { GiB, KiB, MiB } from "../../src/base/index.ts";

export interface ProcessMemory {
  /** The WebAssembly memory: guest RAM and what the engine keeps beside it. */
  readonly guestBytes: number;
  /** Everything else that only this process has. */
  readonly otherPrivateBytes: number;
  /** Pages of files (the Node.js program), which all processes of the host share. */
  readonly sharedFileBytes: number;
}

interface Mapping {
  readonly sizeBytes: number;
  readonly isFile: boolean;
  residentBytes: number;
  privateBytes: number;
}

/** Undefined where there is no such file. */
export async function residentBytesOf(pid: number | undefined): Promise<ProcessMemory | undefined> {
  const text = await readFile(`/proc/${pid}/smaps`, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const mappings = mappingsOf(text);
  // No other mapping without a file is as large and readable; V8's reserved ranges have no pages of their own.
  const guest = mappings
    .filter(({ isFile, sizeBytes }) => !isFile && sizeBytes >= 64 * MiB && sizeBytes < 5 * GiB)
    .toSorted((a, b) => b.residentBytes - a.residentBytes)[0];
  const sum = (pick: (mapping: Mapping) => number): number =>
    mappings.filter((mapping) => mapping !== guest).reduce((total, mapping) => total + pick(mapping), 0);
  return {
    guestBytes: guest?.residentBytes ?? 0,
    otherPrivateBytes: sum(({ privateBytes }) => privateBytes),
    sharedFileBytes: sum(({ residentBytes, privateBytes }) => residentBytes - privateBytes),
  };
}

function mappingsOf(smaps: string): Mapping[] {
  const mappings: Mapping[] = [];
  for (const line of smaps.split("\n")) {
    const [, start, end, name] = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \S+\s*(.*)$/.exec(line) ?? [];
    if (start !== undefined && end !== undefined) {
      const sizeBytes = parseInt(end, 16) - parseInt(start, 16);
      mappings.push({ sizeBytes, isFile: name?.startsWith("/") ?? false, residentBytes: 0, privateBytes: 0 });
      continue;
    }
    const [, field, kilobytes] = /^(Rss|Private_Clean|Private_Dirty|Anonymous):\s+(\d+) kB$/.exec(line) ?? [];
    const current = mappings.at(-1);
    if (current === undefined || field === undefined) continue;
    const bytes = Number(kilobytes) * KiB;
    if (field === "Rss") current.residentBytes += bytes;
    // Pages of a file that happen to be mapped once are still the file's.
    if (field === "Anonymous") current.privateBytes += bytes;
  }
  return mappings;
}
