import assert from "node:assert/strict";
import { test } from "node:test";

import { loadHostAttributes, LONG_SLICE_NS, TimeSlice } from "./time-slice.ts";
import type { HostAttributes } from "./time-slice.ts";

/** Offsets of struct sched_attr. */
const [POLICY, FLAGS, NICE, RUNTIME, SIZE_BYTES] = [4, 8, 16, 24, 48];
const SCHED_FIFO = 1;
const SCHED_BATCH = 3;
const SCHED_IDLE = 5;

/** A thread of a host that knows these attributes, and all that was written. */
function thread(policy: number, nice: number, refuses: "nothing" | "reading" | "writing" = "nothing") {
  const written: Uint8Array[] = [];
  const host: HostAttributes = {
    read: (attributes) => {
      const view = new DataView(attributes.buffer, attributes.byteOffset, attributes.length);
      assert.equal(view.getUint32(0, true), SIZE_BYTES);
      view.setUint32(POLICY, policy, true);
      view.setInt32(NICE, nice, true);
      view.setBigUint64(RUNTIME, 2_800_000n, true);
      return refuses !== "reading";
    },
    write: (attributes) => {
      written.push(attributes.slice());
      return refuses !== "writing";
    },
  };
  return { written, slice: new TimeSlice(host) };
}

test("a slice is asked for, and all else that the host knows of the thread stays", () => {
  const { written, slice } = thread(SCHED_BATCH, -7);
  assert.deepEqual([slice.prefer("long"), slice.prefer("usual")], [true, true]);
  const told = written.map((attributes) => {
    const view = new DataView(attributes.buffer);
    return {
      policy: view.getUint32(POLICY, true),
      flags: view.getBigUint64(FLAGS, true),
      nice: view.getInt32(NICE, true),
      runtime: view.getBigUint64(RUNTIME, true),
    };
  });
  const kept = { policy: SCHED_BATCH, flags: 0n, nice: -7 };
  assert.deepEqual(told, [
    { ...kept, runtime: BigInt(LONG_SLICE_NS) },
    { ...kept, runtime: 0n },
  ]);
});

test("real-time and idle threads are left as they are", () => {
  for (const policy of [SCHED_FIFO, SCHED_IDLE]) {
    const { written, slice } = thread(policy, 0);
    assert.equal(slice.prefer("long"), false);
    assert.deepEqual(written, []);
  }
});

test("a host that refuses is not asked further, and nothing is thrown", () => {
  const unreadable = thread(0, 0, "reading");
  assert.equal(unreadable.slice.prefer("long"), false);
  assert.deepEqual(unreadable.written, []);
  assert.equal(thread(0, 0, "writing").slice.prefer("long"), false);
});

test("Linux gives this thread the slice it asks for, and takes it back", async (context) => {
  const host = await loadHostAttributes();
  if (host === undefined) {
    context.skip("this Node.js has no node:ffi, or this is not Linux on a 64-bit processor");
    return;
  }
  const sliceNs = (): bigint => {
    const attributes = new Uint8Array(SIZE_BYTES);
    new DataView(attributes.buffer).setUint32(0, SIZE_BYTES, true);
    assert.ok(host.read(attributes));
    return new DataView(attributes.buffer).getBigUint64(RUNTIME, true);
  };
  const slice = new TimeSlice(host);
  const before = sliceNs();
  if (!slice.prefer("long")) {
    context.skip("this thread's scheduling policy has no slices, or the host refuses");
    return;
  }
  try {
    if (before === 0n && sliceNs() === 0n) {
      context.skip("this Linux is older than 6.12 and has no slices to ask for");
      return;
    }
    assert.equal(sliceNs(), BigInt(LONG_SLICE_NS));
  } finally {
    slice.prefer("usual");
  }
  assert.equal(sliceNs(), before);
});
