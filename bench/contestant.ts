/** Who takes part: the emulators that run a guest, and the processor itself as the limit. */

/** In the order of the columns: what we measure, its peers, the limit. */
export const CONTESTANTS = ["typevisor", "qemuTcg", "v86", "native"] as const;

export type ContestantName = (typeof CONTESTANTS)[number];

/** What the others are compared with. */
export const SUBJECT = "typevisor" satisfies ContestantName;

export type ReferenceName = Exclude<ContestantName, typeof SUBJECT>;

export const LABELS: Readonly<Record<ContestantName, string>> = {
  typevisor: "Typevisor",
  qemuTcg: "QEMU TCG",
  v86: "v86",
  native: "native",
};

/** A value per contestant; who did not take part has none. */
export type PerContestant<T> = Readonly<Partial<Record<ContestantName, T>>>;

/** A program to start, whose standard input and output are the first serial port or, natively, its own. */
export interface Command {
  readonly program: string;
  readonly arguments: readonly string[];
  /** Variables beside those of this process. */
  readonly environment?: Readonly<Record<string, string>>;
}
