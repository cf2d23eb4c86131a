/**
 * QEMU's tests/tcg from Debian's source package, patches applied, in the user's cache. apt fetches and verifies it in
 * private folders from the Debian archives that the machine is configured for, whether or not it lists sources.
 */
import { existsSync } from "node:fs";
import { mkdir, mkdtempDisposable, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { privateAptForSources, programCacheFolder } from "./debian-archives.ts";
import type { Report } from "./debian-archives.ts";
import { runTool, Unavailable } from "./run-tool.ts";

/** The folder "tests/tcg" of the source package; the first call downloads about 35 MB. */
export async function qemuTestSources(report: Report): Promise<string> {
  const cache = programCacheFolder();
  const folder = join(cache, "qemu-tests-tcg");
  if (existsSync(folder)) return folder;
  await mkdir(cache, { recursive: true });
  await using work = await mkdtempDisposable(join(cache, ".work-"));
  const options = await privateAptForSources(work.path);
  report("fetching the source package qemu");
  await runTool("apt-get", [...options, "update"]);
  await runTool("apt-get", [...options, "source", "--download-only", "qemu"], { cwd: work.path });
  const description = (await readdir(work.path)).find((name) => name.endsWith(".dsc"));
  if (description === undefined) throw new Unavailable("apt-get fetched no source package");
  report(`unpacking ${description}`);
  // apt has verified the checksums of all its files against the signed index.
  await runTool("dpkg-source", ["--no-check", "-x", description, "source"], { cwd: work.path });
  await rename(join(work.path, "source", "tests", "tcg"), join(work.path, "tcg"));
  await writeFile(join(work.path, "tcg", "VERSION"), `${description.replace(/\.dsc$/, "")}\n`);
  // Another process may have been faster.
  if (!existsSync(folder)) await rename(join(work.path, "tcg"), folder);
  return folder;
}
