/**
 * The commands that reach a VM by its name: `typevisor list`, `screenshot`, `type`, `keys`, `media`,
 * `press`, `pause`, `resume`, `reset`, `stop`.
 */

import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { unwrap } from "../../base/index.ts";
import type { ControlReply, ControlRequest, ScreenshotFormat } from "../../host/index.ts";
import { chordInputs, KEY_INPUTS_MAX, textInput, VM_SETTINGS } from "../../vmm/index.ts";
import { callVm, listVms } from "../running-vms/call-vm.ts";
import type { ListedVm } from "../running-vms/call-vm.ts";
import { printError } from "./cli-parts.ts";
import { EXIT } from "./exit-status.ts";

export type VmListFormat = "table" | "json";

export async function listRunningVms(format: VmListFormat): Promise<number> {
  const listed = await listVms();
  if (!listed.ok) return refuse(listed.error.message);
  process.stdout.write(format === "json" ? jsonList(listed.value) : tableOf(listed.value));
  return EXIT.ok;
}

/** A request whose reply says no more than that it was carried out. */
export async function commandVm(name: string, request: ControlRequest): Promise<number> {
  return await ask(name, request, () => Promise.resolve(undefined));
}

/** The file that is standard output. */
const STANDARD_OUTPUT = "-";

/** `asked` is the format if one was asked for; otherwise the name of the file says it. */
export async function takeScreenshot(
  name: string,
  file: string,
  asked: ScreenshotFormat | undefined,
): Promise<number> {
  const format = asked ?? formatOf(file);
  if (format === undefined)
    return refuse(
      `The name of the file ${file} ends neither in .png, for a picture, nor in .txt, for text; --format says which it is.`,
    );
  if (format === "png" && file === STANDARD_OUTPUT && process.stdout.isTTY)
    return refuse("A terminal cannot show a picture: name a file that ends in .png.");
  return await ask(name, { command: "screenshot", format }, async (reply) => {
    try {
      if (reply.kind !== "screenshot") return undefined;
      if (file === STANDARD_OUTPUT) process.stdout.write(reply.file);
      else await writeFile(file, reply.file);
      return undefined;
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      return `The file ${file} cannot be written: ${reason}.`;
    }
  });
}

function formatOf(file: string): ScreenshotFormat | undefined {
  if (file === STANDARD_OUTPUT || /\.txt$/i.test(file)) return "text";
  return /\.png$/i.test(file) ? "png" : undefined;
}

export async function typeText(name: string, words: readonly string[]): Promise<number> {
  const input = textInput(words.join(" "));
  if (!input.ok) return refuse(input.error.message);
  return await commandVm(name, { command: "keys", inputs: [input.value] });
}

export async function pressKeys(name: string, chords: readonly string[]): Promise<number> {
  const parsed = chords.map(chordInputs);
  const wrong = parsed.find((chord) => !chord.ok);
  if (wrong?.ok === false) return refuse(wrong.error.message);
  const inputs = parsed.flatMap((chord) => unwrap(chord));
  if (inputs.length > KEY_INPUTS_MAX)
    return refuse(`At most ${KEY_INPUTS_MAX / 2} keys can be pressed with one command.`);
  return await commandVm(name, { command: "keys", inputs });
}

/** The drives whose media can be changed, one a line. */
export async function listMedia(name: string): Promise<number> {
  return await ask(name, { command: "describe" }, (reply) => {
    if (reply.kind === "description") {
      for (const { name: drive, file } of reply.description.media)
        process.stdout.write(`${drive}  ${file ?? "(empty)"}\n`);
    }
    return Promise.resolve(undefined);
  });
}

/** `text` is FILE as `run --cdrom` and `run --floppy` take it. */
export async function insertMedium(name: string, drive: string, text: string): Promise<number> {
  const setting = drive.startsWith("floppy") ? VM_SETTINGS.floppies : VM_SETTINGS.cdroms;
  const parsed = setting.parse(text);
  if (!parsed.ok) return refuse(`The medium ${parsed.error.problem}.`);
  const [definition] = parsed.value;
  if (definition === undefined) return refuse("There is no medium to insert.");
  const { file, isReadOnly, isTemporary } = definition;
  const medium = { file: resolve(file), isReadOnly, isTemporary };
  return await commandVm(name, { command: "media", drive, change: { kind: "insert", medium } });
}

export async function ejectMedium(name: string, drive: string, isForced: boolean): Promise<number> {
  return await commandVm(name, { command: "media", drive, change: { kind: "eject", isForced } });
}

/** What `use` resolves with is what was wrong. */
async function ask(
  name: string,
  request: ControlRequest,
  use: (reply: ControlReply) => Promise<string | undefined>,
): Promise<number> {
  const called = await callVm(name, request);
  if (!called.ok) return refuse(called.error.message);
  if (called.value.kind === "error") return refuse(called.value.error.message);
  const problem = await use(called.value);
  return problem === undefined ? EXIT.ok : refuse(problem);
}

function refuse(message: string): number {
  printError(message);
  return EXIT.error;
}

function jsonList(vms: readonly ListedVm[]): string {
  const rows = vms.map(({ name, description }) => ({
    name,
    pid: description?.pid ?? null,
    guest: description?.guest ?? null,
    state: description?.state ?? null,
    uptimeSeconds: description?.uptimeSeconds ?? null,
  }));
  return `${JSON.stringify(rows, null, 2)}\n`;
}

const HEADINGS = ["NAME", "PID", "STATE", "UPTIME", "GUEST"] as const;

function tableOf(vms: readonly ListedVm[]): string {
  const rows = vms.map(({ name, description }) =>
    description === undefined
      ? [name, "-", "does not answer", "-", "-"]
      : [
          name,
          String(description.pid ?? "-"),
          description.state,
          uptime(description.uptimeSeconds),
          description.guest,
        ],
  );
  const lines = [HEADINGS, ...rows];
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const text = lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
  return `${text.map((line) => line.trimEnd()).join("\n")}\n`;
}

/** "42 s", "3 min 7 s", "5 h 12 min". */
function uptime(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${seconds % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
