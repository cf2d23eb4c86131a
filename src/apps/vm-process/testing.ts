/**
 * A VM's process whose guest is a script: the whole path from the parent to the machine loop without an engine. It runs
 * when it is imported. The script is the kernel's command line, words that are carried out one per slice:
 *
 *     say:TEXT      TEXT on the serial port ("_" is a space, "|" ends the line)
 *     second:TEXT   the same on the second serial port
 *     print:TEXT    the same on the printer
 *     screen:TEXT   TEXT on the text screen
 *     shell         from now on answers each line of input with "you said LINE"; the line "poweroff" powers off
 *     ticks         from now on a dot on the serial port every 10 ms of guest time
 *     spin          from now on never halts
 *     flood         from now on fills the serial port
 *     known         on the serial port: what the VM was given of its kernel's code ("learn", hot blocks, "nothing")
 *     learns:COUNT  from now on has learnt so many hot blocks
 *     unfit         from now on what it was given does not fit
 *     poweroff, reset, crash, exit:VALUE, bug, abort, nonsense, stuck
 */

import { NS_PER_MS, ok } from "../../base/index.ts";
import { ScriptedBoard, ScriptedVcpu, SCRIPTED_PORTS } from "../../vmm/testing.ts";
import type { GuestProgram } from "../../vmm/testing.ts";
import type { CodeProfileTask, TextScreen } from "../../vmm/index.ts";
import { createVm } from "./create-vm.ts";
import { serveVm } from "./serve-vm.ts";

const TICK_NS = 10 * NS_PER_MS;
const COLUMNS = 80;
const ROWS = 25;

class ScriptGuest {
  readonly #words: string[];
  #line = "";
  #mode: "halt" | "spin" | "flood" | "ticks" | "shell" = "halt";
  screen: TextScreen | undefined;
  board: ScriptedBoard | undefined;

  readonly #codeProfile: CodeProfileTask | undefined;

  constructor(script: string, codeProfile: CodeProfileTask | undefined) {
    this.#codeProfile = codeProfile;
    this.#words = script.split(" ").filter((word) => word !== "");
  }

  readonly program: GuestProgram = (cpu, maxInstructions) => {
    cpu.retire(Math.min(1000, maxInstructions));
    const word = this.#words.shift();
    if (word !== undefined) return this.#carryOut(word, cpu);
    switch (this.#mode) {
      case "halt":
        return "halt";
      case "spin":
        burn();
        return "slice";
      case "flood":
        while (this.board?.wasRefused === false) this.#say(cpu, "all work and no play\r\n");
        return "halt";
      case "ticks":
        this.#say(cpu, ".");
        this.#sleep(TICK_NS);
        return "halt";
      case "shell":
        return this.#shell(cpu);
    }
  };

  #carryOut(word: string, cpu: ScriptedVcpu): ReturnType<GuestProgram> {
    const [verb, argument = ""] = word.split(/:(.*)/, 2);
    const text = argument.replaceAll("_", " ").replaceAll("|", "\r\n");
    switch (verb) {
      case "say":
        this.#say(cpu, text);
        return "slice";
      case "second":
        this.#say(cpu, text, SCRIPTED_PORTS.secondSerial);
        return "slice";
      case "print":
        this.#say(cpu, text, SCRIPTED_PORTS.printer);
        return "slice";
      case "screen":
        this.screen = screenOf(text);
        return "slice";
      case "known":
        this.#say(cpu, knownText(this.#codeProfile));
        return "slice";
      case "learns":
        cpu.found = { hot: new Uint32Array(Number(argument)), lukewarm: new Uint32Array(0) };
        return "slice";
      case "unfit":
        cpu.found = verb;
        return "slice";
      case "shell":
      case "ticks":
      case "spin":
      case "flood":
        this.#mode = verb;
        return "slice";
      case "poweroff":
        cpu.bus.writePort(SCRIPTED_PORTS.powerOff, 1, 0);
        return "halt";
      case "reset":
        cpu.bus.writePort(SCRIPTED_PORTS.reset, 1, 6);
        return "halt";
      case "crash":
        return "shutdown";
      case "exit":
        cpu.bus.writePort(SCRIPTED_PORTS.debugExit, 1, Number(argument));
        return "halt";
      case "bug":
        throw new Error("a bug for the test");
      case "abort":
        console.error("last words of the process");
        process.kill(process.pid, "SIGKILL");
        return "halt";
      case "nonsense":
        process.send?.({ kind: "serialOutput", connector: "com1", bytes: "not bytes" });
        return "halt";
      case "stuck":
        for (;;) burn();
      default:
        throw new Error(`no such word in a script: ${word}`);
    }
  }

  #shell(cpu: ScriptedVcpu): ReturnType<GuestProgram> {
    if (!cpu.interruptLine) return "halt";
    const character = String.fromCharCode(cpu.bus.readPort(SCRIPTED_PORTS.serial, 1));
    if (character !== "\r" && character !== "\n") {
      this.#line += character;
      return "slice";
    }
    if (this.#line === "poweroff") cpu.bus.writePort(SCRIPTED_PORTS.powerOff, 1, 0);
    this.#say(cpu, `you said ${this.#line}\r\n`);
    this.#line = "";
    return "slice";
  }

  #say(cpu: ScriptedVcpu, text: string, port: number = SCRIPTED_PORTS.serial): void {
    for (const byte of new TextEncoder().encode(text)) cpu.bus.writePort(port, 1, byte);
  }

  #sleep(forNs: number): void {
    const parts = this.board?.parts;
    parts?.timers.schedule(parts.clock.nowNs() + forNs, () => parts.pins.interrupt.set(true));
  }
}

function knownText(codeProfile: CodeProfileTask | undefined): string {
  if (codeProfile === undefined) return "nothing";
  return codeProfile === "learn" ? codeProfile : `${codeProfile.hot.length} hot blocks`;
}

/** A fraction of a millisecond of processor time. */
function burn(): void {
  const endMs = performance.now() + 0.5;
  while (performance.now() < endMs);
}

function screenOf(text: string): TextScreen {
  const cells = new Uint8Array(2 * COLUMNS * ROWS);
  for (let at = 0; at < COLUMNS * ROWS; at++) {
    cells[2 * at] = at < text.length ? text.charCodeAt(at) : 0x20;
    cells[2 * at + 1] = 0x07;
  }
  const colors = Array.from({ length: 16 }, (_, index) => index * 0x111111);
  return { kind: "text", columns: COLUMNS, rows: ROWS, cells, cursor: undefined, colors, blinks: false };
}

serveVm((request) => {
  const { boot } = request.definition;
  const script = boot.kind === "kernel" ? boot.commandLine : "";
  const guest = new ScriptGuest(script, request.codeProfile);
  return createVm(request, () =>
    Promise.resolve(
      ok({
        accelerator: {
          name: "scripted",
          reservedPrefixBytes: 0,
          createVcpu: ({ bus }) => new ScriptedVcpu(bus, guest.program),
        },
        prepareBoard: () =>
          Promise.resolve((config) => {
            guest.board = new ScriptedBoard(config, () => guest.screen);
            return guest.board;
          }),
      }),
    ),
  );
});
