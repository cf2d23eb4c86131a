/** What Linux tells of a process under /proc (proc(5)): its children and the processor time it has used. */

import { readdirSync, readFileSync } from "node:fs";

/** Linux counts in hundredths of a second whatever the kernel's own tick is (USER_HZ). */
const TICKS_PER_SECOND = 100;

/** The process and all that descend from it and are still alive, parents first. */
export function processTree(pid: number): readonly number[] {
  return [pid, ...childrenOf(pid).flatMap((child) => processTree(child))];
}

function childrenOf(pid: number): readonly number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8")
      .split(" ")
      .filter((text) => text.trim() !== "")
      .map(Number),
  );
}

/** The numbers of /proc/PID/stat behind the process's name, which may itself hold spaces and parentheses. */
function statFields(pid: number): readonly number[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
}

/** User and system time of all threads of a process since it started. */
export function processorSeconds(pid: number): number {
  const [userTicks = NaN, systemTicks = NaN] = statFields(pid).slice(11, 13);
  return (userTicks + systemTicks) / TICKS_PER_SECOND;
}

/** The same of a process's first thread alone, to the nanosecond. */
export function firstThreadSeconds(pid: number): number {
  return threadSeconds(`/proc/${pid}`);
}

/** Documentation/scheduler/sched-stats.rst */
function threadSeconds(folder: string): number {
  const [nanoseconds] = readFileSync(`${folder}/schedstat`, "utf8").split(" ");
  return Number(nanoseconds) / 1e9;
}

/** Of the process and all its descendants, with those that have ended and been waited for. */
export function treeProcessorSeconds(pid: number): number {
  return processTree(pid).reduce((sum, each) => sum + processorSeconds(each) + waitedSeconds(each), 0);
}

/** Of all threads that the process and its descendants have now, to the nanosecond; those that have ended are left out. */
export function treeThreadSeconds(pid: number): number {
  const folders = processTree(pid).flatMap((each) =>
    readdirSync(`/proc/${each}/task`).map((task) => `/proc/${each}/task/${task}`),
  );
  return folders.reduce((sum, folder) => sum + threadSeconds(folder), 0);
}

/** Of the children of a process that have ended and that it has waited for. */
export function waitedSeconds(pid: number): number {
  const [userTicks = NaN, systemTicks = NaN] = statFields(pid).slice(13, 15);
  return (userTicks + systemTicks) / TICKS_PER_SECOND;
}
