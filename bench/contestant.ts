/** The two emulators that run side by side, and how each is started with a guest: the same files, one processor. */

import { fileURLToPath } from "node:url";
import { WASM_ACCELERATOR_PREFIX_BYTES } from "../src/accel/wasm/index.ts";
import type { FetchedGuest } from "../src/apps/cli/guests/index.ts";
import { processTree } from "./proc.ts";

export interface Command {
  readonly program: string;
  readonly arguments: readonly string[];
}

export interface Contestant {
  readonly name: string;
  command(guest: FetchedGuest): Command;
  /** The process with the guest's memory, given the one that was started. */
  vmProcess(pid: number): number;
  /** What lies before guest RAM in the mapping that holds it. */
  readonly memoryPrefixBytes: number;
}

const TYPEVISOR = fileURLToPath(new URL("../src/apps/cli/main.ts", import.meta.url));
const MIB = 1024 * 1024;

const memoryArgument = (guest: FetchedGuest): string => `${guest.memorySizeBytes / MIB}M`;

const typevisor: Contestant = {
  name: "typevisor",
  command: (guest) => ({
    program: process.execPath,
    arguments: [
      TYPEVISOR,
      "run",
      ...["--kernel", guest.kernelPath, "--append", guest.commandLine, "--memory", memoryArgument(guest)],
      ...(guest.initrdPath === undefined ? [] : ["--initrd", guest.initrdPath]),
    ],
  }),
  vmProcess(pid) {
    const [, vm, ...others] = processTree(pid);
    if (vm === undefined || others.length > 0)
      throw new Error("typevisor run has one child, the VM's process");
    return vm;
  },
  memoryPrefixBytes: WASM_ACCELERATOR_PREFIX_BYTES,
};

/** Without a network card, which we do not have and whose option ROM would cost QEMU time. */
const qemuTcg: Contestant = {
  name: "qemu-tcg",
  command: (guest) => ({
    program: "qemu-system-x86_64",
    arguments: [
      ...["-accel", "tcg", "-smp", "1", "-nic", "none", "-no-reboot"],
      ...["-display", "none", "-monitor", "none", "-serial", "stdio"],
      ...["-m", memoryArgument(guest), "-kernel", guest.kernelPath, "-append", guest.commandLine],
      ...(guest.initrdPath === undefined ? [] : ["-initrd", guest.initrdPath]),
    ],
  }),
  vmProcess: (pid) => pid,
  memoryPrefixBytes: 0,
};

export const contestants = { typevisor, qemuTcg } as const;
