/**
 * How long the guest was stopped so that its code could be translated or compiled, as a distribution: a histogram of ten
 * buckets a decade, in which a stop is known to 26 %, and the exact longest. Two looks at the host's clock a stop and
 * no allocation: always on. Stops of other causes (the host's garbage collection, another process on the core) are
 * only seen where they fall into one of these.
 */

const BUCKETS_PER_DECADE = 10;
/** Bound of the first bucket. */
const SHORTEST_NS = 1000;
/** From 1 µs to 10 s; then one without a bound, for what is longer. */
const BUCKET_COUNT = 7 * BUCKETS_PER_DECADE + 2;

export interface StopBucket {
  /** Of the stops in it, none was longer. */
  readonly upToNs: number;
  readonly count: number;
}

/** Plain data, cumulative since the start. */
export interface StopStatistics {
  readonly count: number;
  readonly totalNs: number;
  readonly longestNs: number;
  /** Half of the stops, and 99 of 100, were not longer than this (to 26 %); 0 when there was none. */
  readonly p50Ns: number;
  readonly p99Ns: number;
  /** Buckets with a stop in them, the shortest first. */
  readonly histogram: readonly StopBucket[];
}

export class StopTimes {
  readonly #nowNs: () => number;
  readonly #counts = new Uint32Array(BUCKET_COUNT);
  #count = 0;
  #totalNs = 0;
  #longestNs = 0;

  /** Of a clock that only goes forward. */
  constructor(nowNs: () => number) {
    this.#nowNs = nowNs;
  }

  /** The guest stops: what {@link end} wants to be given. */
  begin(): number {
    return this.#nowNs();
  }

  end(startNs: number): void {
    const ns = this.#nowNs() - startNs;
    this.#count++;
    this.#totalNs += ns;
    if (ns > this.#longestNs) this.#longestNs = ns;
    const bucket = ns <= SHORTEST_NS ? 0 : Math.ceil(Math.log10(ns / SHORTEST_NS) * BUCKETS_PER_DECADE);
    const at = Math.min(bucket, BUCKET_COUNT - 1);
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  get statistics(): StopStatistics {
    const histogram: StopBucket[] = [];
    for (const [bucket, count] of this.#counts.entries()) {
      if (count > 0) histogram.push({ upToNs: this.#boundNs(bucket), count });
    }
    return {
      count: this.#count,
      totalNs: this.#totalNs,
      longestNs: this.#longestNs,
      p50Ns: this.#quantileNs(histogram, 0.5),
      p99Ns: this.#quantileNs(histogram, 0.99),
      histogram,
    };
  }

  /** The bound of the bucket in which the quantile lies; no stop was longer than the longest. */
  #quantileNs(histogram: readonly StopBucket[], share: number): number {
    let below = 0;
    for (const { upToNs, count } of histogram) {
      below += count;
      if (below >= share * this.#count) return Math.min(upToNs, this.#longestNs);
    }
    return this.#longestNs;
  }

  #boundNs(bucket: number): number {
    if (bucket === BUCKET_COUNT - 1) return this.#longestNs;
    return Math.round(SHORTEST_NS * 10 ** (bucket / BUCKETS_PER_DECADE));
  }
}
