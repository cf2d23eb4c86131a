import assert from "node:assert/strict";
import { test } from "node:test";
import { ProgressPrinter } from "./guest-progress.ts";
import type { GuestProgressEvent } from "./guest-progress.ts";

const MiB = 1024 * 1024;
const EVENTS: readonly GuestProgressEvent[] = [
  { kind: "step", guest: "gnumach", text: "downloading a package" },
  { kind: "transfer", receivedBytes: MiB, totalBytes: 4 * MiB },
  { kind: "transfer", receivedBytes: MiB + 1, totalBytes: 4 * MiB },
  { kind: "transfer", receivedBytes: 4 * MiB, totalBytes: 4 * MiB },
  { kind: "warning", text: "something is odd" },
  { kind: "step", guest: "gnumach", text: "unpacking" },
  { kind: "done", guest: "gnumach", text: "fetched" },
];

function shown(terminal: { readonly isTTY: boolean; readonly columns?: number }): string {
  let text = "";
  const printer = new ProgressPrinter({ ...terminal, write: (part) => (text += part) });
  EVENTS.forEach(printer.show);
  return text;
}

test("without a terminal there is one plain line per step, and none for transfers", () => {
  assert.equal(
    shown({ isTTY: false }),
    "gnumach: downloading a package\nwarning: something is odd\ngnumach: unpacking\ngnumach: fetched\n",
  );
});

test("on a terminal a step's line is rewritten when its percentage changes, and kept at its end", () => {
  const erase = "\r\x1b[2K";
  const step = "gnumach: downloading a package";
  assert.equal(
    shown({ isTTY: true }),
    `${step}${erase}${step}  25 % of 4.0 MiB${erase}${step} 100 % of 4.0 MiB\n` +
      "warning: something is odd\ngnumach: unpacking\ngnumach: fetched\n",
  );
});

test("a line never fills the terminal's width, and the amount stays in it", () => {
  const [firstLine = ""] = shown({ isTTY: true, columns: 40 }).split("\n");

  const drawn = firstLine.split("\r\x1b[2K");
  assert(drawn.every((line) => line.length < 40));
  assert.equal(drawn.at(-1), "gnumach: downloading a 100 % of 4.0 MiB");
});
