/**
 * The lazy flags in a region (lazy-flags.ts): the states they are in, and of their three values (ir/flags.ts) which an
 * operation has and what expressions over them are called.
 */
import { type FlagKind, flagKinds } from "../ir/flags.ts";

export const FLAGS_IN_MEMORY = -1;
export const FLAGS_MIXED = -2;
/** The operation whose value is the status flags themselves. */
export const FLAG_OP_FLAGS = 0;

/** Names under which expressions find the locals of the lazy values. */
export const FLAG_LOCALS = { dst: "cc.dst", src: "cc.src", aux: "cc.aux" } as const;

const kindNames = Object.keys(flagKinds).filter((k): k is FlagKind => k in flagKinds);

export const kindOf = (op: number): FlagKind => {
  const name = kindNames[op >> 2];
  if (name === undefined) throw new Error(`there is no lazy-flag operation ${op}`);
  return name;
};

/** Which of the three lazy values a kind uses. */
export const usesDst = (kind: FlagKind): boolean => kind !== "flags";
export const usesSrc = (kind: FlagKind): boolean => kind !== "logic";
export const usesAux = (kind: FlagKind): boolean => kind === "adc" || kind === "sbb";
