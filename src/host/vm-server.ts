/**
 * The child's side of the protocol: carries out what the parent asks of the one VM in this process, and reports what
 * happens to it.
 */

import { NS_PER_MS, OperatorFault } from "../base/index.ts";
import type { OperatorError, Result } from "../base/index.ts";
import type {
  CodeProfileTask,
  Frame,
  HostTimer,
  Scheduling,
  TextScreen,
  VirtualMachine,
  VirtualMachineParts,
  VmDefinition,
} from "../vmm/index.ts";
import { FrameComparison } from "./frame-changes.ts";
import { MIN_OBSERVATION_MS } from "./messages.ts";
import type {
  FromVmMessage,
  Observation,
  ProcessMemory,
  ToVmMessage,
  VmProcessCommand,
  VmSample,
} from "./messages.ts";

/** Of the guest's time, those who look at its screen take one part of so many at most. */
const LOOK_SHARE = 10;

export interface ProcessResources {
  readonly cpuTimeNs: number;
  readonly residentBytes: number;
  readonly peakResidentBytes: number;
}

/** A VM that is asked for, and who hears of it. */
export interface VmRequest extends Pick<
  VirtualMachineParts,
  "definition" | "serial" | "codeProfile" | "codeProfileFound"
> {}

export interface VmServerParts {
  readonly send: (message: FromVmMessage) => void;
  readonly createVm: (request: VmRequest) => Promise<Result<VirtualMachine>>;
  readonly encodePng: (frame: Frame) => Promise<Uint8Array>;
  readonly resources: () => ProcessResources;
  /** Of this process, whose guest has so much RAM. */
  readonly memory: (ramBytes: number) => ProcessMemory | undefined;
  readonly scheduling: Scheduling;
  /** Called once "ended" or "refused" has been sent: the process may go. */
  readonly finished: () => void;
}

export class VmServer {
  readonly #parts: VmServerParts;
  #vm: VirtualMachine | undefined;
  #ramBytes = 0;
  #sampling: HostTimer | undefined;
  #watching: HostTimer | undefined;
  #lastScreen: TextScreen | undefined;
  readonly #frames = new FrameComparison();
  #nextLookNs = 0;

  constructor(parts: VmServerParts) {
    this.#parts = parts;
  }

