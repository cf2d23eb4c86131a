import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import {
  CODE_PROFILE_BLOCKS_MAX,
  FRAME_HEIGHT_MAX,
  FRAME_WIDTH_MAX,
  SERIAL_OUTPUT_WINDOW_BYTES,
} from "../vmm/index.ts";
import { POWER_ON } from "../vmm/testing.ts";
import { decodeFromVm } from "./decode-messages.ts";
import { decodeToVm } from "./decode-to-vm.ts";
import type { FromVmMessage } from "./messages.ts";
import { SAMPLE as sample } from "./testing.ts";

const dump = {
  cpu: POWER_ON,
  lastExit: "shutdown",
  instructionsRetired: 1n,
  guestTimeNs: 1.5,
  codeBefore: new Uint8Array(32),
  code: new Uint8Array(32),
  stack: new Uint8Array(0),
} as const;

const valid: readonly FromVmMessage[] = [
  { kind: "created" },
  { kind: "refused", error: { code: "c", message: "m" } },
  { kind: "reply", id: 1, error: undefined },
  { kind: "state", state: "paused" },
  { kind: "serialOutput", connector: "com1", bytes: new Uint8Array(SERIAL_OUTPUT_WINDOW_BYTES) },
  { kind: "inputTaken", connector: "com1", byteCount: 16 },
  { kind: "sample", sample },
  { kind: "screen", screen: undefined },
  { kind: "textScreen", screen: undefined },
  {
    kind: "screen",
    screen: {
      kind: "text",
      columns: 2,
      rows: 1,
      cells: new Uint8Array(4),
      cursor: { column: 0, row: 0 },
      colors: Array.from({ length: 16 }, () => 0),
      blinks: true,
    },
  },
  { kind: "frame", update: undefined },
  {
    kind: "frame",
    update: {
      ...{ width: FRAME_WIDTH_MAX, height: FRAME_HEIGHT_MAX },
      ...{ places: Uint16Array.of(0, 0, 1, 1), pixels: new Uint8Array(4) },
    },
  },
  { kind: "guestMemory", memory: undefined },
  {
    kind: "guestMemory",
    memory: {
      ...{ balloonTargetBytes: 8192, balloonBytes: 4096, releasedBytes: 12_288 },
      statistics: { freeBytes: 5, majorFaults: 2 },
    },
  },
  { kind: "codeProfile", found: "unfit" },
  {
    kind: "codeProfile",
    found: { hot: new Uint32Array(CODE_PROFILE_BLOCKS_MAX), lukewarm: new Uint32Array(0) },
  },
  { kind: "ended", outcome: { kind: "crashed", dump }, sample },
  { kind: "ended", outcome: { kind: "failed", report: { reason: "r", dump: undefined } }, sample },
  { kind: "ended", outcome: { kind: "debug-exit", value: 3 }, sample },
];

test("every message of the protocol is accepted", () => {
  for (const message of valid) assert.equal(decodeFromVm(message), message);
});

test("a message whose field is missing, or of another kind, is refused", () => {
  const spoilt = [
    { kind: "reply", id: -1, error: undefined },
    { kind: "state", state: "flying" },
    { kind: "guestMemory", memory: { balloonTargetBytes: 0, balloonBytes: -1, releasedBytes: 0 } },
    { kind: "guestMemory", memory: { balloonTargetBytes: 0, balloonBytes: 0 } },
    {
      kind: "guestMemory",
      memory: { balloonTargetBytes: 0, balloonBytes: 0, releasedBytes: 0, statistics: { freeBytes: "5" } },
    },
    { kind: "serialOutput", connector: "com1", bytes: "text" },
    { kind: "serialOutput", connector: "com5", bytes: new Uint8Array(1) },
    { kind: "serialOutput", connector: "com1", bytes: new Uint8Array(SERIAL_OUTPUT_WINDOW_BYTES + 1) },
    { kind: "inputTaken", connector: "com1", byteCount: 1e9 },
    { kind: "sample", sample: { ...sample, residentBytes: "3" } },
    { kind: "sample", sample: { ...sample, statistics: undefined } },
    { kind: "textScreen", screen: { kind: "graphics" } },
    { kind: "screen", screen: { kind: "text", columns: 1e6, rows: 1, cells: new Uint8Array(2) } },
    { kind: "frame", update: "whole" },
    ...[
      { width: FRAME_WIDTH_MAX + 1 },
      { height: FRAME_HEIGHT_MAX + 1 },
      { places: [0, 0, 1, 1] },
      { places: new Uint16Array(3) },
      { places: new Uint16Array(4 * 36 * 75 + 4) },
      { pixels: new Uint8Array(4 * FRAME_WIDTH_MAX * FRAME_HEIGHT_MAX + 1) },
    ].map((change) => {
      const update = { width: 1, height: 1, places: new Uint16Array(0), pixels: new Uint8Array(0) };
      return { kind: "frame", update: { ...update, ...change } };
    }),
    { kind: "codeProfile", found: undefined },
    { kind: "codeProfile", found: "learn" },
    { kind: "codeProfile", found: { hot: new Uint32Array(0) } },
    { kind: "codeProfile", found: { hot: [1, 2], lukewarm: new Uint32Array(0) } },
    { kind: "codeProfile", found: { hot: new Uint8Array(4), lukewarm: new Uint32Array(0) } },
    {
      kind: "codeProfile",
      found: { hot: new Uint32Array(0), lukewarm: new Uint32Array(CODE_PROFILE_BLOCKS_MAX + 1) },
    },
    { kind: "ended", outcome: { kind: "crashed" }, sample },
    { kind: "ended", outcome: { kind: "toString" }, sample },
    { kind: "refused", error: { code: "c", message: "m".repeat(100_000) } },
    { kind: "constructor" },
    { kind: "hasOwnProperty" },
    { kind: 5 },
    new Uint8Array(3),
    [{ kind: "created" }],
    null,
  ];
  for (const message of spoilt) assert.equal(decodeFromVm(message), undefined);
});

test("nothing that a child can send makes the decoder throw", () => {
  const kinds = fc.constantFrom(...valid.map(({ kind }) => kind));
  const anything = fc.anything({ withBigInt: true, withTypedArray: true, withNullPrototype: true });
  const message = fc.record({
    kind: kinds,
    error: anything,
    sample: anything,
    screen: anything,
    update: anything,
    outcome: anything,
    bytes: anything,
    found: anything,
  });
  fc.assert(
    fc.property(fc.oneof(message, anything), (value) => {
      decodeFromVm(value);
      decodeToVm(value);
    }),
    { numRuns: 2000 },
  );
});
