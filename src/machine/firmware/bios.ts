/**
 * The built-in BIOS: the power-on self-test, the bootstrap, and the dispatch of interrupts that guests call to the
 * services of this folder. It works on the machine as firmware does, through ports and memory, but in TypeScript: the
 * processor stands still while a service runs.
 *
 * Deliberately missing: option ROMs, a setup, protected-mode entries (BIOS32, APM), INT 5h (print screen). Its own data and
 * the screen's memory are where they are physically, wherever a virtual-8086 monitor maps their addresses.
 */

import type { BlockDevice } from "../../block/index.ts";
import { SECTOR_BYTES } from "../../block/index.ts";
import { readBytes } from "../../hw/index.ts";
import type { Clock, CpuState, Dma, MmioBus, MmioHandler, PortBus } from "../../hw/index.ts";
import type { Ps2Device } from "../../devices/ps2/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import type { MemoryRange } from "../boot/index.ts";
import { EBDA_GPA } from "../boot/index.ts";
import type { PciBus } from "../pci/index.ts";
import { BDA_GPA, BiosData } from "./bios-data.ts";
import type { BootSource } from "./boot-order.ts";
import { disketteDrive, FIRST_DISK, hardDisk } from "./bios-drive.ts";
import type { BiosDrive, BiosMedium } from "./bios-drive.ts";
import type { CallerMemory } from "./caller-memory.ts";
import { CommunicationServices } from "./communication.ts";
import { writeDiskTables } from "./disk-tables.ts";
import { readElTorito } from "./el-torito.ts";
import { VideoServices } from "./int10-video.ts";
import { DiskServices } from "./int13-disk.ts";
import { SystemServices } from "./int15-system.ts";
import { TimeServices } from "./int1a-time.ts";
import { KeyboardServices } from "./keyboard.ts";
import { PciServices } from "./pci-bios.ts";
import { PointingDevice } from "./pointing-device.ts";
import { RealTimeClock } from "./real-time-clock.ts";
import { programChipset } from "./chipset.ts";
import {
  buildRom,
  IRET_OFFSET,
  KEYBOARD_BREAK,
  ROM_GPA,
  ROM_START_OFFSET,
  ROM_OFFSETS,
  ROM_SEGMENT,
  romCallAt,
  stubOffset,
  waitOffset,
} from "./rom.ts";
import type { RomCall } from "./rom.ts";
import { ServiceCall } from "./service-call.ts";
import { ShutdownStatus } from "./shutdown-status.ts";

/** In the order of their numbers. */
export interface BiosDrives {
  readonly diskettes: readonly BiosMedium[];
  readonly disks: readonly BlockDevice[];
  readonly cds: readonly BiosMedium[];
  readonly bootOrder: readonly BootSource[];
}

export interface BiosParts {
  readonly ram: GuestRam;
  readonly dma: Dma;
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  readonly clock: Clock;
  readonly pci: PciBus;
  /** That PCI's interrupt links may have. */
  readonly linkIrqs: readonly number[];
  readonly mouse: Ps2Device;
  readonly memoryMap: readonly MemoryRange[];
  readonly serialPorts: readonly number[];
  readonly parallelPorts: readonly number[];
  readonly drives: BiosDrives;
  /** Control, alt and delete were pressed together. */
  readonly onReset: () => void;
}

const VECTORS_SERVED = 0x20;
const HARDWARE_VECTORS = { first: 0x70, last: 0x77 } as const;
/** Of the real-time clock, IRQ 8. */
const CLOCK_VECTOR = 0x70;
/** Of the pointing device, IRQ 12. */
const POINTING_VECTOR = 0x74;
const ALARM_VECTOR = 0x4a;
const DISKETTE_VECTOR = 0x40;
const DISKETTE_PARAMETERS_VECTOR = 0x1e;
/** Pointers to tables that are not there: the CGA's mode parameters. */
const TABLE_VECTORS = [0x1d];
const IVT_VECTORS = 256;
/** Free for programs: no handler at all. */
const USER_VECTORS = { first: 0x60, last: 0x67 } as const;
/** MM/DD/YY, as old software compares it. */
const RELEASE_DATE = "11/22/26";

const BOOT_GPA = 0x7c00;
const BOOT_SIGNATURE = 0xaa55;
const SIGNATURE_OFFSET = 510;
const TEXT_MODE = 3;

