/**
 * A CD-ROM drive on an IDE cable: the packet command feature set (ATA/ATAPI-6, sections 6.8, 8.17, 8.23 and 9.8–9.10;
 * SFF-8020i) around the logical unit that carries the packets out.
 *
 * The interrupt reason says in the sector count register whether the host moves a packet, data, or reads the end; the
 * byte count of each block is in LBA Mid and High, at most what the host has put there. Deliberately missing: overlapped
 * commands, service interrupts, packets of 16 bytes.
 */

import { BLOCK_OK } from "../../block/index.ts";
import type { BlockDevice, BlockResult } from "../../block/index.ts";
import { StateReader } from "../../hw/index.ts";
import type { DeviceState } from "../../hw/index.ts";
import { CdromUnit, layoutBytes, PACKET_BYTES, sectorPrefix } from "./cdrom-unit.ts";
import type { Outcome, SectorLayout } from "./cdrom-unit.ts";
import { DISC_SECTOR_BYTES } from "./disc.ts";
import { ERROR, IdeDrive, STATUS, TRANSFER_MAX_BYTES } from "./ide-drive.ts";
import { IdentifyData, TRANSFER_MODES, transferModeOf } from "./identify-data.ts";
import type { DriveIdentity, TransferMode } from "./identify-data.ts";
import { SENSE, SENSE_KEY } from "./scsi.ts";

const READY = STATUS.ready | STATUS.seekComplete;
const SIGNATURE = { mid: 0x14, high: 0xeb } as const;

/** Sector count register: command or data, and its direction. */
const REASON = { packet: 0x01, dataIn: 0x02, dataOut: 0x00, end: 0x03 } as const;
/** Features register of PACKET. */
const FEATURE = { dma: 0x01, overlap: 0x02 } as const;
const BYTE_COUNT_MAX = 0xfffe;

const COMMAND = {
  nop: 0x00,
  deviceReset: 0x08,
  packet: 0xa0,
  identifyPacket: 0xa1,
  identify: 0xec,
  readSectors: 0x20,
  setFeatures: 0xef,
} as const;
const SET_TRANSFER_MODE = 0x03;
/** Power management by ATA's commands: each code and what it leads to. */
const POWER = new Map<number, "active" | "sleep" | "check">([
  [0xe0, "active"],
  [0xe1, "active"],
  [0xe2, "active"],
  [0xe3, "active"],
  [0xe5, "check"],
  [0xe6, "sleep"],
]);
const POWER_ACTIVE = 0xff;

/** General configuration: an ATAPI CD-ROM drive, removable, packets of 12 bytes asked for within 50 µs. */
const GENERAL = 0x85c0;
const CAPABILITIES = 0x0f00;
const MAJOR_VERSIONS = 0x0078;
/** NOP, DEVICE RESET, PACKET, power management. */
const COMMAND_SETS = 0x4218;
const VALID = 0x4000;

const TASKS = ["read"] as const;
/** What the block that the host moves is. */
const CONTENTS = ["nothing", "identify", "packet", "answer", "parameters", "sectors"] as const;
type Contents = (typeof CONTENTS)[number];

export interface AtapiDriveConfig {
  readonly name: string;
  readonly disc: BlockDevice | undefined;
  readonly identity: DriveIdentity;
  readonly isSecond: boolean;
}

export class AtapiDrive extends IdeDrive<"read"> {
  /** The tray, for whoever puts discs in and takes them out. */
  readonly unit: CdromUnit;
  readonly #identity: DriveIdentity;
  readonly #isSecond: boolean;
  #mode: TransferMode = { kind: "pio", number: 0 };
  #isAsleep = false;

  // The packet command under way.
  #contents: Contents = "nothing";
  #usesDma = false;
  #byteCountLimit = 0;
  #lba = 0;
  #sectorsLeft = 0;
  #chunkSectors = 0;
  #layout: SectorLayout = { hasSync: false, hasHeader: false, hasData: true };
  /** A chunk could not be read: sector by sector, up to the bad one. */
  #isSearching = false;

