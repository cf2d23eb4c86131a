/** Ready-made guests for the tests: fetched when they are not in the cache, and a reason when they cannot be had. */

import type { TestContext } from "node:test";

import { readyMadeGuest, startVm, VmError } from "../../src/apps/embed/index.ts";
import type { Vm, VmOptions } from "../../src/apps/embed/index.ts";
import { GUEST_CATALOGUE } from "../../src/host/index.ts";
import type { CatalogueEntry, GuestName } from "../../src/host/index.ts";

/** Many times what a guest takes on an idle machine. */
export const BOOT_TIMEOUT_MS = 120_000;
/** For a test that boots a few times: rather fail than hang. */
export const LIMIT = { timeout: 3 * BOOT_TIMEOUT_MS } as const;
const ANSWER_TIMEOUT_MS = 20_000;

export type { GuestName } from "../../src/host/index.ts";

/** Where the tests may stop for a reason that is not ours. */
export type Skippable = Pick<TestContext, "skip">;

/** What starts the guest; undefined, after telling why, where its files cannot be had. */
export async function guestOptions(t: Skippable, name: GuestName): Promise<VmOptions | undefined> {
  try {
    return await readyMadeGuest(name);
  } catch (thrown) {
    if (!(thrown instanceof VmError) || thrown.code !== "guest-unavailable") throw thrown;
    t.skip(`the files of ${name} cannot be fetched: ${thrown.message}`);
    return undefined;
  }
}

export function catalogueEntry(name: GuestName): CatalogueEntry {
  const entry: CatalogueEntry | undefined = GUEST_CATALOGUE.find((candidate) => candidate.name === name);
  if (entry === undefined) throw new Error(`${name} is not in the catalogue`);
  return entry;
}

/** Waits until the guest has shown the mark that the catalogue names. */
export async function waitForMark(vm: Vm, name: GuestName): Promise<void> {
  const { mark } = catalogueEntry(name);
  const options = { timeoutMs: BOOT_TIMEOUT_MS };
  if (mark.where === "serial") await vm.waitFor(mark.text, options);
  else await vm.waitForScreen(mark.text, options);
}

/** A Linux guest at its shell; the shell echoes no input, so that what is waited for is the answer. */
export async function linuxShell(options: VmOptions, name: GuestName): Promise<LinuxShell> {
  const vm = await startVm({ ...options, profile: "off" });
  try {
    await waitForMark(vm, name);
    const shell = new LinuxShell(vm);
    await shell.answer("stty -echo");
    return shell;
  } catch (thrown) {
    await vm.stop();
    throw thrown;
  }
}

export class LinuxShell implements AsyncDisposable {
  readonly vm: Vm;
  #count = 0;

  constructor(vm: Vm) {
    this.vm = vm;
  }

  /** What a command prints. */
  async answer(command: string, timeoutMs = ANSWER_TIMEOUT_MS): Promise<string> {
    const id = ++this.#count;
    // The quotes keep the command line's own echo from looking like the answer.
    await this.vm.write(`echo "<"${id}; ${command}; echo ${id}">"\n`);
    const found = await this.vm.waitFor(new RegExp(`<${id}\\r\\n[^]*^${id}>`, "m"), { timeoutMs });
    return found.slice(`<${id}\r\n`.length, -`${id}>`.length).trimEnd();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.vm.stop();
  }
}
