/** The Debian archives that this machine's apt is configured for, and apt with folders of its own. */

import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { defaultGuestCacheFolder } from "../../src/apps/cli/guests/index.ts";
import { runTool, Unavailable } from "./run-tool.ts";

export type Report = (text: string) => void;

/** Where what the long suite downloads and builds is kept: beside the ready-made guests. */
export const programCacheFolder = (): string => join(dirname(defaultGuestCacheFolder()), "programs");

export interface DebianArchive {
  readonly url: string;
  readonly suite: string;
  readonly component: string;
}

export async function debianArchives(): Promise<DebianArchive[]> {
  const format = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)";
  const targets = await runTool("apt-get", ["indextargets", "--format", format, "Created-By: Packages"]);
  const archives = [...targets.matchAll(/^(\S+) (\S+) (\S+) Debian$/gm)].map(
    ([, url = "", suite = "", component = ""]) => ({ url, suite, component }),
  );
  if (archives.length === 0) throw new Unavailable("apt-get knows no Debian archive; run apt-get update");
  return archives;
}

/** Options that give apt-get the sources of the archives, and private folders for everything that it writes. */
export async function privateAptForSources(folder: string): Promise<string[]> {
  const archives = await debianArchives();
  await mkdir(join(folder, "lists", "partial"), { recursive: true });
  await mkdir(join(folder, "cache", "archives", "partial"), { recursive: true });
  const list = archives.map(({ url, suite, component }) => `deb-src ${url} ${suite} ${component}\n`);
  await writeFile(join(folder, "sources.list"), list.join(""));
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
