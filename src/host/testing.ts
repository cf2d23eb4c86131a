/** For tests of what VM processes say. */

import type { VmSample } from "./messages.ts";

const stops = {
  count: 3,
  totalNs: 4500,
  longestNs: 2000,
  p50Ns: 1500,
  p99Ns: 2000,
  histogram: [
    { upToNs: 1000, count: 1 },
    { upToNs: 2000, count: 2 },
  ],
};
export const SAMPLE: VmSample = {
  atNs: 1,
  cpuTimeNs: 2,
  residentBytes: 3,
  peakResidentBytes: 4,
  memory: {
    resident: 100,
    touchedGuestRam: 60,
    overhead: 40,
    parts: { programFiles: 10, enginePrefix: 5, compiledCode: 15, anonymousRest: 10 },
  },
  statistics: {
    wallTimeNs: 5,
    guestTimeNs: 6,
    execution: {
      instructionsRetired: 7n,
      instructionsInRegions: 8n,
      blocksTranslated: 9,
      codeCacheBytes: 3 << 20,
      codeCacheLimitBytes: 32 << 20,
      blocksEvicted: 15n,
      regionsCompiled: 10,
      regionsInstalled: 8,
      regionsEvicted: 2,
      regionMemoryBytes: 1 << 20,
      regionMemoryLimitBytes: 256 << 20,
      profileBlocks: 5,
      profileBlocksMet: 4,
      regionsPutOff: 6,
      portAccesses: 11n,
      mmioAccesses: 12n,
      interrupts: 13n,
      exceptions: 14n,
      translationStops: stops,
      compilationStops: stops,
      evictionStops: stops,
    },
    exits: { slice: 1, halt: 2, shutdown: 3, requested: 4 },
    networks: [],
    resets: 0,
  },
};
