/**
 * The live dashboard: one panel per VM, keys that select and command them, and the full-screen console of one. Painted
 * at most ten times a second, and only when something has changed.
 */

import { MiB } from "../../../base/index.ts";
import { attachConsole } from "./attach.ts";
import type { Attachment } from "./attach.ts";
import type { DemoVm } from "./demo-vm.ts";
import { Frame, Painter } from "./frame.ts";
import { panelGrid } from "./layout.ts";
import type { Look } from "./look.ts";
import { drawPanel } from "./panel.ts";
import { rawTerminal } from "../terminal.ts";

const PAINT_EVERY_MS = 100;
const ENTER_SCREEN = "\x1b[?1049h\x1b[?25l";
const LEAVE_SCREEN = "\x1b[0m\x1b[?25h\x1b[?1049l";
/** The whole frame appears at once on terminals that know synchronized output; others ignore it. */
const BEGIN_UPDATE = "\x1b[?2026h";
const END_UPDATE = "\x1b[?2026l";
/** Less than this shows nothing of use. */
const MIN_COLUMNS = 40;
const MIN_ROWS = 10;

const HELP = [
  ["1-9 ←→", "select"],
  ["Enter", "attach"],
  ["p", "pause"],
  ["r", "resume"],
  ["R", "reset"],
  ["s", "stop"],
  ["q", "quit"],
] as const;

export class Dashboard {
  readonly #vms: readonly DemoVm[];
  readonly #look: Look;
  readonly #painter = new Painter();
  #selected = 0;
  #message = "";
  #attached: Attachment | undefined;
  #paintTimer: NodeJS.Timeout | undefined;
  #quit: () => void = () => undefined;

  constructor(vms: readonly DemoVm[], look: Look) {
    this.#vms = vms;
    this.#look = look;
  }

  /** Shows the VMs until the user quits. */
  async run(): Promise<void> {
    const { stdin, stdout } = process;
    const raw = rawTerminal(LEAVE_SCREEN);
    stdout.write(ENTER_SCREEN);
    const listening = this.#vms.map((vm) => vm.changes.add(() => this.#paintSoon()));
    const onKeys = (chunk: Buffer): void => this.#receive(chunk);
    const onResize = (): void => {
      this.#painter.invalidate();
      this.#attached?.resize();
      this.#paintSoon();
    };
    stdin.on("data", onKeys);
    stdin.resume();
    stdout.on("resize", onResize);
    this.#paint();
    await new Promise<void>((resolve) => {
      this.#quit = resolve;
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, resolve);
    });
    clearTimeout(this.#paintTimer);
    this.#attached?.release();
    stdin.off("data", onKeys);
    stdin.pause();
    stdout.off("resize", onResize);
    for (const one of listening) one.release();
    raw.release();
  }

  // Keys.

