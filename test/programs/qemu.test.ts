/** The short form of `npm run test:programs`: QEMU's two large instruction tests print what the real CPU prints. */

import assert from "node:assert/strict";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { guestOptions, LIMIT } from "../guests/guests.ts";
import { shownDifference } from "./report.ts";
import { qemuSuite } from "./qemu-suite.ts";
import { QEMU_GUESTS } from "./qemu-tests.ts";
import { Unavailable } from "./run-tool.ts";
import { runSuite } from "./suite.ts";

/** Lines that the two programs print at least; fewer would mean that they stopped early on the host as well. */
const LEAST_LINES = { "linux-amd64": 9_900, "linux-i386": 4_700 };

const SHOWN_DIFFERENCES = 8;

for (const name of QEMU_GUESTS) {
  test(`QEMU's instruction test prints the same in ${name} as on the host`, LIMIT, async (t) => {
    const options = await guestOptions(t, name);
    if (options === undefined) return;
    await using work = await mkdtempDisposable(join(tmpdir(), "typevisor-programs-"));
    const report = (text: string): void => t.diagnostic(text);
    const wanted = { name, options, selection: "main", only: /./, folder: work.path, report } as const;
    const suite = await qemuSuite(wanted).catch((thrown: unknown) => {
      if (!(thrown instanceof Unavailable)) throw thrown;
      t.skip(thrown.message);
      return undefined;
    });
    if (suite === undefined) return;
    for await (const { program, host, guest, lineCount, explained, unexplained } of runSuite(suite)) {
      const shown = unexplained.slice(0, SHOWN_DIFFERENCES).map(shownDifference);
      assert.equal(unexplained.length, 0, shown.join("\n"));
      assert.equal(host.status, 0);
      assert.ok(lineCount > LEAST_LINES[name], `${program.name} printed ${lineCount} lines`);
      const times = `${host.seconds.toFixed(2)} s on the host, ${guest.seconds.toFixed(2)} s in the guest`;
      t.diagnostic(`${program.name}: ${lineCount} lines, ${explained.length} with a reason; ${times}`);
    }
  });
}
