import assert from "node:assert/strict";
import { test } from "node:test";
import { MiB, NS_PER_S } from "../base/index.ts";
import { VirtioBalloon } from "../devices/virtio/balloon/index.ts";
import { bench, ModernDriver, readable } from "../devices/testing.ts";
import { GuestMemoryView } from "./guest-memory.ts";
import { SimulatedScheduling } from "./testing.ts";

const STATISTICS_GPA = 0x20_0000;

function connect() {
  const balloon = new VirtioBalloon(64 * MiB);
  const scheduling = new SimulatedScheduling();
  const on = bench(balloon);
  const driver = new ModernDriver(on);
  driver.negotiate();
  const queue = driver.queue(2);
  driver.ready();
  const tell = (freeBytes: bigint): void => {
    on.ram.writeU16(STATISTICS_GPA, 4);
    on.ram.writeU64(STATISTICS_GPA + 2, freeBytes);
    queue.offer([readable(STATISTICS_GPA, 10)]);
    driver.notify(2);
  };
  return { memory: new GuestMemoryView(balloon, scheduling), scheduling, driver, tell };
}

test("all who ask get what the guest answers", async () => {
  const { memory, driver, tell } = connect();
  tell(1n);
  memory.setTarget(2 * MiB);
  driver.writeConfig(4, 4, 100);
  const asked = [memory.ask(), memory.ask()];
  tell(500n);
  const answer = { balloonTargetBytes: 2 * MiB, balloonBytes: 409_600, statistics: { freeBytes: 500 } };
  assert.deepEqual(await Promise.all(asked), [answer, answer]);
});

test("a guest that does not answer is waited for a second, and can be asked again", async () => {
  const { memory, scheduling, tell } = connect();
  tell(1n);
  const asked = memory.ask();
  await scheduling.run(2 * NS_PER_S);
  assert.equal((await asked).statistics, undefined);
  tell(7n);
  const again = memory.ask();
  tell(8n);
  assert.deepEqual((await again).statistics, { freeBytes: 8 });
});

test("a guest without a driver is not waited for", async () => {
  const balloon = new VirtioBalloon(64 * MiB);
  bench(balloon);
  const memory = new GuestMemoryView(balloon, new SimulatedScheduling());
  const { statistics, balloonBytes } = await memory.ask();
  assert.deepEqual([statistics, balloonBytes], [undefined, 0]);
});
