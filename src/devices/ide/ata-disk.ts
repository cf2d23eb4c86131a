/**
 * A hard disk (ATA/ATAPI-6, T13/1410D: the general feature set, 48-bit addresses, power management, multi-sector
 * transfers, forced unit access) over a block device. CHS translation and the commands that only older systems use are
 * from ATA/ATAPI-5 and ATA-1.
 *
 * Sectors move in chunks of TRANSFER_MAX_BYTES between the back end and a buffer, and from there in the blocks that the
 * command says. A chunk that cannot be read is read again sector by sector, so that the host gets all sectors in front of
 * the bad one and its address.
 *
 * Deliberately missing, and not advertised: SMART, security, host protected area beyond READ NATIVE MAX ADDRESS, queued
 * commands, READ and WRITE LONG and BUFFER, FORMAT TRACK, DATA SET MANAGEMENT. The standby timer is accepted and never
 * runs out. A disk that cannot be written aborts write commands: ATA knows no write-protected fixed disk.
 */

import { BLOCK_OK, SECTOR_BYTES } from "../../block/index.ts";
import type { BlockDevice, BlockResult } from "../../block/index.ts";
import { StateReader } from "../../hw/index.ts";
import type { DeviceState } from "../../hw/index.ts";
import { ataCommand } from "./ata-commands.ts";
import type { TransferCommand } from "./ata-commands.ts";
import { identifyDisk, MULTIPLE_SECTORS_MAX } from "./ata-identify.ts";
import { defaultGeometry, placeOf, sectorAt, withTranslation } from "./drive-geometry.ts";
import type { Geometry } from "./drive-geometry.ts";
import { ERROR, IdeDrive, STATUS, TRANSFER_MAX_BYTES } from "./ide-drive.ts";
import { TRANSFER_MODES, transferModeOf } from "./identify-data.ts";
import type { DriveIdentity, TransferMode } from "./identify-data.ts";
import { DEVICE } from "./task-file.ts";

const CHUNK_SECTORS = TRANSFER_MAX_BYTES / SECTOR_BYTES;
const READY = STATUS.ready | STATUS.seekComplete;

const POWER_MODES = ["active", "idle", "standby", "sleep"] as const;
type PowerMode = (typeof POWER_MODES)[number];
/** What CHECK POWER MODE returns. */
const POWER_CODE: Readonly<Record<PowerMode, number>> = {
  active: 0xff,
  idle: 0x80,
  standby: 0x00,
  sleep: 0x00,
};

/** SET FEATURES subcommands. */
const FEATURE = {
  enableWriteCache: 0x02,
  setTransferMode: 0x03,
  disableLookAhead: 0x55,
  keepSettings: 0x66,
  disableWriteCache: 0x82,
  enableLookAhead: 0xaa,
  revertSettings: 0xcc,
} as const;

/** How a command names its sectors. */
type Addressing = "chs" | "lba28" | "lba48";

const LBA28_SECTORS = 2 ** 28;
const COUNT_MAX = 256;
const WIDE_COUNT_MAX = 65_536;

export interface AtaDiskConfig {
  readonly name: string;
  readonly disk: BlockDevice;
  readonly identity: DriveIdentity;
  readonly isSecond: boolean;
}

/** What the disk wants of its back end. */
const TASKS = ["read", "write", "flush"] as const;
type Task = (typeof TASKS)[number];

export class AtaDisk extends IdeDrive<Task> {
  readonly #disk: BlockDevice;
  readonly #identity: DriveIdentity;
  readonly #isSecond: boolean;
  readonly #capacitySectors: number;
  #geometry: Geometry;
  #multipleSectors: number = MULTIPLE_SECTORS_MAX;
  #hasWriteCache = true;
  #hasLookAhead = true;
  /** SRST brings the settings of SET FEATURES and SET MULTIPLE MODE back to their defaults. */
  #isReverting = true;
  #power: PowerMode = "active";
  #mode: TransferMode = { kind: "pio", number: 0 };

