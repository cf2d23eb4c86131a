/** A Linux guest with more files: a second archive behind the guest's own initramfs, which Linux unpacks too. */

import { readFileSync, writeFileSync } from "node:fs";
import type { FetchedGuest } from "../src/apps/cli/guests/index.ts";
import { buildCpio } from "../src/host/images/index.ts";
import type { CpioEntry } from "../src/host/images/index.ts";
import { builtFile } from "./built.ts";

/** The guest with the entries, later ones in the place of earlier ones; the same entries give the same file. */
export function withFiles(guest: FetchedGuest, entries: readonly CpioEntry[]): FetchedGuest {
  if (guest.initrdPath === undefined) throw new Error(`${guest.name} has no initramfs`);
  const initrd = Buffer.concat([readFileSync(guest.initrdPath), buildCpio(entries)]);
  const initrdPath = builtFile(`${guest.name}-initramfs`, [initrd], (path) => writeFileSync(path, initrd));
  return { ...guest, initrdPath };
}
