/** The demo without a terminal: a line per event, until every guest has shown its mark or it is clear that one will not. */

import type { DemoVm } from "./demo-vm.ts";

export interface EventLog {
  write(text: string): unknown;
}

/** Resolves with the reasons why guests did not show their marks; none means that all did. */
export async function logUntilMarks(
  vms: readonly DemoVm[],
  timeoutMs: number,
  log: EventLog,
): Promise<readonly string[]> {
  const startMs = performance.now();
  const line = (vm: DemoVm, text: string): void => {
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    log.write(`[${seconds.padStart(6)} s] ${vm.name}: ${text}\n`);
  };
  const listening = vms.map((vm) => vm.events.add((text) => line(vm, text)));
  const start = async (vm: DemoVm): Promise<string | undefined> => {
    await vm.start();
    return await vm.markShown(timeoutMs);
  };
  const reasons = await Promise.all(vms.map(start));
  for (const one of listening) one.release();
  return reasons.filter((reason) => reason !== undefined);
}
