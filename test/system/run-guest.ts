/**
 * Boots a guest on the PC board in this process, in one of the engine's tiers, and collects what it prints. The tier
 * "regions" compiles all code at its first execution, so that a check which runs three times runs compiled.
 */

import { WASM_ACCELERATOR_PREFIX_BYTES, WasmAccelerator } from "../../src/accel/wasm/index.ts";
import { createVm } from "../../src/apps/vm-process/create-vm.ts";
import { ok, unwrap } from "../../src/base/index.ts";
import { loadCore } from "../../src/platform/node/index.ts";
import { formatCrashDump, parseVmDefinition, prepareBoard } from "../../src/vmm/index.ts";
import type { VirtualMachine, VmOutcome } from "../../src/vmm/index.ts";

export const tiers = ["interpreter", "regions"] as const;
export type Tier = (typeof tiers)[number];

export interface GuestRun {
  readonly output: string;
  readonly ending: VmOutcome["kind"];
  /** Registers and surroundings if the processor shut down. */
  readonly dump: string | undefined;
  readonly tookMs: number;
}

/** The default processor with what is not there unless asked for. */
export const FULL_CPU = "v2,+pcid";
/** Many times what any guest takes on an idle machine. */
const TIMEOUT_SECONDS = 60;

export async function runGuest(
  kernel: string,
  commandLine: string,
  tier: Tier,
  cpu = FULL_CPU,
): Promise<GuestRun> {
  const definition = unwrap(
    parseVmDefinition({
      kernel,
      append: commandLine,
      cpu,
      memory: "16M",
      device: ["isa-debug-exit"],
      timeout: TIMEOUT_SECONDS,
    }),
  );
  const core = unwrap(await loadCore());
  const decoder = new TextDecoder("latin1");
  const start = performance.now();
  let output = "";
  const serial = {
    output(chunk: Uint8Array) {
      output += decoder.decode(chunk);
      vm.confirmSerial(chunk.length);
    },
    inputTaken() {},
  };
  const request = { definition, serial, codeProfile: undefined, codeProfileFound() {} };
  const created = await createVm(request, () =>
    Promise.resolve(
      ok({
        accelerator: {
          name: tier,
          reservedPrefixBytes: WASM_ACCELERATOR_PREFIX_BYTES,
          createVcpu: ({ bus, ...parts }) => new WasmAccelerator({ core, ...parts, tier }).createVcpu(bus),
        },
        prepareBoard,
      }),
    ),
  );
  const vm: VirtualMachine = unwrap(created);
  vm.start();
  const outcome = await vm.ended;
  const dump = outcome.kind === "crashed" ? formatCrashDump(outcome.dump) : undefined;
  return { output, ending: outcome.kind, dump, tookMs: performance.now() - start };
}