  // The transfer under way.
  #code = 0;
  /** The first sector of the chunk, then of what is left. */
  #sector = 0;
  #sectorsLeft = 0;
  #chunkSectors = 0;
  /** Sectors of the chunk that have been read. */
  #readSectors = 0;
  /** The chunk could not be read at once: sector by sector, to find the bad one. */
  #isSearching = false;

  constructor({ name, disk, identity, isSecond }: AtaDiskConfig) {
    super(name, TASKS);
    this.#disk = disk;
    this.#identity = identity;
    this.#isSecond = isSecond;
    this.#capacitySectors = Math.floor(disk.sizeBytes / SECTOR_BYTES);
    this.#geometry = defaultGeometry(this.#capacitySectors);
  }

  get geometry(): Geometry {
    return this.#geometry;
  }

  // Commands.

  protected execute(code: number): void {
    // Only a reset wakes a drive that sleeps.
    if (this.#power === "sleep") return;
    const command = ataCommand(code);
    this.#code = code;
    switch (command?.kind) {
      case "transfer":
        return this.#beginTransfer(command);
      case "identify":
        return this.#identify();
      case "flush":
        return this.ask("flush");
      case "standby":
        this.#power = "standby";
        return this.ask("flush");
      case "idle":
        this.#power = "idle";
        return this.#succeed();
      case "sleep":
        this.#power = "sleep";
        return this.#succeed();
      case "check power mode":
        this.taskFile.set("sectorCount", POWER_CODE[this.#power]);
        return this.#succeed();
      case "seek":
        return this.#seek();
      case "recalibrate":
        return this.#succeed();
      case "initialize device parameters":
        return this.#initializeParameters();
      case "set multiple mode":
        return this.#setMultipleMode(this.taskFile.sectorCount & 0xff);
      case "set features":
        return this.#setFeatures();
      case "read native max":
        this.taskFile.setLba28(Math.min(this.#capacitySectors, LBA28_SECTORS) - 1);
        return this.#succeed();
      case "read native max wide":
        this.taskFile.setLba48(this.#capacitySectors - 1);
        return this.#succeed();
      case "diagnose":
      case "nop":
      case undefined:
        // NOP always ends like this; diagnostics are the channel's.
        return this.fail(ERROR.aborted);
    }
  }

  /** A disk hears no command while it obeys another one. */
  protected interrupt(): void {}

  protected resetDone(isHard: boolean): void {
    if (isHard || this.#isReverting) {
      // As firmware leaves it, so that systems that only look take whole blocks.
      this.#multipleSectors = MULTIPLE_SECTORS_MAX;
      this.#hasWriteCache = true;
      this.#hasLookAhead = true;
      this.#geometry = defaultGeometry(this.#capacitySectors);
    }
    if (isHard) {
      this.#isReverting = true;
      this.#mode = { kind: "pio", number: 0 };
    }
    this.#power = "active";
    this.#forgetTransfer();
    this.diagnosed();
  }

  protected diagnosed(): void {
    this.taskFile.setSignature(0, 0);
    this.setStatus(READY);
  }

  #succeed(): void {
    this.finish({ hasInterrupt: true });
  }

  #identify(): void {
    const data = identifyDisk({
      identity: this.#identity,
      isSecond: this.#isSecond,
      capacitySectors: this.#capacitySectors,
      geometry: this.#geometry,
      multipleSectors: this.#multipleSectors,
      mode: this.#mode,
      hasWriteCache: this.#hasWriteCache,
      hasLookAhead: this.#hasLookAhead,
    });
    this.#forgetTransfer();
    this.beginBuffer(data.length);
    this.buffer(data.length).set(data);
    this.announceBlock("data-in", data.length);
    this.raiseInterrupt();
  }

  #seek(): void {
    const sector = this.#firstSector(false);
    if (sector === undefined || sector >= this.#capacitySectors) this.fail(ERROR.idNotFound);
    else this.#succeed();
  }

  #initializeParameters(): void {
    const heads = (this.taskFile.device & DEVICE.headMask) + 1;
    const sectorsPerTrack = this.taskFile.sectorCount & 0xff;
    if (sectorsPerTrack === 0) return this.fail(ERROR.aborted);
    this.#geometry = withTranslation(this.#capacitySectors, heads, sectorsPerTrack);
    this.#succeed();
  }

  #setMultipleMode(sectors: number): void {
    const isPowerOfTwo = (sectors & (sectors - 1)) === 0;
    if (sectors > MULTIPLE_SECTORS_MAX || !isPowerOfTwo) {
      this.#multipleSectors = 0;
      return this.fail(ERROR.aborted);
    }
    this.#multipleSectors = sectors;
    this.#succeed();
  }

  #setFeatures(): void {
    switch (this.taskFile.features & 0xff) {
      case FEATURE.enableWriteCache:
        this.#hasWriteCache = true;
        return this.#succeed();
      case FEATURE.disableWriteCache:
        // What the cache still holds goes to the medium first.
        this.#hasWriteCache = false;
        return this.ask("flush");
      case FEATURE.enableLookAhead:
        this.#hasLookAhead = true;
        return this.#succeed();
      case FEATURE.disableLookAhead:
        this.#hasLookAhead = false;
        return this.#succeed();
      case FEATURE.keepSettings:
        this.#isReverting = false;
        return this.#succeed();
      case FEATURE.revertSettings:
        this.#isReverting = true;
        return this.#succeed();
      case FEATURE.setTransferMode: {
        const mode = transferModeOf(this.taskFile.sectorCount & 0xff);
        if (mode === undefined) return this.fail(ERROR.aborted);
        // IDENTIFY tells the DMA mode that was selected last; PIO modes leave it alone.
        if (mode.kind !== "pio") this.#mode = mode;
        return this.#succeed();
      }
      default:
        return this.fail(ERROR.aborted);
    }
  }

  // Addresses.

  #addressing(isWide: boolean): Addressing {
    if (isWide) return "lba48";
    return (this.taskFile.device & DEVICE.lba) === 0 ? "chs" : "lba28";
  }

