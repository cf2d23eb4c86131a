/**
 * QEMU's tests/tcg from Debian's source package, patches applied, in the user's cache. apt fetches and verifies it in
 * private folders from the Debian archives that the machine is configured for, whether or not it lists sources.
 */
import { existsSync } from "node:fs";
import { mkdir, mkdtempDisposable, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { defaultGuestCacheFolder } from "../../src/apps/cli/guests/index.ts";
import { runTool, Unavailable } from "./run-tool.ts";

/** Beside the ready-made guests. */
export const programCacheFolder = (): string => join(dirname(defaultGuestCacheFolder()), "programs");

export type Report = (text: string) => void;

/** The folder "tests/tcg" of the source package; the first call downloads about 35 MB. */
export async function qemuTestSources(report: Report): Promise<string> {
  const cache = programCacheFolder();
  const folder = join(cache, "qemu-tests-tcg");
  if (existsSync(folder)) return folder;
  await mkdir(cache, { recursive: true });
  await using work = await mkdtempDisposable(join(cache, ".work-"));
  const options = await privateApt(work.path);
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
  await rm(join(work.path, "source"), { recursive: true });
  return folder;
}

/** Options that give apt folders of its own, and the sources of the machine's Debian archives. */
async function privateApt(folder: string): Promise<string[]> {
  const format = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)";
  const targets = await runTool("apt-get", ["indextargets", "--format", format, "Created-By: Packages"]);
  const sources = targets.split("\n").filter((line) => line.endsWith(" Debian"));
  if (sources.length === 0) throw new Unavailable("apt-get knows no Debian archive; run apt-get update");
  await mkdir(join(folder, "lists", "partial"), { recursive: true });
  await mkdir(join(folder, "cache", "archives", "partial"), { recursive: true });
  const list = sources.map((line) => `deb-src ${line.replace(/ Debian$/, "")}\n`).join("");
  await writeFile(join(folder, "sources.list"), list);
  const settings = {
    "Dir::Etc::SourceList": join(folder, "sources.list"),
    "Dir::Etc::SourceParts": "/dev/null",
    "Dir::State::Lists": join(folder, "lists"),
    "Dir::Cache": join(folder, "cache"),
    // Root would otherwise download as user _apt, who cannot write into a private folder.
    "APT::Sandbox::User": "root",
  };
  return ["-q", ...Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`])];
}
