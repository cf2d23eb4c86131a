/** Runs a row of the matrix: prepares its media, starts it, waits for its mark, keeps a picture of its screen. */

import { mkdir, mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { startVm, VmError } from "../../../src/apps/embed/index.ts";
import type { Vm, VmOptions } from "../../../src/apps/embed/index.ts";
import { Unavailable } from "../../programs/run-tool.ts";
import { filesOfPackage } from "../package-files.ts";
import type { GuestRow, RowBench } from "./row.ts";

/** Below build/, which git ignores. */
const SCREENS = fileURLToPath(new URL("../../../build/guest-screens/", import.meta.url));

export type RowResult =
  | { readonly kind: "passed"; readonly markSeconds: number }
  | { readonly kind: "skipped"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string };

export async function runRow(row: GuestRow): Promise<RowResult> {
  await using folder = await mkdtempDisposable(join(tmpdir(), "typevisor-guest-"));
  const vms: { readonly vm: Vm; readonly startMs: number }[] = [];
  let markSeconds: number | undefined;
  const markSeen = async (vm: Vm): Promise<void> => {
    const startMs = vms.find((started) => started.vm === vm)?.startMs ?? Number.NaN;
    markSeconds = (performance.now() - startMs) / 1000;
    await keepScreen(row.id, vm);
  };
  const patience = { timeoutMs: row.limitSeconds * 1000 };
  const bench: RowBench = {
    ...{ row, folder: folder.path, patience, markSeen },
    async start(options) {
      const firmware = await firmwareOptions(row);
      const startMs = performance.now();
      const vm = await startVm({ name: row.id, ...firmware, profile: "off", ...options });
      vms.push({ vm, startMs });
      return vm;
    },
    async reachMark(vm) {
      const { mark } = row;
      if (mark.where === "serial") await vm.waitFor(mark.text, patience);
      else if (mark.where === "screen") await vm.waitForScreen(mark.text, patience);
      await markSeen(vm);
    },
  };
  try {
    await row.run(bench);
    if (markSeconds === undefined) return { kind: "failed", reason: "the row does not wait for its mark" };
    return { kind: "passed", markSeconds };
  } catch (thrown) {
    if (thrown instanceof Unavailable || (thrown instanceof VmError && thrown.code === "guest-unavailable"))
      return { kind: "skipped", reason: thrown.message };
    for (const { vm } of vms) await keepScreen(`${row.id}.failed`, vm);
    return {
      kind: "failed",
      reason: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown),
    };
  } finally {
    for (const { vm } of vms) await vm.stop();
  }
}

async function keepScreen(name: string, vm: Vm): Promise<void> {
  if (vm.state === "ended") return;
  await mkdir(SCREENS, { recursive: true });
  await writeFile(join(SCREENS, `${name}.png`), await vm.screenshot());
}

async function firmwareOptions({ firmware }: GuestRow): Promise<VmOptions> {
  if (firmware === "SeaBIOS") {
    const names = ["bios-256k.bin", "vgabios-stdvga.bin"] as const;
    const file = await filesOfPackage(
      "seabios",
      names.map((name) => `usr/share/seabios/${name}`),
    );
    return { firmware: file(names[0]), "vga-bios": file(names[1]) };
  }
  if (firmware === "OVMF") {
    const file = await filesOfPackage("ovmf", ["usr/share/ovmf/OVMF.fd"]);
    return { firmware: file("OVMF.fd") };
  }
  return {};
}
