/** Runs one program to its end and collects what it printed; no shell, no input, cancelled with a signal. */
import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { ImageFault, systemCodeOf } from "./host-error.ts";

export interface ProgramOutput {
  /** Exit status; -1 when a signal ended the program. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly signal?: AbortSignal | undefined;
  /** Called with each line that the program writes to file descriptor 3. */
  readonly onStatusLine?: (line: string) => void;
}

/** What is kept of each stream; apt-cache answers a few KiB per package. */
const MAX_OUTPUT_CHARS = 16 * 1024 * 1024;

/** The output of `program`, or undefined when there is no such program. Throws an AbortError when cancelled. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramOutput | undefined> {
  options.signal?.throwIfAborted();
  const child = spawn(program, args, {
    cwd: options.cwd,
    // Messages are searched for known causes, so they must not be translated.
    env: { ...process.env, LC_ALL: "C.UTF-8", LANGUAGE: "" },
    stdio: ["ignore", "pipe", "pipe", options.onStatusLine === undefined ? "ignore" : "pipe"],
    signal: options.signal,
  });
  const closed = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve(status ?? -1));
  });
  const [, stdout, stderr, statusLines] = child.stdio;
  const texts = Promise.all([
    collect(stdout),
    collect(stderr),
    forEachLine(statusLines, options.onStatusLine),
  ]);
  try {
    const status = await closed;
    const [out, errors] = await texts;
    return { status, stdout: out, stderr: errors };
  } catch (error) {
    await texts.catch(() => undefined);
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function collect(stream: unknown): Promise<string> {
  if (!isReadable(stream)) return "";
  let text = "";
  for await (const chunk of stream.setEncoding("utf8")) {
    text += String(chunk);
    if (text.length > MAX_OUTPUT_CHARS) throw new ImageFault("apt-failed", "a program printed far too much");
  }
  return text;
}

async function forEachLine(stream: unknown, onLine: ((line: string) => void) | undefined): Promise<void> {
  if (!isReadable(stream) || onLine === undefined) return;
  let rest = "";
  for await (const chunk of stream.setEncoding("utf8")) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(onLine);
  }
}

function isReadable(stream: unknown): stream is Readable {
  return typeof stream === "object" && stream !== null && "setEncoding" in stream;
}
