/** The three values of the lazy flags (ir/flags.ts): which an operation has, and what expressions over them are called. */
import { type FlagKind, flagKinds } from "../ir/flags.ts";

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
