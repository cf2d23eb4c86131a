/**
 * The execution phase of an 82077AA's data commands (data sheet, section 5.1): READ and WRITE DATA, the same for deleted
 * data, READ TRACK, VERIFY, READ ID and FORMAT TRACK, a sector at a time between image and host.
 *
 * A command goes through stages, each of which ends by a timer, an answer of the image or the host's moving bytes:
 *
 *     position -> load -> host -> (next sector) -> result          reading
 *     position -> host -> store -> (next sector) -> result         writing
 *
 * Time is short but never nothing: a driver that waits for the interrupt has left its command phase when it comes. The
 * host gets half a second for a sector before that is an overrun, not the microseconds for which a FIFO of 16 bytes lasts:
 * a guest is not to blame for what its host does meanwhile.
 *
 * Without index pulses (no drive, no diskette, motor off) a command waits until the controller is reset, as in the chip
 * (section 8.1). FORMAT TRACK writes the sectors that the image has; a layout that the image has no place for ends as if
 * the diskette were write-protected. CRCs are the image's business: what it cannot read is a data error.
 */

import { assert, NS_PER_MS, NS_PER_US, unreachable } from "../../base/index.ts";
import type { BlockResult } from "../../block/index.ts";
import type { Clock, DeviceState, IsaDmaChannel, StateReader, Timer, Timers } from "../../hw/index.ts";
import { MAX_COMMAND_BYTES, SELECT, ST0, ST1, ST2 } from "./commands.ts";
import type { TransferCommand } from "./commands.ts";
import { idBehind, parametersOf } from "./data-command.ts";
import type { SectorId } from "./data-command.ts";
import type { FloppyDrive, FloppyTrack } from "./floppy-drive.ts";
import { FLOPPY_SECTOR_BYTES, FLOPPY_SECTOR_SIZE_CODE, MAX_SECTORS_PER_TRACK } from "./formats.ts";
import type { DataRateKbps } from "./formats.ts";

/** What the controller gives its execution phase. */
export interface TransferConfig {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly dma: IsaDmaChannel;
  drive(number: number): FloppyDrive | undefined;
  rateKbps(): DataRateKbps;
  /** Whether the host moves each byte through the FIFO register. */
  isNonDma(): boolean;
  /** Implied seek: moves the drive's heads to a cylinder and tells by how many they moved. */
  seek(drive: number, cylinder: number): number;
  /** A byte is due in the FIFO register, or none any more. */
  hostRequestChanged(): void;
  /** ST0, ST1, ST2, C, H, R, N. */
  finished(result: readonly number[]): void;
}

const STAGES = ["idle", "position", "search", "load", "host", "store", "stuck"] as const;
type Stage = (typeof STAGES)[number];

/** Of one step of the heads; the settling of the heads before a command and after a change of heads. */
export const STEP_NS = 20 * NS_PER_US;
const SETTLE_NS = 100 * NS_PER_US;
/** Two revolutions without what was looked for. */
const SEARCH_NS = 2 * NS_PER_MS;
const OVERRUN_NS = 500 * NS_PER_MS;
/** How long a sector is under the heads, for READ ID. */
const SECTOR_NS = 20 * NS_PER_US;
const ID_BYTES = 4;
const TRACK_BYTES = MAX_SECTORS_PER_TRACK * FLOPPY_SECTOR_BYTES;

export class FloppyTransfer {
  readonly #config: TransferConfig;
  #name: TransferCommand = "readData";
  #bytes: readonly number[] = [];
  #parameters = parametersOf([]);
  #stage: Stage = "idle";
  /** The head that is selected, and the sector that is looked for. */
  #head = 0;
  #id: SectorId = { c: 0, h: 0, r: 0, n: 0 };
  #sectorsDone = 0;
  #isTerminal = false;
  /** After this sector the command ends: its data mark is the other one. */
  #isLast = false;
  #st0 = 0;
  #st1 = 0;
  #st2 = 0;
  /** What the host moves: a sector, or an ID when formatting. */
  readonly #buffer = new Uint8Array(FLOPPY_SECTOR_BYTES);
  #position = 0;
  /** The track under the head, once loaded. */
  #trackBytes: Uint8Array | undefined;
  #timer: Timer | undefined;
  /** Answers of the image to an earlier one are dropped. */
  #generation = 0;
  /** The image is asked for one thing at a time, also when its answer will be dropped; the next question waits. */
  #isAsking = false;
  #nextQuestion: (() => void) | undefined;

