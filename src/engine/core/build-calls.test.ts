import assert from "node:assert/strict";
import { test } from "node:test";
import { wrongCalls } from "./build-calls.ts";

const text = (...functions: readonly string[]): string =>
  `(module\n${functions.map((each) => ` ${each}`).join("\n")}\n)`;

test("calls that lead to others only are right, whoever calls through the table that may", () => {
  const wat = text(
    "(func $core/interpret (param $0 i32)\n  call $read\n  call_indirect (type $1)\n )",
    "(func $read\n  call $walk\n  return_call $walk\n )",
    "(func $walk\n  nop\n )",
  );
  assert.deepEqual(wrongCalls(wat, "interpret"), []);
});

test("a function that leads back to itself is named with the way, and so is a call through the table", () => {
  const wat = text(
    "(func $run\n  call $walk\n )",
    "(func $walk\n  call $read\n )",
    "(func $read\n  call_indirect (type $1)\n  call $walk\n )",
  );
  assert.deepEqual(wrongCalls(wat, "interpret"), [
    "a recursion: $walk calls $read calls $walk",
    "$read calls through the table, which only interpret may",
  ]);
});

test("a text without calls is an error", () => {
  assert.throws(() => wrongCalls(text("(func $run\n  nop\n )"), "interpret"), /has no calls/);
});