  constructor({ name, disc, identity, isSecond }: AtapiDriveConfig) {
    super(name, TASKS);
    this.unit = new CdromUnit(identity, disc);
    this.#identity = identity;
    this.#isSecond = isSecond;
  }

  // ATA commands.

  protected execute(code: number): void {
    if (this.#isAsleep && code !== COMMAND.deviceReset) return;
    if (code === COMMAND.deviceReset) return this.#deviceReset();
    this.setStatus(READY);
    switch (code) {
      case COMMAND.packet:
        return this.#beginPacket();
      case COMMAND.identifyPacket:
        return this.#identifyPacket();
      case COMMAND.identify:
      case COMMAND.readSectors:
        // So hosts that look for a disk find out what this is.
        this.taskFile.setSignature(SIGNATURE.mid, SIGNATURE.high);
        return this.fail(ERROR.aborted);
      case COMMAND.setFeatures:
        return this.#setFeatures();
      default:
        return this.#power(code);
    }
  }

  protected interrupt(code: number): void {
    if (code === COMMAND.deviceReset) this.#deviceReset();
  }

  #deviceReset(): void {
    this.beginReset();
    this.unit.reset();
    this.endReset(false);
  }

  protected resetDone(isHard: boolean): void {
    if (isHard) {
      this.unit.reset();
      this.#mode = { kind: "pio", number: 0 };
    }
    this.#isAsleep = false;
    this.#forgetPacket();
    this.diagnosed();
  }

  protected diagnosed(): void {
    this.taskFile.setSignature(SIGNATURE.mid, SIGNATURE.high);
    this.setStatus(0);
  }

  #identifyPacket(): void {
    const data = new IdentifyData();
    data.word(0, GENERAL);
    data.identity(this.#identity);
    data.word(49, CAPABILITIES);
    data.word(50, VALID);
    data.transferModes(this.#mode, this.#isSecond);
    data.word(80, MAJOR_VERSIONS);
    data.word(82, COMMAND_SETS);
    data.word(83, VALID);
    data.word(84, VALID);
    data.word(85, COMMAND_SETS);
    data.word(87, VALID);
    const bytes = data.seal();
    this.beginBuffer(bytes.length);
    this.buffer(bytes.length).set(bytes);
    this.#contents = "identify";
    this.announceBlock("data-in", bytes.length);
    this.raiseInterrupt();
  }

  #setFeatures(): void {
    const { features, sectorCount } = this.taskFile;
    const isMode = (features & 0xff) === SET_TRANSFER_MODE;
    const mode = isMode ? transferModeOf(sectorCount & 0xff) : undefined;
    if (mode === undefined) return this.fail(ERROR.aborted);
    if (mode.kind !== "pio") this.#mode = mode;
    this.finish({ hasInterrupt: true });
  }

