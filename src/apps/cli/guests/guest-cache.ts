/**
 * The cache of fetched guests: ROOT/NAME/manifest.json and, beside it, the folder of files that it names.
 *
 * Invariants: a manifest is only ever replaced by rename, and only when its folder is complete, so a reader sees
 * the old guest or the new one; folders of files are never changed after they were renamed into place. Everything
 * unfinished stands in a work folder of one process, which it removes, and which others remove when that process
 * is gone. Correctness never depends on the fetch lock: it only keeps two processes from downloading the same.
 */
import { randomUUID } from "node:crypto";
import { link, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { MAX_MANIFEST_BYTES, parseManifest } from "../../../host/index.ts";
import type { GuestManifest } from "../../../host/index.ts";
import { userCacheFolder } from "../../../platform/node/index.ts";
import { digestOfFile } from "./download.ts";
import { systemCodeOf } from "./host-error.ts";

const WORK_PREFIX = ".work-";
const LOCK_NAME = ".lock";
const LOCK_POLL_MS = 250;
/** A lock or work folder of a process that cannot be asked (another machine's) is abandoned after this time. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000;

/** Among what the user's cache holds for this program. */
export function defaultGuestCacheFolder(): string {
  return join(userCacheFolder(), "guests");
}

export class GuestCache {
  readonly rootFolder: string;

  constructor(rootFolder: string) {
    this.rootFolder = rootFolder;
  }

  folderOf(manifest: GuestManifest): string {
    return join(this.rootFolder, manifest.name, manifest.folder);
  }

  /** The guest's manifest if there is one, without looking at its files. */
  async readManifest(name: string): Promise<GuestManifest | undefined> {
    const path = join(this.rootFolder, name, "manifest.json");
    const size = await stat(path).then(
      (found) => found.size,
      () => undefined,
    );
    if (size === undefined || size > MAX_MANIFEST_BYTES) return undefined;
    const manifest = parseManifest(await readFile(path, "utf8"));
    return manifest?.name === name ? manifest : undefined;
  }

  /** Whether every file of the manifest is there with its recorded checksum. */
  async isIntact(manifest: GuestManifest): Promise<boolean> {
    for (const file of manifest.files) {
      const digest = await digestOfFile(join(this.folderOf(manifest), file.name)).catch(() => undefined);
      if (digest?.sha256 !== file.sha256) return false;
    }
    return true;
  }

  /** A new empty folder on the cache's own disk; `remove` takes it away with all it holds. */
  async createWorkFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
    await mkdir(this.rootFolder, { recursive: true });
    await this.#removeAbandonedWork();
    const path = join(this.rootFolder, `${WORK_PREFIX}${hostname()}-${process.pid}-${randomUUID()}`);
    await mkdir(path);
    return { path, remove: () => rm(path, { recursive: true, force: true }) };
  }

  /** Moves a complete folder of files into place and makes `manifest`, which names it, the guest's manifest. */
  async publish(manifest: GuestManifest, filesFolder: string, workFolder: string): Promise<void> {
    const guestFolder = join(this.rootFolder, manifest.name);
    await mkdir(guestFolder, { recursive: true });
    const previous = await this.readManifest(manifest.name);
    await rename(filesFolder, this.folderOf(manifest));
    const draft = join(workFolder, `manifest-${randomUUID()}.json`);
    await writeFile(draft, `${JSON.stringify(manifest, undefined, 2)}\n`);
    await rename(draft, join(guestFolder, "manifest.json"));
    await this.#removeOldFolders(guestFolder, [manifest.folder, previous?.folder]);
  }

  /**
   * Runs `work` while no other live process runs its own, as far as that can be known: a lock left by a dead
   * process is taken over, and two processes may do so at once (see the invariants above).
   */
  async withFetchLock<T>(
    signal: AbortSignal | undefined,
    onWait: () => void,
    work: () => Promise<T>,
  ): Promise<T> {
    await mkdir(this.rootFolder, { recursive: true });
    const path = join(this.rootFolder, LOCK_NAME);
    const holder = JSON.stringify({ host: hostname(), pid: process.pid, id: randomUUID() });
    const draft = join(this.rootFolder, `${LOCK_NAME}-${randomUUID()}`);
    await writeFile(draft, holder);
    try {
      // link fails when the lock exists, and a reader never sees it without its content.
      for (let attempt = 0; !(await linkIfFree(draft, path)); attempt += 1) {
        if (await isAbandoned(path)) {
          await rm(path, { force: true });
          continue;
        }
        if (attempt === 0) onWait();
        await delay(LOCK_POLL_MS, undefined, signal === undefined ? {} : { signal });
      }
    } finally {
      await rm(draft, { force: true });
    }
    try {
      return await work();
    } finally {
      const current = await readFile(path, "utf8").catch(() => "");
      if (current === holder) await rm(path, { force: true });
    }
  }

  async #removeAbandonedWork(): Promise<void> {
    const names = await readdir(this.rootFolder);
    for (const name of names.filter((candidate) => candidate.startsWith(WORK_PREFIX))) {
      const path = join(this.rootFolder, name);
      const [host, pid] = workOwner(name);
      const isOurs = host === hostname() && pid !== undefined;
      const abandoned = isOurs ? !isAlive(pid) : await isOld(path);
      if (abandoned) await rm(path, { recursive: true, force: true });
    }
  }

  /** The folder of the manifest before stays too: a reader may just be about to open its files. */
  async #removeOldFolders(guestFolder: string, keep: readonly (string | undefined)[]): Promise<void> {
    const entries = await readdir(guestFolder, { withFileTypes: true });
    for (const entry of entries) {
      if (!entry.isDirectory() || keep.includes(entry.name)) continue;
      await rm(join(guestFolder, entry.name), { recursive: true, force: true });
    }
  }
}

/** Host and process id in a work folder's name; the id is five groups of hexadecimal digits at the end. */
function workOwner(name: string): [host: string | undefined, pid: number | undefined] {
  const match = /^\.work-(.*)-(\d+)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.exec(name);
  return match === null ? [undefined, undefined] : [match[1], Number(match[2])];
}

async function linkIfFree(existing: string, path: string): Promise<boolean> {
  try {
    await link(existing, path);
    return true;
  } catch (error) {
    if (systemCodeOf(error) === "EEXIST") return false;
    throw error;
  }
}

async function isAbandoned(lockPath: string): Promise<boolean> {
  const text = await readFile(lockPath, "utf8").catch(() => undefined);
  if (text === undefined) return false; // released meanwhile
  const match = /^\{"host":("(?:[^"\\]|\\.)*"),"pid":(\d+),/.exec(text);
  if (match?.[1] === JSON.stringify(hostname())) return !isAlive(Number(match[2]));
  return isOld(lockPath);
}

async function isOld(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > ABANDONED_AFTER_MS;
}

/** Whether a process with this id exists; signal 0 only asks (kill(2)). */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCodeOf(error) === "EPERM";
  }
}
