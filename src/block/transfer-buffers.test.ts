import assert from "node:assert/strict";
import { test } from "node:test";
import { AssertionError, KiB } from "../base/index.ts";
import { TransferBuffers } from "./index.ts";

test("a buffer that was given back is used again for a request of about its size", async () => {
  const buffers = new TransferBuffers(64 * KiB);
  const first = await buffers.lend(5000);
  assert.equal(first.length, 5000);
  buffers.giveBack(first);
  const second = await buffers.lend(8 * KiB);
  assert.equal(second.buffer, first.buffer);
  assert.equal(buffers.occupiedBytes, 8 * KiB);
});

test("who asks for more than the limit waits for his turn, and those behind him too", async () => {
  const buffers = new TransferBuffers(16 * KiB);
  const first = await buffers.lend(8 * KiB);
  const served: string[] = [];
  const large = buffers.lend(16 * KiB).then((buffer) => {
    served.push("large");
    return buffer;
  });
  const small = buffers.lend(4 * KiB).then(() => served.push("small"));
  await Promise.resolve();
  assert.deepEqual(served, []);
  buffers.giveBack(first);
  buffers.giveBack(await large);
  await small;
  assert.deepEqual(served, ["large", "small"]);
});

test("buffers that wait for reuse count, and go when others need their room", async () => {
  const buffers = new TransferBuffers(16 * KiB);
  buffers.giveBack(await buffers.lend(4 * KiB));
  const whole = await buffers.lend(16 * KiB);
  assert.equal(whole.length, 16 * KiB);
  assert.equal(buffers.occupiedBytes, 16 * KiB);
});

test("a request that could never be served is a bug of the controller's", async () => {
  await assert.rejects(new TransferBuffers(16 * KiB).lend(16 * KiB + 1), AssertionError);
});
