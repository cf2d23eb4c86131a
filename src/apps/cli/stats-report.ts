/** What `--stats` prints: a report for people, or the same figures as JSON. */

import { MiB, NS_PER_MS, NS_PER_S } from "../../base/index.ts";
import type { VmSample } from "../../host/index.ts";

export const STATS_FORMATS = ["text", "json"] as const;
export type StatsFormat = (typeof STATS_FORMATS)[number];

interface Figures {
  readonly wallSeconds: number;
  readonly guestSeconds: number;
  readonly cpuSeconds: number;
  readonly instructions: number;
  readonly instructionsPerSecond: number;
  readonly compiledShare: number;
  readonly interpretedShare: number;
  readonly blocksTranslated: number;
  readonly blocksEvicted: number;
  readonly codeCacheBytes: number;
  readonly codeCacheLimitBytes: number;
  readonly regionsCompiled: number;
  readonly regionsInstalled: number;
  readonly regionsEvicted: number;
  /** Estimated. */
  readonly regionMemoryBytes: number;
  readonly regionMemoryLimitBytes: number;
  /** Of the profile of an earlier run: its hot blocks, those met, and how often compiling was put off for it. */
  readonly profileBlocks: number;
  readonly profileBlocksMet: number;
  readonly regionsPutOff: number;
  /** How long the guest stood still for the translation of a block and for the compilation of a region. */
  readonly translationStops: Stops;
  readonly compilationStops: Stops;
  /** Of the stops for translation, what making room in the code cache took. */
  readonly evictionStops: Stops;
  readonly exits: Readonly<Record<string, number>>;
  readonly resets: number;
  readonly networks: VmSample["statistics"]["networks"];
  readonly peakMemoryBytes: number;
  /** What was resident at the end, by part; not on hosts that do not tell. */
  readonly memory?: VmSample["memory"];
}

