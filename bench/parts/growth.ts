/**
 * What happens when something grows: guest RAM, code, and the number of VMs on one core. Time and the emulator's own
 * memory are told for each size, so that what ought to stay the same, or to grow in proportion, can be seen to.
 */

import { readFileSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MiB } from "../../src/base/index.ts";
import type { CpioEntry } from "../../src/host/index.ts";
import { emulatorMemory, emulatorsAmong, EMULATORS } from "../emulator.ts";
import type { EmulatorName } from "../emulator.ts";
import { figure } from "../figures.ts";
import type { Figure } from "../figures.ts";
import { GuestSession } from "../guest-session.ts";
import type { Bench, Part } from "../part.ts";
import { interleave, samplesOf } from "../rounds.ts";
import { buildStaticProgram } from "../static-program.ts";
import { TaskPlace } from "../task-place.ts";
import { BUSYBOX_ENTRIES, OUR_FOLDER, servesTasks, taskFiles, timeTask } from "../tasks.ts";
import type { Task } from "../tasks.ts";
import { workTogether } from "../together.ts";
import { PRIMARY_GUEST } from "./start-figures.ts";

const MB = 1e6;
const WORKLOADS = ["guest RAM", "code size", "number of VMs"] as const;

const RAM_SIZES_MIB = [128, 512, 2048] as const;
/** The rest is the kernel's, busybox's and free. */
const TOUCHED_SHARE = 0.4;

const FUNCTIONS = [1024, 8192, 65_536] as const;
/** Of all functions together, so that only their number differs. */
const CALLS = 1 << 22;

const VM_COUNTS = [1, 2, 4, 8] as const;
const MOST_LOST_PERCENT = 5;

const program = (name: string, path: string): CpioEntry => {
  return { kind: "file", path: `${OUR_FOLDER}/${name}`, mode: 0o755, data: readFileSync(path) };
};

/** A guest that has started and done the tasks: how long each took, and what the emulator then has in memory. */
interface Grown {
  readonly startSeconds: number;
  readonly taskSeconds: readonly number[];
  /** After each task, beyond the guest RAM that has been touched. */
  readonly overheadBytes: readonly number[];
}

async function grow(
  name: EmulatorName,
  place: TaskPlace,
  tasks: readonly Task[],
  ramBytes: number,
): Promise<Grown> {
  const session = new GuestSession(place.command(name));
  try {
    const startMs = await servesTasks(session);
    const taskSeconds: number[] = [];
    const overheadBytes: number[] = [];
    for (const [index, task] of tasks.entries()) {
      taskSeconds.push((await timeTask(session, task, index)).wallSeconds);
      overheadBytes.push(emulatorMemory(EMULATORS[name], session.pid, ramBytes).overhead);
    }
    return { startSeconds: startMs / 1000, taskSeconds, overheadBytes };
  } finally {
    await session.stop();
  }
}

async function guestRam(bench: Bench): Promise<Figure[]> {
  const guest = await bench.guest(PRIMARY_GUEST);
  const touch = program("os-work", buildStaticProgram("os-work.c"));
  const figures: Figure[] = [];
  for (const sizeMib of RAM_SIZES_MIB) {
    await using scratch = await mkdtempDisposable(join(tmpdir(), "typevisor-bench-"));
    const script = `/${touch.path} touch ${Math.floor(TOUCHED_SHARE * sizeMib)}`;
    const tasks = [{ name: `${sizeMib} MiB`, script }];
    const ramBytes = sizeMib * MiB;
    const place = new TaskPlace({
      machine: { ...guest, memorySizeBytes: ramBytes },
      scratch: scratch.path,
      entries: [...BUSYBOX_ENTRIES, ...taskFiles(tasks), touch],
    });
    const rounds = await interleave(bench, emulatorsAmong(bench.contestants), (name) =>
      grow(name, place, tasks, ramBytes),
    );
    figures.push(
      figure(
        `${sizeMib} MiB of RAM: start`,
        "s",
        samplesOf(rounds, ({ startSeconds }) => startSeconds),
      ),
      figure(
        "  40 % of it touched, per MiB",
        "ms",
        samplesOf(rounds, ({ taskSeconds: [seconds = NaN] }) => (1000 * seconds) / (TOUCHED_SHARE * sizeMib)),
      ),
      figure(
        "  memory beyond touched RAM",
        "MB",
        samplesOf(rounds, ({ overheadBytes: [bytes = NaN] }) => bytes / MB),
      ),
    );
  }
  return figures;
}

