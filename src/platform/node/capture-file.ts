/** A file that a capture of frames is written to. */

import { closeSync, openSync, writeSync } from "node:fs";
import { err, ok } from "../../base/index.ts";
import type { Result } from "../../base/index.ts";
import type { CaptureSink } from "../../net/index.ts";

/** Begins the file anew. Writing waits for the host's page cache, so that nothing piles up in memory. */
export function openCapture(path: string): Result<CaptureSink> {
  try {
    const file = openSync(path, "w");
    return ok({
      write(bytes) {
        try {
          return writeSync(file, bytes) === bytes.length;
        } catch {
          return false;
        }
      },
      close: () => closeSync(file),
    });
  } catch (thrown) {
    const reason = thrown instanceof Error && "code" in thrown ? String(thrown.code) : String(thrown);
    return err("capture", `The capture file ${path} cannot be written (${reason}).`);
  }
}
