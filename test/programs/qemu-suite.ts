/** QEMU's test programs in one of the ready-made Linux guests. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { VmOptions } from "../../src/apps/embed/index.ts";
import type { CpioEntry } from "../../src/host/index.ts";
import type { Report } from "./debian-archives.ts";
import { ENVIRONMENT } from "./program.ts";
import type { Program } from "./program.ts";
import { qemuTestSources } from "./qemu-source.ts";
import { buildQemuTests, QEMU_EXPLANATIONS } from "./qemu-tests.ts";
import type { QemuGuest, QemuSelection } from "./qemu-tests.ts";
import { writeInitramfs } from "./suite.ts";
import type { Suite } from "./suite.ts";

export interface QemuSuiteOptions {
  readonly name: QemuGuest;
  /** What starts the guest as it is. */
  readonly options: VmOptions & { readonly initrd?: string | undefined };
  readonly selection: QemuSelection;
  readonly only: RegExp;
  /** An empty folder for what is built. */
  readonly folder: string;
  readonly report: Report;
}

export async function qemuSuite({
  name,
  options,
  selection,
  only,
  folder,
  report,
}: QemuSuiteOptions): Promise<Suite> {
  const sources = await qemuTestSources(report);
  const version = (await readFile(join(sources, "VERSION"), "utf8")).trim();
  report(`compiling tests/tcg of ${version} for ${name}`);
  const binaryFolder = join(folder, "bin");
  const all = await buildQemuTests(sources, binaryFolder, name, selection);
  const programs = all.filter((program) => only.test(program.name));
  const binaries = await Promise.all(programs.map((program) => binaryEntry(binaryFolder, program)));
  const files: CpioEntry[] = [
    { kind: "directory", path: "bin" },
    { kind: "symlink", path: "bin/sh", target: "busybox" },
    // The first folder of the guest's PATH: busybox has its own sha1sum and the like elsewhere.
    ...FIRST_FOLDER_ENTRIES,
    ...binaries,
  ];
  const initrd = await writeInitramfs(options.initrd ?? "", programs, files, folder);
  return {
    title: `${version} in ${name}`,
    programs,
    host: { scratchFolder: folder, binaryFolder },
    guest: { ...options, initrd },
    explanations: QEMU_EXPLANATIONS,
  };
}

const FIRST_FOLDER = (ENVIRONMENT.PATH.split(":")[0] ?? "").slice(1);
const FIRST_FOLDER_ENTRIES = FIRST_FOLDER.split("/").map((_, index, parts): CpioEntry => ({
  kind: "directory",
  path: parts.slice(0, index + 1).join("/"),
}));

async function binaryEntry(binaryFolder: string, { name }: Program): Promise<CpioEntry> {
  const data = await readFile(join(binaryFolder, name));
  return { kind: "file", path: `${FIRST_FOLDER}/${name}`, mode: 0o755, data };
}
