/** The VM's side of the control protocol: carries out a request on a VM's handle. */

import { NS_PER_S, OperatorFault } from "../../base/index.ts";
import { textLines } from "../../vmm/index.ts";
import type { Scheduling, VmDefinition } from "../../vmm/index.ts";
import type { VmHandle } from "../vm-handle.ts";
import type { ControlReply, ControlRequest, ScreenshotFormat, VmDescription } from "./control-protocol.ts";
import { decodeRequest } from "./decode-control.ts";

export interface ControlledVm {
  readonly vm: VmHandle;
  readonly scheduling: Scheduling;
  /** Host time of its start. */
  readonly startedAtNs: number;
}

/** Answers a line, whatever it is. */
export async function answerLine(controlled: ControlledVm, line: Uint8Array): Promise<ControlReply> {
  const request = decodeRequest(line);
  if (request === undefined)
    return errorReply(
      "bad-request",
      "This VM runs in another version of Typevisor, which does not know that.",
    );
  try {
    return await carryOut(controlled, request);
  } catch (thrown) {
    if (thrown instanceof OperatorFault) return errorReply(thrown.code, thrown.message);
    throw thrown;
  }
}

async function carryOut(controlled: ControlledVm, request: ControlRequest): Promise<ControlReply> {
  const { vm } = controlled;
  switch (request.command) {
    case "describe":
      return { kind: "description", description: describe(controlled) };
    case "pause":
    case "resume":
    case "reset":
    case "stop":
      await vm[request.command]();
      return { kind: "done" };
    case "screenshot":
      return await takeScreenshot(vm, request.format);
    case "keys":
      vm.giveInput(request.inputs);
      return { kind: "done" };
    case "press":
      vm.pressButton(request.button);
      return { kind: "done" };
    case "media":
      await vm.changeMedium(request.drive, request.change);
      return { kind: "done" };
  }
}

async function takeScreenshot(vm: VmHandle, format: ScreenshotFormat): Promise<ControlReply> {
  if (format === "png") {
    const file = await vm.screenshot();
    return file === undefined
      ? errorReply("no-picture", `The VM ${vm.name} has no screen, or has ended.`)
      : { kind: "screenshot", file };
  }
  const screen = await vm.readTextScreen();
  if (screen === undefined)
    return errorReply(
      "no-text",
      `The screen of the VM ${vm.name} shows no text now: it is in a graphics mode, or off. A file whose name ends in .png gets its picture.`,
    );
  const lines = textLines(screen).map((line) => `${line}\n`);
  return { kind: "screenshot", file: new TextEncoder().encode(lines.join("")) };
}

function describe({ vm, scheduling, startedAtNs }: ControlledVm): VmDescription {
  const uptimeSeconds = Math.floor((scheduling.nowNs() - startedAtNs) / NS_PER_S);
  const media = vm.media.map(({ name, file }) => ({ name, file: file ?? null }));
  return {
    ...{ name: vm.name, pid: vm.pid, state: vm.state, uptimeSeconds, media },
    guest: guestOf(vm.definition),
  };
}

/** What somebody who has started several VMs tells them apart by. */
function guestOf({ boot, drives }: VmDefinition): string {
  const files = drives.map(({ file }) => baseName(file));
  const first = boot.kind === "kernel" ? [baseName(boot.kernel)] : [];
  const firmware = boot.kind === "firmware" ? [baseName(boot.firmware)] : [];
  return [...first, ...firmware, ...files].join(", ");
}

const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

const errorReply = (code: string, message: string): ControlReply => ({
  kind: "error",
  error: { code, message },
});
