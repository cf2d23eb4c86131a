/** A program that is run twice, by the host's processor and in a guest, and what it did there. */

export interface Program {
  /** Of a file as well: letters, digits, dots and dashes. */
  readonly name: string;
  /** Commands for sh, with an empty standard input. */
  readonly script: string;
  /** How long it may take in the guest; {@link DEFAULT_LIMIT_SECONDS} when it does not say. */
  readonly limitSeconds?: number;
}

/** Many times what most programs take in a guest. */
export const DEFAULT_LIMIT_SECONDS = 300;

export interface Outcome {
  /** Exit status as sh has it: above 128 for a signal. */
  readonly status: number;
  /** Standard output and standard error, byte for byte as Latin-1, so that nothing is lost in decoding. */
  readonly output: string;
  /** By the host's clock. */
  readonly seconds: number;
  /** Of all threads of the VM's process, compilers included; undefined on the host. */
  readonly processorSeconds?: number;
}

/** The programs' environment: nothing of the host's, the same on both sides. */
export const ENVIRONMENT = {
  PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/",
  LC_ALL: "C.UTF-8",
  TERM: "dumb",
  // Sets and dictionaries in the same order at each run, and no files left in the host's tree.
  PYTHONHASHSEED: "0",
  PYTHONDONTWRITEBYTECODE: "1",
} as const;
