/** How each emulator is started with a machine: the same files, the same memory, one processor. */

import { fileURLToPath } from "node:url";
import { WASM_ACCELERATOR_PREFIX_BYTES } from "../src/accel/wasm/index.ts";
import { SLOT_MEMORY_MAX_BYTES } from "../src/base/index.ts";
import { memoryUse } from "../src/platform/node/index.ts";
import type { MemoryUse } from "../src/platform/node/index.ts";
import type { Command, ContestantName } from "./contestant.ts";
import { processTree } from "./proc.ts";

/** What is run; a guest of the catalogue is one. */
export interface Machine {
  /** bzImage, or an ELF file with a multiboot 1 header. */
  readonly kernelPath: string;
  readonly initrdPath?: string | undefined;
  /** A raw image: a disk on virtio. */
  readonly diskPath?: string;
  /** A virtio card, with a way to the host's loopback. */
  readonly hasNetwork?: boolean;
  readonly commandLine: string;
  readonly memorySizeBytes: number;
  /** Where Typevisor keeps what it learns of the kernel; without one it neither learns nor knows anything of it. */
  readonly cacheFolder?: string;
}

export type EmulatorName = Exclude<ContestantName, "native">;

export interface Emulator {
  readonly name: EmulatorName;
  command(machine: Machine): Command;
  /** The process with the guest's memory, given the one that was started. */
  vmProcess(pid: number): number;
  /** What lies before guest RAM in the mapping that holds it. */
  readonly memoryPrefixBytes: number;
  /** Bytes that may lie behind guest RAM there. */
  readonly memoryBehindMaxBytes: number;
}

const TYPEVISOR = fileURLToPath(new URL("../src/apps/cli/main.ts", import.meta.url));
const V86 = fileURLToPath(new URL("v86/main.ts", import.meta.url));
const MIB = 1024 * 1024;

const memoryMib = (machine: Machine): number => machine.memorySizeBytes / MIB;

const typevisor: Emulator = {
  name: "typevisor",
  command: (machine) => ({
    program: process.execPath,
    arguments: [
      TYPEVISOR,
      "run",
      ...["--kernel", machine.kernelPath, "--append", machine.commandLine],
      ...["--memory", `${memoryMib(machine)}M`],
      ...["--profile", machine.cacheFolder === undefined ? "off" : "auto"],
      ...(machine.initrdPath === undefined ? [] : ["--initrd", machine.initrdPath]),
      ...(machine.diskPath === undefined ? [] : ["--disk", `${machine.diskPath},bus=virtio`]),
      ...(machine.hasNetwork === true ? ["--net", "nat,host=allow"] : []),
    ],
    ...(machine.cacheFolder === undefined ? {} : { environment: { XDG_CACHE_HOME: machine.cacheFolder } }),
  }),
  vmProcess(pid) {
    const [, vm, ...others] = processTree(pid);
    if (vm === undefined || others.length > 0)
      throw new Error("typevisor run has one child, the VM's process");
    return vm;
  },
  memoryPrefixBytes: WASM_ACCELERATOR_PREFIX_BYTES,
  memoryBehindMaxBytes: SLOT_MEMORY_MAX_BYTES,
};

/** Without a network card where ours has none either, and without its option ROM, which would cost QEMU time. */
const qemuTcg: Emulator = {
  name: "qemuTcg",
  command: (machine) => ({
    program: "qemu-system-x86_64",
    arguments: [
      ...["-accel", "tcg", "-smp", "1", "-no-reboot"],
      ...(machine.hasNetwork === true ? QEMU_NETWORK : ["-nic", "none"]),
      ...["-display", "none", "-monitor", "none", "-serial", "stdio"],
      ...["-m", `${memoryMib(machine)}M`, "-kernel", machine.kernelPath, "-append", machine.commandLine],
      ...(machine.initrdPath === undefined ? [] : ["-initrd", machine.initrdPath]),
      ...(machine.diskPath === undefined ? [] : qemuDisk(machine.diskPath)),
    ],
  }),
  vmProcess: (pid) => pid,
  memoryPrefixBytes: 0,
  memoryBehindMaxBytes: 0,
};

const QEMU_NETWORK: readonly string[] = [
  ...["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="],
];

const qemuDisk = (path: string): readonly string[] => [
  ...["-drive", `file=${path},if=none,id=disk,format=raw`],
  ...["-device", "virtio-blk-pci,drive=disk"],
];

/** Multiboot kernels only: it loads those itself, without a BIOS, which the package does not contain. */
const v86: Emulator = {
  name: "v86",
  command: (machine) => ({
    program: process.execPath,
    arguments: [V86, machine.kernelPath, `${memoryMib(machine)}`, machine.commandLine],
  }),
  vmProcess: (pid) => pid,
  memoryPrefixBytes: 0,
  memoryBehindMaxBytes: 0,
};

export const EMULATORS = { typevisor, qemuTcg, v86 } as const;

/** Those that are emulators; the processor itself runs programs, not machines. */
export function emulatorsAmong(names: readonly ContestantName[]): EmulatorName[] {
  return names.filter((name) => name !== "native");
}

/** What the emulator has in memory whose process `pid` was started with that much guest RAM. */
export function emulatorMemory(emulator: Emulator, pid: number, ramBytes: number): MemoryUse {
  const { memoryPrefixBytes: prefixBytes, memoryBehindMaxBytes: behindMaxBytes } = emulator;
  return memoryUse(emulator.vmProcess(pid), { prefixBytes, behindMaxBytes, ramBytes });
}