const EQUIPMENT = {
  diskette: 1 << 0,
  coprocessor: 1 << 1,
  pointingDevice: 1 << 2,
  serialShift: 9,
  diskettesShift: 6,
  parallelShift: 14,
} as const;
const KEYBOARD_BUFFER = { start: 0x1e, end: 0x3e } as const;

type InterruptCall = Extract<RomCall, { kind: "interrupt" }>;

/** Something that can be started: the sector or image is in memory. */
interface Bootable {
  readonly segment: number;
  readonly offset: number;
  readonly driveNumber: number;
}

/** Looks for a system at one place, and says on the screen that it does. */
type BootAttempt = (memory: CallerMemory) => Promise<Bootable | undefined>;

export class Bios {
  readonly #parts: BiosParts;
  readonly #rom = buildRom(RELEASE_DATE);
  readonly #romBelow4GiB: MmioHandler = {
    readMmio: (offset, size) => readBytes(size, (index) => this.#rom[offset + index] ?? 0xff),
    writeMmio() {},
  };
  readonly #data: BiosData;
  readonly #video: VideoServices;
  readonly #disk: DiskServices;
  readonly #system: SystemServices;
  readonly #pointingDevice: PointingDevice;
  readonly #realTimeClock: RealTimeClock;
  readonly #keyboard: KeyboardServices;
  readonly #time: TimeServices;
  readonly #pci: PciServices;
  readonly #communication: CommunicationServices;
  readonly #shutdownStatus: ShutdownStatus;
  /** What is still to be tried by INT 18h. */
  #untried: BootAttempt[] = [];

