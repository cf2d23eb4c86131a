/**
 * What one run of an accelerator has learnt about a guest's code, for later runs of the same guest. It is plain data that
 * can be kept in a file; what it says can change how soon code is compiled and nothing else, so that a wrong or invented
 * one does no harm but to speed.
 */

/** Fingerprints of translated blocks; what they are made from is the accelerator's own affair. */
export interface CodeProfile {
  /** Blocks that were worth compiling, in the order in which they were. */
  readonly hot: Uint32Array;
  /** Blocks that were compiled, and then ran too little to make up for it. */
  readonly lukewarm: Uint32Array;
}

/** What a run is given: a profile to use, or the task to learn one. */
export type CodeProfileTask = CodeProfile | "learn";

/** What a run has to say about it: a profile that it has learnt, or that most of what was given was not met. */
export type CodeProfileFinding = CodeProfile | "unfit";

/** Of each kind. A boot of Linux has some hundred. */
export const CODE_PROFILE_BLOCKS_MAX = 8192;
