/**
 * The Debian binary package format 2.0 (deb(5)): which ar member carries the files, and how it is compressed.
 * Decompressing and reading the tar inside needs streams and stands in apps/cli/guests.
 *
 * Missing on purpose: control.tar (the package index already gave its fields), format 0.9, bzip2 and lzma members
 * (no package of the catalogue's Debian releases uses them).
 */
import { err, ok } from "../../base/index.ts";
import type { ImageResult } from "./image-error.ts";
import { readArMembers } from "./ar.ts";

export type DebCompression = "none" | "gzip" | "xz" | "zstd";

export interface DebData {
  readonly compression: DebCompression;
  /** The compressed tar; a view into the package. */
  readonly bytes: Uint8Array;
}

const COMPRESSION_BY_MEMBER: ReadonlyMap<string, DebCompression> = new Map([
  ["data.tar", "none"],
  ["data.tar.gz", "gzip"],
  ["data.tar.xz", "xz"],
  ["data.tar.zst", "zstd"],
]);

/** Finds the data member of a .deb. */
export function debData(deb: Uint8Array): ImageResult<DebData> {
  const members = readArMembers(deb);
  if (!members.ok) return members;
  const [version] = members.value;
  if (version?.name !== "debian-binary" || !/^2\.\d+\n/.test(latin1(version.data))) {
    return err("archive-damaged", "the file is no Debian package of format 2");
  }
  for (const { name, data } of members.value) {
    const compression = COMPRESSION_BY_MEMBER.get(name);
    if (compression !== undefined) return ok({ compression, bytes: data });
  }
  const names = members.value.map((member) => member.name).join(", ");
  return err("archive-damaged", `the Debian package has no data member that can be read (it has: ${names})`);
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, 16));
}
