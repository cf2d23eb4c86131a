/** What a Linux guest costs that waits at its prompt. */

import { setTimeout as sleep } from "node:timers/promises";
import type { FetchedGuest } from "../src/apps/cli/guests/index.ts";
import { emulatorMemory } from "./emulator.ts";
import type { Emulator } from "./emulator.ts";
import { GuestSession } from "./guest-session.ts";
import type { MemoryUse } from "../src/platform/node/index.ts";
import { processorSeconds } from "./proc.ts";
import { startGuest } from "./start.ts";

/** After which neither the guest's own start nor a compiler is still at work. */
const SETTLE_MS = 5_000;
const WATCH_MS = 20_000;

export interface Idle {
  /** Of the VM's process, all threads, in percent of one core. */
  readonly processorPercent: number;
  readonly memory: MemoryUse;
}

export async function measureIdle(emulator: Emulator, guest: FetchedGuest): Promise<Idle> {
  const session = new GuestSession(emulator.command(guest));
  try {
    await startGuest(session, guest);
    await sleep(SETTLE_MS);
    const vm = emulator.vmProcess(session.pid);
    const startMs = session.nowMs();
    const startSeconds = processorSeconds(vm);
    await sleep(WATCH_MS);
    const usedSeconds = processorSeconds(vm) - startSeconds;
    const watchedSeconds = (session.nowMs() - startMs) / 1000;
    return {
      processorPercent: (100 * usedSeconds) / watchedSeconds,
      memory: emulatorMemory(emulator, session.pid, guest.memorySizeBytes),
    };
  } finally {
    await session.stop();
  }
}
