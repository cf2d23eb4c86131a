/**
 * The logical unit of a CD-ROM drive: what its packet commands do (SFF-8020i section 10.8, MMC-3 chapter 6), the tray and
 * its lock, sense data and unit attentions. It moves no data itself: a command ends with what the drive is to do next.
 *
 * Discs are Mode 1 data discs (disc.ts). Deliberately missing: audio, writing, READ CD of the error correction bytes and
 * of sub-channels, CD-TEXT, DVD, changers, notifications that the host does not ask for.
 */

import type { BlockDevice } from "../../block/index.ts";
import { StateReader } from "../../hw/index.ts";
import type { DeviceState } from "../../hw/index.ts";
import { configuration, eventStatus, inquiry, MEDIA_EVENTS, mechanismStatus } from "./cdrom-answers.ts";
import type { MediaEvent } from "./cdrom-answers.ts";
import { cdromCommand } from "./cdrom-commands.ts";
import type { CdromCommand } from "./cdrom-commands.ts";
import { address, Disc, DISC_SECTOR_BYTES, lbaOfMsf } from "./disc.ts";
import type { DriveIdentity } from "./identify-data.ts";
import { MODE_PAGES_BYTES, modeHeaderBytes, ModePages, SPEED_MAX_KB } from "./mode-pages.ts";
import { be, beBytes, fixedSense, SENSE } from "./scsi.ts";
import type { Sense } from "./scsi.ts";

export const PACKET_BYTES = 12;

/** Parts of a Mode 1 sector in front of its data. */
const SYNC_BYTES = 12;
const HEADER_BYTES = 4;

/** How each sector is given to the host. */
export interface SectorLayout {
  readonly hasSync: boolean;
  readonly hasHeader: boolean;
  readonly hasData: boolean;
}
const DATA_ONLY: SectorLayout = { hasSync: false, hasHeader: false, hasData: true };

export function layoutBytes({ hasSync, hasHeader, hasData }: SectorLayout): number {
  return (hasSync ? SYNC_BYTES : 0) + (hasHeader ? HEADER_BYTES : 0) + (hasData ? DISC_SECTOR_BYTES : 0);
}

/** What stands in front of a sector's data. */
export function sectorPrefix(lba: number, { hasSync, hasHeader }: SectorLayout): number[] {
  const MODE_1 = 1;
  const bcd = (value: number): number => (Math.floor(value / 10) << 4) | (value % 10);
  const sync = [0, ...Array.from({ length: 10 }, () => 0xff), 0];
  const header = [...address(lba, true).slice(1).map(bcd), MODE_1];
  return [...(hasSync ? sync : []), ...(hasHeader ? header : [])];
}

/** What the drive does next. */
export type Outcome =
  | { readonly kind: "good" }
  | { readonly kind: "check" }
  /** At most the allocation length of the command. */
  | { readonly kind: "data-in"; readonly bytes: Uint8Array }
  /** The parameter list goes to {@link CdromUnit.select}. */
  | { readonly kind: "data-out"; readonly lengthBytes: number }
  | { readonly kind: "read"; readonly lba: number; readonly count: number; readonly layout: SectorLayout };

const GOOD: Outcome = { kind: "good" };
/** Parameter lists of MODE SELECT; those of all pages are far shorter. */
const PARAMETER_LIST_BYTES_MAX = 1024;

const ATTENTIONS = ["none", "was reset", "medium changed"] as const;
type Attention = (typeof ATTENTIONS)[number];

export class CdromUnit {
  readonly #identity: DriveIdentity;
  readonly #pages = new ModePages();
  /** In the tray, open or closed. */
  #disc: Disc | undefined;
  #isTrayOpen = false;
  #isLocked = false;
  #sense: Sense = SENSE.none;
  #attention: Attention = "none";
  #event: MediaEvent = "none";
  #speedKb = SPEED_MAX_KB;
  /** Where the head is. */
  #lba = 0;
  /** MODE SELECT under way has a list of ten-byte form. */
  #isTenByteList = false;

