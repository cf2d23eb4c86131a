import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { AssertionError, MAX_TIMERS, TimerQueue } from "./index.ts";
import type { Timer } from "./index.ts";

test("timers run by deadline, then by age", () => {
  const timers = new TimerQueue();
  const ran: string[] = [];
  timers.schedule(20, () => ran.push("late"));
  timers.schedule(10, () => ran.push("first"));
  timers.schedule(10, () => ran.push("second"));
  assert.equal(timers.nextDeadlineNs(), 10);
  assert.equal(timers.runDue(9), 0);
  assert.equal(timers.runDue(20), 3);
  assert.deepEqual(ran, ["first", "second", "late"]);
  assert.equal(timers.nextDeadlineNs(), undefined);
});

test("a timer that schedules itself for now does not keep runDue busy", () => {
  const timers = new TimerQueue();
  let ran = 0;
  const again = (): void => {
    ran++;
    timers.schedule(5, again);
  };
  timers.schedule(5, again);
  assert.equal(timers.runDue(100), 1);
  assert.equal(timers.runDue(100), 1);
  assert.equal(ran, 2);
});

test("a due timer that an earlier callback cancels does not run", () => {
  const timers = new TimerQueue();
  const ran: string[] = [];
  const doomed: Timer[] = [];
  timers.schedule(1, () => {
    ran.push("canceller");
    for (const timer of doomed) timer.cancel();
  });
  doomed.push(timers.schedule(2, () => ran.push("doomed")));
  assert.equal(timers.runDue(10), 1);
  assert.deepEqual(ran, ["canceller"]);
});

test("any mixture of schedules and cancellations runs in order", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ deadline: fc.nat(50), cancel: fc.boolean() }), { maxLength: 60 }),
      (plan) => {
        const timers = new TimerQueue();
        const ran: number[] = [];
        const made = plan.map(({ deadline }, i) => timers.schedule(deadline, () => ran.push(i)));
        plan.forEach(({ cancel }, i) => {
          if (cancel) made[i]?.cancel();
        });
        timers.runDue(50);
        const expected = plan
          .map((step, i) => ({ ...step, i }))
          .filter((step) => !step.cancel)
          .sort((a, b) => a.deadline - b.deadline || a.i - b.i)
          .map((step) => step.i);
        assert.deepEqual(ran, expected);
      },
    ),
  );
});

test("a leak of timers is caught at the limit", () => {
  const timers = new TimerQueue();
  for (let i = 0; i < MAX_TIMERS; i++) timers.schedule(i, () => {});
  assert.throws(() => timers.schedule(0, () => {}), AssertionError);
});
