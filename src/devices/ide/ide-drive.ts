/**
 * What disks and CD-ROM drives on an IDE cable have in common: the protocol between drive and host (ATA/ATAPI-6,
 * chapter 9 and sections 6.21 and 9.2): who may move data now, status, interrupt, resets, and the one request to the
 * back end that keeps a drive busy.
 *
 * A drive is always in one step. What it is about to do with the back end is a task with a name, so that saved state can
 * say it: a drive restored while it was asking asks again, which for reads, writes and flushes comes to the same.
 *
 * Deliberately missing: overlapped and queued commands, the release interrupt, drive-initiated power states.
 */

import type { BlockResult } from "../../block/index.ts";
import { StateReader } from "../../hw/index.ts";
import type { AccessSize, DeviceState } from "../../hw/index.ts";
import { RequestSlot } from "./request-slot.ts";
import { DEVICE, TaskFile } from "./task-file.ts";

export const STATUS = {
  busy: 0x80,
  ready: 0x40,
  deviceFault: 0x20,
  /** "Seek complete" up to ATA-3; what follows calls it obsolete, and older drivers wait for it. */
  seekComplete: 0x10,
  dataRequest: 0x08,
  error: 0x01,
} as const;

export const ERROR = {
  uncorrectable: 0x40,
  idNotFound: 0x10,
  aborted: 0x04,
} as const;

/** The result of diagnostics in the error register: no fault found. */
const DIAGNOSTICS_PASSED = 0x01;

/** Bytes that one request to the back end moves at most; longer commands ask several times. */
export const TRANSFER_MAX_BYTES = 256 * 1024;

const STEPS = ["idle", "asking", "data-in", "data-out", "dma-in", "dma-out", "resetting"] as const;
type Step = (typeof STEPS)[number];

/** The bus master's side of a transfer: each returns how many bytes it could move now, which may be none. */
export interface DmaPath {
  toMemory(bytes: Uint8Array): number;
  fromMemory(bytes: Uint8Array): number;
}

/** What a drive drives on its cable. */
export interface Cable {
  /** INTRQ may have changed. */
  interruptChanged(): void;
  readonly dma: DmaPath;
}

export abstract class IdeDrive<Task extends string = string> {
  readonly name: string;
  readonly taskFile = new TaskFile();
  readonly #tasks: readonly Task[];
  readonly #slot = new RequestSlot();
  #cable: Cable | undefined;
  #step: Step = "idle";
  /** Meaningful in the step "asking". */
  #task: Task;
  #isInterrupting = false;
  /** Bits of the status register besides busy and data request. */
  #status = 0;
  /** Nothing is allocated before data is moved. */
  #buffer = new Uint8Array(0);
  /** The host has moved the buffer's bytes before this. */
  #position = 0;
  /** End of the bytes that the host may move without another block being announced. */
  #blockEnd = 0;
  #end = 0;

  protected constructor(name: string, tasks: readonly [Task, ...Task[]]) {
    this.name = name;
    this.#tasks = tasks;
    this.#task = tasks[0];
  }

  connect(cable: Cable): void {
    this.#cable = cable;
  }

  // What a kind of drive adds.

  /** The host has written the command register while the drive was ready for it. */
  protected abstract execute(command: number): void;
  /** The host writes a command to a drive that is busy or moves data; only DEVICE RESET is heard then. */
  protected abstract interrupt(command: number): void;
  protected abstract perform(task: Task): Promise<BlockResult>;
  protected abstract performed(task: Task, result: BlockResult): void;
  /** The host has moved the whole block that was announced. */
  protected abstract blockMoved(): void;
  /** The bus master has moved all bytes. */
  protected abstract dmaMoved(): void;
  /** `isHard`: the RESET- line instead of SRST. Sets signature and defaults. */
  protected abstract resetDone(isHard: boolean): void;
  protected abstract saveKind(): DeviceState;
  protected abstract restoreKind(state: DeviceState, path: string): void;

  // The host's side.

  get isInterrupting(): boolean {
    return this.#isInterrupting;
  }

  /** Registers and commands are not to be written. */
  get isOccupied(): boolean {
    return this.#step !== "idle";
  }