  constructor(identity: DriveIdentity, disc: BlockDevice | undefined) {
    this.#identity = identity;
    this.#disc = disc === undefined ? undefined : new Disc(disc);
  }

  /** What can be read now. */
  get disc(): Disc | undefined {
    return this.#isTrayOpen || this.#disc?.sectors === 0 ? undefined : this.#disc;
  }

  get sense(): Sense {
    return this.#sense;
  }

  // The operator's side.

  get isTrayOpen(): boolean {
    return this.#isTrayOpen;
  }

  get isLocked(): boolean {
    return this.#isLocked;
  }

  /** Puts a disc into the tray, in place of what is there, and closes it. */
  insert(disc: BlockDevice): void {
    this.#disc = new Disc(disc);
    this.#isTrayOpen = false;
    this.#mediumChanged();
  }

  /**
   * The eject button: opens the tray and takes the disc out. While the guest has locked it, this only tells the guest
   * that somebody asks, and returns false; `isForced` is the pin in the emergency hole.
   */
  eject({ isForced = false } = {}): boolean {
    if (this.#isLocked && !isForced) {
      this.#event = "eject request";
      return false;
    }
    this.#isLocked = false;
    if (!this.#isTrayOpen) this.#event = "media removal";
    this.#isTrayOpen = true;
    this.#disc = undefined;
    return true;
  }

  // The guest's side: what packets do, and firmware for programs that send none.

  /** The eject button does not open the tray while it is locked. */
  setLocked(isLocked: boolean): void {
    this.#isLocked = isLocked;
  }

  /** Opens the tray, with the disc in it; false while it is locked. */
  openTray(): boolean {
    if (this.#isLocked) return false;
    if (!this.#isTrayOpen) this.#event = "media removal";
    this.#isTrayOpen = true;
    return true;
  }

  // Lifecycle.

  /** Power-on or DEVICE RESET; the tray stays as it is. */
  reset(): void {
    this.#pages.reset();
    this.#isLocked = false;
    this.#sense = SENSE.none;
    this.#attention = "was reset";
    this.#speedKb = SPEED_MAX_KB;
    this.#lba = 0;
  }

  save(): DeviceState {
    return {
      hasDisc: this.#disc !== undefined,
      isTrayOpen: this.#isTrayOpen,
      isLocked: this.#isLocked,
      senseKey: this.#sense.key,
      senseCode: this.#sense.asc,
      senseQualifier: this.#sense.ascq,
      senseInformation: this.#sense.information ?? null,
      attention: this.#attention,
      event: this.#event,
      speedKb: this.#speedKb,
      lba: this.#lba,
      isTenByteList: this.#isTenByteList,
      modePages: this.#pages.save(),
    };
  }

  restore(state: DeviceState, path: string): void {
    const reader = new StateReader(path, state);
    // The disc itself comes with the drive; one that had been taken out is taken out again.
    if (!reader.boolean("hasDisc")) this.#disc = undefined;
    this.#isTrayOpen = reader.boolean("isTrayOpen");
    this.#isLocked = reader.boolean("isLocked");
    this.#sense = {
      key: reader.integer("senseKey", 0x0f),
      asc: reader.u8("senseCode"),
      ascq: reader.u8("senseQualifier"),
      ...(reader.isNull("senseInformation") ? {} : { information: reader.u32("senseInformation") }),
    };
    this.#attention = reader.choice("attention", ATTENTIONS);
    this.#event = reader.choice("event", MEDIA_EVENTS);
    this.#speedKb = reader.u16("speedKb");
    this.#lba = reader.u32("lba");
    this.#isTenByteList = reader.boolean("isTenByteList");
    this.#pages.restore(reader.bytes("modePages", MODE_PAGES_BYTES));
  }

  // Commands.

  /** Carries out a command packet of {@link PACKET_BYTES}. */
  execute(packet: Uint8Array): Outcome {
    const spec = cdromCommand(packet[0] ?? 0);
    if (spec?.command !== "request sense") this.#sense = SENSE.none;
    if (spec === undefined) return this.check(SENSE.invalidCommand);
    if (this.#attention !== "none" && !spec.isPatient) {
      const sense = this.#attention === "was reset" ? SENSE.wasReset : SENSE.mediumChanged;
      this.#attention = "none";
      return this.check(sense);
    }
    const { disc } = this;
    if (!spec.needsDisc) return this.#withoutDisc(spec.command, packet);
    if (disc === undefined) {
      return this.check(this.#isTrayOpen ? SENSE.noMediumTrayOpen : SENSE.noMediumTrayClosed);
    }
    return this.#withDisc(spec.command, packet, disc);
  }

  /** The command ends with CHECK CONDITION. */
  check(sense: Sense): Outcome {
    this.#sense = sense;
    return { kind: "check" };
  }

  /** The head has come to a sector. */
  movedTo(lba: number): void {
    this.#lba = lba;
  }

  /** The parameter list of MODE SELECT. */
  select(list: Uint8Array): Outcome {
    const start = modeHeaderBytes(list, this.#isTenByteList);
    if (start === undefined) return this.check(SENSE.parameterLength);
    return this.#pages.write(list.subarray(start)) ? GOOD : this.check(SENSE.invalidParameter);
  }

  #withoutDisc(command: CdromCommand, packet: Uint8Array): Outcome {
    switch (command) {
      case "request sense":
        return this.#requestSense(packet[4] ?? 0);
      case "inquiry":
        // Vital product data and command support data do not exist.
        if (((packet[1] ?? 0) & 3) !== 0 || packet[2] !== 0) return this.check(SENSE.invalidField);
        return answer(inquiry(this.#identity), be(packet, 3, 2));
      case "mode sense 6":
        return this.#modeSense(packet, false);
      case "mode sense 10":
        return this.#modeSense(packet, true);
      case "mode select 6":
        return this.#modeSelect(packet, false, packet[4] ?? 0);
      case "mode select 10":
        return this.#modeSelect(packet, true, be(packet, 7, 2));
      case "start stop unit":
        return this.#startStop(packet[4] ?? 0);
      case "prevent allow medium removal":
        this.setLocked(((packet[4] ?? 0) & 1) !== 0);
        return GOOD;
      case "get configuration": {
        const bytes = configuration(packet[1] ?? 0, be(packet, 2, 2), this.disc !== undefined);
        return bytes === undefined ? this.check(SENSE.invalidField) : answer(bytes, be(packet, 7, 2));
      }
      case "get event status notification":
        return this.#eventStatus(packet);
      case "set cd speed": {
        const wanted = be(packet, 2, 2);
        this.#speedKb = Math.min(wanted, SPEED_MAX_KB);
        return GOOD;
      }
      case "mechanism status":
        return answer(mechanismStatus(this.#isTrayOpen, this.#lba), be(packet, 8, 2));
      default:
        return this.check(SENSE.invalidCommand);
    }
  }

  #withDisc(command: CdromCommand, packet: Uint8Array, disc: Disc): Outcome {
    switch (command) {
      case "test unit ready":
        return GOOD;
      case "read capacity":
        return answer(
          Uint8Array.of(...beBytes(4, disc.sectors - 1), ...beBytes(4, DISC_SECTOR_BYTES)),
          Infinity,
        );
      case "read 10":
        return this.#read(disc, be(packet, 2, 4), be(packet, 7, 2), DATA_ONLY);
      case "read 12":
        return this.#read(disc, be(packet, 2, 4), be(packet, 6, 4), DATA_ONLY);
      case "read cd":
        return this.#readCd(disc, packet, be(packet, 2, 4), be(packet, 6, 3));
      case "read cd msf": {
        const [from = 0, to = 0] = [3, 6].map((at) =>
          lbaOfMsf(packet[at] ?? 0, packet[at + 1] ?? 0, packet[at + 2] ?? 0),
        );
        if (to < from) return this.check(SENSE.invalidField);
        return from < 0 ? this.check(SENSE.outOfRange) : this.#readCd(disc, packet, from, to - from);
      }
      case "seek": {
        const lba = be(packet, 2, 4);
        if (lba >= disc.sectors) return this.check(SENSE.outOfRange);
        this.#lba = lba;
        return GOOD;
      }
      case "read toc":
        return this.#readToc(disc, packet);
      case "read sub-channel":
        return this.#readSubChannel(disc, packet);
      case "read disc information":
        return answer(disc.information(), be(packet, 7, 2));
      case "read track information":
        return this.#readTrackInformation(disc, packet);
      default:
        return this.check(SENSE.invalidCommand);
    }
  }

  #requestSense(allocation: number): Outcome {
    let sense = this.#sense;
    if (sense.key === 0 && this.#attention !== "none") {
      sense = this.#attention === "was reset" ? SENSE.wasReset : SENSE.mediumChanged;
      this.#attention = "none";
    }
    this.#sense = SENSE.none;
    return answer(fixedSense(sense), allocation);
  }

  #modeSense(packet: Uint8Array, isTenByte: boolean): Outcome {
    const selector = packet[2] ?? 0;
    // Subpages do not exist.
    if (isTenByte && packet[3] !== 0) return this.check(SENSE.invalidField);
    const pages = this.#pages.read(selector >> 6, selector & 0x3f, {
      isLocked: this.#isLocked,
      speedKb: this.#speedKb,
    });
    if (pages === "not saved") return this.check(SENSE.savingNotSupported);
    if (pages === "unknown") return this.check(SENSE.invalidField);
    // Medium types: a data disc of 120 mm, no disc, door open.
    const type = this.#isTrayOpen ? 0x71 : this.disc === undefined ? 0x70 : 0x01;
    if (!isTenByte) {
      const bytes = Uint8Array.of(3 + pages.length, type, 0, 0, ...pages);
      return answer(bytes, packet[4] ?? 0);
    }
    const bytes = Uint8Array.of(...beBytes(2, 6 + pages.length), type, 0, 0, 0, 0, 0, ...pages);
    return answer(bytes, be(packet, 7, 2));
  }

  #modeSelect(packet: Uint8Array, isTenByte: boolean, lengthBytes: number): Outcome {
    const flags = packet[1] ?? 0;
    const PAGE_FORMAT = 0x10;
    const SAVE_PAGES = 0x01;
    if ((flags & PAGE_FORMAT) === 0 || (flags & SAVE_PAGES) !== 0) return this.check(SENSE.invalidField);
    if (lengthBytes === 0) return GOOD;
    if (lengthBytes > PARAMETER_LIST_BYTES_MAX) return this.check(SENSE.parameterLength);
    this.#isTenByteList = isTenByte;
    return { kind: "data-out", lengthBytes };
  }

  #startStop(flags: number): Outcome {
    const START = 0x01;
    const LOAD_EJECT = 0x02;
    // Spinning up and down takes no time and has no consequence.
    if ((flags & LOAD_EJECT) === 0) return GOOD;
    if ((flags & START) !== 0) {
      if (!this.#isTrayOpen) return GOOD;
      this.#isTrayOpen = false;
      this.#mediumChanged();
      return GOOD;
    }
    return this.openTray() ? GOOD : this.check(SENSE.removalPrevented);
  }

  #eventStatus(packet: Uint8Array): Outcome {
    const POLLED = 1;
    // Asynchronous notification would need overlapped commands.
    if (((packet[1] ?? 0) & POLLED) === 0) return this.check(SENSE.invalidField);
    const { isTrayOpen, disc } = this;
    const bytes = eventStatus(packet[4] ?? 0, this.#event, { isTrayOpen, hasDisc: disc !== undefined });
    const MEDIA_CLASS = 0x10;
    if (((packet[4] ?? 0) & MEDIA_CLASS) !== 0) this.#event = "none";
    return answer(bytes, be(packet, 7, 2));
  }

  #read(disc: Disc, lba: number, count: number, layout: SectorLayout): Outcome {
    if (lba + count > disc.sectors) return this.check({ ...SENSE.outOfRange, information: lba });
    if (count === 0) return GOOD;
    return { kind: "read", lba, count, layout };
  }

