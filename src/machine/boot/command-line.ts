/** Kernel command lines as NUL-terminated UTF-8 in low memory. */

import { BootFailure } from "./boot-error.ts";
import type { BootLayout } from "./layout.ts";

/** For protocols that name no limit of their own: Linux's own buffer (COMMAND_LINE_SIZE) is 2048, Xen's 1024. */
export const MAX_COMMAND_LINE_BYTES = 4095;

/** `text`, of at most `maxBytes`, with its terminator. */
export function commandLineBytes(
  kernelName: string,
  text: string,
  maxBytes = MAX_COMMAND_LINE_BYTES,
): Uint8Array {
  const bytes = new TextEncoder().encode(`${text}\0`);
  if (bytes.indexOf(0) !== bytes.length - 1) {
    throw new BootFailure("command-line-too-long", "The kernel command line contains a NUL character.");
  }
  if (bytes.length > maxBytes + 1) {
    throw new BootFailure(
      "command-line-too-long",
      `The kernel command line is ${bytes.length - 1} bytes long; ${kernelName} takes at most ${maxBytes}.`,
    );
  }
  return bytes;
}

/** Places the same in low memory and returns its address. */
export function placeCommandLine(
  layout: BootLayout,
  kernelName: string,
  text: string,
  maxBytes: number,
): number {
  const bytes = commandLineBytes(kernelName, text, maxBytes);
  const gpa = layout.allocateLow("command line", bytes.length);
  layout.ram.write(gpa, bytes);
  return gpa;
}