  /** The sector that the registers name; undefined when there is none. */
  #firstSector(isWide: boolean): number | undefined {
    const { taskFile } = this;
    switch (this.#addressing(isWide)) {
      case "lba48":
        return taskFile.lba48;
      case "lba28":
        return taskFile.lba28;
      case "chs": {
        const cylinder = (taskFile.lbaMid & 0xff) | ((taskFile.lbaHigh & 0xff) << 8);
        return sectorAt(this.#geometry, cylinder, taskFile.device & DEVICE.headMask, taskFile.lbaLow & 0xff);
      }
    }
  }

  #tellSector(isWide: boolean, sector: number): void {
    const { taskFile } = this;
    switch (this.#addressing(isWide)) {
      case "lba48":
        return taskFile.setLba48(sector);
      case "lba28":
        return taskFile.setLba28(sector);
      case "chs": {
        const place = placeOf(this.#geometry, sector);
        taskFile.set("lbaLow", place.sector);
        taskFile.set("lbaMid", place.cylinder);
        taskFile.set("lbaHigh", place.cylinder >>> 8);
        taskFile.device = (taskFile.device & ~DEVICE.headMask) | (place.head & DEVICE.headMask);
      }
    }
  }

  // Transfers.

  #beginTransfer(command: TransferCommand): void {
    const { isWide, isMultiple, direction } = command;
    if (isMultiple && this.#multipleSectors === 0) return this.fail(ERROR.aborted);
    if (direction === "out" && this.#disk.isReadOnly) return this.fail(ERROR.aborted);
    const { sectorCount } = this.taskFile;
    const count = isWide ? sectorCount || WIDE_COUNT_MAX : sectorCount & 0xff || COUNT_MAX;
    const sector = this.#firstSector(isWide);
    if (sector === undefined) return this.fail(ERROR.idNotFound);
    if (sector + count > this.#capacitySectors) {
      this.#tellSector(isWide, Math.max(sector, this.#capacitySectors));
      return this.fail(ERROR.idNotFound);
    }
    this.#power = "active";
    this.#sector = sector;
    this.#sectorsLeft = count;
    this.#isSearching = false;
    if (direction === "out") this.#takeChunk(command);
    else this.#readChunk(command);
  }

  /** The command under way. */
  get #transfer(): TransferCommand | undefined {
    const command = ataCommand(this.#code);
    return command?.kind === "transfer" ? command : undefined;
  }

  #blockSectors({ isMultiple }: TransferCommand): number {
    return isMultiple ? this.#multipleSectors : 1;
  }

