import assert from "node:assert/strict";
import test from "node:test";
import { ByteRing, RING_BYTES_FIRST } from "./byte-ring.ts";

const CAPACITY_BYTES = 5 * RING_BYTES_FIRST;

const counted = (count: number, from = 0): Uint8Array =>
  Uint8Array.from({ length: count }, (_, index) => from + index);

function contentOf(ring: ByteRing): Uint8Array {
  const content = new Uint8Array(ring.lengthBytes);
  ring.copy(0, content.length, content, 0);
  return content;
}

test("a ring occupies nothing until a byte comes, little at first, and its capacity at most", () => {
  const ring = new ByteRing(CAPACITY_BYTES);
  const sizes = [ring.memoryBytes];
  ring.append(counted(1));
  sizes.push(ring.memoryBytes);
  ring.append(counted(RING_BYTES_FIRST));
  sizes.push(ring.memoryBytes);
  ring.append(counted(ring.freeBytes));
  sizes.push(ring.memoryBytes);
  ring.clear();
  sizes.push(ring.memoryBytes);
  assert.deepEqual(sizes, [0, RING_BYTES_FIRST, 2 * RING_BYTES_FIRST, CAPACITY_BYTES, 0]);
});

test("what lies around the ring's end keeps its order when the ring grows", () => {
  const ring = new ByteRing(CAPACITY_BYTES);
  ring.append(counted(RING_BYTES_FIRST));
  ring.drop(RING_BYTES_FIRST - 10);
  ring.append(counted(100, 7));
  ring.append(counted(RING_BYTES_FIRST, 3));
  const first = counted(RING_BYTES_FIRST).subarray(-10);
  assert.deepEqual(
    contentOf(ring),
    Uint8Array.from([...first, ...counted(100, 7), ...counted(RING_BYTES_FIRST, 3)]),
  );
});

test("bytes behind a gap are where they were put when the ring grows", () => {
  const ring = new ByteRing(CAPACITY_BYTES);
  ring.append(counted(RING_BYTES_FIRST - 1));
  ring.drop(RING_BYTES_FIRST - 1);
  ring.put(200, counted(50, 90));
  ring.put(RING_BYTES_FIRST, counted(10, 30));
  ring.append(counted(200));
  ring.extend(50);
  assert.deepEqual(contentOf(ring), Uint8Array.from([...counted(200), ...counted(50, 90)]));
});

test("what somebody is still writing stays as it is when the ring grows or is cleared", () => {
  const ring = new ByteRing(CAPACITY_BYTES);
  ring.append(counted(20));
  const head = ring.head();
  ring.append(counted(CAPACITY_BYTES - 20, 50));
  ring.clear();
  ring.append(counted(20, 100));
  assert.deepEqual(head, counted(20));
});

test("a full ring has no room", () => {
  const ring = new ByteRing(CAPACITY_BYTES);
  ring.append(counted(CAPACITY_BYTES));
  assert.equal(ring.freeBytes, 0);
  assert.throws(() => ring.append(counted(1)), /fits/);
});
