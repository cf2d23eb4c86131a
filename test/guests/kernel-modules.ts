/**
 * Debian's full kernel with modules that its package has and the ready-made guests have not: downloaded once with apt-get,
 * of which the kernel and those modules are kept beside what the long suite of programs downloads.
 */

import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { buildCpio } from "../../src/host/index.ts";
import { programCacheFolder } from "../programs/debian-archives.ts";
import { kernelPackage, unpackPackage } from "./debian-package.ts";

/** What depends on the kernel of the day. */
const META_PACKAGE = "linux-image-amd64";

export interface KernelWithModules {
  /** Path of the bzImage. */
  readonly kernel: string;
  /** An initramfs archive with /modules/NAME.ko for each of them, to be put behind another one. */
  readonly modules: Uint8Array;
}

/** `paths` lie below kernel/ in the package's folder of modules. Throws Unavailable where they cannot be had. */
export async function kernelWithModules(paths: readonly string[]): Promise<KernelWithModules> {
  const name = await kernelPackage(META_PACKAGE);
  const names = paths.map((path) => basename(path));
  const folder = join(programCacheFolder(), `${name}-${names.join("-")}`);
  const kept = await readdir(folder).catch(() => undefined);
  if (kept === undefined) await download(name, paths, folder);
  const entries = names.map(async (file) => ({
    ...({ kind: "file", path: `modules/${file}`, mode: 0o644 } as const),
    data: await readFile(join(folder, file)),
  }));
  return {
    kernel: join(folder, "vmlinuz"),
    modules: buildCpio([{ kind: "directory", path: "modules" }, ...(await Promise.all(entries))]),
  };
}

async function download(name: string, paths: readonly string[], folder: string): Promise<void> {
  await mkdir(programCacheFolder(), { recursive: true });
  const work = await mkdtemp(`${folder}-`);
  try {
    const root = await unpackPackage(name, work);
    const version = name.slice("linux-image-".length);
    const kept = join(work, "kept");
    await mkdir(kept);
    await copyFile(join(root, "boot", `vmlinuz-${version}`), join(kept, "vmlinuz"));
    for (const path of paths) {
      const modules = join(root, "lib/modules", version, "kernel");
      await copyFile(join(modules, path), join(kept, basename(path)));
    }
    await rename(kept, folder);
  } finally {
    await rm(work, { recursive: true });
  }
}
