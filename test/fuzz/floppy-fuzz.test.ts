/** The floppy fuzz with fixed seeds, long enough that all kinds of commands have ended well many times. */
import assert from "node:assert/strict";
import test from "node:test";
import { fuzzFloppy } from "./floppy-fuzz.ts";

const CONTROLLERS = 6;

test("random commands, transfers and diskettes neither crash the controller nor leave it stuck", async () => {
  const { completed, writtenBytes } = await fuzzFloppy(1, CONTROLLERS);
  assert.ok(completed > 200, `${String(completed)} data commands ended well`);
  assert.ok(writtenBytes > 100_000, `${String(writtenBytes)} bytes reached memory`);
});
