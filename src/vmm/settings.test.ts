import assert from "node:assert/strict";
import { test } from "node:test";

import { GiB, KiB, MiB, unwrap } from "../base/index.ts";
import { MAX_MODULES, parseVmDefinition } from "./index.ts";

function problemOf(input: unknown): string {
  const parsed = parseVmDefinition(input);
  assert.ok(!parsed.ok);
  return parsed.error.message;
}

test("a kernel is all that is needed", () => {
  assert.deepEqual(unwrap(parseVmDefinition({ kernel: "vmlinuz" })), {
    name: "vm",
    boot: {
      kind: "kernel",
      kernel: "vmlinuz",
      protocol: "auto",
      initrd: undefined,
      modules: [],
      commandLine: "",
    },
    networks: [],
    memorySizeBytes: 256 * MiB,
    drives: [],
    shares: [],
    cpu: "v2",
    tier: "auto",
    profile: "auto",
    timeoutSeconds: undefined,
    devices: [],
    serialPorts: 1,
    watchdogAction: "reset",
    tripleFault: "end",
    virtioRing: "split",
  });
});

test("sizes are written with units, a bare number in MiB; a program's number is bytes", () => {
  const bytesOf = (memory: unknown): number =>
    unwrap(parseVmDefinition({ kernel: "k", memory })).memorySizeBytes;
  assert.deepEqual(["128", "128M", "128MiB", "1G", "4096K", "2g", 8 * MiB].map(bytesOf), [
    128 * MiB,
    128 * MiB,
    128 * MiB,
    1 * GiB,
    4 * MiB,
    2 * GiB,
    8 * MiB,
  ]);
});

test("the limits are inclusive, and one step beyond is refused", () => {
  const memory = (bytes: number): boolean => parseVmDefinition({ kernel: "k", memory: bytes }).ok;
  assert.deepEqual([2 * MiB, 3 * GiB].map(memory), [true, true]);
  assert.deepEqual([2 * MiB - 4 * KiB, 3 * GiB + 4 * KiB, 4 * MiB + 1].map(memory), [false, false, false]);
  const modules = (count: number): boolean =>
    parseVmDefinition({ kernel: "k", module: Array.from({ length: count }, () => "m") }).ok;
  assert.deepEqual([MAX_MODULES, MAX_MODULES + 1].map(modules), [true, false]);
  const name = (length: number): boolean => parseVmDefinition({ kernel: "k", name: "n".repeat(length) }).ok;
  assert.deepEqual([64, 65].map(name), [true, false]);
});

test("what is wrong is said with the setting's name", () => {
  assert.equal(problemOf({}), "The setting kernel is missing, and there is no drive to start a system from.");
  assert.equal(problemOf({ kernel: "" }), "The setting kernel must name a file.");
  assert.equal(problemOf({ kernel: 7 }), "The setting kernel must be text.");
  assert.equal(problemOf(undefined), "The setting settings must be an object.");
  assert.match(
    problemOf({ kernel: "k", kernal: "x" }),
    /^The setting kernal is not known; there are name, kernel, /,
  );
  assert.equal(
    problemOf({ kernel: "k", tier: "fast" }),
    'The setting tier must be one of auto, interpreter; "fast" is not.',
  );
  assert.equal(
    problemOf({ kernel: "k", device: ["laser"] }),
    'The setting device must be one of isa-debug-exit, isa-debugcon, virtio-rng, virtio-console, virtio-balloon, i6300esb, isa-parallel; "laser" is not.',
  );
  assert.equal(
    problemOf({ kernel: "k", "watchdog-action": "none" }),
    "The setting watchdog-action needs a watchdog: the device i6300esb.",
  );
  assert.match(
    problemOf({ kernel: "k", timeout: "soon" }),
    /^The setting timeout must be a number of seconds above 0/,
  );
  assert.match(problemOf({ kernel: "k", memory: "1e3M" }), /must be a size like 256M or 1G; "1e3M" is none/);
});

test("a device given twice is one device", () => {
  const { devices } = unwrap(
    parseVmDefinition({ kernel: "k", device: ["isa-debug-exit", "isa-debug-exit"] }),
  );
  assert.deepEqual(devices, ["isa-debug-exit"]);
});