  /** Byte 1 says which kind of sectors is expected, byte 9 which of their parts are wanted. */
  #readCd(disc: Disc, packet: Uint8Array, lba: number, count: number): Outcome {
    const expected = ((packet[1] ?? 0) >> 2) & 7;
    const ANY = 0;
    const MODE_1 = 2;
    if (expected !== ANY && expected !== MODE_1) return this.check(SENSE.wrongTrackMode);
    const parts = packet[9] ?? 0;
    const PART = {
      sync: 0x80,
      subHeader: 0x40,
      header: 0x20,
      data: 0x10,
      correction: 0x08,
      errors: 0x06,
    } as const;
    // Mode 1 sectors have no sub-header: asking for it gets nothing.
    const layout = {
      hasSync: (parts & PART.sync) !== 0,
      hasHeader: (parts & PART.header) !== 0,
      hasData: (parts & PART.data) !== 0,
    };
    const isSyncAlone = layout.hasSync && !layout.hasHeader && layout.hasData;
    const SUB_CHANNEL = 7;
    if ((parts & (PART.correction | PART.errors)) !== 0 || isSyncAlone) return this.check(SENSE.invalidField);
    if (((packet[10] ?? 0) & SUB_CHANNEL) !== 0) return this.check(SENSE.invalidField);
    return layoutBytes(layout) === 0 ? GOOD : this.#read(disc, lba, count, layout);
  }

  #readToc(disc: Disc, packet: Uint8Array): Outcome {
    const isMsf = ((packet[1] ?? 0) & 2) !== 0;
    // SFF-8020i has the format in the control byte, MMC in byte 2.
    const format = (packet[2] ?? 0) & 0x0f || (packet[9] ?? 0) >> 6;
    const allocation = be(packet, 7, 2);
    switch (format) {
      case 0: {
        const toc = disc.toc(isMsf, packet[6] ?? 0);
        return toc === undefined ? this.check(SENSE.invalidField) : answer(toc, allocation);
      }
      case 1:
        return answer(disc.sessions(isMsf), allocation);
      case 2:
        return answer(disc.fullToc(), allocation);
      default:
        return this.check(SENSE.invalidField);
    }
  }

  #readSubChannel(disc: Disc, packet: Uint8Array): Outcome {
    const NO_AUDIO_STATUS = 0x15;
    const allocation = be(packet, 7, 2);
    const hasQ = ((packet[2] ?? 0) & 0x40) !== 0;
    if (!hasQ) return answer(Uint8Array.of(0, NO_AUDIO_STATUS, 0, 0), allocation);
    const format = packet[3] ?? 0;
    if (format < 1 || format > 3) return this.check(SENSE.invalidField);
    const isMsf = ((packet[1] ?? 0) & 2) !== 0;
    // A disc has neither a catalogue number nor ISRCs.
    const nothing = [format, 0, 0, 0, ...Array.from({ length: 16 }, () => 0)];
    const data = format === 1 ? disc.position(this.#lba, isMsf) : nothing;
    return answer(Uint8Array.of(0, NO_AUDIO_STATUS, ...beBytes(2, data.length), ...data), allocation);
  }

  #readTrackInformation(disc: Disc, packet: Uint8Array): Outcome {
    const kind = (packet[1] ?? 0) & 3;
    const number = be(packet, 2, 4);
    // By logical block, by track, by session.
    const isThere = kind === 0 ? number < disc.sectors : kind <= 2 && number === 1;
    return isThere ? answer(disc.trackInformation(), be(packet, 7, 2)) : this.check(SENSE.invalidField);
  }

  #mediumChanged(): void {
    if (this.#attention === "none") this.#attention = "medium changed";
    this.#event = "new media";
    this.#lba = 0;
  }
}

/** `bytes`, cut to what the host has room for; nothing is an answer too. */
function answer(bytes: Uint8Array, allocation: number): Outcome {
  const cut = bytes.subarray(0, Math.min(bytes.length, allocation));
  return cut.length === 0 ? GOOD : { kind: "data-in", bytes: cut };
}
