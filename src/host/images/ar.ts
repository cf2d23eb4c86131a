/**
 * The "common" ar archive, as Debian packages use it (ar(5), deb(5)): a magic line, then members of a 60-byte
 * ASCII header and data padded to an even offset. A .deb has three: debian-binary, control.tar.*, data.tar.*.
 *
 * Missing on purpose: GNU and BSD long names, symbol tables and writing; deb(5) forbids or does not need them.
 */
import { err, ok } from "../../base/index.ts";
import type { ImageResult } from "./image-error.ts";

const MAGIC = "!<arch>\n";
const HEADER_SIZE_BYTES = 60;
/** A .deb has three members; a few more are allowed for names that begin with an underscore (deb(5)). */
export const MAX_AR_MEMBERS = 16;

export interface ArMember {
  readonly name: string;
  /** A view into the archive, not a copy. */
  readonly data: Uint8Array;
}

/** All members in file order, or what is wrong with the archive. */
export function readArMembers(archive: Uint8Array): ImageResult<readonly ArMember[]> {
  if (asciiField(archive, 0, MAGIC.length) !== MAGIC) {
    return err("archive-damaged", "the file is no ar archive (its first bytes are not !<arch>)");
  }
  const members: ArMember[] = [];
  let offset = MAGIC.length;
  while (offset < archive.length) {
    if (members.length === MAX_AR_MEMBERS) {
      return err("archive-damaged", `the ar archive has more than ${MAX_AR_MEMBERS} members`);
    }
    if (offset + HEADER_SIZE_BYTES > archive.length) {
      return err("archive-damaged", "the ar archive ends inside a member header");
    }
    if (asciiField(archive, offset + 58, 2) !== "`\n") {
      return err("archive-damaged", `the ar member header at byte ${offset} is damaged`);
    }
    const sizeText = asciiField(archive, offset + 48, 10).trimEnd();
    if (!/^\d+$/.test(sizeText)) {
      return err("archive-damaged", `the ar member header at byte ${offset} has no size`);
    }
    const start = offset + HEADER_SIZE_BYTES;
    const end = start + Number(sizeText);
    if (end > archive.length) {
      return err("archive-damaged", "the ar archive is shorter than its last member says");
    }
    // System V ar ends names with a slash, dpkg pads with spaces only; both are read.
    const name = asciiField(archive, offset, 16).trimEnd().replace(/\/$/, "");
    members.push({ name, data: archive.subarray(start, end) });
    offset = end + (end % 2);
  }
  return ok(members);
}

function asciiField(bytes: Uint8Array, offset: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + length));
}
