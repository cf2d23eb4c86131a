/**
 * Locked instructions against another thread that works on the same memory: nothing either of them adds is lost.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import test from "node:test";
import { Worker } from "node:worker_threads";
import type { SegmentState } from "../../hw/index.ts";
import * as L from "../layout.ts";
import { bareEngine } from "./bare-engine.ts";

const RAM_SIZE_BYTES = 1 << 20;
const CODE = 0x10000;
const COUNTER = 0x20000;
const FLAG = 0x20040;
const TURNS = 2_000_000;
const HLT = 0xf4;
const tiers = ["interpreter", "regions"] as const;
const module = new WebAssembly.Module(readFileSync(new URL("../../../build/core.wasm", import.meta.url)));

/** The other thread: adds 1 to the 32-bit counter until the flag is set, and says how often it did. */
const OTHER = `
  const { parentPort, workerData: { buffer, counter, flag } } = require("node:worker_threads");
  const words = new Int32Array(buffer);
  let added = 0;
  parentPort.postMessage("ready");
  while (Atomics.load(words, flag >> 2) === 0) {
    for (let i = 0; i < 64; i++) Atomics.add(words, counter >> 2, 1);
    added += 64;
  }
  parentPort.postMessage(added);
`;

const le32 = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
const segment = (selector: number, attributes: number): SegmentState => ({
  selector,
  base: 0n,
  limit: 0xffffffff,
  attributes,
});

/** Each adds 1 to the counter, whose address is in EBX; ECX counts the turns. */
const increments: readonly (readonly [name: string, code: readonly number[]])[] = [
  ["LOCK INC", [0xf0, 0xff, 0x03]],
  ["LOCK ADD", [0xf0, 0x83, 0x03, 0x01]],
  // stc; lock adc dword [ebx], 0
  ["LOCK ADC", [0xf9, 0xf0, 0x83, 0x13, 0x00]],
  // mov eax, 1; lock xadd [ebx], eax
  ["LOCK XADD", [0xb8, 1, 0, 0, 0, 0xf0, 0x0f, 0xc1, 0x03]],
  // mov eax, [ebx]; again: lea edx, [eax+1]; lock cmpxchg [ebx], edx; jnz again
  ["LOCK CMPXCHG", [0x8b, 0x03, 0x8d, 0x50, 0x01, 0xf0, 0x0f, 0xb1, 0x13, 0x75, 0xf7]],
];

for (const tier of tiers) {
  for (const [name, code] of increments) {
    test(`${tier}: ${name} loses nothing to another thread`, async () => {
      const { engine, memory, ram } = bareEngine({ core: module, tier, ramSizeBytes: RAM_SIZE_BYTES });
      // mov ecx, TURNS; mov ebx, COUNTER; again: …; dec ecx; jnz again; hlt
      const loop = [...code, 0x49, 0x75, 0xfd - code.length];
      ram.set([0xb9, ...le32(TURNS), 0xbb, ...le32(COUNTER), ...loop, HLT], CODE);
      const data = segment(0x10, 0xc093);
      const { registers } = engine;
      registers.write({
        ...registers.read(),
        rip: BigInt(CODE),
        cr0: 1n,
        cs: segment(0x08, 0xc09b),
        ...{ ss: data, ds: data, es: data, fs: data, gs: data },
      });

      const workerData = { buffer: memory.buffer, counter: L.RAM_BASE + COUNTER, flag: L.RAM_BASE + FLAG };
      const other = new Worker(OTHER, { eval: true, workerData });
      assert.deepEqual(await once(other, "message"), ["ready"]);
      // A compare that loses to the other thread is tried again, nobody knows how often.
      let exit = engine.run(TURNS * 10);
      while (exit === "slice") exit = engine.run(TURNS * 10);
      const words = new Int32Array(memory.buffer);
      Atomics.store(words, workerData.flag >> 2, 1);
      const answer: unknown[] = await once(other, "message");
      const added = Number(answer[0]);
      assert.equal(exit, "halt");
      assert.ok(added > 0);
      assert.equal(Atomics.load(words, workerData.counter >> 2), TURNS + added);
    });
  }
}
