/**
 * Small files that spare a later run some work and are missed by nobody: in a folder of the user's cache, by name. A file is
 * written aside and renamed, so that a reader sees all of one version; of two writers the later one wins. Nothing here fails:
 * what cannot be read is not there, and what cannot be written is not kept.
 */

import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** $XDG_CACHE_HOME/typevisor, by default below ~/.cache (XDG Base Directory Specification). */
export function userCacheFolder(): string {
  const configured = process.env["XDG_CACHE_HOME"];
  // The specification tells to ignore a relative path.
  const base = configured?.startsWith("/") === true ? configured : join(homedir(), ".cache");
  return join(base, "typevisor");
}

export interface KeptFilesLimits {
  /** Files beyond that go, the oldest first. */
  readonly maxCount: number;
  /** A larger file is not ours and is not read. */
  readonly maxBytes: number;
}

export class KeptFiles {
  readonly #folder: string;
  readonly #limits: KeptFilesLimits;

  constructor(folder: string, limits: KeptFilesLimits) {
    this.#folder = folder;
    this.#limits = limits;
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    try {
      const file = await open(join(this.#folder, name), "r");
      try {
        const found = await file.stat();
        return found.isFile() && found.size <= this.#limits.maxBytes ? await file.readFile() : undefined;
      } finally {
        await file.close();
      }
    } catch {
      return undefined;
    }
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    const draft = join(this.#folder, `.${name}-${randomUUID()}`);
    try {
      await mkdir(this.#folder, { recursive: true });
      await writeFile(draft, bytes, { flag: "wx" });
      await rename(draft, join(this.#folder, name));
      await this.#removeOld();
    } catch {
      await rm(draft, { force: true }).catch(() => undefined);
    }
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.#folder, name), { force: true }).catch(() => undefined);
  }

  /** Drafts that a killed process has left count too, and so go some day. */
  async #removeOld(): Promise<void> {
    const names = await readdir(this.#folder);
    if (names.length <= this.#limits.maxCount) return;
    const files = await Promise.all(
      names.map(async (name) => ({ name, writtenMs: (await stat(join(this.#folder, name))).mtimeMs })),
    );
    files.sort((a, b) => b.writtenMs - a.writtenMs);
    for (const { name } of files.slice(this.#limits.maxCount)) await this.remove(name);
  }
}