  constructor(parts: BiosParts) {
    const { ram, ports, mmio, clock, memoryMap } = parts;
    this.#parts = parts;
    this.#data = new BiosData(ram);
    this.#video = new VideoServices(ram, ports, mmio, this.#data);
    this.#disk = new DiskServices(this.#data);
    this.#realTimeClock = new RealTimeClock(ports, this.#data);
    this.#pointingDevice = new PointingDevice(ram, ports, this.#data, parts.mouse);
    this.#system = new SystemServices({
      pointingDevice: this.#pointingDevice,
      realTimeClock: this.#realTimeClock,
      ports,
      clock,
      memoryMap,
      data: this.#data,
      ramBytes: ram.sizeBytes,
    });
    this.#keyboard = new KeyboardServices(ports, this.#data, parts.onReset);
    this.#time = new TimeServices(ports, this.#data, this.#realTimeClock);
    this.#pci = new PciServices(parts.pci, parts.linkIrqs);
    this.#shutdownStatus = new ShutdownStatus(ports, ram, this.#data);
    this.#communication = new CommunicationServices(ports, this.#data, parts.clock);
  }

  /** The ROM where a processor begins; everything else is in its copy in RAM. */
  get rom(): MmioHandler {
    return this.#romBelow4GiB;
  }

  /**
   * Copies the ROM to RAM, from where it is executed, and tests at once: a kernel that is loaded directly finds what the
   * self-test leaves, and may go back to real mode and call services.
   */
  reset(): void {
    this.#parts.dma.write(ROM_GPA + ROM_START_OFFSET, this.#rom.subarray(ROM_START_OFFSET));
    this.#untried = [];
    this.#selfTest();
  }

  /** Whether it goes on where the guest has said, after a reset of the processor alone. */
  get resumesAfterReset(): boolean {
    return this.#shutdownStatus.resumes;
  }

  /** Where the processor goes on, which has just been reset; to be asked if {@link resumesAfterReset}. */
  resume(state: CpuState): CpuState {
    return this.#shutdownStatus.resume(state);
  }

  /**
   * Serves the call of the stub that has written to the trap port, in this state of the processor; what resolves is the
   * state with which it goes on. Undefined when no stub of ours has written, and nothing is to be done.
   */
  serve(state: CpuState): Promise<CpuState> | undefined {
    const served = romCallAt(Number(state.cs.base + state.rip));
    if (served === undefined) return undefined;
    const call = new ServiceCall(state, this.#parts.dma);
    if (served.kind === "interrupt") return this.#interrupt(served, call);
    this.#selfTest();
    call.useStack(0, BOOT_GPA);
    return Promise.resolve(call.result());
  }

  async #interrupt({ vector, step }: InterruptCall, call: ServiceCall): Promise<CpuState> {
    let isDone = true;
    switch (vector) {
      case 0x08:
        this.#time.tick();
        break;
      case 0x09:
        if (step === 0) this.#keyboard.readCode(call);
        else call.ah = this.#keyboard.takeCode(call.al) ? KEYBOARD_BREAK : 0;
        break;
      case 0x10:
        this.#video.call(call);
        break;
      case 0x11:
        call.ax = this.#data.get("equipment");
        break;
      case 0x12:
        call.ax = this.#data.get("baseMemoryKib");
        break;
      case 0x13:
      case DISKETTE_VECTOR:
        if (step === 0) await this.#disk.call(call);
        else this.#disk.ejectAnswered(call);
        break;
      case 0x14:
        isDone = this.#communication.serial(call);
        break;
      case 0x15:
        isDone = this.#system.call(call);
        break;
      case 0x16:
        isDone = this.#keyboard.call(call);
        break;
      case 0x17:
        this.#communication.printer(call);
        break;
      case 0x18:
        isDone = await this.#bootNext(call);
        break;
      case 0x19:
        this.#untried = this.#bootSources();
        isDone = await this.#bootNext(call);
        break;
      case 0x1a:
        if (call.ah === 0xb1) this.#pci.call(call);
        else this.#time.call(call);
        break;
      case CLOCK_VECTOR:
        this.#realTimeClock.interrupt(call);
        break;
      case POINTING_VECTOR:
        this.#pointingDevice.interrupt(call);
        break;
      default:
        this.#endInterrupt(vector);
    }
    if (!isDone) call.goOnAt(waitOffset(vector));
    return call.result();
  }

  /** An interrupt of a device that nobody has taken over: acknowledged, and otherwise ignored. */
  #endInterrupt(vector: number): void {
    const isSecond = vector >= HARDWARE_VECTORS.first && vector <= HARDWARE_VECTORS.last;
    const isFirst = vector >= 0x0a && vector <= 0x0f;
    if (isSecond) this.#parts.ports.writePort(0xa0, 1, 0x20);
    if (isSecond || isFirst) this.#parts.ports.writePort(0x20, 1, 0x20);
  }

  // The power-on self-test.

  #selfTest(): void {
    const { ports } = this.#parts;
    const { diskettes, disks } = this.#parts.drives;
    programChipset(ports);
    this.#shutdownStatus.clear();
    this.#writeVectors();
    this.#writeData();
    this.#keyboard.reset();
    this.#system.reset();
    this.#communication.reset();
    this.#time.reset();
    this.#video.reset();
    this.#video.setMode(TEXT_MODE);
    this.#disk.setDrives([
      ...diskettes.map((medium, index) => disketteDrive(index, medium)),
      ...disks.map((device, index) => hardDisk(FIRST_DISK + index, device)),
    ]);
    const firstDisks = [0, 1].map((index) => this.#disk.drive(FIRST_DISK + index));
    writeDiskTables(this.#parts.ram, this.#data.get("ebdaSegment"), firstDisks);
  }

  #writeVectors(): void {
    const { ram } = this.#parts;
    const point = (vector: number, offset: number): void =>
      ram.writeU32(4 * vector, ((ROM_SEGMENT << 16) | offset) >>> 0);
    for (let vector = 0; vector < IVT_VECTORS; vector++) {
      const isHardware = vector >= HARDWARE_VECTORS.first && vector <= HARDWARE_VECTORS.last;
      const isServed = vector < VECTORS_SERVED || isHardware || vector === DISKETTE_VECTOR;
      point(vector, isServed ? stubOffset(vector) : IRET_OFFSET);
    }
    // The user's tick and alarm, and exceptions, do nothing at all.
    for (const vector of [0, 1, 2, 3, 4, 5, 6, 7, 0x1b, 0x1c, ALARM_VECTOR]) point(vector, IRET_OFFSET);
    point(DISKETTE_PARAMETERS_VECTOR, ROM_OFFSETS.disketteParameters);
    for (const vector of TABLE_VECTORS) ram.writeU32(4 * vector, 0);
    for (let vector: number = USER_VECTORS.first; vector <= USER_VECTORS.last; vector++)
      ram.writeU32(4 * vector, 0);
  }

  #writeData(): void {
    const { ram, serialPorts, parallelPorts } = this.#parts;
    const data = this.#data;
    ram.fill(BDA_GPA, 0x100, 0);
    serialPorts.slice(0, 4).forEach((port, index) => ram.writeU16(BDA_GPA + 2 * index, port));
    parallelPorts.slice(0, 3).forEach((port, index) => ram.writeU16(BDA_GPA + 8 + 2 * index, port));
    ram.fill(EBDA_GPA, 1024, 0);
    ram.writeU8(EBDA_GPA, 1);
    data.set("ebdaSegment", EBDA_GPA >>> 4);
    data.set("baseMemoryKib", EBDA_GPA / 1024);
    const drives = this.#parts.drives.diskettes.length;
    const hasDiskettes = drives === 0 ? 0 : EQUIPMENT.diskette | ((drives - 1) << EQUIPMENT.diskettesShift);
    data.set(
      "equipment",
      EQUIPMENT.coprocessor |
        EQUIPMENT.pointingDevice |
        (serialPorts.length << EQUIPMENT.serialShift) |
        (parallelPorts.length << EQUIPMENT.parallelShift) |
        hasDiskettes,
    );
    data.set("keyboardHead", KEYBOARD_BUFFER.start);
    data.set("keyboardTail", KEYBOARD_BUFFER.start);
    data.set("keyboardBufferStart", KEYBOARD_BUFFER.start);
    data.set("keyboardBufferEnd", KEYBOARD_BUFFER.end);
  }

  // The bootstrap.

  #bootSources(): BootAttempt[] {
    const { bootOrder, diskettes, disks, cds } = this.#parts.drives;
    const sources = {
      floppy: diskettes
        .slice(0, 1)
        .map(() => (memory: CallerMemory) => this.#loadSector(memory, this.#disk.drive(0), "floppy disk")),
      disk: disks
        .slice(0, 1)
        .map(
          () => (memory: CallerMemory) => this.#loadSector(memory, this.#disk.drive(FIRST_DISK), "hard disk"),
        ),
      cdrom: cds.map(
        (cd) => async (memory: CallerMemory) =>
          cd.device === undefined ? undefined : await this.#loadCd(memory, cd),
      ),
    };
    return bootOrder.flatMap((source) => sources[source]);
  }

  /** Starts the next system there is; false, with a message, when there is none. */
  async #bootNext(call: ServiceCall): Promise<boolean> {
    for (let attempt = this.#untried.shift(); attempt !== undefined; attempt = this.#untried.shift()) {
      const found = await attempt(call.memory);
      if (found === undefined) continue;
      call.dl = found.driveNumber;
      call.useStack(0, BOOT_GPA);
      call.jump(found.segment, found.offset);
      return true;
    }
    this.#print(call.memory, "No bootable device.\r\n");
    return false;
  }

  async #loadSector(
    memory: CallerMemory,
    drive: BiosDrive | undefined,
    name: string,
  ): Promise<Bootable | undefined> {
    if (drive === undefined) return undefined;
    this.#print(memory, `Booting from ${name}...\r\n`);
    const sector = new Uint8Array(SECTOR_BYTES);
    const read = await drive.read(0, sector);
    const signature = (sector[SIGNATURE_OFFSET] ?? 0) | ((sector[SIGNATURE_OFFSET + 1] ?? 0) << 8);
    if (!read.ok || signature !== BOOT_SIGNATURE) {
      this.#print(memory, read.ok ? "It is not bootable.\r\n" : "It cannot be read.\r\n");
      return undefined;
    }
    this.#parts.dma.write(BOOT_GPA, sector);
    return { segment: 0, offset: BOOT_GPA, driveNumber: drive.number };
  }

  async #loadCd(memory: CallerMemory, medium: BiosMedium): Promise<Bootable | undefined> {
    this.#print(memory, "Booting from CD-ROM...\r\n");
    const boot = await readElTorito(medium);
    if (boot === undefined || !this.#parts.dma.write(boot.loadSegment * 16, boot.image)) {
      this.#print(memory, "It is not bootable.\r\n");
      return undefined;
    }
    this.#disk.bootedFrom(boot);
    // Boot sectors expect to be at 0000:7C00 rather than at 07C0:0000.
    const offset = (boot.loadSegment & 0x0fff) << 4;
    return { segment: boot.loadSegment & 0xf000, offset, driveNumber: boot.drive.number };
  }

  #print(memory: CallerMemory, text: string): void {
    for (const character of text) this.#video.teletype(memory, character.charCodeAt(0));
  }
}
