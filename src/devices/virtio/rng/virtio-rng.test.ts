import assert from "node:assert/strict";
import { test } from "node:test";
import { bench, ModernDriver, readable, writable } from "../testing.ts";
import { RNG_REQUEST_BYTES_MAX, VirtioRng } from "./virtio-rng.ts";

const DATA_GPA = 0x20_0000;

function connect() {
  const asked: number[] = [];
  const on = bench(
    new VirtioRng((count) => {
      asked.push(count);
      return new Uint8Array(count).fill(0xa5);
    }),
  );
  const driver = new ModernDriver(on);
  driver.negotiate();
  const queue = driver.queue(0);
  driver.ready();
  return { on, driver, queue, asked };
}

test("several buffers are filled at one notification, with one interrupt", () => {
  const { on, driver, queue, asked } = connect();
  queue.offer([writable(DATA_GPA, 5)]);
  queue.offer([writable(DATA_GPA + 16, 3), writable(DATA_GPA + 32, 4)]);
  driver.notify(0);
  assert.deepEqual(asked, [5, 7]);
  assert.deepEqual(
    queue.takeUsed().map(({ writtenBytes }) => writtenBytes),
    [5, 7],
  );
  assert.deepEqual([...on.ram.slice(DATA_GPA, 6)], [0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0]);
  assert.deepEqual([...on.ram.slice(DATA_GPA + 32, 5)], [0xa5, 0xa5, 0xa5, 0xa5, 0]);
  assert.equal(on.pin.risingEdges, 1);
});

for (const [wanted, given] of [
  [RNG_REQUEST_BYTES_MAX, RNG_REQUEST_BYTES_MAX],
  [RNG_REQUEST_BYTES_MAX + 1, RNG_REQUEST_BYTES_MAX],
  [1024 * 1024, RNG_REQUEST_BYTES_MAX],
] as const) {
  test(`a buffer of ${wanted} bytes gets ${given}`, () => {
    const { on, driver, queue, asked } = connect();
    queue.offer([writable(DATA_GPA, wanted)]);
    driver.notify(0);
    assert.deepEqual(asked, [given]);
    assert.deepEqual(
      queue.takeUsed().map(({ writtenBytes }) => writtenBytes),
      [given],
    );
    assert.equal(on.ram.readU8(DATA_GPA + given), 0);
  });
}

test("a buffer that cannot be written comes back empty", () => {
  const { driver, queue } = connect();
  queue.offer([readable(DATA_GPA, 16)]);
  driver.notify(0);
  assert.deepEqual(
    queue.takeUsed().map(({ writtenBytes }) => writtenBytes),
    [0],
  );
});
