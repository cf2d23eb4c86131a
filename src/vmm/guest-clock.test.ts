import assert from "node:assert/strict";
import { test } from "node:test";

import { GuestClock } from "./index.ts";

test("guest time starts at 0, runs with the host's and stands while stopped", () => {
  let hostNs = 5_000;
  const clock = new GuestClock({ nowNs: () => hostNs });
  hostNs += 10;
  assert.equal(clock.nowNs(), 0);
  clock.start();
  hostNs += 10;
  assert.equal(clock.nowNs(), 10);
  clock.stop();
  hostNs += 1_000;
  assert.equal(clock.nowNs(), 10);
  clock.start();
  hostNs += 5;
  assert.equal(clock.nowNs(), 15);
});

test("an instant has no duration, and time goes on after it", () => {
  let hostNs = 0;
  const clock = new GuestClock({ nowNs: () => hostNs });
  clock.start();
  hostNs = 100;
  const seen: number[] = [];
  clock.atOneInstant((nowNs) => {
    hostNs = 150;
    seen.push(nowNs, clock.nowNs());
  });
  assert.deepEqual([...seen, clock.nowNs()], [100, 100, 150]);
});
