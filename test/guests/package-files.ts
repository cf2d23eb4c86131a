/** Single files of Debian packages, for tests: downloaded once with apt-get and kept beside what the programs need. */

import { copyFile, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";

import { programCacheFolder } from "../programs/debian-archives.ts";
import { Unavailable } from "../programs/run-tool.ts";
import { unpackPackage } from "./debian-package.ts";
import type { Skippable } from "./guests.ts";

/** Gives the copy of each file by its base name; undefined, after telling why, where the package cannot be had. */
export async function packageFiles(
  t: Skippable,
  packageName: string,
  paths: readonly string[],
): Promise<((name: string) => string) | undefined> {
  const folder = join(programCacheFolder(), `${packageName}-files`);
  try {
    const kept = await readdir(folder).catch((): string[] => []);
    if (!paths.every((path) => kept.includes(basename(path)))) await download(packageName, paths, folder);
  } catch (thrown) {
    if (!(thrown instanceof Unavailable)) throw thrown;
    t.skip(`the package ${packageName} cannot be had: ${thrown.message}`);
    return undefined;
  }
  return (name) => join(folder, name);
}

async function download(packageName: string, paths: readonly string[], folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(`${folder}-`);
  try {
    const root = await unpackPackage(packageName, work);
    for (const path of paths) {
      const file = basename(path);
      await copyFile(join(root, path), join(work, file));
      await rename(join(work, file), join(folder, file));
    }
  } finally {
    await rm(work, { recursive: true });
  }
}
