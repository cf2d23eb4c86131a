/** UEFI's shell, as OVMF starts it where it finds no system. */

import type { Vm } from "../../src/apps/embed/index.ts";
import { BOOT_TIMEOUT_MS } from "./guests.ts";

const patience = { timeoutMs: BOOT_TIMEOUT_MS };

/** Waits for its prompt after the first start, or a later one; a key spares the wait for its start-up script. */
export async function uefiShell(vm: Vm, start = 1): Promise<void> {
  await vm.waitFor(new RegExp(`(?:UEFI Interactive Shell[^]*in 5 seconds[^]*){${start}}`), patience);
  await vm.write("\x1b");
  await vm.waitFor(
    new RegExp(`(?:UEFI Interactive Shell[^]*?in 5 seconds[^]*?Shell> [^]*){${start}}`),
    patience,
  );
}
