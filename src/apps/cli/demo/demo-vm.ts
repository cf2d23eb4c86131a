/** One VM of the demo: its handle, and what the dashboard shows of it. */

import { NS_PER_S } from "../../../base/index.ts";
import { Listeners, waitForScreen, waitForSerial } from "../../../host/index.ts";
import type { GuestMark, SpawnVmProcess, VmEnd, VmHandle, VmSample } from "../../../host/index.ts";
import { nodeScheduling } from "../../../platform/node/index.ts";
import { parseVmDefinition } from "../../../vmm/index.ts";
import type { TextScreen, VmDefinitionInput, VmState } from "../../../vmm/index.ts";
import { createVmHandle } from "../../code-profiles.ts";
import { describeEnding } from "../exit-status.ts";
import { TerminalLines } from "./terminal-lines.ts";

const SAMPLE_EVERY_MS = 1000;
const SCREEN_EVERY_MS = 200;

export interface DemoGuest {
  readonly definition: VmDefinitionInput;
  readonly title: string;
  readonly mark: GuestMark;
}

/** Between the last two samples. */
export interface VmRates {
  /** Of one processor; 1 is all of it. */
  readonly cpuShare: number;
  readonly instructionsPerSecond: number;
}

export class DemoVm {
  readonly name: string;
  readonly title: string;
  readonly handle: VmHandle;
  /** Whether the console that matters is the text screen. */
  readonly showsScreen: boolean;
  readonly lines = new TerminalLines();
  /** Something that is shown has changed. */
  readonly changes = new Listeners<void>();
  /** What happened, in a few words: "started", "shows its mark". */
  readonly events = new Listeners<string>();
  readonly #mark: GuestMark;
  #sample: VmSample | undefined;
  #rates: VmRates = { cpuShare: 0, instructionsPerSecond: 0 };
  #end: VmEnd | undefined;
  #hasShownMark = false;

  /** The VM is ready but not started; throws with a sentence when the host refuses it. */
  static async create(guest: DemoGuest, spawn: SpawnVmProcess): Promise<DemoVm> {
    const definition = parseVmDefinition(guest.definition);
    if (!definition.ok) throw new DemoFault(definition.error.message);
    const link = spawn();
    const handle = await createVmHandle({ definition: definition.value, link });
    if (!handle.ok) throw new DemoFault(handle.error.message);
    return new DemoVm(handle.value, guest);
  }

  private constructor(handle: VmHandle, guest: DemoGuest) {
    this.name = handle.name;
    this.title = guest.title;
    this.handle = handle;
    this.#mark = guest.mark;
    this.showsScreen = guest.mark.where === "vga-text";
    handle.serial.listen((chunk) => {
      this.lines.write(chunk);
      this.changes.emit();
    });
    handle.states.add((state) => {
      this.#announce(state);
      this.changes.emit();
    });
    handle.screens.add(() => this.changes.emit());
    handle.samples.add((sample) => this.#take(sample));
    void handle.ended.then((end) => {
      this.#end = end;
      this.events.emit(describeEnding(end.outcome));
      this.changes.emit();
    });
  }

  async start(): Promise<void> {
    this.handle.observe({ sampleEveryMs: SAMPLE_EVERY_MS, screenEveryMs: SCREEN_EVERY_MS });
    await this.handle.start();
  }

  /** Resolves when the guest has shown its mark, with undefined, or with the reason why it never will. */
  async markShown(timeoutMs: number | undefined): Promise<string | undefined> {
    const wait = this.showsScreen ? waitForScreen : waitForSerial;
    const found = await wait(this.handle, this.#mark.text, nodeScheduling, { timeoutMs });
    if (!found.ok) return found.error.message;
    this.#hasShownMark = true;
    this.events.emit(`shows its mark, ${JSON.stringify(this.#mark.text)}`);
    this.changes.emit();
    return undefined;
  }

  get state(): VmState {
    return this.handle.state;
  }

  get hasShownMark(): boolean {
    return this.#hasShownMark;
  }

  get screen(): TextScreen | undefined {
    return this.handle.screen;
  }

  get rates(): VmRates {
    return this.state === "running" ? this.#rates : { cpuShare: 0, instructionsPerSecond: 0 };
  }

  /** Of the VM's process; 0 once it is gone. */
  get residentBytes(): number {
    return this.state === "ended" ? 0 : (this.#sample?.residentBytes ?? 0);
  }

  get sample(): VmSample | undefined {
    return this.#end?.sample ?? this.#sample;
  }

  /** Seconds of guest time. */
  get uptimeSeconds(): number {
    return (this.sample?.statistics.guestTimeNs ?? 0) / NS_PER_S;
  }

  /** How it ended, in words; undefined while it has not. */
  get ending(): string | undefined {
    return this.#end === undefined ? undefined : describeEnding(this.#end.outcome);
  }

  #announce(state: VmState): void {
    if (state === "running" || state === "paused") this.events.emit(state);
  }

  #take(sample: VmSample): void {
    const before = this.#sample;
    this.#sample = sample;
    if (before !== undefined && sample.atNs > before.atNs) {
      const elapsedNs = sample.atNs - before.atNs;
      const instructions =
        sample.statistics.execution.instructionsRetired - before.statistics.execution.instructionsRetired;
      this.#rates = {
        cpuShare: (sample.cpuTimeNs - before.cpuTimeNs) / elapsedNs,
        instructionsPerSecond: (Number(instructions) * NS_PER_S) / elapsedNs,
      };
    }
    this.changes.emit();
  }
}

/** A sentence for the operator on its way to the command. */
export class DemoFault extends Error {
  override readonly name = "DemoFault";
}
