/**
 * Programs as people run them, in a guest that is a small Debian and in a chroot of the same files: a compiler, two
 * interpreters, a database, a hash and a sort. The Debian is that of `npm run test:programs`, which debootstrap makes.
 */

import { readFileSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MiB } from "../../src/base/index.ts";
import type { CpioEntry } from "../../src/host/index.ts";
import { debianTree } from "../../test/programs/debian-tree.ts";
import { Unavailable } from "../../test/programs/run-tool.ts";
import type { Part } from "../part.ts";
import { buildStaticProgram } from "../static-program.ts";
import { doersOfTasks, taskFigures } from "../task-figures.ts";
import { TaskPlace } from "../task-place.ts";
import { OUR_FOLDER, taskFiles } from "../tasks.ts";
import type { Task } from "../tasks.ts";
import { PRIMARY_GUEST } from "./start-figures.ts";

/** The initramfs twice, packed and unpacked, while the kernel unpacks it, and room to work. */
const MEMORY_BYTES = 2048 * MiB;

const ours = (name: string): string => `/${OUR_FOLDER}/${name}`;
const text = (bytes: number): string => `rm -f text; ${ours("os-work")} data ${bytes} >text`;

const TASKS: readonly Task[] = [
  {
    name: "gcc -O2",
    script: `gcc -O2 -std=gnu17 -c ${ours("arithmetic.c")} -o arithmetic.o`,
    check: "sha256sum arithmetic.o",
  },
  { name: "python3 start-up", script: "for i in 1 2 3; do python3 -B -c 'import json; print(json)'; done" },
  { name: "python3 loop", script: `python3 -B ${ours("words.py")}` },
  { name: "perl", prepare: text(2_000_000), script: `perl ${ours("words.pl")} text` },
  { name: "openssl sha256", prepare: text(50_000_000), script: "openssl dgst -sha256 text" },
  { name: "sqlite3", script: `sqlite3 :memory: <${ours("numbers.sql")}` },
  {
    name: "sort",
    prepare: text(5_000_000),
    script: "LC_ALL=C sort text >sorted",
    check: "sha256sum sorted",
  },
];

/** Python wants random numbers, and the kernel of a processor without RDRAND has none to give so early without it. */
const DEVICES: readonly CpioEntry[] = [
  { kind: "directory", path: "dev" },
  { kind: "character-device", path: "dev/urandom", major: 1, minor: 9, mode: 0o666 },
];

function files(): CpioEntry[] {
  const programs = new URL("../programs/", import.meta.url);
  const source = new URL("../../test/programs/debian/arithmetic.c", import.meta.url);
  const file = (name: string, from: URL | string, mode = 0o644): CpioEntry => {
    return { kind: "file", path: `${OUR_FOLDER}/${name}`, mode, data: readFileSync(from) };
  };
  return [
    file("os-work", buildStaticProgram("os-work.c"), 0o755),
    file("arithmetic.c", source),
    ...["words.py", "words.pl", "numbers.sql"].map((name) => file(name, new URL(name, programs))),
  ];
}

export const realPrograms: Part = {
  summary: "programs of a Debian guest: compiler, interpreters, database",
  contestants: ["typevisor", "qemuTcg", "native"],
  needs: ["gcc"],
  workloads: TASKS.map(({ name }) => name),
  async run(bench) {
    const tree = await debianTree(bench.progress).catch((thrown: unknown) => {
      if (thrown instanceof Unavailable) return thrown;
      throw thrown;
    });
    if (tree instanceof Unavailable) {
      bench.leaveOut(`real programs: ${tree.message}`);
      return [];
    }
    const guest = await bench.guest(PRIMARY_GUEST);
    const tasks = TASKS.filter(({ name }) => bench.workloads.includes(name));
    await using scratch = await mkdtempDisposable(join(tmpdir(), "typevisor-bench-"));
    const place = new TaskPlace({
      machine: { ...guest, initrdPath: tree.initramfsPath, memorySizeBytes: MEMORY_BYTES },
      tree: tree.folder,
      scratch: scratch.path,
      entries: [...DEVICES, ...taskFiles(tasks), ...files()],
    });
    return await taskFigures(bench, doersOfTasks(bench), { place, tasks, group: "realPrograms" });
  },
};