interface Stops {
  readonly count: number;
  readonly totalSeconds: number;
  readonly longestMs: number;
  /** Half of the stops, and 99 of 100, were not longer. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly histogram: readonly { readonly upToMs: number; readonly count: number }[];
}

function stopsOf(stops: VmSample["statistics"]["execution"]["translationStops"]): Stops {
  return {
    count: stops.count,
    totalSeconds: stops.totalNs / NS_PER_S,
    longestMs: stops.longestNs / NS_PER_MS,
    p50Ms: stops.p50Ns / NS_PER_MS,
    p99Ms: stops.p99Ns / NS_PER_MS,
    histogram: stops.histogram.map(({ upToNs, count }) => ({ upToMs: upToNs / NS_PER_MS, count })),
  };
}

export function figuresOf({ statistics, cpuTimeNs, peakResidentBytes, memory }: VmSample): Figures {
  const { execution, exits, wallTimeNs, guestTimeNs, resets, networks } = statistics;
  const instructions = Number(execution.instructionsRetired);
  const compiledShare = instructions === 0 ? 0 : Number(execution.instructionsInRegions) / instructions;
  return {
    wallSeconds: wallTimeNs / NS_PER_S,
    guestSeconds: guestTimeNs / NS_PER_S,
    cpuSeconds: cpuTimeNs / NS_PER_S,
    instructions,
    instructionsPerSecond: wallTimeNs === 0 ? 0 : (instructions / wallTimeNs) * NS_PER_S,
    compiledShare,
    interpretedShare: instructions === 0 ? 0 : 1 - compiledShare,
    blocksTranslated: execution.blocksTranslated,
    blocksEvicted: Number(execution.blocksEvicted),
    codeCacheBytes: execution.codeCacheBytes,
    codeCacheLimitBytes: execution.codeCacheLimitBytes,
    regionsCompiled: execution.regionsCompiled,
    regionsInstalled: execution.regionsInstalled,
    regionsEvicted: execution.regionsEvicted,
    regionMemoryBytes: execution.regionMemoryBytes,
    regionMemoryLimitBytes: execution.regionMemoryLimitBytes,
    profileBlocks: execution.profileBlocks,
    profileBlocksMet: execution.profileBlocksMet,
    regionsPutOff: execution.regionsPutOff,
    translationStops: stopsOf(execution.translationStops),
    compilationStops: stopsOf(execution.compilationStops),
    evictionStops: stopsOf(execution.evictionStops),
    exits: {
      portAccess: Number(execution.portAccesses),
      mmioAccess: Number(execution.mmioAccesses),
      interrupt: Number(execution.interrupts),
      exception: Number(execution.exceptions),
      halt: exits.halt,
      slice: exits.slice,
      requested: exits.requested,
      shutdown: exits.shutdown,
    },
    resets,
    networks,
    peakMemoryBytes: peakResidentBytes,
    ...(memory === undefined ? {} : { memory }),
  };
}

export function statsReport(sample: VmSample, format: StatsFormat): string {
  const figures = figuresOf(sample);
  if (format === "json") return `${JSON.stringify(figures, undefined, 2)}\n`;
  const rows: [string, string][] = [
    ["wall time", `${figures.wallSeconds.toFixed(3)} s`],
    ["guest time", `${figures.guestSeconds.toFixed(3)} s`],
    ["processor time", `${figures.cpuSeconds.toFixed(3)} s`],
    ["instructions", `${grouped(figures.instructions)} (${metric(figures.instructionsPerSecond)}/s)`],
    ["  interpreted", percent(figures.interpretedShare)],
    ["  compiled", percent(figures.compiledShare)],
    ["blocks translated", grouped(figures.blocksTranslated)],
    ["  evicted", grouped(figures.blocksEvicted)],
    ["  code cache", ofLimit(figures.codeCacheBytes, figures.codeCacheLimitBytes)],
    ["regions compiled", grouped(figures.regionsCompiled)],
    ["  installed", grouped(figures.regionsInstalled)],
    ["  evicted", grouped(figures.regionsEvicted)],
    ["  memory, estimated", ofLimit(figures.regionMemoryBytes, figures.regionMemoryLimitBytes)],
    ["profile of an earlier run", profileUse(figures)],
    ["  regions put off", grouped(figures.regionsPutOff)],
    ...stopRows("translation", figures.translationStops),
    ...(figures.evictionStops.count === 0 ? [] : stopRows("eviction", figures.evictionStops)),
    ...stopRows("compilation", figures.compilationStops),
    ...Object.entries(figures.exits).map(([kind, count]): [string, string] => [
      EXIT_NAMES[kind] ?? kind,
      grouped(count),
    ]),
    ["resets", grouped(figures.resets)],
    ...figures.networks.flatMap(networkRows),
    ["peak memory", mebibytes(figures.peakMemoryBytes)],
    ...memoryRows(figures.memory),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join("");
}

function networkRows(network: Figures["networks"][number], index: number): [string, string][] {
  const frames = (count: number, bytes: number): string => `${grouped(count)} frames, ${mebibytes(bytes)}`;
  const dropped = Object.entries(network.dropped).filter(([, count]) => count > 0);
  return [
    [`network card ${index + 1}`, frames(network.framesFromGuest, network.bytesFromGuest)],
    ["  to the guest", frames(network.framesToGuest, network.bytesToGuest)],
    ["  TCP connections", `${grouped(network.tcpConnections)}, ${grouped(network.tcpConnectionsOpen)} open`],
    ["  TCP retransmissions", grouped(network.tcpRetransmissions)],
    [
      "  UDP associations",
      `${grouped(network.udpAssociations)}, ${grouped(network.udpAssociationsOpen)} open`,
    ],
    ["  DNS queries", grouped(network.dnsQueries)],
    ...dropped.map(([reason, count]): [string, string] => [
      `  dropped: ${DROP_NAMES[reason] ?? reason}`,
      grouped(count),
    ]),
  ];
}

const DROP_NAMES: Readonly<Record<string, string>> = {
  unknownProtocol: "not IPv4, or of other protocols",
  spoofed: "from foreign addresses",
  guestBusy: "no room in the card",
  hostBusy: "no room in the host's socket",
  limit: "as many as there may be",
};

const mebibytes = (bytes: number): string => `${(bytes / MiB).toFixed(1)} MiB`;

function memoryRows(memory: Figures["memory"]): [string, string][] {
  if (memory === undefined) return [];
  return [
    ["memory at the end", mebibytes(memory.resident)],
    ["  guest RAM, touched", mebibytes(memory.touchedGuestRam)],
    ["  engine's state, translated code", mebibytes(memory.parts.enginePrefix)],
    ["  machine code", mebibytes(memory.parts.compiledCode)],
    ["  heaps and the rest", mebibytes(memory.parts.anonymousRest)],
    ["  program files, shared", mebibytes(memory.parts.programFiles)],
  ];
}

const profileUse = ({ profileBlocks, profileBlocksMet }: Figures): string =>
  profileBlocks === 0 ? "none" : `${grouped(profileBlocksMet)} of ${grouped(profileBlocks)} hot blocks met`;

/** "1.5 of 32.0 MiB". */
function ofLimit(bytes: number, limitBytes: number): string {
  return `${(bytes / MiB).toFixed(1)} of ${(limitBytes / MiB).toFixed(1)} MiB`;
}

function stopRows(what: string, stops: Stops): [string, string][] {
  const ms = (value: number): string => `${value.toFixed(3)} ms`;
  const summary = `${grouped(stops.count)}, ${stops.totalSeconds.toFixed(3)} s in all`;
  return [
    [`stops for ${what}`, summary],
    ["  half up to", ms(stops.p50Ms)],
    ["  99 % up to", ms(stops.p99Ms)],
    ["  longest", ms(stops.longestMs)],
    ...byDecade(stops).map(([bound, count]): [string, string] => [`  ${bound}`, grouped(count)]),
  ];
}

/** The histogram in decades, which a person can read; each power of ten is a bound of it. */
function byDecade({ histogram }: Stops): [string, number][] {
  const decades = new Map<number, number>();
  for (const { upToMs, count } of histogram) {
    const decade = Math.ceil(Math.log10(upToMs) - ROUNDING);
    decades.set(decade, (decades.get(decade) ?? 0) + count);
  }
  return [...decades].map(([decade, count]) => [`up to ${Number(`1e${decade}`)} ms`, count]);
}

/** What the logarithm of a power of ten may be off by. */
const ROUNDING = 1e-6;

const EXIT_NAMES: Readonly<Record<string, string>> = {
  portAccess: "port accesses",
  mmioAccess: "MMIO accesses",
  interrupt: "interrupts",
  exception: "exceptions",
  halt: "exits: halt",
  slice: "exits: slice",
  requested: "exits: requested",
  shutdown: "exits: shutdown",
};

/** 1234567 as "1,234,567". */
function grouped(count: number): string {
  return count.toLocaleString("en-US");
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** A rate with a metric prefix: "123 M". */
export function metric(value: number): string {
  const units = ["", "k", "M", "G", "T"];
  let unit = 0;
  let scaled = value;
  while (scaled >= 1000 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  const digits = scaled >= 100 || unit === 0 ? 0 : 1;
  return `${scaled.toFixed(digits)} ${units[unit] ?? ""}`.trimEnd();
}
