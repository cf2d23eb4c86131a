/** Kernel command lines as NUL-terminated UTF-8 in low memory. */

import { BootFailure } from "./boot-error.ts";
import type { BootLayout } from "./layout.ts";

/** For protocols that name no limit of their own: Linux's own buffer (COMMAND_LINE_SIZE) is 2048, Xen's 1024. */
export const MAX_COMMAND_LINE_BYTES = 4095;

/** Places `text`, of at most `maxBytes` without its terminator, and returns its address. */
export function placeCommandLine(
  layout: BootLayout,
  kernelName: string,
  text: string,
  maxBytes: number,
): number {
  const bytes = new TextEncoder().encode(text);
  if (bytes.includes(0)) {
    throw new BootFailure("command-line-too-long", "The kernel command line contains a NUL character.");
  }
  if (bytes.length > maxBytes) {
    throw new BootFailure(
      "command-line-too-long",
      `The kernel command line is ${bytes.length} bytes long; ${kernelName} takes at most ${maxBytes}.`,
    );
  }
  const gpa = layout.allocateLow("command line", bytes.length + 1);
  layout.ram.write(gpa, bytes);
  layout.ram.writeU8(gpa + bytes.length, 0);
  return gpa;
}
