/**
 * Debian's cloud kernel with its modules, for guests that need drivers which are not built in: unpacked once into the
 * user's cache, and an initramfs that loads the modules a test names and gives a shell on the serial port.
 */

import { existsSync } from "node:fs";
import { mkdir, mkdtempDisposable, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

import { buildCpio } from "../../src/host/index.ts";
import { programCacheFolder } from "../programs/debian-archives.ts";
import { runTool, Unavailable } from "../programs/run-tool.ts";
import type { Skippable } from "./guests.ts";

const META_PACKAGE = "linux-image-cloud-amd64";

export interface DebianKernel {
  readonly kernelPath: string;
  readonly initrdPath: string;
}

/** What the guest prints when it is at its shell. */
export const MODULES_MARK = "typevisor: the modules are loaded";

/**
 * Kernel and initramfs; `modules` are paths below the package's kernel/ folder, in the order of loading. Writes into
 * `folder`. Undefined, after telling why, where the packages cannot be had.
 */
export async function kernelWithModules(
  t: Skippable,
  folder: string,
  modules: readonly string[],
): Promise<DebianKernel | undefined> {
  try {
    const kernel = await unpacked(await realPackage());
    const busybox = await unpacked("busybox-static");
    const release = (await readdir(join(kernel, "lib", "modules")))[0] ?? "";
    const files = modules.map((module) => join(kernel, "lib", "modules", release, "kernel", `${module}.ko`));
    const initrdPath = join(folder, "initramfs.cpio");
    await writeFile(initrdPath, await initramfs(join(busybox, "bin", "busybox"), files));
    return { kernelPath: join(kernel, "boot", `vmlinuz-${release}`), initrdPath };
  } catch (thrown) {
    if (!(thrown instanceof Unavailable)) throw thrown;
    t.skip(`Debian's kernel with its modules cannot be had: ${thrown.message}`);
    return undefined;
  }
}

/** The package that the meta package stands for now. */
async function realPackage(): Promise<string> {
  const depends = await runTool("apt-cache", ["depends", "--important", META_PACKAGE]);
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (name === undefined) throw new Unavailable(`apt-cache knows no package behind ${META_PACKAGE}`);
  return name;
}

/** The folder of a package's files. */
async function unpacked(name: string): Promise<string> {
  const home = join(programCacheFolder(), name);
  if (existsSync(home)) return home;
  await mkdir(programCacheFolder(), { recursive: true });
  await using work = await mkdtempDisposable(join(programCacheFolder(), ".work-"));
  await runTool("apt-get", ["-q", "-o", "APT::Sandbox::User=root", "download", name], { cwd: work.path });
  const archive = (await readdir(work.path)).find((file) => file.endsWith(".deb"));
  if (archive === undefined) throw new Unavailable(`apt-get brought nothing for ${name}`);
  const files = join(work.path, "files");
  await runTool("dpkg-deb", ["-x", join(work.path, archive), files]);
  // Somebody else may have been quicker, with the same files.
  if (!existsSync(home)) await rename(files, home);
  return home;
}

async function initramfs(busyboxPath: string, modulePaths: readonly string[]): Promise<Uint8Array> {
  const names = modulePaths.map((path) => basename(path));
  const init = `#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root TERM=linux
${names.map((name) => `insmod /modules/${name}`).join("\n")}
dmesg -n 1
echo '${MODULES_MARK}'
setsid cttyhack sh
poweroff -f
`;
  const modules = await Promise.all(
    modulePaths.map(async (path) => ({
      kind: "file" as const,
      path: `modules/${basename(path)}`,
      data: await readFile(path),
    })),
  );
  return buildCpio([
    ...["bin", "dev", "modules", "proc", "root", "sys", "tmp"].map((path) => ({
      kind: "directory" as const,
      path,
    })),
    { kind: "character-device", path: "dev/console", major: 5, minor: 1 },
    { kind: "character-device", path: "dev/null", major: 1, minor: 3, mode: 0o666 },
    { kind: "file", path: "bin/busybox", mode: 0o755, data: await readFile(busyboxPath) },
    ...modules,
    { kind: "file", path: "init", mode: 0o755, data: new TextEncoder().encode(init) },
  ]);
}
