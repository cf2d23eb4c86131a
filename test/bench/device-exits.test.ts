import assert from "node:assert/strict";
import { test } from "node:test";

import { timeExits } from "../../bench/device-exits.ts";
import { EMULATORS } from "../../bench/emulator.ts";
import { missing } from "../../bench/tools.ts";

test(
  "the guest runs each of its loops in a VM, and an exit takes time",
  { skip: missing("gcc") ?? false },
  async () => {
    const times = await timeExits(EMULATORS.typevisor, 1);
    for (const ns of [times.portRead, times.portWrite, times.mmioRead]) {
      assert.ok(ns > times.empty && ns < 1_000_000, JSON.stringify(times));
    }
  },
);
