/**
 * One emulator running one guest, seen through its standard input and output, which are the guest's first serial
 * port. Times are taken when output arrives, not when somebody looks for it.
 */

import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "./contestant.ts";
import { processTree } from "./proc.ts";

/** A shell's line editor asks where the cursor is and may wait for the answer. */
const CURSOR_QUESTION = "\x1b[6n";
const CURSOR_ANSWER = "\x1b[1;10R";
const LAST_WORDS = 600;
const WAIT_STEP_MS = 250;

interface Arrival {
  /** Length of the output up to and with this chunk. */
  readonly endOffset: number;
  readonly atMs: number;
}

export class GuestSession {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #startMs: number;
  readonly #arrivals: Arrival[] = [];
  #output = "";
  #errorOutput = "";
  #searchedOffset = 0;
  #answeredOffset = 0;
  #hasEnded = false;
  #isPaused = false;
  #onOutput: (() => void) | undefined;

  constructor(command: Command) {
    this.#startMs = performance.now();
    this.#process = spawn(command.program, command.arguments, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...command.environment },
    });
    this.#process.stdout.setEncoding("latin1").on("data", (text: string) => this.#receive(text));
    this.#process.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#errorOutput += text;
    });
    // Nobody reads any more: the end of the process tells more.
    this.#process.stdin.on("error", () => undefined);
    // Whatever ends the bench, its guests do not outlive it.
    const kill = (): void => this.#kill();
    process.once("exit", kill);
    const ended = (): void => {
      process.off("exit", kill);
      this.#hasEnded = true;
      this.#onOutput?.();
    };
    // "close" comes when the output has been read to its end, which "exit" does not wait for.
    this.#process.on("error", ended).on("close", ended);
  }

  /** Of the process that was started; the VM's own may be a child of it. */
  get pid(): number {
    const { pid } = this.#process;
    if (pid === undefined) throw new Error(`the emulator did not start: ${this.#errorOutput}`);
    return pid;
  }

  nowMs(): number {
    return performance.now() - this.#startMs;
  }

  type(text: string): void {
    this.#process.stdin.write(text);
  }

  /** When `text` arrived, in milliseconds since the process was started; the next search begins after it. */
  async waitFor(text: string, timeoutMs: number): Promise<number> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const found = this.#output.indexOf(text, this.#searchedOffset);
      if (found >= 0) {
        this.#searchedOffset = found + text.length;
        const arrival = this.#arrivals.find(({ endOffset }) => endOffset >= this.#searchedOffset);
        return (arrival?.atMs ?? NaN) - this.#startMs;
      }
      if (this.#hasEnded) throw this.#failure(`the emulator ended before "${text}"`);
      if (performance.now() > deadlineMs) throw this.#failure(`no "${text}" within ${timeoutMs / 1000} s`);
      await this.#outputWithin(Math.min(WAIT_STEP_MS, timeoutMs));
    }
  }

  get lastWords(): string {
    return this.#output.slice(-LAST_WORDS);
  }

  /** How often it has come so far; the pattern is global. */
  count(pattern: RegExp): number {
    return [...this.#output.matchAll(pattern)].length;
  }

  /** What follows up to the end of the line. */
  async lineEnd(timeoutMs: number): Promise<string> {
    const start = this.#searchedOffset;
    await this.waitFor("\n", timeoutMs);
    return this.#output.slice(start, this.#searchedOffset).trimEnd();
  }

  /** Waits until nothing has come for that long, so that an echo or a prompt is complete. */
  async waitForQuiet(quietMs: number): Promise<void> {
    for (;;) {
      const lastMs = this.#arrivals.at(-1)?.atMs ?? this.#startMs;
      const restMs = lastMs + quietMs - performance.now();
      if (restMs <= 0 || this.#hasEnded) return;
      await sleep(restMs);
    }
  }

  /** Waits for the emulator to end by itself; gives what it has said on standard error. */
  async end(timeoutMs: number): Promise<string> {
    const deadlineMs = performance.now() + timeoutMs;
    while (!this.#hasEnded) {
      if (performance.now() > deadlineMs)
        throw this.#failure(`it has not ended within ${timeoutMs / 1000} s`);
      await this.#outputWithin(WAIT_STEP_MS);
    }
    return this.#errorOutput;
  }

  /** Takes the processor from the emulator and all processes of its own, until {@link resume}. */
  pause(): void {
    this.#isPaused = true;
    this.#signal("SIGSTOP");
  }

  resume(): void {
    this.#isPaused = false;
    this.#signal("SIGCONT");
  }

  #signal(signal: "SIGSTOP" | "SIGCONT"): void {
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) return;
    for (const pid of processTree(this.pid)) process.kill(pid, signal);
  }

  /** A stopped process hears of nothing but SIGKILL. */
  #kill(): void {
    if (this.#isPaused) this.resume();
    this.#process.kill("SIGTERM");
  }

  /** Kills the emulator, first politely, so that it takes its own children with it. */
  async stop(): Promise<void> {
    if (this.#hasEnded) return;
    const closed = once(this.#process, "close");
    this.#kill();
    const killer = setTimeout(() => this.#process.kill("SIGKILL"), 5000);
    await closed;
    clearTimeout(killer);
  }

  #receive(text: string): void {
    this.#output += text;
    this.#arrivals.push({ endOffset: this.#output.length, atMs: performance.now() });
    const question = this.#output.indexOf(CURSOR_QUESTION, this.#answeredOffset);
    if (question >= 0) {
      this.#answeredOffset = question + CURSOR_QUESTION.length;
      this.type(CURSOR_ANSWER);
    }
    this.#onOutput?.();
  }

  async #outputWithin(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onOutput = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#onOutput = undefined;
  }

  #failure(what: string): Error {
    return new Error(`${what}; its last output:\n${this.#errorOutput}${this.lastWords}`);
  }
}
