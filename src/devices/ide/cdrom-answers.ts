/** Answers of a CD-ROM drive that say what it is and can do (SFF-8020i sections 10.8.1 and 10.8.5; MMC-3 sections 5 and 6). */

import { asciiField, beBytes, putBe } from "./scsi.ts";
import type { DriveIdentity } from "./identify-data.ts";

const CDROM_DEVICE = 0x05;
const REMOVABLE = 0x80;
/** ATAPI version 2, response data of format 1. */
const RESPONSE_FORMAT = 0x21;

export function inquiry({ model, firmware }: DriveIdentity): Uint8Array {
  const [vendor = "", ...product] = model.split(" ");
  const texts = [...asciiField(vendor, 8), ...asciiField(product.join(" "), 16), ...asciiField(firmware, 4)];
  return Uint8Array.of(CDROM_DEVICE, REMOVABLE, 0, RESPONSE_FORMAT, 3 + texts.length, 0, 0, 0, ...texts);
}

const PROFILE_CDROM = 0x0008;
/** GET CONFIGURATION's requested type. */
const REQUESTED = { all: 0, current: 1, one: 2 } as const;

interface Feature {
  readonly code: number;
  readonly version: number;
  readonly isPersistent: boolean;
  /** Current only while a disc is there. */
  readonly needsDisc: boolean;
  readonly data: (hasDisc: boolean) => readonly number[];
}

const FEATURES: readonly Feature[] = [
  // Profile list.
  feature(0x0000, 0, (hasDisc) => [...beBytes(2, PROFILE_CDROM), hasDisc ? 1 : 0, 0]),
  // Core: ATAPI.
  feature(0x0001, 0, () => beBytes(4, 2)),
  // Removable medium: a tray that ejects and locks.
  feature(0x0003, 0, () => [0x29, 0, 0, 0]),
  // Random readable: blocks of 2048 bytes, one at a time.
  { ...feature(0x0010, 0, () => [...beBytes(4, 2048), 0, 1, 0, 0]), isPersistent: false, needsDisc: true },
  // CD read.
  { ...feature(0x001e, 0, () => []), isPersistent: false, needsDisc: true },
];

function feature(code: number, version: number, data: Feature["data"]): Feature {
  return { code, version, isPersistent: true, needsDisc: false, data };
}

/** `requested` is byte 1, `start` bytes 2 and 3; undefined when the type does not exist. */
export function configuration(requested: number, start: number, hasDisc: boolean): Uint8Array | undefined {
  const type = requested & 3;
  if (type === 3) return undefined;
  const listed = FEATURES.filter(({ code, needsDisc }) => {
    if (type === REQUESTED.one) return code === start;
    return code >= start && (type === REQUESTED.all || !needsDisc || hasDisc);
  });
  const bytes = listed.flatMap(({ code, version, isPersistent, needsDisc, data }) => {
    const isCurrent = !needsDisc || hasDisc;
    const flags = (version << 2) | (isPersistent ? 2 : 0) | (isCurrent ? 1 : 0);
    const content = data(hasDisc);
    return [...beBytes(2, code), flags, content.length, ...content];
  });
  const profile = hasDisc ? PROFILE_CDROM : 0;
  return Uint8Array.of(...beBytes(4, bytes.length + 4), 0, 0, ...beBytes(2, profile), ...bytes);
}

/** Media events of GET EVENT STATUS NOTIFICATION. */
export const MEDIA_EVENTS = ["none", "eject request", "new media", "media removal"] as const;
export type MediaEvent = (typeof MEDIA_EVENTS)[number];
const MEDIA_CLASS = 4;

/** `classes` is byte 4, the classes that the host asks for. */
export function eventStatus(
  classes: number,
  event: MediaEvent,
  { isTrayOpen, hasDisc }: { readonly isTrayOpen: boolean; readonly hasDisc: boolean },
): Uint8Array {
  const supported = 1 << MEDIA_CLASS;
  const NO_EVENT_AVAILABLE = 0x80;
  if ((classes & supported) === 0) return Uint8Array.of(0, 2, NO_EVENT_AVAILABLE, supported);
  const status = (isTrayOpen ? 1 : 0) | (hasDisc ? 2 : 0);
  return Uint8Array.of(0, 6, MEDIA_CLASS, supported, MEDIA_EVENTS.indexOf(event), status, 0, 0);
}

export function mechanismStatus(isTrayOpen: boolean, lba: number): Uint8Array {
  const bytes = new Uint8Array(8);
  bytes[1] = isTrayOpen ? 0x10 : 0;
  putBe(bytes, 2, 3, lba);
  return bytes;
}
