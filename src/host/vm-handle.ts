/**
 * One VM in its own process, seen from the parent: its state, its commands, its console and its resources. Whatever
 * the child does (dies, sends nonsense, stops answering) ends in an outcome here and never in an exception.
 */

import { NS_PER_S, ok, OperatorFault, unwrap } from "../base/index.ts";
import type { OperatorError, Result } from "../base/index.ts";
import type {
  CodeProfileFinding,
  CodeProfileTask,
  CaseButton,
  Connector,
  HostTimer,
  GuestMemory,
  InputEvent,
  MediumChange,
  Scheduling,
  TextScreen,
  VmDefinition,
  VmOutcome,
  VmState,
} from "../vmm/index.ts";
import {
  connectorsOf,
  findRemovableDrive,
  removableDriveNames,
  SERIAL_OUTPUT_WINDOW_BYTES,
} from "../vmm/index.ts";
import { decodeFromVm } from "./decode-messages.ts";
import type { FrameUpdate } from "./frame-changes.ts";
import { Listeners } from "./listeners.ts";
import type { FromVmMessage, Observation, ToVmMessage, VmProcessCommand, VmSample } from "./messages.ts";
import type { ProcessEnding, VmProcessLink } from "./process-link.ts";
import { ScreenFeed } from "./screen-feed.ts";
import { SerialConsole } from "./serial-console.ts";

/** A child that is later than this with its own timeout does not work any more. */
const TIMEOUT_GRACE_NS = 5 * NS_PER_S;
/** How long a child may take to stop, and its process to go once it has said its last, before it is killed. */
const STOP_GRACE_NS = 3 * NS_PER_S;
/** How long a child may take for any other answer; even on a busy host it has long started and read its files. */
export const ANSWER_TIMEOUT_SECONDS = 60;

/** How a VM or its process ended. */
export type VmEnding =
  | VmOutcome
  /** The VM's process went without a word of the VM: killed, out of memory, or a fault in the JavaScript engine. */
  | { readonly kind: "process-died"; readonly ending: ProcessEnding }
  /** The process broke the protocol, as one would that its guest has taken over; it was killed. */
  | { readonly kind: "process-hostile" }
  /** The process did not answer for so long; it was killed. */
  | { readonly kind: "process-silent"; readonly seconds: number };

export interface VmEnd {
  readonly outcome: VmEnding;
  /** Taken by the child when it ended; missing when it died. */
  readonly sample: VmSample | undefined;
}

interface PendingCommand {
  readonly command: VmProcessCommand | "change a medium";
  readonly settle: (error: OperatorError | undefined) => void;
}

export interface VmHandleParts {
  readonly definition: VmDefinition;
  readonly link: VmProcessLink;
  readonly scheduling: Scheduling;
  /** What is known of the code of the VM's kernel, or that it shall be learnt; neither unless given. */
  readonly codeProfile?: CodeProfileTask | undefined;
}

export class VmHandle {
  readonly definition: VmDefinition;
  /** The first serial port. */
  readonly serial: SerialConsole;
  /** Resolves once, never rejects. All output has been given to its listeners before. */
  readonly ended: Promise<VmEnd>;
  readonly states = new Listeners<VmState>();
  readonly samples = new Listeners<VmSample>();
  /** The text screen whenever it has changed; undefined when there is none to show. */
  readonly screens = new Listeners<TextScreen | undefined>();
  readonly #screenshots = new Listeners<Uint8Array | undefined>();
  readonly #textScreens = new Listeners<TextScreen | undefined>();
  readonly #guestMemories = new Listeners<GuestMemory | undefined>();
  /** What the VM has to say about the code of its kernel, once. */
  readonly codeProfiles = new Listeners<CodeProfileFinding>();
  readonly #consoles: ReadonlyMap<Connector, SerialConsole>;
  readonly #link: VmProcessLink;
  readonly #scheduling: Scheduling;
  readonly #pending = new Map<number, PendingCommand>();
  /** Files of media that were changed, by the drive. */
  readonly #media = new Map<string, string | undefined>();
  #resolveEnded: (end: VmEnd) => void = () => undefined;
  #created: ((result: Result<void>) => void) | undefined;
  #nextId = 1;
  #state: VmState = "ready";
  #isKilledFor: VmEnding | undefined;
  #timeout: HostTimer | undefined;
  #departure: HostTimer | undefined;
  #screen: TextScreen | undefined;
  #hasToldCodeProfile = false;
  #screenFeed: ScreenFeed | undefined;
  #frameWanted: ((update: FrameUpdate | undefined) => void) | undefined;