  #receive(chunk: Uint8Array): void {
    if (this.#attached !== undefined) {
      this.#attached.receive(chunk);
      return;
    }
    // An escape sequence comes whole; anything else is read key by key, as when keys are typed faster than read.
    const text = new TextDecoder().decode(chunk);
    const keys = text.startsWith("\x1b") ? [text] : [...text];
    for (const key of keys) this.#press(key);
    this.#paintSoon();
  }

  #press(key: string): void {
    this.#message = "";
    const vm = this.#vms[this.#selected];
    if (/^[1-9]$/.test(key)) {
      this.#selected = Math.min(Number(key), this.#vms.length) - 1;
      return;
    }
    switch (key) {
      case "\x1b[A":
      case "\x1b[D":
      case "\x1bOA":
      case "\x1bOD":
        this.#select(-1);
        return;
      case "\t":
      case "\x1b[B":
      case "\x1b[C":
      case "\x1bOB":
      case "\x1bOC":
        this.#select(1);
        return;
      case "q":
      case "\x03":
        this.#quit();
        return;
    }
    if (vm === undefined) return;
    switch (key) {
      case "\r":
        this.#attach(vm);
        break;
      case "p":
        this.#command(vm, "pause");
        break;
      case "r":
        this.#command(vm, "resume");
        break;
      case "R":
        this.#command(vm, "reset");
        break;
      case "s":
        this.#command(vm, "stop");
        break;
    }
  }

  #select(step: number): void {
    this.#selected = (this.#selected + step + this.#vms.length) % this.#vms.length;
  }

  #command(vm: DemoVm, command: "pause" | "resume" | "reset" | "stop"): void {
    vm.handle[command]().then(
      () => this.#paintSoon(),
      (thrown: unknown) => {
        this.#message = thrown instanceof Error ? thrown.message : String(thrown);
        this.#paintSoon();
      },
    );
  }

  #attach(vm: DemoVm): void {
    this.#attached = attachConsole(vm, this.#look, () => {
      this.#attached = undefined;
      process.stdout.write(ENTER_SCREEN);
      this.#painter.invalidate();
      this.#paintSoon();
    });
  }

  // Painting.

  #paintSoon(): void {
    this.#paintTimer ??= setTimeout(() => {
      this.#paintTimer = undefined;
      this.#paint();
    }, PAINT_EVERY_MS);
  }

  #paint(): void {
    const { stdout } = process;
    // A terminal that does not keep up gets fewer frames, not a queue of them.
    if (this.#attached !== undefined || stdout.writableNeedDrain) return;
    const text = this.#painter.paint(this.draw(stdout.columns, stdout.rows));
    if (text !== "") stdout.write(BEGIN_UPDATE + text + END_UPDATE);
  }

  /** The dashboard as it is now, for a terminal of that size. */
  draw(columns: number, rows: number): Frame {
    const frame = new Frame(columns, rows);
    if (columns < MIN_COLUMNS || rows < MIN_ROWS) {
      frame.put(0, 0, `Too small: ${MIN_COLUMNS}x${MIN_ROWS} is needed.`);
      return frame;
    }
    const { styles } = this.#look;
    this.#drawHeader(frame);
    const panels = panelGrid(this.#vms.length, { column: 0, row: 1, columns, rows: rows - 2 });
    // Where there is no room for all panels, the selected one is among those that are shown.
    const first = Math.max(0, this.#selected - panels.length + 1);
    for (const [place, area] of panels.entries()) {
      const index = first + place;
      const vm = this.#vms[index];
      if (vm === undefined) continue;
      drawPanel(frame, area, { vm, number: index + 1, isSelected: index === this.#selected }, this.#look);
    }
    if (this.#message === "") this.#drawHelp(frame, rows - 1);
    else frame.put(1, rows - 1, this.#message, styles.bad);
    return frame;
  }

  #drawHeader(frame: Frame): void {
    const { styles } = this.#look;
    const running = this.#vms.filter((vm) => vm.state === "running").length;
    const cpuShare = this.#vms.reduce((sum, vm) => sum + vm.rates.cpuShare, 0);
    const memoryBytes = this.#vms.reduce((sum, vm) => sum + vm.residentBytes, 0);
    frame.put(0, 0, " ".repeat(frame.columns), styles.help);
    frame.put(1, 0, "Typevisor", styles.help === "" ? "1" : `1;${styles.help}`);
    const totals =
      `${running} of ${this.#vms.length} running   ` +
      `cpu ${(100 * cpuShare).toFixed(0)} %   memory ${(memoryBytes / MiB).toFixed(0)} MiB`;
    frame.put(Math.max(12, frame.columns - totals.length - 1), 0, totals, styles.help);
  }

  #drawHelp(frame: Frame, row: number): void {
    const { styles, isUnicode } = this.#look;
    let column = 1;
    for (const [key, meaning] of HELP) {
      const shownKey = isUnicode ? key : key.replaceAll(/[^\x20-\x7e]+/g, "arrows");
      frame.put(column, row, shownKey, styles.title);
      column += shownKey.length + 1;
      frame.put(column, row, meaning, styles.dim);
      column += meaning.length + 2;
    }
  }
}
