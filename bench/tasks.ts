/**
 * Pieces of work for a Linux guest and for the host: shell scripts that a server script, itself for sh, runs one after
 * the other on request. Each step is asked for by a line on standard input and confirmed by one on standard output, so
 * that the host's clock sees when it begins and ends, and the guest sleeps in between.
 */

import type { CpioEntry } from "../src/host/index.ts";
import type { Command } from "./contestant.ts";
import { GuestSession } from "./guest-session.ts";
import { treeProcessorSeconds } from "./proc.ts";
import type { BothTimes } from "./time-figures.ts";

export interface Task {
  readonly name: string;
  /** Commands before the clock runs. */
  readonly prepare?: string;
  /** What is timed; its output goes to the file out. The working directory is an empty /tmp that all tasks share. */
  readonly script: string;
  /** Commands after the clock has stopped: print what shows that the work was done right; by default what it printed. */
  readonly check?: string;
  /** Where it is known in advance; what the host itself prints is compared in any case. */
  readonly expected?: string;
}

export interface TaskTime extends BothTimes {
  readonly result: string;
}

const START_LIMIT_MS = 600_000;
const STEP_LIMIT_MS = 900_000;

const STEPS = ["prepare", "run", "check"] as const;
type Step = (typeof STEPS)[number];

function scriptOf(task: Task, step: Step): string {
  switch (step) {
    case "prepare":
      return task.prepare ?? ":";
    case "run":
      return task.script;
    case "check":
      return task.check ?? "cat out";
  }
}

/** The steps are in folder $1 and run in folder $2; reads "INDEX STEP". Only a check's output is sent, in one line. */
const SERVER = `#!/bin/sh
export PATH=/bin:/usr/bin:/sbin:/usr/sbin HOME=/ LC_ALL=C.UTF-8 TERM=dumb
steps=$1
cd "$2" || exit
echo @ready
while read index step; do
  output=$step
  [ $step != run ] || output=out
  sh "$steps/$index.$step" >$output 2>&1
  status=$?
  [ $step != check ] || echo "@result $(tr '\\n' ' ' <check)"
  [ $status = 0 ] || tail -n 3 $output
  echo "@done $index $step $status"
done
`;

/** Where everything of ours lies, so that it can be mounted over a tree that is not ours. */
export const OUR_FOLDER = "mnt";

/** What serves the tasks, in a root file system with our files. */
export const SERVE = `/bin/sh /${OUR_FOLDER}/serve /${OUR_FOLDER} /tmp`;

/** Without devtmpfs, so that the file system is the archive's and nothing depends on the machine's devices. */
const INIT = `#!/bin/sh
[ ! -x /bin/busybox ] || /bin/busybox --install -s /bin 2>/dev/null
mount -t proc proc /proc
mount -t tmpfs tmpfs /tmp
echo 1 >/proc/sys/kernel/printk
stty -opost -echo
exec ${SERVE}
`;

/** Files that make a guest serve the tasks; they go over an initramfs that has /bin/sh, mount, tr and stty. */
export function taskFiles(tasks: readonly Task[]): CpioEntry[] {
  const file = (path: string, text: string, mode = 0o644): CpioEntry => {
    return { kind: "file", path, mode, data: new TextEncoder().encode(text) };
  };
  return [
    file("init", INIT, 0o755),
    { kind: "directory", path: OUR_FOLDER },
    file(`${OUR_FOLDER}/serve`, SERVER),
    ...tasks.flatMap((task, index) =>
      STEPS.map((step) => file(`${OUR_FOLDER}/${index}.${step}`, `${scriptOf(task, step)}\n`)),
    ),
  ];
}

/** Before anything can run in a guest that has busybox and nothing else. */
export const BUSYBOX_ENTRIES: readonly CpioEntry[] = [
  { kind: "directory", path: "bin" },
  { kind: "symlink", path: "bin/sh", target: "busybox" },
];

/** When tasks can be asked for, in milliseconds since the start. */
export function servesTasks(session: GuestSession): Promise<number> {
  return session.waitFor("@ready", START_LIMIT_MS);
}

/** Starts a guest or a process that serves the tasks, has it do them all, and stops it. */
export async function timeTasks(
  command: Command,
  tasks: readonly Task[],
  progress: (line: string) => void,
): Promise<TaskTime[]> {
  const session = new GuestSession(command);
  try {
    await servesTasks(session);
    const times: TaskTime[] = [];
    for (const [index, task] of tasks.entries()) {
      const time = await timeTask(session, task, index);
      progress(`  ${task.name}: ${time.wallSeconds.toFixed(2)} s`);
      times.push(time);
    }
    return times;
  } finally {
    await session.stop();
  }
}

/** Prepares, does and checks the task with that index among those of {@link taskFiles}. */
export async function timeTask(session: GuestSession, task: Task, index: number): Promise<TaskTime> {
  const ended = async (step: Step): Promise<number> => {
    const atMs = await session.waitFor(`@done ${index} ${step} `, STEP_LIMIT_MS);
    const status = await session.lineEnd(STEP_LIMIT_MS);
    if (status !== "0") {
      const command = scriptOf(task, step);
      throw new Error(`${task.name}: "${command}" ended with status ${status}: ${session.lastWords}`);
    }
    return atMs;
  };
  session.type(`${index} prepare\n`);
  await ended("prepare");
  const startSeconds = treeProcessorSeconds(session.pid);
  const startMs = session.nowMs();
  session.type(`${index} run\n`);
  const endMs = await ended("run");
  const processorSeconds = treeProcessorSeconds(session.pid) - startSeconds;
  session.type(`${index} check\n`);
  await session.waitFor("@result ", STEP_LIMIT_MS);
  const result = (await session.lineEnd(STEP_LIMIT_MS)).trim();
  await ended("check");
  if (task.expected !== undefined && result !== task.expected) {
    throw new Error(`${task.name}: "${result}" instead of "${task.expected}"`);
  }
  return { wallSeconds: (endMs - startMs) / 1000, processorSeconds, result };
}
