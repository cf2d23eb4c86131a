/**
 * Where running VMs are found: a socket NAME.sock for each, in a folder that only its user may enter. Shell completion lists
 * the same folder by itself (cli/completion.ts).
 */

import { homedir } from "node:os";
import { join } from "node:path";

const SUFFIX = ".sock";

/** Below $XDG_RUNTIME_DIR, which goes with the session; without one, below $XDG_STATE_HOME or its default. */
export function vmSocketFolder(): string {
  const runtime = process.env["XDG_RUNTIME_DIR"];
  const state = process.env["XDG_STATE_HOME"];
  // The specification tells to ignore relative paths.
  const base = [runtime, state].find((path) => path?.startsWith("/") === true);
  return join(base ?? join(homedir(), ".local", "state"), "typevisor", "vms");
}

export function vmSocketPath(name: string): string {
  return join(vmSocketFolder(), `${name}${SUFFIX}`);
}

/** The VM of a file in that folder; undefined when it is none. */
export function vmNameOf(file: string): string | undefined {
  return file.endsWith(SUFFIX) ? file.slice(0, -SUFFIX.length) : undefined;
}
