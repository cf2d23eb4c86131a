/** A Linux guest with more files: a second archive behind the guest's own initramfs, which Linux unpacks too. */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { FetchedGuest } from "../src/apps/cli/guests/index.ts";
import { buildCpio } from "../src/host/images/index.ts";
import type { CpioEntry } from "../src/host/images/index.ts";

const BUILT = fileURLToPath(new URL("../build/bench/", import.meta.url));

/** The guest with the entries, later ones in the place of earlier ones; the same entries give the same file. */
export function withFiles(guest: FetchedGuest, entries: readonly CpioEntry[]): FetchedGuest {
  if (guest.initrdPath === undefined) throw new Error(`${guest.name} has no initramfs`);
  const initrd = Buffer.concat([readFileSync(guest.initrdPath), buildCpio(entries)]);
  const digest = createHash("sha256").update(initrd).digest("hex").slice(0, 16);
  const initrdPath = `${BUILT}${guest.name}-${digest}.cpio`;
  if (!existsSync(initrdPath)) {
    mkdirSync(BUILT, { recursive: true });
    const own = `${initrdPath}.${process.pid}`;
    writeFileSync(own, initrd);
    renameSync(own, initrdPath);
  }
  return { ...guest, initrdPath };
}
