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
const network = {
  framesFromGuest: 1234,
  bytesFromGuest: 3 << 20,
  framesToGuest: 5678,
  bytesToGuest: 5 << 20,
  tcpConnections: 12,
  tcpConnectionsOpen: 2,
  tcpRetransmissions: 3,
  udpAssociations: 4,
  udpAssociationsOpen: 1,
  dnsQueries: 6,
  dropped: {
    malformed: 0,
    unknownProtocol: 7,
    spoofed: 0,
    fragments: 0,
    guestBusy: 0,
    refused: 8,
    hostBusy: 0,
    limit: 0,
  },
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
    networks: [network],
    resets: 0,
  },
};
