import assert from "node:assert/strict";
import { test } from "node:test";

import { compareOutcomes, differingLines } from "./compare.ts";
import type { Outcome } from "./program.ts";

const outcome = (output: string, status = 0): Outcome => ({ output, status, seconds: 0 });
const PROGRAM = { name: "adder", script: "exec adder" };
const REASON = { program: /^adder$/, line: /^carry /, reason: "undefined" };

test("equal outputs have no differing lines", () => {
  assert.deepEqual(differingLines("a\nb\n", "a\nb\n"), []);
});

test("a line that differs is found with its number", () => {
  assert.deepEqual(differingLines("a\nb\nc\nd\n", "a\nX\nc\nY\n"), [
    { lineNumber: 2, host: "b", guest: "X" },
    { lineNumber: 4, host: "d", guest: "Y" },
  ]);
});

test("lines that only one side has stand alone, and what follows them still matches", () => {
  assert.deepEqual(differingLines("a\nc\n", "a\nb\nc\n"), [{ lineNumber: 2, host: undefined, guest: "b" }]);
  assert.deepEqual(differingLines("a\nb\n", ""), [
    { lineNumber: 1, host: "a", guest: undefined },
    { lineNumber: 2, host: "b", guest: undefined },
  ]);
});

test("a missing newline at the end is a difference", () => {
  assert.deepEqual(differingLines("a\n", "a"), [{ lineNumber: 1, host: "a", guest: "a (no newline)" }]);
});

test("a difference is explained only when both lines and the program fit", () => {
  const host = outcome("carry 0\nsum 1\ncarry 1\n");
  const guest = outcome("carry 1\nsum 2\nborrow 1\n");
  const { explained, unexplained, lineCount } = compareOutcomes(PROGRAM, host, guest, [REASON]);
  assert.equal(lineCount, 3);
  assert.deepEqual(explained, [
    { difference: { lineNumber: 1, host: "carry 0", guest: "carry 1" }, reason: "undefined" },
  ]);
  assert.deepEqual(
    unexplained.map(({ lineNumber }) => lineNumber),
    [2, 3],
  );
  const other = compareOutcomes({ ...PROGRAM, name: "subtracter" }, host, guest, [REASON]);
  assert.equal(other.explained.length, 0);
});

test("another exit status is a difference that nothing explains", () => {
  const { unexplained } = compareOutcomes(PROGRAM, outcome("", 0), outcome("", 139), [
    { program: /./, line: /./, reason: "anything" },
  ]);
  assert.deepEqual(unexplained, [{ lineNumber: 0, host: "exit status 0", guest: "exit status 139" }]);
});
