/**
 * What an operating system makes a processor do: processes, file systems, system calls, page faults, context switches,
 * and busybox's gzip and sha256sum. Boot and shell loop are in linux.ts.
 */

import { readFileSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CpioEntry } from "../../src/host/index.ts";
import { PRIMARY_GUEST } from "./start-figures.ts";
import type { Part } from "../part.ts";
import { buildStaticProgram } from "../static-program.ts";
import { doersOfTasks, taskFigures } from "../task-figures.ts";
import { TaskPlace, unpackBusyboxTree } from "../task-place.ts";
import { BUSYBOX_ENTRIES, OUR_FOLDER, taskFiles } from "../tasks.ts";
import type { Task } from "../tasks.ts";

const PROGRAM = `/${OUR_FOLDER}/os-work`;
const TEXT_BYTES = 50_000_000;
const TEXT = `[ -f text ] || ${PROGRAM} data ${TEXT_BYTES} >text`;

const FOLDERS = 200;
const FILES_PER_FOLDER = 20;

const TASKS: readonly Task[] = [
  {
    name: "500 processes",
    script: `${PROGRAM} spawn 500`,
    expected: `500 processes, sum of statuses ${5 * 4950}`,
  },
  {
    // What busybox's applets, our files and the kernel's nodes add to the folders is the same everywhere.
    name: "find and wc",
    script: "for i in 1 2 3 4 5; do find / -path /proc -prune -o -print | wc -l; done",
  },
  { name: "sha256sum of 50 MB", prepare: TEXT, script: "sha256sum text" },
  {
    name: "gzip of 50 MB",
    prepare: TEXT,
    script: "gzip -c text >packed",
    check: "wc -c <packed; sha256sum <packed",
  },
  {
    name: "500k system calls",
    script: `${PROGRAM} syscalls 500000`,
    expected: "500000 system calls",
  },
  {
    name: "200k page faults",
    prepare: "rm -f text packed",
    script: `${PROGRAM} faults 200000`,
    expected: "200000 page faults",
  },
  {
    name: "50k pipe round trips",
    script: `${PROGRAM} pingpong 50000`,
    expected: "50000 round trips",
  },
];

/** For find: folders of empty files. */
function folders(): CpioEntry[] {
  const root = `${OUR_FOLDER}/tree`;
  const data = new Uint8Array(0);
  return [
    { kind: "directory", path: root },
    ...Array.from({ length: FOLDERS }, (_, folder): CpioEntry[] => [
      { kind: "directory", path: `${root}/${folder}` },
      ...Array.from({ length: FILES_PER_FOLDER }, (__, file): CpioEntry => ({
        kind: "file",
        path: `${root}/${folder}/${file}`,
        data,
      })),
    ]).flat(),
  ];
}

export const osWork: Part = {
  summary: "OS work: processes, files, system calls, faults",
  contestants: ["typevisor", "qemuTcg", "native"],
  needs: ["gcc", "busybox"],
  workloads: TASKS.map(({ name }) => name),
  async run(bench) {
    const doers = doersOfTasks(bench);
    const machine = await bench.guest(PRIMARY_GUEST);
    const tasks = TASKS.filter(({ name }) => bench.workloads.includes(name));
    await using scratch = await mkdtempDisposable(join(tmpdir(), "typevisor-bench-"));
    const tree = join(scratch.path, "tree");
    if (doers.includes("native")) unpackBusyboxTree(machine.initrdPath ?? "", tree);
    const place = new TaskPlace({
      machine,
      tree,
      scratch: scratch.path,
      entries: [
        ...BUSYBOX_ENTRIES,
        ...taskFiles(tasks),
        {
          kind: "file",
          path: PROGRAM.slice(1),
          mode: 0o755,
          data: readFileSync(buildStaticProgram("os-work.c")),
        },
        ...folders(),
      ],
    });
    return await taskFigures(bench, doers, { place, tasks, group: "osWork" });
  },
};
