/**
 * A data disc as MMC sees it: one session with one track of Mode 1 sectors over a block device, and the tables that
 * describe it (MMC-3: READ TOC/PMA/ATIP, READ DISC INFORMATION, READ TRACK INFORMATION; SFF-8020i section 10.8.20).
 *
 * Deliberately missing: audio tracks, several sessions, PMA, ATIP and CD-TEXT, which pressed data discs have not.
 */

import type { BlockDevice } from "../../block/index.ts";
import { beBytes } from "./scsi.ts";

export const DISC_SECTOR_BYTES = 2048;

/** A data track, recorded without interruption, copying not permitted; Q sub-channel with a position. */
const ADR_CONTROL_DATA = 0x14;
const LEAD_OUT = 0xaa;
/** Sectors of a second, and of the two seconds in front of sector 0. */
const FRAMES_PER_SECOND = 75;
const PREGAP = 150;

export class Disc {
  readonly device: BlockDevice;
  readonly sectors: number;

  constructor(device: BlockDevice) {
    this.device = device;
    this.sectors = Math.floor(device.sizeBytes / DISC_SECTOR_BYTES);
  }

  /** Format 0: tracks from `firstTrack` on and the lead-out; undefined when there is no such track. */
  toc(isMsf: boolean, firstTrack: number): Uint8Array | undefined {
    const entry = (track: number, lba: number): number[] => [
      0,
      ADR_CONTROL_DATA,
      track,
      0,
      ...address(lba, isMsf),
    ];
    const leadOut = entry(LEAD_OUT, this.sectors);
    if (firstTrack <= 1) return withLength([1, 1, ...entry(1, 0), ...leadOut]);
    return firstTrack === LEAD_OUT ? withLength([1, 1, ...leadOut]) : undefined;
  }

  /** Format 1: the first track of the last session. */
  sessions(isMsf: boolean): Uint8Array {
    return withLength([1, 1, 0, ADR_CONTROL_DATA, 1, 0, ...address(0, isMsf)]);
  }

  /** Format 2: the entries of the lead-in's Q sub-channel; addresses are always minutes, seconds and frames. */
  fullToc(): Uint8Array {
    const entry = (point: number, position: readonly number[]): number[] => [
      ...[1, ADR_CONTROL_DATA, 0, point, 0, 0, 0, 0],
      ...position,
    ];
    const at = (lba: number): number[] => address(lba, true).slice(1);
    return withLength([
      1,
      1,
      // First track and disc type, last track, start of the lead-out.
      ...entry(0xa0, [1, 0, 0]),
      ...entry(0xa1, [1, 0, 0]),
      ...entry(0xa2, at(this.sectors)),
      ...entry(1, at(0)),
    ]);
  }

  /** A disc that is complete and not rewritable, of one session with one track. */
  information(): Uint8Array {
    const UNRESTRICTED_USE = 0x20;
    const COMPLETE = 0x0e;
    const noPlace = [0xff, 0xff, 0xff, 0xff];
    return withLength([
      ...[COMPLETE, 1, 1, 1, 1, UNRESTRICTED_USE, 0, 0, 0, 0],
      ...[0, 0, 0, 0],
      ...noPlace,
      ...noPlace,
      ...[0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]);
  }

  /** What READ TRACK INFORMATION says of track 1. */
  trackInformation(): Uint8Array {
    const DATA_TRACK = 4;
    const MODE_1 = 1;
    return withLength([
      ...[1, 1, 0, DATA_TRACK, MODE_1, 0],
      ...beBytes(4, 0),
      ...beBytes(4, 0),
      ...beBytes(4, 0),
      ...beBytes(4, 0),
      ...beBytes(4, this.sectors),
      ...[0, 0, 0, 0, 0, 0, 0, 0],
    ]);
  }

  /** READ SUB-CHANNEL's current position, for a drive that plays no audio and stands at `lba`. */
  position(lba: number, isMsf: boolean): number[] {
    const CURRENT_POSITION = 1;
    return [CURRENT_POSITION, ADR_CONTROL_DATA, 1, 1, ...address(lba, isMsf), ...address(lba, isMsf)];
  }
}

/** Four bytes: a logical block, or minutes, seconds and frames from the start of the program area. */
export function address(lba: number, isMsf: boolean): number[] {
  if (!isMsf) return beBytes(4, lba);
  const frames = lba + PREGAP;
  const seconds = Math.floor(frames / FRAMES_PER_SECOND);
  return [0, Math.floor(seconds / 60) & 0xff, seconds % 60, frames % FRAMES_PER_SECOND];
}

/** The logical block at minutes, seconds and frames; negative in front of sector 0. */
export function lbaOfMsf(minutes: number, seconds: number, frames: number): number {
  return (minutes * 60 + seconds) * FRAMES_PER_SECOND + frames - PREGAP;
}

/** Puts in front how many bytes follow, in two bytes. */
export function withLength(bytes: readonly number[]): Uint8Array {
  return Uint8Array.of(bytes.length >> 8, bytes.length & 0xff, ...bytes);
}
