/** Reports of VMs that ended because of us: a file with everything that is known, for whoever looks for the bug. */

import { mkdir, writeFile } from "node:fs/promises";
import { homedir, release } from "node:os";
import { join } from "node:path";
import type { VmEnd, VmHandle } from "../../host/index.ts";
import { formatCrashDump } from "../../vmm/index.ts";
import { describeEnding } from "./exit-status.ts";
import { packageVersion } from "./package-version.ts";

/** $XDG_STATE_HOME/typevisor/crashes, or its default. */
export function crashReportFolder(): string {
  const stateHome = process.env["XDG_STATE_HOME"] || join(homedir(), ".local", "state");
  return join(stateHome, "typevisor", "crashes");
}

/** Whether an end was our fault, and so deserves a report. */
export function deservesReport({ outcome }: VmEnd): boolean {
  return ["failed", "process-died", "process-hostile", "process-silent"].includes(outcome.kind);
}

/** Writes the report and returns its path; undefined when even that fails, which must not hide the crash itself. */
export async function writeCrashReport(vm: VmHandle, end: VmEnd): Promise<string | undefined> {
  const folder = crashReportFolder();
  const time = new Date().toISOString().replaceAll(":", "-");
  const path = join(folder, `${vm.name}-${time}.txt`);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(path, reportText(vm, end), { flag: "wx" });
    return path;
  } catch {
    return undefined;
  }
}

function reportText(vm: VmHandle, { outcome, sample }: VmEnd): string {
  const parts = [
    `The VM ${vm.name} ${describeEnding(outcome)}.`,
    `Typevisor ${packageVersion()}, Node.js ${process.version}, ${process.platform} ${release()} ${process.arch}`,
    `Definition: ${JSON.stringify(vm.definition)}`,
  ];
  if (outcome.kind === "failed") {
    parts.push(outcome.report.reason);
    if (outcome.report.dump !== undefined) parts.push(formatCrashDump(outcome.report.dump));
  }
  if (outcome.kind === "process-died") parts.push(`Its last words:\n${outcome.ending.lastWords}`);
  if (sample !== undefined) parts.push(`Exits: ${JSON.stringify(sample.statistics.exits)}`);
  const tail = new TextDecoder().decode(vm.serial.history().slice(-4096));
  parts.push(`The end of its serial output:\n${tail}`);
  return `${parts.join("\n\n")}\n`;
}
