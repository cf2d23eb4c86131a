/** Files that the bench makes and keeps in build/bench, under a name that depends on all that they are made of. */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { fileURLToPath } from "node:url";

const BUILT = fileURLToPath(new URL("../build/bench/", import.meta.url));

/** The path of the file, which `make` has written to the path it was given unless it was there already. */
export function builtFile(
  stem: string,
  madeOf: readonly (string | Uint8Array)[],
  make: (path: string) => void,
): string {
  const hash = createHash("sha256");
  for (const each of madeOf) {
    const digest = createHash("sha256").update(each).digest();
    hash.update(digest);
  }
  const path = `${BUILT}${stem}-${hash.digest("hex").slice(0, 16)}`;
  if (existsSync(path)) return path;
  mkdirSync(BUILT, { recursive: true });
  // Another process may be at the same: each makes its own file and moves it into place.
  const own = `${path}.${process.pid}`;
  make(own);
  renameSync(own, path);
  return path;
}
