/**
 * INT 13h, disk services: diskettes and hard disks by cylinder, head and sector, all drives by sector number (BIOS
 * Enhanced Disk Drive Specification 3.0), and what El Torito adds for a CD that was booted from. The drives' contents are
 * accessed directly; their controllers are for drivers.
 *
 * Deliberately missing: formatting of tracks (accepted for diskettes, nothing is written, as all formats are fixed by the
 * image's size), DMA boundary errors.
 */

import { assert } from "../../base/index.ts";
import type { BlockResult } from "../../block/index.ts";
import type { BiosData } from "./bios-data.ts";
import { cdDrive, disketteDrive, FIRST_DISK } from "./bios-drive.ts";
import type { BiosDrive } from "./bios-drive.ts";
import type { ElToritoBoot } from "./el-torito.ts";
import { ejectQuestionOffset, ROM_OFFSETS, ROM_SEGMENT } from "./rom.ts";
import type { ServiceCall } from "./service-call.ts";

const STATUS = {
  ok: 0x00,
  badCommand: 0x01,
  writeProtected: 0x03,
  sectorNotFound: 0x04,
  mediaChanged: 0x06,
  dmaBoundary: 0x09,
  controllerFailure: 0x20,
  noMedia: 0x31,
  timeout: 0x80,
  notLocked: 0xb0,
  locked: 0xb1,
  notRemovable: 0xb2,
  inUse: 0xb3,
  lockCountExceeded: 0xb4,
} as const;
type Status = (typeof STATUS)[keyof typeof STATUS];
/** The status, which is in AH too unless something else is; a number is one of before. */
type Answer = number | { readonly status: Status; readonly ah: number };

const KIND = { none: 0, disketteWithChangeLine: 2, disk: 3 } as const;
const EXTENSIONS_VERSION = 0x21;
const EXTENSIONS_SIGNATURE_ASKED = 0x55aa;
const EXTENSIONS_SIGNATURE = 0xaa55;
/** Extended access, locking and ejecting, and the parameters of enhanced disk drives. */
const EXTENSIONS = { access: 1 << 0, removable: 1 << 1, parameters: 1 << 2 } as const;
const PACKET_BYTES = 16;
const PARAMETER_BYTES = 26;
const PARAMETERS_WITH_DPTE_BYTES = 30;
const NO_TABLE = 0xffff_ffff;
const TRANSPARENT_DMA_BOUNDARIES = 1 << 0;
const GEOMETRY_IS_VALID = 1 << 1;
/** Of drives with a tray: removable, with a change line, lockable; and without a medium now. */
const HAS_TRAY = 0x34;
const HAS_NO_MEDIUM = 1 << 6;
const LOCKS_MAX = 255;
const LOCK = { lock: 0, unlock: 1, ask: 2 } as const;
/** INT 15h: whether a program refuses to have a medium ejected, with AH = B1h or B3h. */
const EJECT_QUESTION = 0x52;
/** Blocks that a packet may ask for. */
const PACKET_BLOCKS_MAX = 127;
const SPECIFICATION_BYTES = 0x13;

export class DiskServices {
  readonly #data: BiosData;
  readonly #drives = new Map<number, BiosDrive>();
  /** How often each drive has been locked. */
  readonly #locks = new Map<number, number>();
  /** Drives whose change of the medium nobody has been told of. */
  readonly #changed = new Set<number>();
  #boot: ElToritoBoot | undefined;

  constructor(data: BiosData) {
    this.#data = data;
  }

  /** The drives from now on; numbers are those of the BIOS. */
  setDrives(drives: readonly BiosDrive[]): void {
    this.#boot = undefined;
    this.#drives.clear();
    this.#locks.clear();
    this.#changed.clear();
    for (const drive of drives) this.#drives.set(drive.number, drive);
    this.#data.set("diskCount", this.#count("disk"));
  }

