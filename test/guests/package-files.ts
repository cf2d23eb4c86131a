/** Single files of Debian packages, for tests: downloaded once with apt-get and kept beside what the programs need. */

import { existsSync } from "node:fs";
import { copyFile, cp, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

import { programCacheFolder } from "../programs/debian-archives.ts";
import { Unavailable } from "../programs/run-tool.ts";
import { unpackPackage } from "./debian-package.ts";
import type { Skippable } from "./guests.ts";

/** Gives the copy of each file by its base name, or as much of its path as tells it from others; undefined, after telling why, where the package cannot be had. */
export async function packageFiles(
  t: Skippable,
  packageName: string,
  paths: readonly string[],
): Promise<((name: string) => string) | undefined> {
  try {
    return await filesOfPackage(packageName, paths);
  } catch (thrown) {
    if (!(thrown instanceof Unavailable)) throw thrown;
    t.skip(`the package ${packageName} cannot be had: ${thrown.message}`);
    return undefined;
  }
}

/** The same; throws Unavailable. */
export async function filesOfPackage(
  packageName: string,
  paths: readonly string[],
): Promise<(name: string) => string> {
  const folder = join(programCacheFolder(), `${packageName}-files`);
  const kept = await readdir(folder).catch((): string[] => []);
  if (!paths.every((path) => kept.includes(keptName(path)))) await download(packageName, paths, folder);
  return (name) => join(folder, keptName(paths.find((path) => path.endsWith(`/${name}`)) ?? name));
}

/** Packages have files of one name in several folders. */
const keptName = (path: string): string => path.replaceAll("/", "-");

/** All files of some packages in one tree, which is kept; throws Unavailable. */
export async function packageTree(packageNames: readonly string[]): Promise<string> {
  const tree = join(programCacheFolder(), `${packageNames.join("+")}-tree`);
  if (existsSync(tree)) return tree;
  await mkdir(programCacheFolder(), { recursive: true });
  const work = await mkdtemp(join(programCacheFolder(), ".work-"));
  try {
    const together = join(work, "together");
    for (const [index, name] of packageNames.entries()) {
      const own = join(work, String(index));
      await mkdir(own);
      await cp(await unpackPackage(name, own), together, { recursive: true, verbatimSymlinks: true });
    }
    await rename(together, tree).catch((thrown: unknown) => {
      // Another process has made the same meanwhile.
      if (!existsSync(tree)) throw thrown;
    });
  } finally {
    await rm(work, { recursive: true });
  }
  return tree;
}

async function download(packageName: string, paths: readonly string[], folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(`${folder}-`);
  try {
    const root = await unpackPackage(packageName, work);
    for (const path of paths) {
      const file = keptName(path);
      await copyFile(join(root, path), join(work, file));
      await rename(join(work, file), join(folder, file));
    }
  } finally {
    await rm(work, { recursive: true });
  }
}
