import assert from "node:assert/strict";
import test from "node:test";
import { parseFuzzOptions, UsageError } from "./options.ts";

test("without options all parts run for a minute with seed 1", () => {
  assert.deepEqual(parseFuzzOptions([]), {
    parts: ["cpu", "board", "engine", "virtio", "nvme", "ide", "nic", "nat", "bios", "p9", "floppy"],
    seconds: 60,
    seed: 1,
    jobs: 1,
    only: undefined,
    format: "text",
  });
});

test("a case is one of the cpu part", () => {
  const { parts, only, seed } = parseFuzzOptions(["--seed", "7", "--case", "25510"]);
  assert.deepEqual({ parts, only, seed }, { parts: ["cpu"], only: 25510, seed: 7 });
});

for (const [given, expected] of [
  [["gpu"], /no part "gpu"/],
  [["--seconds", "-3"], /'--seconds'/],
  [["--seconds=0"], /--seconds takes a number above 0, not "0"/],
  [["--seed", "x"], /--seed takes a whole number from 0 to 4294967295, not "x"/],
  [["--jobs", "0"], /--jobs takes a whole number from 1 to 64, not "0"/],
  [["--format", "xml"], /--format is text or json, not "xml"/],
  [["board", "--case", "1"], /--case is for the cpu part/],
  [["--sed", "1"], /'--sed'/],
] as const) {
  test(`${given.join(" ")} is refused in a sentence`, () => {
    assert.throws(
      () => parseFuzzOptions(given),
      (error) => error instanceof UsageError && expected.test(error.message),
    );
  });
}