  /** The system was booted from a CD; what it emulates takes the first place of its kind, and the others move up. */
  bootedFrom(boot: ElToritoBoot): void {
    const { drive } = boot;
    if (drive.kind !== "cd") {
      const others = [...this.#drives.values()].filter(({ kind }) => kind === drive.kind);
      for (const other of others) this.#drives.delete(other.number);
      for (const other of others) this.#drives.set(other.number + 1, { ...other, number: other.number + 1 });
    }
    this.#drives.set(drive.number, drive);
    this.#boot = boot;
    this.#data.set("diskCount", this.#count("disk"));
  }

  /** With the medium that is in it now. */
  drive(number: number): BiosDrive | undefined {
    const known = this.#drives.get(number);
    if (known?.medium === undefined || known.medium.device === known.device) return known;
    const drive = known.kind === "cd" ? cdDrive(known.medium) : disketteDrive(number, known.medium);
    this.#drives.set(number, drive);
    this.#changed.add(number);
    return drive;
  }

  async call(call: ServiceCall): Promise<void> {
    const drive = this.drive(call.dl);
    if (call.ah === 0x46 && drive !== undefined && this.#refusesEject(drive) === undefined) {
      call.ah = EJECT_QUESTION;
      call.goOnAt(ejectQuestionOffset);
      return;
    }
    const answer = call.ah === 0x01 ? this.#data.get(statusField(call)) : await this.#serve(call, drive);
    this.#answer(call, answer);
  }

  /** AH = 46h goes on when programs have been asked by INT 15h, AH = 52h. */
  ejectAnswered(call: ServiceCall): void {
    const drive = this.drive(call.dl);
    const refusal = drive === undefined ? STATUS.badCommand : this.#refusesEject(drive);
    if (refusal !== undefined) this.#answer(call, refusal);
    else if (call.wasRefused) this.#answer(call, call.ah === STATUS.inUse ? STATUS.inUse : STATUS.locked);
    else this.#answer(call, drive?.medium?.tray?.openTray() === true ? STATUS.ok : STATUS.locked);
  }

  #answer(call: ServiceCall, answer: Answer): void {
    const { status, ah } = typeof answer === "number" ? { status: answer, ah: answer } : answer;
    this.#data.set(statusField(call), status);
    call.ah = ah;
    call.carry = status !== STATUS.ok;
  }

  async #serve(call: ServiceCall, drive: BiosDrive | undefined): Promise<Answer> {
    if (call.ah === 0x08) return this.#parameters(call, drive);
    if (call.ah === 0x15) return this.#type(call, drive);
    if (call.ah === 0x4b) return this.#elTorito(call);
    if (drive === undefined) return call.dl < FIRST_DISK ? STATUS.timeout : STATUS.badCommand;
    // Once, as the change line says it, to what reads, writes, or asks for just that.
    const asking = drive.kind === "cd" ? [0x42, 0x43, 0x44, 0x47] : [0x02, 0x03, 0x04, 0x16];
    if (asking.includes(call.ah)) {
      if (drive.medium !== undefined && drive.device === undefined)
        return drive.kind === "cd" ? STATUS.noMedia : STATUS.timeout;
      if (this.#changed.delete(drive.number)) return STATUS.mediaChanged;
    }
    switch (call.ah) {
      case 0x00:
      case 0x0d:
      case 0x10:
      case 0x11:
      case 0x14:
        return STATUS.ok;
      case 0x02:
      case 0x03:
      case 0x04:
        return this.#byGeometry(call, drive);
      case 0x05:
        return drive.kind === "diskette" ? STATUS.ok : STATUS.badCommand;
      case 0x09:
      case 0x0c:
        return drive.kind === "disk" ? STATUS.ok : STATUS.badCommand;
      case 0x16:
      case 0x17:
        return drive.kind === "diskette" ? STATUS.ok : STATUS.badCommand;
      case 0x18:
        return this.#mediaType(call, drive);
      case 0x41:
        return this.#extensions(call, drive);
      case 0x42:
      case 0x43:
      case 0x44:
        return drive.kind === "diskette" ? STATUS.badCommand : this.#bySector(call, drive);
      case 0x45:
        return this.#lock(call, drive);
      case 0x46:
        return this.#refusesEject(drive) ?? STATUS.badCommand;
      case 0x47:
        return drive.kind === "diskette" ? STATUS.badCommand : STATUS.ok;
      case 0x48:
        return drive.kind === "diskette" ? STATUS.badCommand : this.#extendedParameters(call, drive);
      case 0x49:
        if (drive.kind === "diskette") return STATUS.badCommand;
        return this.#changed.delete(drive.number) ? STATUS.mediaChanged : STATUS.ok;
      default:
        return STATUS.badCommand;
    }
  }

