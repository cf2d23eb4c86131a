/** The errors that the library throws: a code for the program and a sentence for its user. */

import { OperatorFault } from "../../base/index.ts";

const CODES = [
  /** An option is missing, unknown or wrong. */
  "bad-option",
  /** A file does not exist or cannot be read. */
  "unreadable-file",
  /** The kernel, initrd or module cannot be booted as it is. */
  "unusable-image",
  /** The memory asked for is too little, too much, or not to be had. */
  "memory",
  /** The VM's state does not allow what was asked, as when it has ended. */
  "wrong-state",
  /** The VM ended while something of it was waited for. */
  "ended",
  /** What was waited for did not come in time. */
  "timeout",
  /** The VM's process could not be started, died, or did not answer and was killed. */
  "process-died",
  /** A ready-made guest could not be fetched. */
  "guest-unavailable",
] as const;
export type VmErrorCode = (typeof CODES)[number];

/** Where the codes of the layers below differ from the library's. */
const TRANSLATIONS: Readonly<Record<string, VmErrorCode>> = {
  "bad-setting": "bad-option",
  "no-file": "unreadable-file",
  "not-a-file": "unreadable-file",
  "file-too-large": "unreadable-file",
  "no-permission": "unreadable-file",
  unreadable: "unreadable-file",
  "share-folder": "unreadable-file",
  "share-unsupported": "bad-option",
  "no-core": "process-died",
  "no-decoder": "process-died",
  "not-a-kernel": "unusable-image",
  "truncated-image": "unusable-image",
  "corrupt-image": "unusable-image",
  "unsupported-image": "unusable-image",
  "command-line-too-long": "unusable-image",
  "unusable-module": "unusable-image",
  "too-little-memory": "memory",
  "ram-size": "memory",
  "ram-unavailable": "memory",
  "no-screen": "wrong-state",
  "medium-locked": "wrong-state",
  "no-drive": "bad-option",
  "vnc-address": "bad-option",
  "vnc-password": "bad-option",
};

export class VmError extends Error {
  override readonly name = "VmError";
  readonly code: VmErrorCode;

  constructor(code: VmErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The library's error for one of a layer below. */
export function vmErrorOf(error: { readonly code: string; readonly message: string }): VmError {
  const known = CODES.find((code) => code === error.code) ?? TRANSLATIONS[error.code];
  return new VmError(known ?? "guest-unavailable", error.message);
}

/** Awaits `work`; an operator's error becomes a {@link VmError}, everything else travels on. */
export async function withVmErrors<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    throw thrown instanceof OperatorFault ? vmErrorOf(thrown) : thrown;
  }
}
