/**
 * The long suite of real programs: each runs on the host's processor and in a Typevisor guest, and must print the
 * same, line for line.
 *
 *     npm run test:programs
 *     npm run test:programs -- --suite qemu --only 'fprem' --interpreter --shown 40
 *     npm run test:programs -- --suite debian --only openssl --cpu v2,+aes,+sha
 */
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { readyMadeGuest } from "../../src/apps/embed/index.ts";
import { debianSuite } from "./debian-suite.ts";
import { Reporter } from "./report.ts";
import { qemuSuite } from "./qemu-suite.ts";
import { QEMU_GUESTS } from "./qemu-tests.ts";
import { runSuite } from "./suite.ts";
import { toolOptions } from "../tool-options.ts";

const USAGE = `npm run test:programs -- [--suite REGEX] [--only REGEX] [--cpu CPU] [--interpreter] [--shown N]

Real programs on the host's processor and in a Typevisor guest, which must print the same.

  --suite REGEX  of qemu-linux-amd64, qemu-linux-i386, debian; by default all
  --only REGEX   programs whose name it matches
  --cpu CPU      the guest's processor, as typevisor run --cpu takes it
  --interpreter  without compiled regions
  --shown N      lines that differ to show of each program (8)
`;

const given = toolOptions(USAGE, {
  suite: { type: "string", default: "." },
  only: { type: "string", default: "." },
  cpu: { type: "string" },
  interpreter: { type: "boolean", default: false },
  shown: { type: "string", default: "8" },
});
const wantedSuite = new RegExp(given.suite);
const tier = given.interpreter ? ("interpreter" as const) : ("auto" as const);
const only = new RegExp(given.only);
const print = (text: string): void => void process.stdout.write(`${text}\n`);

const reporter = new Reporter(print, Number(given.shown));
for (const name of QEMU_GUESTS.filter((guest) => wantedSuite.test(`qemu-${guest}`))) {
  await using work = await mkdtempDisposable(join(tmpdir(), "typevisor-programs-"));
  const options = { ...(await readyMadeGuest(name)), tier, cpu: given.cpu };
  const suite = await qemuSuite({ name, options, selection: "all", only, folder: work.path, report: print });
  reporter.begin(suite);
  for await (const comparison of runSuite(suite)) reporter.add(comparison);
}
if (wantedSuite.test("debian")) {
  await using work = await mkdtempDisposable(join(tmpdir(), "typevisor-programs-"));
  const options = { ...(await readyMadeGuest("linux-amd64")), tier, cpu: given.cpu };
  const suite = await debianSuite({ options, only, folder: work.path, report: print });
  reporter.begin(suite);
  for await (const comparison of runSuite(suite)) reporter.add(comparison);
}
process.exitCode = reporter.end() ? 0 : 1;
