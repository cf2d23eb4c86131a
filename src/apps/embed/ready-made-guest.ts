/** Guests that can be started at once: fetched from Debian packages when they are not in the user's cache. */

import { VmError } from "./vm-error.ts";
import type { VmOptions } from "./vm.ts";

export interface ReadyMadeGuestOptions {
  /** A Debian mirror to fetch from, instead of through apt-get. */
  readonly mirror?: string;
  readonly signal?: AbortSignal;
}

/**
 * The options that start the guest called `name`: "linux-amd64", "linux-i386", "gnumach", "memtest86plus" or
 * "grub-invaders". The first call for a guest downloads it, which takes a while.
 */
export async function readyMadeGuest(name: string, options: ReadyMadeGuestOptions = {}): Promise<VmOptions> {
  // What unpacks packages is loaded only by those who want it.
  const { fetchGuest } = await import("../cli/guests/index.ts");
  const fetched = await fetchGuest(name, options);
  if (!fetched.ok) throw new VmError("guest-unavailable", fetched.error.message);
  const { kernelPath, initrdPath, modulePaths, commandLine, memorySizeBytes } = fetched.value;
  return {
    name,
    kernel: kernelPath,
    initrd: initrdPath,
    module: modulePaths,
    append: commandLine,
    memory: memorySizeBytes,
  };
}
