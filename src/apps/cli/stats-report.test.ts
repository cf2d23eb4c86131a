import assert from "node:assert/strict";
import { test } from "node:test";
import { SAMPLE } from "../../host/testing.ts";
import { statsReport } from "./stats-report.ts";

test("each network card has its figures, and reasons for drops that there were", () => {
  const lines = statsReport(SAMPLE, "text").split("\n");
  const from = lines.findIndex((line) => line.startsWith("network card 1"));
  assert.deepEqual(
    lines.slice(from, from + 8).map((line) => line.replaceAll(/ {2,}/g, "  ")),
    [
      "network card 1  1,234 frames, 3.0 MiB",
      "  to the guest  5,678 frames, 5.0 MiB",
      "  TCP connections  12, 2 open",
      "  TCP retransmissions  3",
      "  UDP associations  4, 1 open",
      "  DNS queries  6",
      "  dropped: not IPv4, or of other protocols  7",
      "  dropped: refused  8",
    ],
  );
});

test("as JSON they are as they were counted", () => {
  const report: unknown = JSON.parse(statsReport(SAMPLE, "json"));
  assert.ok(typeof report === "object" && report !== null && "networks" in report);
  assert.deepEqual(report.networks, SAMPLE.statistics.networks);
});
