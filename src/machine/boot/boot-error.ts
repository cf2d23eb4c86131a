/**
 * What can be wrong with a kernel file or with the memory it is given: operator errors (style guide, kind 3).
 *
 * Parsers and loaders throw `BootFailure` inside this folder; the public functions in `boot.ts` turn it into a
 * Result. Anything else that escapes a parser is our own bug.
 */

import { err } from "../../base/index.ts";
import type { OperatorError, Result } from "../../base/index.ts";

export type BootErrorCode =
  | "not-a-kernel"
  | "truncated-image"
  | "corrupt-image"
  | "unsupported-image"
  | "too-little-memory"
  | "command-line-too-long"
  | "unusable-module"
  /** A part of Typevisor is missing that unpacks kernels. */
  | "no-decoder";

/** One sentence for the person who started the VM; it names the file. */
export type BootError = OperatorError<BootErrorCode>;

export class BootFailure extends Error {
  override readonly name = "BootFailure";
  readonly code: BootErrorCode;

  constructor(code: BootErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The Result of a failure; anything but a {@link BootFailure} is our own bug and travels on. */
export function toBootError(failure: unknown): Result<never, BootError> {
  if (failure instanceof BootFailure) return err(failure.code, failure.message);
  throw failure;
}
