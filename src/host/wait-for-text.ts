/** Waiting until a guest says something, on its serial console or on its text screen. */

import { err, NS_PER_MS, ok } from "../base/index.ts";
import type { Result } from "../base/index.ts";
import { textLines } from "../vmm/index.ts";
import type { Scheduling, TextScreen } from "../vmm/index.ts";
import { SERIAL_HISTORY_BYTES } from "./serial-console.ts";
import type { VmHandle } from "./vm-handle.ts";

export interface WaitForOptions {
  /** Milliseconds of host time; without a limit the wait ends with the VM. */
  readonly timeoutMs?: number | undefined;
}

/** Characters of what the guest said last, for a sentence about what it did not say. */
const LAST_WORDS_CHARACTERS = 80;

/**
 * Finds text (or a pattern) in the output of the first serial port, that of the recent past included. The result is
 * the text found; of a pattern, what it matched. Text longer than the console's history is never found.
 */
export async function waitForSerial(
  vm: VmHandle,
  wanted: string | RegExp,
  scheduling: Scheduling,
  options: WaitForOptions = {},
): Promise<Result<string>> {
  const decoder = new TextDecoder();
  let text = decoder.decode(vm.serial.history(), { stream: true });
  const find = (): string | undefined => findIn(text, wanted);
  return await settled(
    vm,
    wanted,
    scheduling,
    options,
    find,
    () => text,
    (look) =>
      vm.serial.listen((chunk) => {
        text = (text + decoder.decode(chunk, { stream: true })).slice(-SERIAL_HISTORY_BYTES);
        look();
      }),
  );
}

/** The same for the text screen; the VM must be told to report its screen ({@link VmHandle.observe}). */
export async function waitForScreen(
  vm: VmHandle,
  wanted: string | RegExp,
  scheduling: Scheduling,
  options: WaitForOptions = {},
): Promise<Result<string>> {
  const textOf = (screen: TextScreen | undefined): string =>
    screen === undefined ? "" : textLines(screen).join("\n");
  let text = textOf(vm.screen);
  const find = (): string | undefined => findIn(text, wanted);
  return await settled(
    vm,
    wanted,
    scheduling,
    options,
    find,
    () => text,
    (look) =>
      vm.screens.add((screen) => {
        text = textOf(screen);
        look();
      }),
  );
}

function findIn(text: string, wanted: string | RegExp): string | undefined {
  if (typeof wanted === "string") return text.includes(wanted) ? wanted : undefined;
  wanted.lastIndex = 0;
  return wanted.exec(text)?.[0];
}

async function settled(
  vm: VmHandle,
  wanted: string | RegExp,
  scheduling: Scheduling,
  { timeoutMs }: WaitForOptions,
  find: () => string | undefined,
  saidSoFar: () => string,
  listen: (look: () => void) => { release(): void },
): Promise<Result<string>> {
  const found = find();
  if (found !== undefined) return ok(found);
  const name = typeof wanted === "string" ? `"${wanted}"` : String(wanted);
  const lastWords = (): string => {
    const said = saidSoFar().trimEnd().slice(-LAST_WORDS_CHARACTERS);
    return said === "" ? "it said nothing" : `its last words are ${JSON.stringify(said)}`;
  };
  return await new Promise((resolve) => {
    const finish = (result: Result<string>): void => {
      listening.release();
      timer?.cancel();
      resolve(result);
    };
    const listening = listen(() => {
      const text = find();
      if (text !== undefined) finish(ok(text));
    });
    const timer =
      timeoutMs === undefined
        ? undefined
        : scheduling.setTimer(timeoutMs * NS_PER_MS, () =>
            finish(
              err("timeout", `The VM ${vm.name} did not say ${name} within ${timeoutMs} ms; ${lastWords()}.`),
            ),
          );
    void vm.ended.then(({ outcome }) =>
      finish(
        err("ended", `The VM ${vm.name} ended (${outcome.kind}) before it said ${name}; ${lastWords()}.`),
      ),
    );
  });
}