  #power(code: number): void {
    const effect = POWER.get(code);
    if (effect === undefined) return this.fail(ERROR.aborted);
    if (effect === "check") this.taskFile.set("sectorCount", POWER_ACTIVE);
    this.#isAsleep = effect === "sleep";
    this.finish({ hasInterrupt: true });
  }

  // Packet commands.

  #beginPacket(): void {
    const { features, lbaMid, lbaHigh } = this.taskFile;
    if ((features & FEATURE.overlap) !== 0) return this.fail(ERROR.aborted);
    this.#usesDma = (features & FEATURE.dma) !== 0;
    const limit = (lbaMid & 0xff) | ((lbaHigh & 0xff) << 8);
    this.#byteCountLimit = Math.min(limit, BYTE_COUNT_MAX);
    this.#contents = "packet";
    this.taskFile.set("sectorCount", REASON.packet);
    this.beginBuffer(PACKET_BYTES);
    this.announceBlock("data-out", PACKET_BYTES);
  }

  #follow(outcome: Outcome): void {
    switch (outcome.kind) {
      case "good":
        return this.#end();
      case "check":
        return this.#checkCondition();
      case "data-in":
        this.#contents = "answer";
        this.beginBuffer(outcome.bytes.length);
        this.buffer(outcome.bytes.length).set(outcome.bytes);
        return this.#moveData("in");
      case "data-out":
        this.#contents = "parameters";
        this.beginBuffer(outcome.lengthBytes);
        return this.#moveData("out");
      case "read":
        this.#contents = "sectors";
        this.#lba = outcome.lba;
        this.#sectorsLeft = outcome.count;
        this.#layout = outcome.layout;
        this.#isSearching = false;
        return this.#readChunk();
    }
  }

  #moveData(direction: "in" | "out"): void {
    if (!this.#usesDma) return this.#announce(direction);
    this.taskFile.set("sectorCount", direction === "in" ? REASON.dataIn : REASON.dataOut);
    this.requestDma(direction === "in" ? "dma-in" : "dma-out");
  }

  /** The next block: as much as the host takes at once, in whole words unless it is the last. */
  #announce(direction: "in" | "out"): void {
    // The host has not said how much it takes.
    if (this.#byteCountLimit === 0) return this.#abortPacket();
    const isLast = this.leftBytes <= this.#byteCountLimit;
    const count = isLast ? this.leftBytes : Math.max(2, this.#byteCountLimit & ~1);
    this.taskFile.set("sectorCount", direction === "in" ? REASON.dataIn : REASON.dataOut);
    this.taskFile.set("lbaMid", count);
    this.taskFile.set("lbaHigh", count >>> 8);
    this.announceBlock(direction === "in" ? "data-in" : "data-out", count);
    this.raiseInterrupt();
  }

  protected blockMoved(): void {
    switch (this.#contents) {
      case "packet":
        this.#follow(this.unit.execute(this.buffer(PACKET_BYTES)));
        return;
      case "identify":
      case "nothing":
        this.finish({ hasInterrupt: false });
        return;
      case "answer":
      case "sectors":
      case "parameters":
        if (this.leftBytes > 0) this.#announce(this.#contents === "parameters" ? "out" : "in");
        else this.#moved();
    }
  }

  protected dmaMoved(): void {
    this.#moved();
  }

  /** The buffer has been moved. */
  #moved(): void {
    if (this.#contents === "parameters") {
      this.#follow(this.unit.select(this.buffer(this.movedBytes)));
    } else if (this.#contents === "sectors") {
      this.#lba += this.#chunkSectors;
      this.#sectorsLeft -= this.#chunkSectors;
      if (this.#sectorsLeft > 0) this.#readChunk();
      else this.#end();
    } else {
      this.#end();
    }
  }

  #readChunk(): void {
    const fitting = Math.floor(TRANSFER_MAX_BYTES / Math.max(DISC_SECTOR_BYTES, layoutBytes(this.#layout)));
    this.#chunkSectors = Math.min(this.#sectorsLeft, this.#isSearching ? 1 : fitting);
    this.ask("read");
  }

  /** Sectors are read to the end of the buffer, so that there is room to put something in front of each. */
  get #readBytes(): { readonly total: number; readonly start: number } {
    const dataBytes = this.#chunkSectors * DISC_SECTOR_BYTES;
    const total = Math.max(dataBytes, this.#chunkSectors * layoutBytes(this.#layout));
    return { total, start: total - dataBytes };
  }

  protected perform(): Promise<BlockResult> {
    const { total, start } = this.#readBytes;
    const { disc } = this.unit;
    // The disc may have been taken out since the command began.
    if (disc === undefined || this.#lba + this.#chunkSectors > disc.sectors) return Promise.resolve(BLOCK_OK);
    return disc.device.read(this.#lba * DISC_SECTOR_BYTES, this.buffer(total).subarray(start));
  }

  protected performed(_task: "read", { ok }: BlockResult): void {
    const { disc } = this.unit;
    if (disc === undefined || this.#lba + this.#chunkSectors > disc.sectors) {
      this.#follow(this.unit.check(SENSE.noMediumTrayOpen));
    } else if (!ok && this.#chunkSectors > 1) {
      this.#isSearching = true;
      this.#readChunk();
    } else if (!ok) {
      this.#follow(this.unit.check({ ...SENSE.readError, information: this.#lba }));
    } else {
      this.unit.movedTo(this.#lba);
      this.#layOut();
      this.#moveData("in");
    }
  }

  /** Gives each sector the parts that the command asked for. */
  #layOut(): void {
    const { total, start } = this.#readBytes;
    const sectorBytes = layoutBytes(this.#layout);
    const bytes = this.buffer(total);
    if (sectorBytes !== DISC_SECTOR_BYTES) {
      for (let index = 0; index < this.#chunkSectors; index++) {
        const to = index * sectorBytes;
        const prefix = sectorPrefix(this.#lba + index, this.#layout);
        const from = start + index * DISC_SECTOR_BYTES;
        if (this.#layout.hasData) bytes.copyWithin(to + prefix.length, from, from + DISC_SECTOR_BYTES);
        bytes.set(prefix, to);
      }
    }
    this.beginBuffer(this.#chunkSectors * sectorBytes);
  }

  #end(): void {
    this.taskFile.set("sectorCount", REASON.end);
    this.#forgetPacket();
    this.finish({ hasInterrupt: true });
  }

  /** The error register has the sense key; the rest is for REQUEST SENSE. */
  #checkCondition(): void {
    const { key } = this.unit.sense;
    this.taskFile.set("sectorCount", REASON.end);
    this.#forgetPacket();
    this.fail((key << 4) | (key === SENSE_KEY.illegalRequest ? ERROR.aborted : 0));
  }

  #abortPacket(): void {
    this.taskFile.set("sectorCount", REASON.end);
    this.#forgetPacket();
    this.fail(ERROR.aborted);
  }

  /** No packet command is under way. */
  #forgetPacket(): void {
    this.#contents = "nothing";
    this.#sectorsLeft = 0;
    this.#chunkSectors = 0;
  }

  // Saved state.

  protected saveKind(): DeviceState {
    return {
      unit: this.unit.save(),
      transferMode: this.#mode.kind,
      transferModeNumber: this.#mode.number,
      isAsleep: this.#isAsleep,
      contents: this.#contents,
      usesDma: this.#usesDma,
      byteCountLimit: this.#byteCountLimit,
      lba: this.#lba,
      sectorsLeft: this.#sectorsLeft,
      chunkSectors: this.#chunkSectors,
      hasSync: this.#layout.hasSync,
      hasHeader: this.#layout.hasHeader,
      hasData: this.#layout.hasData,
      isSearching: this.#isSearching,
    };
  }

  protected restoreKind(state: DeviceState, path: string): void {
    const reader = new StateReader(path, state);
    this.unit.restore(reader.object("unit"), `${path}.unit`);
    const kind = reader.choice("transferMode", TRANSFER_MODES);
    this.#mode = { kind, number: reader.integer("transferModeNumber", 7) };
    this.#isAsleep = reader.boolean("isAsleep");
    this.#contents = reader.choice("contents", CONTENTS);
    this.#usesDma = reader.boolean("usesDma");
    this.#byteCountLimit = reader.integer("byteCountLimit", BYTE_COUNT_MAX);
    this.#lba = reader.u32("lba");
    this.#sectorsLeft = reader.u32("sectorsLeft");
    const fitting = Math.floor(TRANSFER_MAX_BYTES / DISC_SECTOR_BYTES);
    this.#chunkSectors = reader.integer("chunkSectors", Math.min(fitting, this.#sectorsLeft));
    this.#layout = {
      hasSync: reader.boolean("hasSync"),
      hasHeader: reader.boolean("hasHeader"),
      hasData: reader.boolean("hasData"),
    };
    this.#isSearching = reader.boolean("isSearching");
  }
}
