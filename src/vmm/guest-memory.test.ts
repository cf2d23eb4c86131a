import assert from "node:assert/strict";
import { test } from "node:test";
import { MiB, NS_PER_S } from "../base/index.ts";
import { VirtioBalloon } from "../devices/virtio/balloon/index.ts";
import { bench, ModernDriver, readable } from "../devices/testing.ts";
import { GuestMemoryView } from "./guest-memory.ts";
import { SimulatedScheduling } from "./testing.ts";

const STATISTICS_GPA = 0x20_0000;
const PAGES_GPA = 0x30_0000;

function connect() {
  const balloon = new VirtioBalloon({ ramBytes: 64 * MiB, keptBytes: 0 });
  const scheduling = new SimulatedScheduling();
  const on = bench(balloon);
  const driver = new ModernDriver(on);
  driver.negotiate();
  const [queue, inflateQueue] = [driver.queue(2), driver.queue(0)];
  driver.ready();
  const tell = (freeBytes: bigint): void => {
    on.ram.writeU16(STATISTICS_GPA, 4);
    on.ram.writeU64(STATISTICS_GPA + 2, freeBytes);
    queue.offer([readable(STATISTICS_GPA, 10)]);
    driver.notify(2);
  };
  const inflate = (page: number): void => {
    on.ram.writeU32(PAGES_GPA, page);
    inflateQueue.offer([readable(PAGES_GPA, 4)]);
    driver.notify(0);
  };
  return {
    inflate,
    memory: new GuestMemoryView(balloon, scheduling, () => on.dma.releasedBytes),
    scheduling,
    driver,
    tell,
  };
}

test("all who ask get what the guest answers", async () => {
  const { memory, driver, tell, inflate } = connect();
  tell(1n);
  inflate(300);
  memory.setTarget(2 * MiB);
  driver.writeConfig(4, 4, 100);
  const asked = [memory.ask(), memory.ask()];
  tell(500n);
  const answer = {
    ...{ balloonTargetBytes: 2 * MiB, balloonBytes: 409_600, releasedBytes: 4096 },
    statistics: { freeBytes: 500 },
  };
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
  const balloon = new VirtioBalloon({ ramBytes: 64 * MiB, keptBytes: 0 });
  bench(balloon);
  const memory = new GuestMemoryView(balloon, new SimulatedScheduling(), () => 0);
  const { statistics, balloonBytes } = await memory.ask();
  assert.deepEqual([statistics, balloonBytes], [undefined, 0]);
});
