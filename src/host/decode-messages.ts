/**
 * Messages as they come out of a channel, checked. A VM's process may have been taken over by its guest, so its parent
 * believes nothing: every field that is used later is looked at, and sizes are bounded. What comes from the parent is
 * trusted, and only told apart by its kind.
 */

import {
  CODE_PROFILE_BLOCKS_MAX,
  FRAME_HEIGHT_MAX,
  FRAME_WIDTH_MAX,
  CONNECTORS,
  MAX_TEXT_COLUMNS,
  MAX_TEXT_ROWS,
  SERIAL_INPUT_MAX_BYTES,
  SERIAL_OUTPUT_WINDOW_BYTES,
} from "../vmm/index.ts";
import {
  either,
  isBigint,
  isBytes,
  isCount,
  isNumber,
  isObject,
  isText,
  isUndefined,
  listOf,
  listUpTo,
  oneOf,
  shape,
} from "./checks.ts";
import type { Check } from "./checks.ts";
import { PLACE_NUMBERS } from "./frame-changes.ts";
import { TILE_HEIGHT, TILE_WIDTH } from "./rfb/index.ts";
import { SCREENSHOT_MAX_BYTES } from "./messages.ts";
import type { FromVmMessage } from "./messages.ts";

/** Bytes of code or stack in a dump. */
const MAX_DUMP_BYTES = 4096;

/** Every second tile of the largest picture, and every pixel of it. */
const FRAME_PLACES_MAX =
  PLACE_NUMBERS * Math.ceil(FRAME_WIDTH_MAX / TILE_WIDTH / 2) * Math.ceil(FRAME_HEIGHT_MAX / TILE_HEIGHT);
const FRAME_BYTES_MAX = 4 * FRAME_WIDTH_MAX * FRAME_HEIGHT_MAX;

const error = shape({ code: isText, message: isText });

const segment = shape({ selector: isCount, base: isBigint, limit: isCount, attributes: isCount });
const table = shape({ base: isBigint, limit: isCount });
const cpu = shape({
  gpr: listOf(16, isBigint),
  rip: isBigint,
  rflags: isBigint,
  cs: segment,
  ss: segment,
  ds: segment,
  es: segment,
  fs: segment,
  gs: segment,
  ldtr: segment,
  tr: segment,
  gdtr: table,
  idtr: table,
  cr0: isBigint,
  cr2: isBigint,
  cr3: isBigint,
  cr4: isBigint,
  cr8: isBigint,
  efer: isBigint,
});
const dump = shape({
  cpu,
  lastExit: oneOf("none", "slice", "halt", "shutdown", "requested"),
  instructionsRetired: isBigint,
  guestTimeNs: isNumber,
  codeBefore: isBytes(MAX_DUMP_BYTES),
  code: isBytes(MAX_DUMP_BYTES),
  stack: isBytes(MAX_DUMP_BYTES),
});

const outcomes: Readonly<Record<string, Check>> = {
  "powered-off": shape({}),
  stopped: shape({}),
  "debug-exit": shape({ value: isCount }),
  timeout: shape({ seconds: isNumber }),
  crashed: shape({ dump }),
  "host-error": shape({ error }),
  failed: shape({ report: shape({ reason: isText, dump: either(isUndefined, dump) }) }),
};
const outcome: Check = (value) =>
  isObject(value) && typeof value["kind"] === "string" && outcomes[value["kind"]]?.(value) === true;

/** The most buckets that a histogram of stops may have. */
const MAX_STOP_BUCKETS = 256;
const stops = shape({
  count: isCount,
  totalNs: isNumber,
  longestNs: isNumber,
  p50Ns: isNumber,
  p99Ns: isNumber,
  histogram: listUpTo(MAX_STOP_BUCKETS, shape({ upToNs: isNumber, count: isCount })),
});
/** The most network cards that a VM may have. */
const NETWORKS_MAX = 16;
const network = shape({
  framesFromGuest: isCount,
  bytesFromGuest: isCount,
  framesToGuest: isCount,
  bytesToGuest: isCount,
  tcpConnections: isCount,
  tcpConnectionsOpen: isCount,
  tcpRetransmissions: isCount,
  udpAssociations: isCount,
  udpAssociationsOpen: isCount,
  dnsQueries: isCount,
  dropped: shape({
    malformed: isCount,
    unknownProtocol: isCount,
    spoofed: isCount,
    fragments: isCount,
    guestBusy: isCount,
    refused: isCount,
    hostBusy: isCount,
    limit: isCount,
  }),
});
const statistics = shape({
  wallTimeNs: isNumber,
  guestTimeNs: isNumber,
  execution: shape({
    instructionsRetired: isBigint,
    instructionsInRegions: isBigint,
    blocksTranslated: isCount,
    codeCacheBytes: isCount,
    codeCacheLimitBytes: isCount,
    blocksEvicted: isBigint,
    regionsCompiled: isCount,
    regionsInstalled: isCount,
    regionsEvicted: isCount,
    regionMemoryBytes: isCount,
    regionMemoryLimitBytes: isCount,
    profileBlocks: isCount,
    profileBlocksMet: isCount,
    regionsPutOff: isCount,
    portAccesses: isBigint,
    mmioAccesses: isBigint,
    interrupts: isBigint,
    exceptions: isBigint,
    translationStops: stops,
    compilationStops: stops,
    evictionStops: stops,
  }),
  exits: shape({ slice: isCount, halt: isCount, shutdown: isCount, requested: isCount }),
  resets: isCount,
  networks: listUpTo(NETWORKS_MAX, network),
});
const sample = shape({
  atNs: isNumber,
  cpuTimeNs: isNumber,
  residentBytes: isCount,
  peakResidentBytes: isCount,
  memory: either(
    isUndefined,
    shape({
      resident: isCount,
      touchedGuestRam: isCount,
      overhead: isCount,
      parts: shape({
        programFiles: isCount,
        enginePrefix: isCount,
        compiledCode: isCount,
        anonymousRest: isNumber,
      }),
    }),
  ),
  statistics,
});

