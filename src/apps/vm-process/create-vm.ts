/** Puts a VM together from the parts that Node.js has: the engine, the PC board, files. */

import { randomBytes } from "node:crypto";
import { WASM_ACCELERATOR_PREFIX_BYTES, WasmAccelerator } from "../../accel/wasm/index.ts";
import { ok } from "../../base/index.ts";
import type { Result } from "../../base/index.ts";
import {
  collectGarbage,
  giveMemoryBack,
  keepCompiledModules,
  nodeDecompressors,
  nodeScheduling,
  readBootFile,
  wallClockNs,
} from "../../platform/node/for-vm-process.ts";
import type { TimeSlice } from "../../platform/node/time-slice.ts";
import type { VmRequest } from "../../host/for-vm-process.ts";
import { moduleFile, prepareBoard, VirtualMachine } from "../../vmm/for-vm-process.ts";
import type {
  AcceleratorChoice,
  BootImages,
  Drive,
  FirmwareImages,
  NetworkHost,
  Share,
  TimeSliceLength,
  VirtualMachineParts,
  VmDefinition,
} from "../../vmm/for-vm-process.ts";

/** What a VM's code runs on. */
export type Hardware = Pick<VirtualMachineParts, "accelerator" | "prepareBoard">;

export async function createVm(
  request: VmRequest,
  hardware: () => Promise<Result<Hardware>>,
): Promise<Result<VirtualMachine>> {
  const { definition } = request;
  // Wrong files are the likeliest mistake, so they are looked at before the engine is prepared.
  const firstImages = await readImages(definition);
  if (!firstImages.ok) return firstImages;
  const firmware = await openFirmware(definition);
  if (!firmware.ok) return firmware;
  const drives = await openDrives(definition.drives);
  if (!drives.ok) {
    await firmware.value?.variables?.close();
    return drives;
  }
  const shares = await openShares(definition.shares);
  const close = async (): Promise<void> => {
    await firmware.value?.variables?.close();
    for (const { device } of drives.value) await device.close();
    for (const { folder } of shares.ok ? shares.value : []) await folder.close();
  };
  if (!shares.ok) {
    await close();
    return shares;
  }
  const runsOn = await hardware();
  if (!runsOn.ok) {
    await close();
    return runsOn;
  }
  const releaserOf = await pageReleaser(definition);
  let readAhead: typeof firstImages | undefined = firstImages;
  const vm = await VirtualMachine.create({
    ...request,
    readImages: () => {
      const images = readAhead;
      readAhead = undefined;
      return images === undefined ? readImages(definition) : Promise.resolve(images);
    },
    firmware: firmware.value,
    drives: drives.value,
    mediaFiles,
    networkHost: loadNetworkHost,
    shares: shares.value,
    decompressors: nodeDecompressors,
    releaserOf,
    ...runsOn.value,
    scheduling: nodeScheduling,
    wallClockNs,
    entropy: (byteCount) => randomBytes(byteCount),
    preferTimeSlices: timeSlicePreference(),
    tidyUp: () => {
      keepCompiledModules();
      giveMemoryBack();
    },
  });
  if (!vm.ok) await close();
  // The kernel file and what it unpacked to: many times what the VM itself needs. Whoever waits for the VM hears of it
  // first, and answers meanwhile.
  setImmediate(collectGarbage);
  return vm;
}

// Modules that only some VMs need are loaded for those.

async function openFirmware(definition: VmDefinition): Promise<Result<FirmwareImages | undefined>> {
  if (definition.boot.kind !== "firmware") return ok(undefined);
  return await (await import("./open-firmware.ts")).openFirmware(definition);
}

async function openDrives(definitions: VmDefinition["drives"]): Promise<Result<readonly Drive[]>> {
  return definitions.length === 0 ? ok([]) : await (await import("./open-drives.ts")).openDrives(definitions);
}

async function openShares(definitions: VmDefinition["shares"]): Promise<Result<readonly Share[]>> {
  return definitions.length === 0 ? ok([]) : await (await import("./open-shares.ts")).openShares(definitions);
}

const mediaFiles: VirtualMachineParts["mediaFiles"] = {
  open: async (definition) => await (await import("./open-drives.ts")).openDevice(definition),
  isSame: async (path, other) => await (await import("./open-drives.ts")).isSameFile(path, other),
};

async function loadNetworkHost(): Promise<NetworkHost> {
  const [{ nodeSockets }, { openCapture }] = await Promise.all([
    import("../../platform/node/host-sockets.ts"),
    import("../../platform/node/capture-file.ts"),
  ]);
  return { sockets: nodeSockets, openCapture };
}

/** Only a balloon gives pages back, so only for one is it looked whether the host can take them. */
async function pageReleaser({ devices }: VmDefinition): Promise<VirtualMachineParts["releaserOf"]> {
  if (!devices.includes("virtio-balloon")) return undefined;
  const { loadHostPages, PageRelease } = await import("../../platform/node/page-release.ts");
  const pages = await loadHostPages();
  if (pages === undefined) return undefined;
  return (ram) => {
    const memory = new PageRelease(ram, pages);
    return (gpa, lengthBytes) => memory.release(gpa, lengthBytes);
  };
}

/** What asks the host is loaded when a guest first computes for long; until then the usual is what there is. */
function timeSlicePreference(): (length: TimeSliceLength) => void {
  let wanted: TimeSliceLength = "usual";
  let slice: Promise<TimeSlice | undefined> | undefined;
  return (length) => {
    wanted = length;
    slice ??= loadTimeSlice();
    void slice.then((loaded) => loaded?.prefer(wanted));
  };
}

async function loadTimeSlice(): Promise<TimeSlice | undefined> {
  const { loadHostAttributes, TimeSlice } = await import("../../platform/node/time-slice.ts");
  const host = await loadHostAttributes();
  return host === undefined ? undefined : new TimeSlice(host);
}

/** The engine, if its core could be loaded, and the PC. */
export function enginePc(core: Result<WebAssembly.Module>): Result<Hardware> {
  if (!core.ok) return core;
  const accelerator: AcceleratorChoice = {
    name: "wasm",
    reservedPrefixBytes: WASM_ACCELERATOR_PREFIX_BYTES,
    createVcpu: ({ bus, ...parts }) => new WasmAccelerator({ core: core.value, ...parts }).createVcpu(bus),
  };
  return ok({ accelerator, prepareBoard });
}

/** The files of a kernel that is loaded directly; the initial RAM disk is the first module. */
async function readImages({ boot }: VmDefinition): Promise<Result<BootImages | undefined>> {
  if (boot.kind !== "kernel") return ok(undefined);
  const kernel = await readBootFile("kernel", boot.kernel);
  if (!kernel.ok) return kernel;
  const named = [
    ...(boot.initrd === undefined ? [] : [{ what: "initrd", path: boot.initrd }]),
    ...boot.modules.map((module) => ({ what: "module", ...moduleFile(module) })),
  ];
  const modules: BootImages["modules"][number][] = [];
  for (const { what, path, arguments: words } of named) {
    const file = await readBootFile(what, path);
    if (!file.ok) return file;
    const { name } = file.value;
    modules.push(words === undefined ? file.value : { ...file.value, commandLine: `${name} ${words}` });
  }
  const { protocol, commandLine } = boot;
  return ok({ kernel: kernel.value, protocol, modules, commandLine });
}
