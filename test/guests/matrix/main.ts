/**
 * The guest matrix: every system that is said to run, booted to its mark.
 *
 *     npm run test:guests
 *     npm run test:guests -- --only 'xen|grub'
 *     npm run test:guests -- --record
 */

import { readFile, writeFile } from "node:fs/promises";

import { toolOptions } from "../../tool-options.ts";
import { GUEST_ROWS } from "./rows.ts";
import { runRow } from "./run-row.ts";
import { PAGE, pageWith, timesOf } from "./table.ts";

const USAGE = `npm run test:guests -- [--only REGEX] [--list] [--record]

Boots every system of the matrix to the mark that shows it runs. What its screen showed then is in build/guest-screens.

  --only REGEX  rows whose name it matches
  --list        only prints the rows
  --record      writes the table with the times of this run into docs/guests.md
`;

const given = toolOptions(USAGE, {
  only: { type: "string", default: "." },
  list: { type: "boolean", default: false },
  record: { type: "boolean", default: false },
});
const print = (text: string): void => void process.stdout.write(`${text}\n`);
const only = new RegExp(given.only);
const rows = GUEST_ROWS.filter(({ id }) => only.test(id));
const counts = { passed: 0, skipped: 0, failed: 0 };
const times = new Map(timesOf(await readFile(PAGE, "utf8")));

for (const [index, row] of rows.entries()) {
  const { id, guest, path, firmware } = row;
  const title = `${String(index + 1).padStart(2)} of ${rows.length}  ${id}: ${guest} (${path}, ${firmware})`;
  if (given.list) {
    print(title);
    continue;
  }
  process.stdout.write(`${title} ... `);
  const result = await runRow(row);
  counts[result.kind]++;
  if (result.kind === "passed") {
    times.set(id, result.markSeconds.toFixed(1));
    print(`${result.markSeconds.toFixed(1)} s`);
  } else {
    print(`${result.kind.toUpperCase()}: ${result.reason}`);
  }
}
if (!given.list) print(`${counts.passed} passed, ${counts.skipped} skipped, ${counts.failed} failed`);
if (given.record) await writeFile(PAGE, pageWith(await readFile(PAGE, "utf8"), GUEST_ROWS, times));
// A choice that leaves nothing, and a machine that has nothing, would otherwise look like success.
if (rows.length === 0) print(`no row matches ${given.only}`);
const isDone = given.list ? rows.length > 0 : counts.passed > 0;
process.exitCode = counts.failed === 0 && isDone ? 0 : 1;