async function codeSize(bench: Bench): Promise<Figure[]> {
  const guest = await bench.guest(PRIMARY_GUEST);
  await using scratch = await mkdtempDisposable(join(tmpdir(), "typevisor-bench-"));
  const programs = FUNCTIONS.map((count) =>
    program(`functions-${count}`, buildStaticProgram("many-functions.c", `-DFUNCTIONS=${count}`)),
  );
  const tasks = FUNCTIONS.flatMap((count): Task[] => [
    { name: `${count} functions once`, script: `/${OUR_FOLDER}/functions-${count} 1` },
    {
      name: `${count} functions again and again`,
      script: `/${OUR_FOLDER}/functions-${count} ${CALLS / count}`,
    },
  ]);
  const place = new TaskPlace({
    machine: guest,
    scratch: scratch.path,
    entries: [...BUSYBOX_ENTRIES, ...taskFiles(tasks), ...programs],
  });
  const rounds = await interleave(bench, emulatorsAmong(bench.contestants), (name) =>
    grow(name, place, tasks, guest.memorySizeBytes),
  );
  return FUNCTIONS.flatMap((count, index) => [
    figure(
      `${count} functions, each run once`,
      "ms",
      samplesOf(rounds, ({ taskSeconds }) => 1000 * (taskSeconds[2 * index] ?? NaN)),
    ),
    figure(
      "  4M calls of them",
      "s",
      samplesOf(rounds, ({ taskSeconds }) => taskSeconds[2 * index + 1] ?? NaN),
    ),
    figure(
      "  then memory beyond touched RAM",
      "MB",
      samplesOf(rounds, ({ overheadBytes }) => (overheadBytes[2 * index + 1] ?? NaN) / MB),
    ),
  ]);
}

/** All on one core, by taskset: what one VM gets done in a second of it, and what many get done together. */
async function numberOfVms(bench: Bench): Promise<Figure[]> {
  const guest = await bench.guest(PRIMARY_GUEST);
  await using scratch = await mkdtempDisposable(join(tmpdir(), "typevisor-bench-"));
  const spin = program("os-work", buildStaticProgram("os-work.c"));
  const tasks = [{ name: "work", script: `/${spin.path} spin >/dev/console` }];
  const place = new TaskPlace({
    machine: guest,
    scratch: scratch.path,
    entries: [...BUSYBOX_ENTRIES, ...taskFiles(tasks), spin],
  });
  const rounds = await interleave(bench, emulatorsAmong(bench.contestants), (name) =>
    workTogether(EMULATORS[name], place, guest, VM_COUNTS),
  );
  return VM_COUNTS.flatMap((count, index) => [
    figure(
      `${count} VM${count === 1 ? "" : "s"}: work per second of processor time`,
      "per s",
      samplesOf(rounds, (works) => works[index]?.perProcessorSecond ?? NaN),
    ),
    figure(
      "  work per second",
      "per s",
      samplesOf(rounds, (works) => works[index]?.perSecond ?? NaN),
    ),
    figure(
      "  memory beyond touched RAM, each",
      "MB",
      samplesOf(rounds, (works) => (works[index]?.overheadBytes ?? NaN) / MB),
    ),
    ...(count === 1
      ? []
      : [
          figure(
            "  lost against one VM",
            "%",
            samplesOf(rounds, (works) => 100 * (1 - (works[index]?.shareOfOne ?? NaN))),
            { most: MOST_LOST_PERCENT },
          ),
        ]),
  ]);
}

const MEASURES: Readonly<Record<(typeof WORKLOADS)[number], (bench: Bench) => Promise<Figure[]>>> = {
  "guest RAM": guestRam,
  "code size": codeSize,
  "number of VMs": numberOfVms,
};

export const growth: Part = {
  summary: "time and memory as guest RAM, code and the number of VMs grow",
  contestants: ["typevisor", "qemuTcg"],
  needs: ["gcc", "taskset"],
  workloads: WORKLOADS,
  async run(bench) {
    const figures: Figure[] = [];
    for (const workload of WORKLOADS) {
      if (!bench.workloads.includes(workload)) continue;
      bench.progress(`growth: ${workload}`);
      figures.push(...(await MEASURES[workload](bench)));
    }
    return figures;
  },
};
