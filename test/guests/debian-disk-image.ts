/**
 * A Debian that is installed on a disk, as people have it: systemd, udev and a login on the serial port. debootstrap makes
 * its tree in the user's cache, which needs root and takes a minute or two; an image is made of it for each test.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtempDisposable, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { MiB } from "../../src/base/index.ts";
import { debianArchives, programCacheFolder } from "../programs/debian-archives.ts";
import { runTool, Unavailable } from "../programs/run-tool.ts";
import { makeExt4Image } from "./ext4-image.ts";

const SUITE = "bookworm";
const PACKAGES = ["systemd-sysv", "udev"] as const;
/** What nobody reads in a test; half of the size. */
const LEFT_OUT = [
  "usr/share/doc",
  "usr/share/locale",
  "usr/share/man",
  "var/cache/apt",
  "var/lib/apt/lists",
] as const;
const DISK_BYTES = 512 * MiB;

export const ROOT_PASSWORD = "typevisor";

/**
 * Makes `path` a disk whose root file system the kernel finds as `device`; without partitions, unless `make` says how it is
 * made of the tree.
 */
export async function makeDebianDisk(path: string, device: string, make = makeExt4Image): Promise<void> {
  const tree = await debianDiskTree();
  const fstab = join(tree, "etc", "fstab");
  await writeFile(fstab, `${device} / ext4 defaults 0 1\n`);
  await make(path, tree, DISK_BYTES);
}

/** From the cache if it was made by the same recipe. Throws {@link Unavailable} where it cannot be had. */
async function debianDiskTree(): Promise<string> {
  const recipe = createHash("sha256")
    .update(JSON.stringify([SUITE, PACKAGES, LEFT_OUT, 1]))
    .digest("hex");
  const home = join(programCacheFolder(), `debian-disk-${SUITE}-${recipe.slice(0, 12)}`);
  if (existsSync(home)) return home;
  if (process.getuid?.() !== 0) throw new Unavailable("debootstrap needs root");
  await mkdir(programCacheFolder(), { recursive: true });
  await using work = await mkdtempDisposable(join(programCacheFolder(), ".work-"));
  const draft = join(work.path, "tree");
  const archive = (await debianArchives()).find(({ suite }) => suite === SUITE);
  await runTool("debootstrap", [
    "--variant=minbase",
    `--include=${PACKAGES.join(",")}`,
    SUITE,
    draft,
    ...(archive === undefined ? [] : [archive.url]),
  ]);
  for (const path of LEFT_OUT) await rm(join(draft, path), { recursive: true, force: true });
  const hash = (await runTool("openssl", ["passwd", "-6", ROOT_PASSWORD])).trim();
  const shadow = join(draft, "etc", "shadow");
  await writeFile(
    shadow,
    (await readFile(shadow, "utf8")).replace(/^root:[^:]*:/m, () => `root:${hash}:`),
  );
  await writeFile(join(draft, "etc", "hostname"), "debian\n");
  await rename(draft, home);
  return home;
}
