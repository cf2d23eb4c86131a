/**
 * Where tasks are done: in a guest made of an initramfs with our files over it, and on the host in a root directory of
 * the same files (chroot), for which the host's user must be root. What a guest has in memory lies in a tmpfs there.
 */

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildCpio } from "../src/host/index.ts";
import type { CpioEntry } from "../src/host/index.ts";
import type { Command, ContestantName } from "./contestant.ts";
import { EMULATORS } from "./emulator.ts";
import type { Machine } from "./emulator.ts";
import { OUR_FOLDER, SERVE } from "./tasks.ts";

export interface TaskPlaceParts {
  /** Whose initrd has a root file system. */
  readonly machine: Machine;
  /** The same root file system as a folder, where tasks are done natively; it is not changed. */
  readonly tree?: string;
  /** Of ours, in {@link OUR_FOLDER} but for /init. */
  readonly entries: readonly CpioEntry[];
  /** Empty, for files of the run. */
  readonly scratch: string;
}

export class TaskPlace {
  readonly #machine: Machine;
  readonly #tree: string | undefined;
  readonly #ours: string;

  constructor({ machine, tree, entries, scratch }: TaskPlaceParts) {
    const initrdPath = join(scratch, "initramfs.cpio");
    const base = machine.initrdPath === undefined ? new Uint8Array(0) : readFileSync(machine.initrdPath);
    writeFileSync(initrdPath, base);
    writeFileSync(initrdPath, buildCpio(entries), { flag: "a" });
    this.#machine = { ...machine, initrdPath };
    this.#tree = tree;
    this.#ours = join(scratch, OUR_FOLDER);
    writeEntries(
      entries.filter(({ path }) => `${path}/`.startsWith(`${OUR_FOLDER}/`)),
      scratch,
    );
  }

  /** Starts who serves the tasks on standard input and output. */
  command(contestant: ContestantName): Command {
    if (contestant !== "native") return EMULATORS[contestant].command(this.#machine);
    if (this.#tree === undefined) throw new Error("this place has no folder for the host");
    const enter = [
      `mount --bind "$1" "$2/${OUR_FOLDER}"`,
      'mount -t proc proc "$2/proc"',
      'mount -t tmpfs tmpfs "$2/tmp"',
      `exec chroot "$2" ${SERVE}`,
    ].join(" && ");
    return {
      program: "unshare",
      arguments: [
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "sh",
        "-c",
        enter,
        "sh",
        this.#ours,
        this.#tree,
      ],
    };
  }
}

/** Writes directories and files below a folder; what else an archive may have is left out. */
export function writeEntries(entries: readonly CpioEntry[], folder: string): void {
  for (const entry of entries) {
    const path = join(folder, entry.path);
    if (entry.kind === "directory") mkdirSync(path);
    else if (entry.kind === "file") writeFileSync(path, entry.data, { mode: entry.mode ?? 0o644 });
  }
}

/** Why tasks cannot be done natively here, if so. */
export function missingForNative(): string | undefined {
  return process.getuid?.() === 0 ? undefined : "the same files natively: chroot needs root";
}

/** The files of a guest's initramfs with busybox as a folder; a program of busybox is where the guest has it. */
export function unpackBusyboxTree(initrdPath: string, folder: string): void {
  mkdirSync(folder);
  execFileSync("busybox", ["cpio", "-idm"], { cwd: folder, input: readFileSync(initrdPath), stdio: "pipe" });
  execFileSync("chroot", [folder, "/bin/busybox", "--install", "-s", "/bin"], { stdio: "pipe" });
  mkdirSync(join(folder, OUR_FOLDER));
}
