/**
 * The checksum policy: a file is accepted by its size and its SHA-256, both taken from a Debian index, and by
 * nothing weaker: an entry that has only MD5 or SHA-1 is refused. Hashing itself needs the host and is done by
 * the caller.
 */
import { err, ok } from "../../base/index.ts";
import type { ImageResult } from "./image-error.ts";

export interface Digest {
  readonly sizeBytes: number;
  /** 64 lower-case hexadecimal digits. */
  readonly sha256: string;
}

/** Reads the size and SHA-256 fields of an index entry for `what`. */
export function parseDigest(
  what: string,
  size: string | undefined,
  sha256: string | undefined,
): ImageResult<Digest> {
  if (size === undefined || !/^\d{1,15}$/.test(size)) {
    return err("index-damaged", `the package index gives no size for ${what}`);
  }
  if (sha256 === undefined || !/^[0-9a-fA-F]{64}$/.test(sha256)) {
    return err("index-damaged", `the package index gives no SHA-256 checksum for ${what}`);
  }
  return ok({ sizeBytes: Number(size), sha256: sha256.toLowerCase() });
}

/** Accepts `actual` as the `what` that the index describes, or says how they differ. */
export function verifyDigest(what: string, expected: Digest, actual: Digest): ImageResult<Digest> {
  if (actual.sizeBytes !== expected.sizeBytes) {
    return err(
      "checksum-mismatch",
      `${what} has ${actual.sizeBytes} bytes, but its index says ${expected.sizeBytes}; it was not used`,
    );
  }
  if (actual.sha256 !== expected.sha256) {
    return err(
      "checksum-mismatch",
      `${what} has SHA-256 ${actual.sha256}, but its index says ${expected.sha256}; it was not used`,
    );
  }
  return ok(actual);
}
