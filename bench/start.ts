/** From the start of the emulator's process to the guest's mark. */

import type { FetchedGuest } from "../src/apps/cli/guests/index.ts";
import type { GuestSession } from "./guest-session.ts";
import { treeProcessorSeconds } from "./proc.ts";
import type { BothTimes } from "./time-figures.ts";

const START_TIMEOUT_MS = 300_000;

export async function startGuest(session: GuestSession, guest: FetchedGuest): Promise<BothTimes> {
  if (guest.mark.where !== "serial") throw new Error(`${guest.name} shows its mark on the screen`);
  const wallMs = await session.waitFor(guest.mark.text, START_TIMEOUT_MS);
  return { wallSeconds: wallMs / 1000, processorSeconds: treeProcessorSeconds(session.pid) };
}