  constructor(config: TransferConfig) {
    this.#config = config;
    config.dma.onGrant(() => this.#moveByDma());
  }

  // The controller's side.

  get isActive(): boolean {
    return this.#stage !== "idle";
  }

  /** Whether the host is to read a byte ("in") or to write one ("out") by the FIFO register now. */
  get hostRequest(): "in" | "out" | undefined {
    if (this.#stage !== "host" || !this.#config.isNonDma()) return undefined;
    return this.#isRead ? "in" : "out";
  }

  /** Whether the byte that is due begins a new burst of `burstBytes`, at which the host is interrupted. */
  startsBurst(burstBytes: number): boolean {
    return this.#position % burstBytes === 0;
  }

  /** EOT of the last read or write command, SC of the last format: for DUMPREG. */
  get lastSectorParameter(): number {
    return this.#name === "formatTrack" ? this.#parameters.formatSectors : this.#parameters.eot;
  }

  start(name: TransferCommand, bytes: readonly number[], isSeekImplied: boolean): void {
    assert(!this.isActive, "one command is executed at a time");
    this.#clear();
    this.#name = name;
    this.#bytes = bytes;
    this.#parameters = parametersOf(bytes);
    const select = bytes[1] ?? 0;
    this.#head = (select & SELECT.head) === 0 ? 0 : 1;
    const [, , c = 0, h = 0, r = 0, n = 0] = name === "readId" || name === "formatTrack" ? [] : bytes;
    this.#id = { c, h, r, n };
    const isSeeking = isSeekImplied && name !== "readId" && name !== "formatTrack" && name !== "readTrack";
    const steps = isSeeking ? this.#config.seek(this.#parameters.drive, c) : 0;
    this.#enter("position", SETTLE_NS + steps * STEP_NS);
  }

  /** Drops the command without a result. */
  abort(): void {
    this.#enter("idle");
  }

  /** The diskette of a drive has left: what was done with it finds no more index pulses. */
  mediumLeft(drive: number): void {
    if (this.isActive && this.#parameters.drive === drive) this.#enter("stuck");
  }

  /** The byte of the FIFO register, while hostRequest is "in". */
  takeByte(): number {
    const byte = this.#buffer[this.#position] ?? 0;
    this.#moved(1);
    return byte;
  }

  /** While hostRequest is "out". */
  giveByte(byte: number): void {
    this.#buffer[this.#position] = byte;
    this.#moved(1);
  }

  // Lifecycle.

  /** As at power-on. */
  reset(): void {
    this.abort();
    this.#clear();
  }

  #clear(): void {
    this.#name = "readData";
    this.#bytes = [];
    this.#parameters = parametersOf([]);
    this.#head = 0;
    this.#id = { c: 0, h: 0, r: 0, n: 0 };
    this.#sectorsDone = 0;
    this.#isTerminal = false;
    this.#isLast = false;
    this.#st0 = 0;
    this.#st1 = 0;
    this.#st2 = 0;
    this.#buffer.fill(0);
    this.#position = 0;
    this.#trackBytes = undefined;
  }

  save(): DeviceState {
    return {
      name: this.#name,
      bytes: [...this.#bytes],
      stage: this.#stage,
      head: this.#head,
      id: { ...this.#id },
      sectorsDone: this.#sectorsDone,
      isTerminal: this.#isTerminal,
      isLast: this.#isLast,
      st0: this.#st0,
      st1: this.#st1,
      st2: this.#st2,
      buffer: this.#buffer.slice(),
      position: this.#position,
      track: this.#trackBytes?.slice() ?? null,
    };
  }

  /** The stage begins anew: its timer, or its question to the image. */
  restore(reader: StateReader): void {
    this.#enter("idle");
    this.#name = reader.choice("name", [
      ...["readData", "readDeletedData", "writeData", "writeDeletedData"],
      ...["readTrack", "verify", "readId", "formatTrack"],
    ] as const);
    this.#bytes = reader.integers("bytes", MAX_COMMAND_BYTES, 0xff);
    this.#parameters = parametersOf(this.#bytes);
    const stage = reader.choice("stage", STAGES);
    this.#head = reader.integer("head", 1);
    const id = reader.child("id");
    this.#id = { c: id.u8("c"), h: id.u8("h"), r: id.u8("r"), n: id.u8("n") };
    this.#sectorsDone = reader.u16("sectorsDone");
    this.#isTerminal = reader.boolean("isTerminal");
    this.#isLast = reader.boolean("isLast");
    this.#st0 = reader.u8("st0");
    this.#st1 = reader.u8("st1");
    this.#st2 = reader.u8("st2");
    this.#buffer.set(reader.bytes("buffer", FLOPPY_SECTOR_BYTES));
    this.#position = reader.integer("position", FLOPPY_SECTOR_BYTES);
    this.#trackBytes = reader.isNull("track") ? undefined : reader.bytes("track", TRACK_BYTES);
    if (stage !== "host") return this.#enter(stage, SETTLE_NS);
    // The host has been asked already.
    this.#stage = stage;
    this.#awaitHost();
  }

  // Stages.

  /** Leaves the stage it is in, with all that might come of it, for another one, which begins. */
  #enter(stage: Stage, delayNs = 0): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#generation++;
    this.#nextQuestion = undefined;
    this.#config.dma.setRequest(false);
    this.#stage = stage;
    switch (stage) {
      case "idle":
      case "stuck":
        return;
      case "position":
        return this.#after(delayNs, () => this.#begin());
      case "search":
        return this.#after(SEARCH_NS, () => this.#end(ST0.abnormal));
      case "load":
        return this.#load();
      case "store":
        return this.#store();
      case "host":
        return this.#askHost();
      default:
        unreachable(stage);
    }
  }

  #after(delayNs: number, then: () => void): void {
    this.#timer = this.#config.timers.schedule(this.#config.clock.nowNs() + delayNs, () => {
      this.#timer = undefined;
      then();
    });
  }

  /** The heads stand. */
  #begin(): void {
    const drive = this.#drive;
    const track = this.#track();
    if (drive === undefined || !drive.isTurning) this.#enter("stuck");
    else if (this.#isWrite && drive.isWriteProtected) this.#fail({ st1: ST1.notWritable });
    else if (this.#name === "formatTrack") this.#beginFormat(track);
    else if (track === undefined) this.#notFound({ st1: ST1.missingAddressMark });
    else if (this.#name === "readId") this.#readId(track);
    else this.#nextSector();
  }

  #beginFormat(track: FloppyTrack | undefined): void {
    const { formatSize, formatSectors } = this.#parameters;
    const isLayoutKept =
      formatSize === FLOPPY_SECTOR_SIZE_CODE && track !== undefined && formatSectors === track.sectorCount;
    this.#position = 0;
    if (isLayoutKept) this.#enter("host");
    else this.#fail({ st1: ST1.notWritable });
  }

  /** The sector that comes next under the head, which turns with the time. */
  #readId(track: FloppyTrack): void {
    const passed = Math.floor(this.#config.clock.nowNs() / SECTOR_NS);
    this.#id = {
      c: track.cylinder,
      h: track.head,
      r: (passed % track.sectorCount) + 1,
      n: FLOPPY_SECTOR_SIZE_CODE,
    };
    this.#end(0);
  }

  #load(): void {
    const track = this.#track();
    if (track === undefined) return this.#enter("stuck");
    const bytes = new Uint8Array(track.sectorCount * FLOPPY_SECTOR_BYTES);
    const read = () => track.device.read(track.firstSector * FLOPPY_SECTOR_BYTES, bytes);
    this.#ask(read, (result) => {
      if (!result.ok) return this.#fail({ st1: ST1.dataError, st2: ST2.dataErrorInField });
      this.#trackBytes = bytes;
      this.#nextSector();
    });
  }

  /** Goes on with the answer of the image, unless the command has been dropped meanwhile. */
  #ask(request: () => Promise<BlockResult>, then: (result: BlockResult) => void): void {
    const generation = ++this.#generation;
    const begin = (): void => {
      this.#isAsking = true;
      // The image's own failures are results; this promise rejects for a bug only, which is to be loud.
      void request().then((result) => {
        this.#isAsking = false;
        if (generation === this.#generation) return then(result);
        this.#nextQuestion?.();
        this.#nextQuestion = undefined;
      });
    };
    if (this.#isAsking) this.#nextQuestion = begin;
    else begin();
  }

  /** Looks for the sector of the ID. At most a track's sectors are done before a timer or an answer is waited for. */
  #nextSector(): void {
    const track = this.#track();
    if (track === undefined) return this.#enter(this.#drive?.isTurning === true ? "search" : "stuck");
    if (this.#name === "readTrack") {
      // Sectors come as they lie, whatever their IDs say.
      if (!this.#isOn(track) || this.#id.r !== this.#sectorsDone + 1) this.#st1 |= ST1.noData;
      if (this.#sectorsDone >= track.sectorCount) return this.#notFound({ st1: ST1.missingAddressMark });
    } else if (!this.#isOn(track)) {
      const st2 = this.#id.c === track.cylinder ? 0 : ST2.wrongCylinder;
      return this.#notFound({ st1: ST1.noData, st2 });
    }
    this.#position = 0;
    if (this.#isWrite) this.#enter("host");
    else if (this.#trackBytes === undefined) this.#enter("load");
    else this.#readSector(track, this.#trackBytes);
  }

  /** Whether the track has the sector of the ID. */
  #isOn(track: FloppyTrack): boolean {
    const { c, h, r, n } = this.#id;
    return (
      c === track.cylinder &&
      h === track.head &&
      n === FLOPPY_SECTOR_SIZE_CODE &&
      r >= 1 &&
      r <= track.sectorCount
    );
  }

  #readSector(track: FloppyTrack, bytes: Uint8Array): void {
    const index = this.#name === "readTrack" ? this.#sectorsDone : this.#id.r - 1;
    if (this.#name !== "readTrack") {
      const isOther =
        this.#drive?.isDeleted(track.firstSector + index) !== (this.#name === "readDeletedData");
      if (isOther) this.#st2 |= ST2.controlMark;
      if (isOther && this.#parameters.isSkip) return this.#sectorDone();
      this.#isLast = isOther;
    }
    const at = index * FLOPPY_SECTOR_BYTES;
    this.#buffer.set(bytes.subarray(at, at + FLOPPY_SECTOR_BYTES));
    if (this.#name === "verify") this.#sectorDone();
    else this.#enter("host");
  }

  #askHost(): void {
    this.#awaitHost();
    if (this.#config.isNonDma()) this.#config.hostRequestChanged();
    else this.#moveByDma();
  }

  #awaitHost(): void {
    this.#after(OVERRUN_NS, () => this.#fail({ st1: ST1.overrun }));
    this.#config.dma.setRequest(!this.#config.isNonDma());
  }

  #moveByDma(): void {
    if (this.#stage !== "host" || this.#config.isNonDma()) return;
    const bytes = this.#buffer.subarray(this.#position, this.#hostBytes);
    const { dma } = this.#config;
    const { countBytes, isTerminal } = this.#isRead ? dma.toMemory(bytes) : dma.fromMemory(bytes);
    this.#isTerminal = isTerminal;
    if (countBytes > 0) this.#moved(countBytes);
  }

  /** The host has moved bytes. At the terminal count the rest of a sector is zeros. */
  #moved(countBytes: number): void {
    this.#position += countBytes;
    if (this.#position < this.#hostBytes && !this.#isTerminal) {
      if (this.#config.isNonDma()) this.#config.hostRequestChanged();
      return;
    }
    if (!this.#isWrite) return this.#sectorDone();
    this.#buffer.fill(0, this.#position);
    this.#enter("store");
  }

  #store(): void {
    const track = this.#track();
    if (track === undefined) return this.#enter("stuck");
    if (this.#name === "formatTrack") {
      const [c = 0, h = 0, r = 0, n = 0] = this.#buffer;
      this.#id = { c, h, r, n };
      if (!this.#isOn(track)) return this.#fail({ st1: ST1.notWritable });
    }
    const bytes = this.#buffer.slice();
    if (this.#name === "formatTrack") bytes.fill(this.#parameters.filler);
    const sector = track.firstSector + this.#id.r - 1;
    const write = () => track.device.write(sector * FLOPPY_SECTOR_BYTES, bytes);
    this.#ask(write, (result) => {
      if (!result.ok) {
        const isReadOnly = result.error.code === "disk-read-only";
        return this.#fail(isReadOnly ? { st1: ST1.notWritable } : { st0: ST0.equipmentCheck });
      }
      this.#drive?.setDeleted(sector, this.#name === "writeDeletedData");
      this.#sectorDone();
    });
  }

  /** Ends the command or goes on to the next sector (tables 5-6 and 5-7). */
  #sectorDone(): void {
    this.#sectorsDone++;
    if (this.#name === "formatTrack") {
      const isComplete = this.#sectorsDone === this.#parameters.formatSectors || this.#isTerminal;
      this.#position = 0;
      return isComplete ? this.#end(0) : this.#enter("host");
    }
    // Its ID stays in the result.
    if (this.#isLast) return this.#end(0);
    const isEndOfTrack = this.#isEndOfTrack;
    const wasHead0 = this.#head === 0;
    this.#id = idBehind(this.#id, this.#parameters, this.#head, isEndOfTrack);
    if (this.#isTerminal || this.#sectorsDone === this.#verifySectors) return this.#end(0);
    if (!isEndOfTrack) return this.#nextSector();
    if (this.#name === "readTrack") return this.#end(0);
    if (this.#parameters.isMultiTrack && wasHead0) return this.#otherHead();
    if (this.#name === "verify" && this.#verifySectors === undefined) return this.#end(0);
    this.#fail({ st1: ST1.endOfCylinder });
  }

  get #isEndOfTrack(): boolean {
    const { eot } = this.#parameters;
    return this.#name === "readTrack" ? this.#sectorsDone >= eot : this.#id.r === eot;
  }

  get #verifySectors(): number | undefined {
    return this.#name === "verify" ? this.#parameters.verifySectors : undefined;
  }

  #otherHead(): void {
    this.#head = 1;
    this.#trackBytes = undefined;
    this.#enter("position", SETTLE_NS);
  }

  // The end.

  #notFound(status: { readonly st1: number; readonly st2?: number }): void {
    this.#st1 |= status.st1;
    this.#st2 |= status.st2 ?? 0;
    this.#enter("search");
  }

  #fail(status: { readonly st0?: number; readonly st1?: number; readonly st2?: number }): void {
    this.#st0 |= status.st0 ?? 0;
    this.#st1 |= status.st1 ?? 0;
    this.#st2 |= status.st2 ?? 0;
    this.#end(ST0.abnormal);
  }

  #end(interruptCode: number): void {
    this.#enter("idle");
    const { c, h, r, n } = this.#id;
    const select = this.#parameters.drive | (this.#head === 0 ? 0 : SELECT.head);
    this.#config.finished([this.#st0 | interruptCode | select, this.#st1, this.#st2, c, h, r, n]);
  }

  // What the command works on.

  get #isWrite(): boolean {
    return this.#name === "writeData" || this.#name === "writeDeletedData" || this.#name === "formatTrack";
  }

  get #isRead(): boolean {
    return !this.#isWrite;
  }

  get #hostBytes(): number {
    return this.#name === "formatTrack" ? ID_BYTES : FLOPPY_SECTOR_BYTES;
  }

  get #drive(): FloppyDrive | undefined {
    return this.#config.drive(this.#parameters.drive);
  }

  /** In single density no address mark is found. */
  #track(): FloppyTrack | undefined {
    const drive = this.#drive;
    const isReadable = this.#parameters.isMfm && drive?.isTurning === true;
    return isReadable ? drive.track(this.#head, this.#config.rateKbps()) : undefined;
  }
}