  #readChunk(command: TransferCommand): void {
    const sectorsMax = this.#isSearching ? this.#blockSectors(command) : CHUNK_SECTORS;
    this.#chunkSectors = Math.min(this.#sectorsLeft, sectorsMax);
    this.#readSectors = 0;
    this.beginBuffer(this.#chunkSectors * SECTOR_BYTES);
    this.ask("read");
  }

  #takeChunk(command: TransferCommand): void {
    this.#chunkSectors = Math.min(this.#sectorsLeft, CHUNK_SECTORS);
    this.beginBuffer(this.#chunkSectors * SECTOR_BYTES);
    if (command.by === "dma") this.requestDma("dma-out");
    else this.announceBlock("data-out", this.#blockSectors(command) * SECTOR_BYTES);
  }

  protected perform(task: Task): Promise<BlockResult> {
    const disk = this.#disk;
    switch (task) {
      case "read": {
        const first = this.#sector + this.#readSectors;
        const count = this.#isSearching ? 1 : this.#chunkSectors;
        const start = this.#readSectors * SECTOR_BYTES;
        const target = this.buffer(this.#chunkSectors * SECTOR_BYTES);
        return disk.read(first * SECTOR_BYTES, target.subarray(start, start + count * SECTOR_BYTES));
      }
      case "write":
        return disk.write(this.#sector * SECTOR_BYTES, this.buffer(this.#chunkSectors * SECTOR_BYTES));
      case "flush":
        return disk.isReadOnly ? Promise.resolve(BLOCK_OK) : disk.flush();
    }
  }

  protected performed(task: Task, { ok }: BlockResult): void {
    const command = this.#transfer;
    if (task === "flush") {
      if (ok) this.#succeed();
      else this.#faultAtWrite(false);
    } else if (command === undefined) {
      this.fail(ERROR.aborted);
    } else if (task === "read") {
      this.#chunkRead(command, ok);
    } else if (ok) {
      this.#chunkDone(command);
    } else {
      this.#faultAtWrite(command.isWide);
    }
  }

  #chunkRead(command: TransferCommand, isRead: boolean): void {
    if (!isRead && !this.#isSearching) {
      this.#isSearching = true;
      return this.#readChunk(command);
    }
    if (!isRead) {
      this.#tellSector(command.isWide, this.#sector + this.#readSectors);
      return this.fail(ERROR.uncorrectable);
    }
    this.#readSectors = this.#isSearching ? this.#readSectors + 1 : this.#chunkSectors;
    if (this.#readSectors < this.#chunkSectors) return this.ask("read");
    if (command.direction === "verify") return this.#chunkDone(command);
    if (command.by === "dma") return this.requestDma("dma-in");
    this.announceBlock("data-in", this.#blockSectors(command) * SECTOR_BYTES);
    this.raiseInterrupt();
  }

  #faultAtWrite(isWide: boolean): void {
    if (this.#sectorsLeft > 0) this.#tellSector(isWide, this.#sector);
    this.fail(ERROR.aborted, STATUS.error | STATUS.deviceFault);
  }

  protected blockMoved(): void {
    const command = this.#transfer;
    if (command === undefined || this.#sectorsLeft === 0) {
      // IDENTIFY: its one block was the command.
      this.finish({ hasInterrupt: false });
    } else if (this.leftBytes > 0) {
      this.announceBlock(
        command.direction === "out" ? "data-out" : "data-in",
        this.#blockSectors(command) * SECTOR_BYTES,
      );
      this.raiseInterrupt();
    } else if (command.direction === "out") {
      this.ask("write");
    } else {
      this.#chunkDone(command);
    }
  }

  protected dmaMoved(): void {
    const command = this.#transfer;
    if (command === undefined) this.fail(ERROR.aborted);
    else if (command.direction === "out") this.ask("write");
    else this.#chunkDone(command);
  }

  /** The chunk is where it belongs; goes on with the next one or ends the command. */
  #chunkDone(command: TransferCommand): void {
    this.#sector += this.#chunkSectors;
    this.#sectorsLeft -= this.#chunkSectors;
    if (this.#sectorsLeft === 0) return this.#transferDone(command);
    if (command.direction !== "out") return this.#readChunk(command);
    this.#takeChunk(command);
    if (command.by === "pio") this.raiseInterrupt();
  }

  #transferDone(command: TransferCommand): void {
    this.#tellSector(command.isWide, this.#sector - 1);
    this.taskFile.sectorCount = 0;
    this.#forgetTransfer();
    const isOut = command.direction === "out";
    if (isOut && (command.isForced || !this.#hasWriteCache)) this.ask("flush");
    // The host has read the last block before: there is nothing to tell.
    else this.finish({ hasInterrupt: isOut || command.by === "dma" || command.direction === "verify" });
  }

  /** No sectors are under way. */
  #forgetTransfer(): void {
    this.#sectorsLeft = 0;
    this.#chunkSectors = 0;
    this.#readSectors = 0;
  }

  // Saved state.

  protected saveKind(): DeviceState {
    return {
      heads: this.#geometry.heads,
      sectorsPerTrack: this.#geometry.sectorsPerTrack,
      multipleSectors: this.#multipleSectors,
      hasWriteCache: this.#hasWriteCache,
      hasLookAhead: this.#hasLookAhead,
      isReverting: this.#isReverting,
      power: this.#power,
      transferMode: this.#mode.kind,
      transferModeNumber: this.#mode.number,
      code: this.#code,
      sector: this.#sector,
      sectorsLeft: this.#sectorsLeft,
      chunkSectors: this.#chunkSectors,
      readSectors: this.#readSectors,
      isSearching: this.#isSearching,
    };
  }

  protected restoreKind(state: DeviceState, path: string): void {
    const reader = new StateReader(path, state);
    const heads = Math.max(1, reader.integer("heads", DEVICE.headMask + 1));
    const sectorsPerTrack = Math.max(1, reader.u8("sectorsPerTrack"));
    this.#geometry = withTranslation(this.#capacitySectors, heads, sectorsPerTrack);
    this.#multipleSectors = reader.integer("multipleSectors", MULTIPLE_SECTORS_MAX);
    this.#hasWriteCache = reader.boolean("hasWriteCache");
    this.#hasLookAhead = reader.boolean("hasLookAhead");
    this.#isReverting = reader.boolean("isReverting");
    this.#power = reader.choice("power", POWER_MODES);
    const kind = reader.choice("transferMode", TRANSFER_MODES);
    this.#mode = { kind, number: reader.integer("transferModeNumber", 7) };
    this.#code = reader.u8("code");
    this.#sector = reader.integer("sector", this.#capacitySectors);
    this.#sectorsLeft = reader.integer("sectorsLeft", this.#capacitySectors - this.#sector);
    this.#chunkSectors = reader.integer("chunkSectors", Math.min(CHUNK_SECTORS, this.#sectorsLeft));
    this.#readSectors = reader.integer("readSectors", this.#chunkSectors);
    this.#isSearching = reader.boolean("isSearching");
  }
}
