/**
 * What the system guests have to show: the claims about the system architecture and about changing code. A guest says
 * with `topic` which claim its next checks are of; a claim without a check that holds fails the test.
 */

export const claims = [
  // Segmentation.
  "segment limits",
  "expand-down segments",
  "conforming segments",
  "null selectors",
  "segment loading",
  "LAR, LSL, VERR, VERW and ARPL",
] as const;

export type Claim = (typeof claims)[number];