  get status(): number {
    switch (this.#step) {
      case "idle":
        return this.#status;
      case "asking":
      case "resetting":
        return STATUS.busy;
      case "data-in":
      case "data-out":
      case "dma-in":
      case "dma-out":
        return this.#status | STATUS.dataRequest;
    }
  }

  /** The status register as the host reads it: the interrupt is thereby acknowledged. */
  readStatus(): number {
    this.#setInterrupt(false);
    return this.status;
  }

  writeCommand(command: number): void {
    if (this.#step === "resetting") return;
    if (this.#step !== "idle") {
      this.interrupt(command);
      return;
    }
    this.#setInterrupt(false);
    this.#status &= ~(STATUS.error | STATUS.deviceFault);
    this.taskFile.error = 0;
    this.execute(command);
  }

  // hot: two calls a sector's doubleword in PIO; device exits of the benchmark cost as much as the whole rest of them.
  readData(size: AccessSize): number {
    if (this.#step !== "data-in") return 0;
    const at = this.#position;
    const buffer = this.#buffer;
    if (size === 4 && at + 4 <= this.#blockEnd) {
      const value = (word(buffer, at) | (word(buffer, at + 2) << 16)) >>> 0;
      this.#move(4);
      return value;
    }
    const low = word(buffer, at);
    this.#move(2);
    if (size === 1) return low & 0xff;
    return size === 2 ? low : (low | (this.readData(2) << 16)) >>> 0;
  }

  writeData(size: AccessSize, value: number): void {
    if (this.#step !== "data-out") return;
    const buffer = this.#buffer;
    const at = this.#position;
    buffer[at] = value & 0xff;
    buffer[at + 1] = (value >>> 8) & 0xff;
    if (size === 4 && at + 4 <= this.#blockEnd) {
      buffer[at + 2] = (value >>> 16) & 0xff;
      buffer[at + 3] = value >>> 24;
      this.#move(4);
      return;
    }
    this.#move(2);
    if (size === 4) this.writeData(2, value >>> 16);
  }

  /** The bus master may be able to move bytes now. */
  continueDma(): void {
    if (this.#step === "dma-in" || this.#step === "dma-out") this.#pumpDma();
  }

  // Resets.

  /** SRST is set, or the hardware is reset: the drive is busy until {@link endReset}. */
  beginReset(): void {
    this.#slot.drop();
    this.#step = "resetting";
    this.#setInterrupt(false);
  }

  endReset(isHard: boolean): void {
    // What was dropped still has the buffer.
    this.#slot.whenFree(() => {
      this.#step = "idle";
      this.#status = 0;
      this.#position = 0;
      this.#blockEnd = 0;
      this.#end = 0;
      this.taskFile.error = DIAGNOSTICS_PASSED;
      this.resetDone(isHard);
    });
  }

  /** EXECUTE DEVICE DIAGNOSTIC, which both drives obey whichever is selected; the result is in place at once. */
  diagnose({ hasInterrupt }: { hasInterrupt: boolean }): void {
    this.#setInterrupt(false);
    this.#status &= ~(STATUS.error | STATUS.deviceFault);
    this.taskFile.error = DIAGNOSTICS_PASSED;
    this.diagnosed();
    if (hasInterrupt) this.raiseInterrupt();
  }

  /** Sets the signature. */
  protected abstract diagnosed(): void;

  // For the kinds of drives.

  /** The bytes that are moved; at most {@link TRANSFER_MAX_BYTES}. */
  protected buffer(lengthBytes: number): Uint8Array {
    if (this.#buffer.length < lengthBytes) {
      const grown = new Uint8Array(lengthBytes <= 4096 ? 4096 : TRANSFER_MAX_BYTES);
      grown.set(this.#buffer);
      this.#buffer = grown;
    }
    return this.#buffer.subarray(0, lengthBytes);
  }

  /** Bytes of the buffer that the host has not moved yet. */
  protected get leftBytes(): number {
    return this.#end - this.#position;
  }

  /** Bytes of the buffer that the host has moved. */
  protected get movedBytes(): number {
    return this.#position;
  }

  protected setStatus(status: number): void {
    this.#status = status;
  }

  protected raiseInterrupt(): void {
    this.#setInterrupt(true);
  }

  /** Busy until the back end has answered; then performed() is called. */
  protected ask(task: Task): void {
    this.#step = "asking";
    this.#task = task;
    this.#slot.start(
      () => this.perform(task),
      (result) => this.performed(task, result),
    );
  }

  /** The command is over: neither busy nor moving data. */
  protected finish({ hasInterrupt }: { hasInterrupt: boolean }): void {
    this.#step = "idle";
    if (hasInterrupt) this.raiseInterrupt();
  }

  /** The command is over with an error. */
  protected fail(error: number, statusBits: number = STATUS.error): void {
    this.taskFile.error = error;
    this.#status |= statusBits;
    this.finish({ hasInterrupt: true });
  }

  /** `lengthBytes` of the buffer are to be moved from its start; announces nothing yet. */
  protected beginBuffer(lengthBytes: number): void {
    this.buffer(lengthBytes);
    this.#position = 0;
    this.#blockEnd = 0;
    this.#end = lengthBytes;
  }

  /** Announces the next `lengthBytes` of the buffer to the host, which moves them through the data register. */
  protected announceBlock(direction: "data-in" | "data-out", lengthBytes: number): void {
    this.#blockEnd = Math.min(this.#end, this.#position + lengthBytes);
    this.#step = direction;
  }

  /** Has the bus master move the whole buffer; dmaMoved() may be called before this returns. */
  protected requestDma(direction: "dma-in" | "dma-out"): void {
    this.#step = direction;
    this.#pumpDma();
  }

  // Saved state.

  save(): DeviceState {
    return {
      taskFile: this.taskFile.save(),
      step: this.#step,
      task: this.#task,
      isInterrupting: this.#isInterrupting,
      status: this.#status,
      buffer: this.#step === "idle" ? new Uint8Array(0) : this.#buffer.slice(0, this.#end),
      position: this.#position,
      blockEnd: this.#blockEnd,
      end: this.#end,
      kind: this.saveKind(),
    };
  }

  restore(state: DeviceState, path: string): void {
    const reader = new StateReader(path, state);
    this.#slot.drop();
    this.taskFile.restore(reader.object("taskFile"), `${path}.taskFile`);
    this.#task = reader.choice("task", this.#tasks);
    this.#isInterrupting = reader.boolean("isInterrupting");
    this.#status = reader.u8("status") & ~(STATUS.busy | STATUS.dataRequest);
    this.#end = reader.integer("end", TRANSFER_MAX_BYTES);
    this.#blockEnd = reader.integer("blockEnd", this.#end);
    this.#position = reader.integer("position", this.#end);
    // What was dropped may still write into the old one.
    this.#buffer = new Uint8Array(0);
    this.buffer(this.#end).set(reader.bytes("buffer", this.#end));
    this.restoreKind(reader.object("kind"), `${path}.kind`);
    this.#step = reader.choice("step", STEPS);
    if (this.#step === "asking") this.ask(this.#task);
  }

  /** After restore: a reset whose end was only waiting for the back end is over. */
  get isResetting(): boolean {
    return this.#step === "resetting";
  }

  // Workings.

  #setInterrupt(isInterrupting: boolean): void {
    if (this.#isInterrupting === isInterrupting) return;
    this.#isInterrupting = isInterrupting;
    this.#cable?.interruptChanged();
  }

  #move(lengthBytes: number): void {
    this.#position += lengthBytes;
    if (this.#position >= this.#blockEnd) {
      this.#position = this.#blockEnd;
      this.blockMoved();
    }
  }

  #pumpDma(): void {
    const bytes = this.#buffer.subarray(this.#position, this.#end);
    const dma = this.#cable?.dma;
    const moved = (this.#step === "dma-in" ? dma?.toMemory(bytes) : dma?.fromMemory(bytes)) ?? 0;
    this.#position += moved;
    if (this.#position === this.#end) this.dmaMoved();
  }
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}

/** The device register of a drive: the bits that the host has written, those that are obsolete as ones. */
export function deviceRegister(taskFile: TaskFile, isSecond: boolean): number {
  const OBSOLETE = 0xa0;
  return (taskFile.device & ~DEVICE.dev) | OBSOLETE | (isSecond ? DEVICE.dev : 0);
}
