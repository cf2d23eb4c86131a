/** Messages as a VM's process gets them. What comes from the parent is trusted, and only told apart by its kind. */

import { isObject } from "./checks.ts";
import type { ToVmMessage } from "./messages.ts";

const kindsToVm = new Set<unknown>([
  "create",
  "command",
  "serialInput",
  "serialConsumed",
  "observe",
  "changeMedium",
  "input",
  "pressButton",
  "lookAtFrame",
  "takeScreenshot",
  "readTextScreen",
  "setBalloon",
  "askGuestMemory",
  "measure",
] satisfies ToVmMessage["kind"][]);

export function decodeToVm(value: unknown): ToVmMessage | undefined {
  return isObject(value) && kindsToVm.has(value["kind"]) ? (value as ToVmMessage) : undefined;
}
