/** Every ready-made guest is booted to the mark that shows it runs. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { startVm } from "../../src/apps/embed/index.ts";
import { GUEST_CATALOGUE } from "../../src/host/index.ts";
import { guestOptions, LIMIT, waitForMark } from "./guests.ts";

test("the catalogue has the guests that the demo needs", () => {
  assert.ok(GUEST_CATALOGUE.length >= 5);
});

for (const { name, title } of GUEST_CATALOGUE) {
  test(`${name} boots to its mark: ${title}`, LIMIT, async (t) => {
    const options = await guestOptions(t, name);
    if (options === undefined) return;
    const startMs = performance.now();
    await using vm = await startVm({ ...options, profile: "off" });
    await waitForMark(vm, name);
    const { statistics } = await vm.statistics();
    assert.equal(statistics.resets, 0, "it came there without a reset");
    assert.equal(vm.state, "running");
    t.diagnostic(`mark after ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  });
}
