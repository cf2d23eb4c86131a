/** What can go wrong while guests are looked up, fetched and unpacked: the closed set of codes. */
import type { OperatorError, Result } from "../../base/index.ts";

export type ImageErrorCode =
  | "aborted"
  | "apt-failed"
  | "archive-damaged"
  | "bad-option"
  | "cache-unusable"
  | "checksum-mismatch"
  | "disk-full"
  | "index-damaged"
  | "index-expired"
  | "network"
  | "no-package-source"
  | "package-not-found"
  | "signature-invalid"
  | "unknown-guest";

export type ImageError = OperatorError<ImageErrorCode>;
export type ImageResult<T> = Result<T, ImageError>;
