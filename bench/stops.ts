/** Decodes from `typevisor run --stats --format json` how long the guest stood still. */

export interface Stops {
  readonly count: number;
  readonly totalSeconds: number;
  readonly longestMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export function decodeStops(json: string): { readonly translation: Stops; readonly compilation: Stops } {
  const statistics: unknown = JSON.parse(json);
  return {
    translation: stopsIn(statistics, "translationStops"),
    compilation: stopsIn(statistics, "compilationStops"),
  };
}

function stopsIn(statistics: unknown, name: string): Stops {
  const stops = field(statistics, name);
  const number = (key: keyof Stops): number => {
    const value = field(stops, key);
    if (typeof value !== "number") throw new Error(`the statistics have no number ${name}.${key}`);
    return value;
  };
  return {
    count: number("count"),
    totalSeconds: number("totalSeconds"),
    longestMs: number("longestMs"),
    p50Ms: number("p50Ms"),
    p99Ms: number("p99Ms"),
  };
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
