/** The programs of a small Debian, in a guest that is made of it and in a chroot on the host. */

import type { VmOptions } from "../../src/apps/embed/index.ts";
import type { Report } from "./debian-archives.ts";
import { debianPrograms } from "./debian-programs.ts";
import { debianTree } from "./debian-tree.ts";
import { writeInitramfs } from "./suite.ts";
import type { Suite } from "./suite.ts";

/** The initramfs twice, packed and unpacked, while the kernel unpacks it. */
const MEMORY = "2G";

export interface DebianSuiteOptions {
  /** What starts `linux-amd64` as it is: the kernel is its. */
  readonly options: VmOptions;
  readonly only: RegExp;
  readonly folder: string;
  readonly report: Report;
}

export async function debianSuite({ options, only, folder, report }: DebianSuiteOptions): Promise<Suite> {
  const tree = await debianTree(report);
  const programs = (await debianPrograms()).filter(({ name }) => only.test(name));
  return {
    title: "Debian (minbase) in linux-amd64",
    programs,
    host: { scratchFolder: folder, prefix: chroot(tree.folder) },
    guest: {
      ...options,
      initrd: await writeInitramfs(tree.initramfsPath, programs, [], folder),
      memory: MEMORY,
    },
    explanations: [],
  };
}

/** In namespaces of its own, with /proc and an empty /tmp, so that neither host nor tree keeps anything. */
function chroot(folder: string): string[] {
  const prepare = 'mount -t tmpfs tmpfs /tmp && exec "$@"';
  return [
    ...["unshare", "--mount", "--pid", "--fork", `--root=${folder}`, "--mount-proc"],
    ...["sh", "-c", prepare, "sh"],
  ];
}