const screen: Check = (value) => {
  if (!isObject(value)) return false;
  const { kind, columns, rows, cells, cursor, colors, blinks } = value;
  return (
    kind === "text" &&
    typeof blinks === "boolean" &&
    listOf(16, isCount)(colors) &&
    typeof columns === "number" &&
    typeof rows === "number" &&
    isCount(columns) &&
    isCount(rows) &&
    columns <= MAX_TEXT_COLUMNS &&
    rows <= MAX_TEXT_ROWS &&
    cells instanceof Uint8Array &&
    cells.length === 2 * columns * rows &&
    either(isUndefined, shape({ column: isCount, row: isCount }))(cursor)
  );
};

const connector = oneOf(...CONNECTORS);

/** Whether the rectangles fit their picture is looked at where they are put into it. */
const frameUpdate: Check = (value) => {
  if (!isObject(value)) return false;
  const { width, height, places, pixels } = value;
  return (
    isCount(width) &&
    isCount(height) &&
    Number(width) <= FRAME_WIDTH_MAX &&
    Number(height) <= FRAME_HEIGHT_MAX &&
    places instanceof Uint16Array &&
    places.length <= FRAME_PLACES_MAX &&
    places.length % PLACE_NUMBERS === 0 &&
    isBytes(FRAME_BYTES_MAX)(pixels)
  );
};

const blocks: Check = (value) => value instanceof Uint32Array && value.length <= CODE_PROFILE_BLOCKS_MAX;
const codeProfile = shape({ hot: blocks, lukewarm: blocks });

const figure = either(isUndefined, isNumber);
const guestMemory = shape({
  balloonTargetBytes: isCount,
  balloonBytes: isCount,
  releasedBytes: isCount,
  statistics: either(
    isUndefined,
    shape({
      swappedInBytes: figure,
      swappedOutBytes: figure,
      majorFaults: figure,
      minorFaults: figure,
      freeBytes: figure,
      totalBytes: figure,
      availableBytes: figure,
      cacheBytes: figure,
      hugePageAllocations: figure,
      hugePageFailures: figure,
    }),
  ),
});

const messagesFromVm: Readonly<Record<FromVmMessage["kind"], Check>> = {
  created: shape({}),
  refused: shape({ error }),
  reply: shape({ id: isCount, error: either(isUndefined, error) }),
  state: shape({ state: oneOf("ready", "running", "paused", "ended") }),
  serialOutput: shape({ connector, bytes: isBytes(SERIAL_OUTPUT_WINDOW_BYTES) }),
  inputTaken: shape({
    connector,
    byteCount: (value) => isCount(value) && Number(value) <= SERIAL_INPUT_MAX_BYTES,
  }),
  sample: shape({ sample }),
  screen: shape({ screen: either(isUndefined, screen) }),
  textScreen: shape({ screen: either(isUndefined, screen) }),
  screenshot: shape({ png: either(isUndefined, isBytes(SCREENSHOT_MAX_BYTES)) }),
  frame: shape({ update: either(isUndefined, frameUpdate) }),
  guestMemory: shape({ memory: either(isUndefined, guestMemory) }),
  codeProfile: shape({ found: either(oneOf("unfit"), codeProfile) }),
  ended: shape({ outcome, sample }),
};

/** The message, or undefined when the child sent something else. */
export function decodeFromVm(value: unknown): FromVmMessage | undefined {
  if (
    !isObject(value) ||
    typeof value["kind"] !== "string" ||
    !Object.hasOwn(messagesFromVm, value["kind"])
  ) {
    return undefined;
  }
  const check = messagesFromVm[value["kind"] as FromVmMessage["kind"]];
  return check(value) ? (value as FromVmMessage) : undefined;
}
