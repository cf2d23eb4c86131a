/** Medians: what is reported of several rounds, since a shared machine's outliers only ever slow things down. */

/** The middle value; of an even count the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  if (upper === undefined || lower === undefined) throw new RangeError("no values have no median");
  return (lower + upper) / 2;
}

/**
 * How many times as much of something the subject took as the reference: the median of the ratios of each round.
 * Both stand side by side within a round, so that a load which comes and goes weighs on both.
 */
export function pairedRatio(subject: readonly number[], reference: readonly number[]): number {
  if (subject.length !== reference.length) throw new RangeError("each round has both");
  return median(subject.map((value, round) => value / (reference[round] ?? NaN)));
}

/** The mean of ratios: the one in which 2 and 1/2 cancel out. */
export function geometricMean(ratios: readonly number[]): number {
  if (ratios.length === 0) throw new RangeError("no ratios have no mean");
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
}