  /** Starts the VM's process and checks the definition there; the VM is then "ready". */
  static async create(parts: VmHandleParts): Promise<Result<VmHandle>> {
    const handle = new VmHandle(parts);
    const created = await handle.#answer<Result<void>>((resolve) => {
      handle.#created = resolve;
      const { definition, codeProfile } = parts;
      parts.link.send({ kind: "create", definition, codeProfile });
    });
    return created.ok ? ok(handle) : created;
  }

  private constructor({ definition, link, scheduling }: VmHandleParts) {
    this.definition = definition;
    this.#link = link;
    this.#scheduling = scheduling;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    const console = (connector: Connector): SerialConsole =>
      new SerialConsole({
        input: (bytes) => link.send({ kind: "serialInput", connector, bytes }),
        consumed: (byteCount) => link.send({ kind: "serialConsumed", connector, byteCount }),
      });
    this.serial = console("com1");
    const others = connectorsOf(definition).filter((name) => name !== "com1");
    this.#consoles = new Map([
      ["com1", this.serial],
      ...others.map((name) => [name, console(name)] as const),
    ]);
    link.listen({
      message: (message) => this.#receive(message),
      ended: (ending) => this.#processEnded(ending),
    });
  }

  get name(): string {
    return this.definition.name;
  }

  get state(): VmState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#link.pid;
  }

  /** What is connected there; undefined when the VM has no such connector. */
  console(connector: Connector): SerialConsole | undefined {
    return this.#consoles.get(connector);
  }

  // Commands. Each rejects with an OperatorFault when the VM's state does not know it, or when it is not answered.

  async start(): Promise<void> {
    const { timeoutSeconds: seconds } = this.definition;
    if (seconds !== undefined) {
      this.#timeout = this.#scheduling.setTimer(seconds * NS_PER_S + TIMEOUT_GRACE_NS, () =>
        this.#killFor({ kind: "timeout", seconds }),
      );
    }
    await this.#command("start");
  }

  async pause(): Promise<void> {
    await this.#command("pause");
  }

  async resume(): Promise<void> {
    await this.#command("resume");
  }

  async reset(): Promise<void> {
    await this.#command("reset");
  }

  /** Resolves when the VM has ended and its process is gone; a process that does not answer is killed. */
  async stop(): Promise<VmEnd> {
    const patience = this.#scheduling.setTimer(STOP_GRACE_NS, () => this.#killFor({ kind: "stopped" }));
    await this.#command("stop");
    const end = await this.ended;
    patience.cancel();
    return end;
  }

  /** Ends the process at once, in whatever state it is. */
  kill(): void {
    this.#killFor({ kind: "stopped" });
  }

  /** Types on the PC's keyboard and moves its mouse. */
  giveInput(inputs: readonly InputEvent[]): void {
    if (inputs.length > 0) this.#link.send({ kind: "input", inputs });
  }

  /** Presses a button of the PC's case; what comes of it is the guest's decision. */
  pressButton(button: CaseButton): void {
    this.#link.send({ kind: "pressButton", button });
  }

  /** The text screen as it was last reported; undefined when there is none to show or nothing is reported. */
  get screen(): TextScreen | undefined {
    return this.#screen;
  }

  /** What the VM's process reports by itself from now on. */
  observe(observation: Observation): void {
    // What was reported long ago is not on the screen any more.
    this.#screen = undefined;
    this.#link.send({ kind: "observe", observation });
  }

  /** The resources and statistics of now, or those at the end of a VM that has ended; undefined if it died. */
  async measure(): Promise<VmSample | undefined> {
    if (this.#state === "ended") return (await this.ended).sample;
    return await this.#answer((resolve) => {
      const listening = this.samples.add((sample) => {
        listening.release();
        resolve(sample);
      });
      void this.ended.then(({ sample }) => {
        listening.release();
        resolve(sample);
      });
      this.#link.send({ kind: "measure" });
    });
  }

  /** What the monitor shows now, as a PNG file; undefined without a display, and when the VM has ended. */
  async screenshot(): Promise<Uint8Array | undefined> {
    return await this.#next(this.#screenshots, { kind: "takeScreenshot" });
  }

  /** The text screen of now; undefined when it shows no text, and when the VM has ended. */
  async readTextScreen(): Promise<TextScreen | undefined> {
    return await this.#next(this.#textScreens, { kind: "readTextScreen" });
  }

  /** Asks the guest to leave so much of its memory unused; without a balloon nothing comes of it. */
  setBalloon(sizeBytes: number): void {
    this.#link.send({ kind: "setBalloon", sizeBytes });
  }

  /** What the guest tells of its memory; undefined without a balloon, and when the VM has ended. */
  async guestMemory(): Promise<GuestMemory | undefined> {
    return await this.#next(this.#guestMemories, { kind: "askGuestMemory" });
  }

  /** The next that listeners hear after a request; undefined when the VM has ended. */
  async #next<T>(listeners: Listeners<T | undefined>, request: ToVmMessage): Promise<T | undefined> {
    if (this.#state === "ended") return undefined;
    return await this.#answer((resolve) => {
      const listening = listeners.add((answer) => {
        listening.release();
        resolve(answer);
      });
      void this.ended.then(() => {
        listening.release();
        resolve(undefined);
      });
      this.#link.send(request);
    });
  }

  /**
   * The VM's screen for those who look at it, one for all of them; undefined when it has none, or has ended. It costs nothing
   * while nobody waits for changes.
   */
  async openScreen(): Promise<ScreenFeed | undefined> {
    this.#screenFeed ??= new ScreenFeed({
      look: (isWhole) => this.#lookAtFrame(isWhole),
      scheduling: this.#scheduling,
    });
    return (await this.#screenFeed.open()) ? this.#screenFeed : undefined;
  }

  async #lookAtFrame(isWhole: boolean): Promise<FrameUpdate | undefined> {
    if (this.#state === "ended") return undefined;
    return await this.#answer((resolve) => {
      this.#frameWanted = resolve;
      void this.ended.then(() => resolve(undefined));
      this.#link.send({ kind: "lookAtFrame", isWhole });
    });
  }

  /** The drives whose media can be changed, and the file in each. */
  get media(): readonly { readonly name: string; readonly file: string | undefined }[] {
    return removableDriveNames(this.definition.drives).map(({ name, definition }) => ({
      name,
      file: this.#media.has(name) ? this.#media.get(name) : definition.file,
    }));
  }

  /** Puts a medium into a drive ("cdrom0"), in the place of what is there, or takes it out. */
  async changeMedium(drive: string, change: MediumChange): Promise<void> {
    const found = unwrap(findRemovableDrive(this.definition.drives, drive));
    await this.#ask("change a medium", (id) =>
      this.#link.send({ kind: "changeMedium", id, drive: found.name, change }),
    );
    this.#media.set(found.name, change.kind === "insert" ? change.medium.file : undefined);
  }

  async #command(command: VmProcessCommand): Promise<void> {
    await this.#ask(command, (id) => this.#link.send({ kind: "command", id, command }));
  }

  async #ask(command: PendingCommand["command"], send: (id: number) => void): Promise<void> {
    const error = await this.#answer<OperatorError | undefined>((settle) => {
      if (this.#state === "ended") {
        settle(this.#endedError(command));
        return;
      }
      const id = this.#nextId++;
      this.#pending.set(id, { command, settle });
      send(id);
    });
    if (error !== undefined) throw new OperatorFault(error.code, error.message);
  }

  /** What `ask` gives to its argument: the child's answer. A process that owes one for too long is killed. */
  async #answer<T>(ask: (resolve: (answer: T) => void) => void): Promise<T> {
    const seconds = ANSWER_TIMEOUT_SECONDS;
    const patience = this.#scheduling.setTimer(seconds * NS_PER_S, () =>
      this.#killFor({ kind: "process-silent", seconds }),
    );
    const answer = await new Promise<T>(ask);
    patience.cancel();
    return answer;
  }

  #endedError(command: PendingCommand["command"]): OperatorError | undefined {
    if (command === "stop") return undefined;
    return {
      code: "wrong-state",
      message: `The VM ${this.name} has ended: it cannot be told to ${command}.`,
    };
  }

  /** The error of a command that the VM's end overtook. */
  #unanswered(command: PendingCommand["command"], outcome: VmEnding): OperatorError | undefined {
    if (outcome.kind === "process-silent") return silence(this.name, outcome.seconds);
    // A VM may end as soon as it is started; how is told by the outcome.
    return command === "start" ? undefined : this.#endedError(command);
  }

  #receive(raw: unknown): void {
    if (this.#isKilledFor !== undefined) return;
    const message = decodeFromVm(raw);
    if (message === undefined) this.#killFor({ kind: "process-hostile" });
    else this.#handle(message);
  }

  #handle(message: FromVmMessage): void {
    switch (message.kind) {
      case "created":
        this.#created?.(ok(undefined));
        this.#created = undefined;
        break;
      case "refused":
        this.#created?.({ ok: false, error: message.error });
        this.#created = undefined;
        this.#expectDeparture();
        break;
      case "reply":
        this.#pending.get(message.id)?.settle(message.error);
        this.#pending.delete(message.id);
        break;
      case "state":
        // "ended" is announced with the outcome, which follows.
        if (message.state !== "ended") this.#become(message.state);
        break;
      case "serialOutput":
        this.#serialOutput(message.connector, message.bytes);
        break;
      case "inputTaken":
        this.console(message.connector)?.inputTaken(message.byteCount);
        break;
      case "sample":
        this.samples.emit(message.sample);
        break;
      case "screen":
        this.#screen = message.screen;
        this.screens.emit(message.screen);
        break;
      case "screenshot":
        this.#screenshots.emit(message.png);
        break;
      case "textScreen":
        this.#textScreens.emit(message.screen);
        break;
      case "frame":
        this.#frame(message.update);
        break;
      case "guestMemory":
        this.#guestMemories.emit(message.memory);
        break;
      case "codeProfile":
        this.#codeProfile(message.found);
        break;
      case "ended":
        this.#end({ outcome: message.outcome, sample: message.sample });
        this.#expectDeparture();
        break;
    }
  }

  /** A child that sends more than the window allows means to fill this process's memory. */
  #serialOutput(connector: Connector, bytes: Uint8Array): void {
    const console = this.console(connector);
    const fits =
      console !== undefined && console.unconfirmedCount + bytes.length <= SERIAL_OUTPUT_WINDOW_BYTES;
    if (fits) void console.output(bytes);
    else this.#killFor({ kind: "process-hostile" });
  }

  /** One for each that was asked for: others would be work for nothing. */
  #frame(update: FrameUpdate | undefined): void {
    const wanted = this.#frameWanted;
    this.#frameWanted = undefined;
    if (wanted === undefined) this.#killFor({ kind: "process-hostile" });
    else wanted(update);
  }

  /** It is kept in a file each time: once is enough. */
  #codeProfile(found: CodeProfileFinding): void {
    if (this.#hasToldCodeProfile) this.#killFor({ kind: "process-hostile" });
    else this.codeProfiles.emit(found);
    this.#hasToldCodeProfile = true;
  }

  #become(state: VmState): void {
    this.#state = state;
    this.states.emit(state);
  }

  #killFor(outcome: VmEnding): void {
    if (this.#state === "ended" || this.#isKilledFor !== undefined) return;
    this.#isKilledFor = outcome;
    this.#link.kill();
  }

  /** The child has said its last: its process must not stay and keep this one. */
  #expectDeparture(): void {
    this.#departure ??= this.#scheduling.setTimer(STOP_GRACE_NS, () => this.#link.kill());
  }

  #processEnded(ending: ProcessEnding): void {
    this.#departure?.cancel();
    this.#end({ outcome: this.#isKilledFor ?? { kind: "process-died", ending }, sample: undefined });
  }

  #end(end: VmEnd): void {
    if (this.#state === "ended") return;
    this.#timeout?.cancel();
    this.#screenFeed?.close();
    this.#become("ended");
    for (const console of this.#consoles.values()) console.close();
    for (const { command, settle } of this.#pending.values()) settle(this.#unanswered(command, end.outcome));
    this.#pending.clear();
    this.#created?.({ ok: false, error: diedAtStart(this.name, end.outcome) });
    this.#created = undefined;
    this.#resolveEnded(end);
  }
}

function diedAtStart(name: string, outcome: VmEnding): OperatorError {
  if (outcome.kind === "process-silent") return silence(name, outcome.seconds);
  const lines = outcome.kind === "process-died" ? outcome.ending.lastWords.trim().split("\n") : [];
  // A stack trace names its error in the first line of several.
  const reason = lines.find((line) => /^\w*Error\b/.test(line)) ?? lines[0] ?? "";
  const words = reason === "" ? "it gave no reason" : reason.replace(/\.$/, "");
  return { code: "process-died", message: `The VM's process could not be started: ${words}.` };
}

function silence(name: string, seconds: number): OperatorError {
  return {
    code: "process-died",
    message: `The process of the VM ${name} was killed: it did not answer for ${seconds} s.`,
  };
}
