import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { PromptTransfers } from "./prompt-transfers.ts";

let nowMs: number;
let turns: (() => void)[];
let transfers: PromptTransfers;

beforeEach(() => {
  nowMs = 1000;
  turns = [];
  transfers = new PromptTransfers({ nowMs: () => nowMs, onTurn: (callback) => void turns.push(callback) });
});

function take(durationMs: number): "done" | undefined {
  return transfers.attempt(() => {
    nowMs += durationMs;
    return "done";
  });
}

function turn(): void {
  for (const callback of turns.splice(0)) callback();
}

test("quick ones are done at once, up to what others may wait between two turns", () => {
  const results = Array.from({ length: 6 }, () => take(1));
  assert.deepEqual(results, ["done", "done", "done", "done", undefined, undefined]);
  assert.equal(turns.length, 1);
  turn();
  assert.equal(take(1), "done");
});

test("after a slow one nothing is done for many times as long", () => {
  assert.equal(take(10), "done");
  turn();
  nowMs += 499;
  assert.equal(take(0), undefined);
  nowMs += 1;
  assert.equal(take(0), "done");
});

test("what throws has thrown", () => {
  const fail = (): never => {
    throw new Error("EIO");
  };
  assert.throws(() => transfers.attempt(fail), /EIO/);
});