  /** Handles one message. What it throws or rejects with is a bug of ours. */
  async receive(message: ToVmMessage): Promise<void> {
    switch (message.kind) {
      case "create":
        await this.#create(message.definition, message.codeProfile);
        break;
      case "command":
        await this.#command(message.id, message.command);
        break;
      case "serialInput":
        // The parent keeps to the window, so a refusal could only be its bug; the bytes would be lost.
        this.#vm?.writeSerial(message.bytes, message.connector);
        break;
      case "serialConsumed":
        this.#vm?.confirmSerial(message.byteCount, message.connector);
        break;
      case "observe":
        this.#observe(message.observation);
        break;
      case "changeMedium": {
        const changed = await this.#vm?.changeMedium(message.drive, message.change);
        const error = changed?.ok === false ? changed.error : undefined;
        // The end is the last that is said.
        if (this.#vm?.state !== "ended") this.#parts.send({ kind: "reply", id: message.id, error });
        break;
      }
      case "input":
        this.#vm?.giveInput(message.inputs);
        break;
      case "pressButton":
        this.#vm?.pressButton(message.button);
        break;
      case "takeScreenshot":
        await this.#takeScreenshot();
        break;
      case "readTextScreen":
        // The end is the last that is said.
        if (this.#vm?.state !== "ended")
          this.#parts.send({ kind: "textScreen", screen: this.#vm?.textScreen() });
        break;
      case "lookAtFrame":
        this.#lookAtFrame(message.isWhole);
        break;
      case "setBalloon":
        this.#vm?.setBalloon(message.sizeBytes);
        break;
      case "askGuestMemory":
        await this.#tellGuestMemory();
        break;
      case "measure":
        if (this.#vm !== undefined) this.#parts.send({ kind: "sample", sample: this.#fullSample(this.#vm) });
        break;
    }
  }

  async #takeScreenshot(): Promise<void> {
    const { send, encodePng } = this.#parts;
    const frame = this.#vm?.frame();
    const png = frame === undefined ? undefined : await encodePng(frame);
    // The end is the last that is said.
    if (this.#vm?.state !== "ended") send({ kind: "screenshot", png });
  }

  #lookAtFrame(isWhole: boolean): void {
    const { scheduling } = this.#parts;
    const waitNs = this.#nextLookNs - scheduling.nowNs();
    if (waitNs <= 0) this.#sendFrame(isWhole);
    else scheduling.setTimer(waitNs, () => this.#sendFrame(isWhole), "listening");
  }

  #sendFrame(isWhole: boolean): void {
    const { scheduling, send } = this.#parts;
    // The end is the last that is said.
    if (this.#vm?.state === "ended") return;
    const startNs = scheduling.nowNs();
    const frame = this.#vm?.frame();
    send({ kind: "frame", update: frame && this.#frames.update(frame, isWhole) });
    const endNs = scheduling.nowNs();
    this.#nextLookNs = endNs + (LOOK_SHARE - 1) * (endNs - startNs);
  }

  async #tellGuestMemory(): Promise<void> {
    const memory = await this.#vm?.guestMemory();
    // The end is the last that is said.
    if (this.#vm?.state !== "ended") this.#parts.send({ kind: "guestMemory", memory });
  }

  /** A bug of ours that was noticed outside the VM; false when there is no VM that could end with a report. */
  fail(thrown: unknown): boolean {
    this.#vm?.fail(thrown);
    return this.#vm !== undefined;
  }

  async #create(definition: VmDefinition, codeProfile: CodeProfileTask | undefined): Promise<void> {
    const { send, createVm, finished } = this.#parts;
    const created = await createVm({
      definition,
      serial: {
        output: (bytes, connector) => send({ kind: "serialOutput", connector, bytes }),
        inputTaken: (byteCount, connector) => send({ kind: "inputTaken", connector, byteCount }),
      },
      codeProfile,
      codeProfileFound: (found) => send({ kind: "codeProfile", found }),
    });
    if (!created.ok) {
      send({ kind: "refused", error: created.error });
      finished();
      return;
    }
    const vm = created.value;
    this.#ramBytes = definition.memorySizeBytes;
    this.#vm = vm;
    vm.onStateChange = (state) => send({ kind: "state", state });
    void vm.ended.then((outcome) => {
      this.#observe({ sampleEveryMs: undefined, screenEveryMs: undefined });
      send({ kind: "ended", outcome, sample: this.#fullSample(vm) });
      finished();
    });
    send({ kind: "created" });
  }

  async #command(id: number, command: VmProcessCommand): Promise<void> {
    const error = await refusalOf(async () => await this.#vm?.[command]());
    this.#parts.send({ kind: "reply", id, error });
  }

  #sample(vm: VirtualMachine): VmSample {
    const { scheduling, resources } = this.#parts;
    return { atNs: scheduling.nowNs(), ...resources(), memory: undefined, statistics: vm.statistics };
  }

  /** Also tells memory by part, which takes milliseconds. */
  #fullSample(vm: VirtualMachine): VmSample {
    return { ...this.#sample(vm), memory: this.#parts.memory(this.#ramBytes) };
  }

  #observe({ sampleEveryMs, screenEveryMs }: Observation): void {
    this.#sampling?.cancel();
    this.#watching?.cancel();
    this.#lastScreen = undefined;
    this.#sampling = this.#repeat(
      sampleEveryMs,
      (timer) => (this.#sampling = timer),
      (vm) => {
        this.#parts.send({ kind: "sample", sample: this.#sample(vm) });
      },
    );
    this.#watching = this.#repeat(
      screenEveryMs,
      (timer) => (this.#watching = timer),
      (vm) => {
        const screen = vm.textScreen();
        if (isSameScreen(screen, this.#lastScreen)) return;
        this.#lastScreen = screen;
        this.#parts.send({ kind: "screen", screen });
      },
    );
  }

  /** Calls `look` every so many milliseconds while there is a VM; `keep` gets each new timer. */
  #repeat(
    everyMs: number | undefined,
    keep: (timer: HostTimer) => void,
    look: (vm: VirtualMachine) => void,
  ): HostTimer | undefined {
    if (everyMs === undefined) return undefined;
    const delayNs = Math.max(MIN_OBSERVATION_MS, everyMs) * NS_PER_MS;
    return this.#parts.scheduling.setTimer(delayNs, () => {
      if (this.#vm !== undefined && this.#vm.state !== "ended") look(this.#vm);
      const next = this.#repeat(everyMs, keep, look);
      if (next !== undefined) keep(next);
    });
  }
}

/** The error with which a command was refused; anything else that is thrown is a bug of ours and travels on. */
async function refusalOf(command: () => Promise<void>): Promise<OperatorError | undefined> {
  try {
    await command();
    return undefined;
  } catch (thrown) {
    if (thrown instanceof OperatorFault) return { code: thrown.code, message: thrown.message };
    throw thrown;
  }
}

function isSameScreen(a: TextScreen | undefined, b: TextScreen | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.columns === b.columns &&
    a.rows === b.rows &&
    a.cursor?.column === b.cursor?.column &&
    a.cursor?.row === b.cursor?.row &&
    a.cells.every((cell, index) => cell === b.cells[index])
  );
}
