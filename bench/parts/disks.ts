/**
 * A disk on virtio, as Linux' own driver uses it: in sequence and at random places, past the guest's page cache and
 * through it. The image is a raw file in memory (tmpfs), where the host has that: what is compared is the way from
 * the guest to the file, not how the host's disk is doing.
 */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Part } from "../part.ts";
import { buildStaticProgram } from "../static-program.ts";
import { taskFigures } from "../task-figures.ts";
import { TaskPlace } from "../task-place.ts";
import { BUSYBOX_ENTRIES, OUR_FOLDER, taskFiles } from "../tasks.ts";
import type { Task } from "../tasks.ts";
import { modularLinux, VIRTIO_MODULES } from "../../test/guests/modular-linux.ts";
import { PRIMARY_GUEST } from "./start-figures.ts";

const DISK_MIB = 256;
const MIB = 1024 * 1024;
const DISK = "/dev/vda";
const MEMORY_FOLDER = "/dev/shm";
const PROGRAM = `/${OUR_FOLDER}/disk-work`;
const RANDOM_BLOCKS = 10_000;

/** The initramfs has no devices of its own. */
const attach = "{ mount -t devtmpfs dev /dev; for module in /modules/*; do insmod $module; done; }";
const prepare = `[ -b ${DISK} ] || ${attach}; sync; echo 3 >/proc/sys/vm/drop_caches`;
const times = (count: number, command: string): string =>
  `for i in $(seq ${count}); do ${command} 2>&1 | head -n 1; done`;
const read = (flags: string): string => `dd if=${DISK} of=/dev/null bs=1M count=${DISK_MIB} ${flags}`;
const write = (flags: string): string => `dd if=/dev/zero of=${DISK} bs=1M count=${DISK_MIB} ${flags}`;

const TASKS: readonly Task[] = [
  { name: "256 MiB written, direct, 3 times", prepare, script: times(3, write("oflag=direct")) },
  { name: "256 MiB read, direct, 5 times", prepare, script: times(5, read("iflag=direct")) },
  { name: "256 MiB written and flushed", prepare, script: write("conv=fsync 2>&1 | head -n 1") },
  { name: "256 MiB read by the page cache", prepare, script: read("2>&1 | head -n 1") },
  { name: "10k random writes of 4 KiB", prepare, script: `${PROGRAM} write ${RANDOM_BLOCKS} ${DISK}` },
  { name: "10k random reads of 4 KiB", prepare, script: `${PROGRAM} read ${RANDOM_BLOCKS} ${DISK}` },
];

export const disks: Part = {
  summary: "a disk on virtio: in sequence and at random",
  contestants: ["typevisor", "qemuTcg"],
  needs: ["gcc"],
  workloads: TASKS.map(({ name }) => name),
  async run(bench) {
    const tasks = TASKS.filter(({ name }) => bench.workloads.includes(name));
    const parent = existsSync(MEMORY_FOLDER) ? MEMORY_FOLDER : tmpdir();
    await using scratch = await mkdtempDisposable(join(parent, "typevisor-bench-"));
    // The contestants take turns; whichever tasks are chosen, a round leaves the disk as the others do.
    const diskPath = join(scratch.path, "disk.img");
    writeFileSync(diskPath, new Uint8Array(DISK_MIB * MIB));
    const guest = await bench.guest(PRIMARY_GUEST);
    const { kernelPath, modulesPath } = await modularLinux(VIRTIO_MODULES);
    const initrdPath = join(scratch.path, "initrd");
    for (const path of [guest.initrdPath ?? "", modulesPath])
      writeFileSync(initrdPath, readFileSync(path), { flag: "a" });
    const place = new TaskPlace({
      machine: { ...guest, kernelPath, initrdPath, diskPath },
      scratch: scratch.path,
      entries: [
        ...BUSYBOX_ENTRIES,
        ...taskFiles(tasks),
        {
          kind: "file",
          path: PROGRAM.slice(1),
          mode: 0o755,
          data: readFileSync(buildStaticProgram("disk-work.c")),
        },
      ],
    });
    return await taskFigures(bench, bench.contestants, { place, tasks, group: "disks" });
  },
};
