import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProcessEnding, VmProcessLink } from "../host/index.ts";
import { spawnVmAhead } from "./spawn-vm.ts";

const ending = (link: VmProcessLink): Promise<ProcessEnding> =>
  new Promise((resolve) => {
    link.listen({ message: () => undefined, ended: resolve });
  });

test("the process that was started ahead is given once, and is not ended by release", async () => {
  const ahead = spawnVmAhead();
  const [first, second] = [ahead.spawn(), ahead.spawn()];
  assert.notEqual(first.pid, second.pid);
  ahead.release();
  second.kill();
  assert.equal((await ending(second)).signal, "SIGKILL");
  assert.doesNotThrow(() => process.kill(first.pid ?? 0, 0));
  first.kill();
  assert.equal((await ending(first)).signal, "SIGKILL");
});

test("who listens after a process has ended hears of it", async () => {
  const link = spawnVmAhead().spawn();
  link.kill();
  await ending(link);
  assert.equal((await ending(link)).signal, "SIGKILL");
});

test("release ends a process that nobody wanted", async () => {
  const ahead = spawnVmAhead();
  ahead.release();
  assert.equal((await ending(ahead.spawn())).signal, "SIGKILL");
});