  /** AH = 45h; AL is then whether the drive is locked. */
  #lock(call: ServiceCall, drive: BiosDrive): Status {
    const tray = drive.medium?.tray;
    if (tray === undefined) return withoutTray(drive);
    const count = this.#locks.get(drive.number) ?? 0;
    const change = call.al === LOCK.lock ? 1 : call.al === LOCK.unlock ? -1 : 0;
    if (change === 0 && call.al !== LOCK.ask) return STATUS.badCommand;
    const next = count + change;
    call.al = count > 0 ? 1 : 0;
    if (next < 0) return STATUS.notLocked;
    if (next > LOCKS_MAX) return STATUS.lockCountExceeded;
    this.#locks.set(drive.number, next);
    if (change !== 0) tray.setLocked(next > 0);
    call.al = next > 0 ? 1 : 0;
    return STATUS.ok;
  }

  /** Why a drive's medium cannot be ejected, as far as is known without asking programs. */
  #refusesEject(drive: BiosDrive): Status | undefined {
    if (drive.medium?.tray === undefined) return withoutTray(drive);
    if ((this.#locks.get(drive.number) ?? 0) > 0) return STATUS.locked;
    return drive.device === undefined ? STATUS.noMedia : undefined;
  }

  #count(kind: BiosDrive["kind"]): number {
    return [...this.#drives.values()].filter((drive) => drive.kind === kind).length;
  }

  async #byGeometry(call: ServiceCall, drive: BiosDrive): Promise<Status> {
    if (drive.kind === "cd") return STATUS.badCommand;
    const { cylinders, heads, sectorsPerTrack } = drive.geometry;
    const count = call.al;
    const cylinder = call.ch | ((call.cl & 0xc0) << 2);
    const sector = call.cl & 0x3f;
    call.al = 0;
    const isPlace = cylinder < cylinders && call.dh < heads && sector >= 1 && sector <= sectorsPerTrack;
    if (!isPlace) return STATUS.sectorNotFound;
    const first = (cylinder * heads + call.dh) * sectorsPerTrack + sector - 1;
    const status = await this.#transfer(call, drive, first, count, call.inEs(call.bx));
    if (status === STATUS.ok) call.al = count;
    return status;
  }

  async #bySector(call: ServiceCall, drive: BiosDrive): Promise<Status> {
    const packetAt = call.inDs(call.si);
    const bytes = call.memory.bytes(packetAt, PACKET_BYTES);
    if (bytes === undefined) return STATUS.badCommand;
    const packet = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const count = packet.getUint16(2, true);
    const isLong = packet.getUint8(0) < PACKET_BYTES || count > PACKET_BLOCKS_MAX;
    const offset = packet.getUint16(4, true);
    const segment = packet.getUint16(6, true);
    const first = Number(packet.getBigUint64(8, true));
    if (isLong) return STATUS.badCommand;
    const status = await this.#transfer(call, drive, first, count, segment * 16 + offset);
    // On an error, how many blocks have been transferred.
    if (status !== STATUS.ok) call.memory.write(packetAt + 2, Uint8Array.of(0, 0));
    return status;
  }

  /** What AH = 02h to 04h and 42h to 44h do, with the caller's memory from `linear` on. */
  async #transfer(
    { ah, memory }: ServiceCall,
    drive: BiosDrive,
    first: number,
    count: number,
    linear: number,
  ): Promise<Status> {
    const operation = ah & 0x0f;
    if (first + count > drive.sectorCount) return STATUS.sectorNotFound;
    const buffer = new Uint8Array(count * drive.sectorBytes);
    if (count === 0) return STATUS.ok;
    if (operation === 0x03) {
      if (drive.isReadOnly) return STATUS.writeProtected;
      if (!memory.read(linear, buffer)) return STATUS.dmaBoundary;
      return statusOf(await drive.write(first, buffer));
    }
    const status = statusOf(await drive.read(first, buffer));
    if (status !== STATUS.ok || operation === 0x04) return status;
    return memory.write(linear, buffer) ? STATUS.ok : STATUS.dmaBoundary;
  }

  #parameters(call: ServiceCall, drive: BiosDrive | undefined): Status {
    const isDiskette = call.dl < FIRST_DISK;
    const count = this.#count(isDiskette ? "diskette" : "disk");
    if (drive === undefined || drive.kind === "cd") {
      if (!isDiskette) return STATUS.badCommand;
      call.cx = 0;
      call.dx = count;
      call.bx = 0;
      return STATUS.ok;
    }
    const { cylinders, heads, sectorsPerTrack } = drive.geometry;
    const lastCylinder = cylinders - 1;
    call.ch = lastCylinder;
    call.cl = sectorsPerTrack | ((lastCylinder >> 2) & 0xc0);
    call.dh = heads - 1;
    call.dl = count;
    call.al = 0;
    if (isDiskette) {
      call.bx = drive.disketteType;
      call.es = ROM_SEGMENT;
      call.di = ROM_OFFSETS.disketteParameters;
    }
    return STATUS.ok;
  }

  /** AH = 15h: the type is in AH where others have their status. */
  #type(call: ServiceCall, drive: BiosDrive | undefined): Answer {
    if (drive === undefined || drive.kind === "cd") return { status: STATUS.ok, ah: KIND.none };
    if (drive.kind === "disk") {
      const { cylinders, heads, sectorsPerTrack } = drive.geometry;
      const sectors = cylinders * heads * sectorsPerTrack;
      call.cx = sectors >>> 16;
      call.dx = sectors;
    }
    return { status: STATUS.ok, ah: drive.kind === "disk" ? KIND.disk : KIND.disketteWithChangeLine };
  }

  #mediaType(call: ServiceCall, drive: BiosDrive): Status {
    if (drive.kind !== "diskette") return STATUS.badCommand;
    call.es = ROM_SEGMENT;
    call.di = ROM_OFFSETS.disketteParameters;
    return STATUS.ok;
  }

  #extensions(call: ServiceCall, drive: BiosDrive): Answer {
    if (call.bx !== EXTENSIONS_SIGNATURE_ASKED || drive.kind === "diskette") return STATUS.badCommand;
    call.bx = EXTENSIONS_SIGNATURE;
    const { access, removable, parameters } = EXTENSIONS;
    call.cx = access | parameters | (drive.medium?.tray === undefined ? 0 : removable);
    return { status: STATUS.ok, ah: EXTENSIONS_VERSION };
  }

  #extendedParameters(call: ServiceCall, drive: BiosDrive): Status {
    const at = call.inDs(call.si);
    const offered = call.memory.bytes(at, 2);
    if (offered === undefined) return STATUS.badCommand;
    const wanted = (offered[0] ?? 0) | ((offered[1] ?? 0) << 8);
    if (wanted < PARAMETER_BYTES) return STATUS.badCommand;
    const size = wanted >= PARAMETERS_WITH_DPTE_BYTES ? PARAMETERS_WITH_DPTE_BYTES : PARAMETER_BYTES;
    const isDisk = drive.kind === "disk";
    const { cylinders, heads, sectorsPerTrack } = drive.geometry;
    const result = new DataView(new ArrayBuffer(size));
    result.setUint16(0, size, true);
    result.setUint16(2, TRANSPARENT_DMA_BOUNDARIES | informationOf(drive), true);
    result.setUint32(4, isDisk ? cylinders : NO_TABLE, true);
    result.setUint32(8, isDisk ? heads : NO_TABLE, true);
    result.setUint32(12, isDisk ? sectorsPerTrack : NO_TABLE, true);
    result.setBigUint64(16, BigInt(drive.sectorCount), true);
    result.setUint16(24, drive.sectorBytes, true);
    if (size >= PARAMETERS_WITH_DPTE_BYTES) result.setUint32(26, NO_TABLE, true);
    return call.memory.write(at, new Uint8Array(result.buffer)) ? STATUS.ok : STATUS.badCommand;
  }

  /** El Torito 1.0, section 4.2: the emulation's specification packet; AL = 00h ends it. */
  #elTorito(call: ServiceCall): Status {
    const boot = this.#boot;
    if (boot === undefined || (call.dl !== boot.drive.number && call.dl !== 0x7f)) return STATUS.badCommand;
    const packet = boot.specification();
    assert(packet.length === SPECIFICATION_BYTES, "the packet has its size");
    if (!call.memory.write(call.inDs(call.si), packet)) return STATUS.badCommand;
    if (call.al !== 0) return STATUS.ok;
    this.#drives.delete(boot.drive.number);
    this.#boot = undefined;
    return STATUS.ok;
  }
}

function statusField(call: ServiceCall): "disketteStatus" | "diskStatus" {
  return call.dl < FIRST_DISK ? "disketteStatus" : "diskStatus";
}

/** Diskettes have no extensions at all. */
function withoutTray(drive: BiosDrive): Status {
  return drive.kind === "diskette" ? STATUS.badCommand : STATUS.notRemovable;
}

function informationOf({ kind, medium }: BiosDrive): number {
  if (kind === "disk") return GEOMETRY_IS_VALID;
  return (medium?.tray === undefined ? 0 : HAS_TRAY) | (medium?.device === undefined ? HAS_NO_MEDIUM : 0);
}

function statusOf(result: BlockResult): Status {
  if (result.ok) return STATUS.ok;
  return result.error.code === "disk-read-only" ? STATUS.writeProtected : STATUS.controllerFailure;
}
