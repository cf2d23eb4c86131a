/**
 * A small Debian with the programs to run: a folder for the host, where it is entered by chroot, and an initramfs of
 * the same files for the guest. debootstrap makes it in the user's cache, which needs root and takes a minute or two.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import {
  lstat,
  mkdir,
  mkdtempDisposable,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";

import { buildCpio } from "../../src/host/index.ts";
import type { CpioEntry } from "../../src/host/index.ts";
import { debianArchives, programCacheFolder } from "./debian-archives.ts";
import type { Report } from "./debian-archives.ts";
import { runTool, Unavailable } from "./run-tool.ts";

/** The suite of the ready-made guests. */
const SUITE = "bookworm";
const PACKAGES = [
  "gcc",
  "libc6-dev",
  "libpython3.11-testsuite",
  "nodejs",
  "openssl",
  "perl",
  "python3",
  "sqlite3",
] as const;
/** What no program reads, and what only apt does; a third of the size. */
const LEFT_OUT = [
  "usr/share/doc",
  "usr/share/info",
  "usr/share/locale",
  "usr/share/man",
  "var/cache/apt",
  "var/lib/apt/lists",
] as const;

export interface DebianTree {
  readonly folder: string;
  readonly initramfsPath: string;
}

/** Raised when the archive is packed in another way: times of files are kept, by which Python knows its compiled modules. */
const PACKING = 2;

/** From the cache if it was made by the same recipe. */
export async function debianTree(report: Report): Promise<DebianTree> {
  const recipe = createHash("sha256")
    .update(JSON.stringify([SUITE, PACKAGES, LEFT_OUT, PACKING]))
    .digest("hex");
  const home = join(programCacheFolder(), `debian-${SUITE}-${recipe.slice(0, 12)}`);
  const tree = { folder: join(home, "tree"), initramfsPath: join(home, "initramfs.cpio") };
  if (existsSync(home)) return tree;
  if (process.getuid?.() !== 0) throw new Unavailable("debootstrap and chroot need root");
  await mkdir(programCacheFolder(), { recursive: true });
  await using work = await mkdtempDisposable(join(programCacheFolder(), ".work-"));
  const draft = {
    folder: join(work.path, "debian", "tree"),
    initramfs: join(work.path, "debian", "initramfs.cpio"),
  };
  await mkdir(join(work.path, "debian"));
  report(`debootstrap: Debian ${SUITE} with ${PACKAGES.join(", ")}`);
  const archive = (await debianArchives()).find(({ suite }) => suite === SUITE);
  await runTool("debootstrap", [
    "--variant=minbase",
    `--include=${PACKAGES.join(",")}`,
    SUITE,
    draft.folder,
    ...(archive === undefined ? [] : [archive.url]),
  ]);
  for (const path of LEFT_OUT) await rm(join(draft.folder, path), { recursive: true, force: true });
  report("packing the initramfs");
  const entries = [...(await entriesOf(draft.folder, "")), ...DEVICES];
  await writeFile(draft.initramfs, buildCpio(entries));
  await rename(join(work.path, "debian"), home);
  return tree;
}

/** What the kernel and init need before devtmpfs is mounted. */
const DEVICES: readonly CpioEntry[] = [
  { kind: "character-device", path: "dev/console", major: 5, minor: 1 },
  { kind: "character-device", path: "dev/null", major: 1, minor: 3, mode: 0o666 },
];

/** The files below a folder, each directory before what is in it; device nodes and sockets are left out. */
async function entriesOf(root: string, folder: string): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = [];
  for (const name of (await readdir(join(root, folder))).toSorted()) {
    const path = folder === "" ? name : `${folder}/${name}`;
    const stat = await lstat(join(root, path));
    const about = { path, mode: stat.mode & 0o7777, modifiedSeconds: Math.floor(stat.mtimeMs / 1000) };
    if (stat.isDirectory()) entries.push({ kind: "directory", ...about }, ...(await entriesOf(root, path)));
    if (stat.isSymbolicLink()) {
      entries.push({ kind: "symlink", path, target: await readlink(join(root, path)) });
    }
    if (stat.isFile()) entries.push({ kind: "file", ...about, data: await readFile(join(root, path)) });
  }
  return entries;
}
