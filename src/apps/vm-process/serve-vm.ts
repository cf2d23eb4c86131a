/** The life of a VM's process: what arrives from the parent goes to the server, and what goes wrong is reported. */

import { SLOT_MEMORY_MAX_BYTES } from "../../base/index.ts";
import { WASM_ACCELERATOR_PREFIX_BYTES } from "../../accel/wasm/index.ts";
import { VmServer, decodeToVm } from "../../host/for-vm-process.ts";
import type { FromVmMessage, VmServerParts } from "../../host/for-vm-process.ts";
import {
  encodePng,
  nameProcess,
  nodeScheduling,
  ownMemoryUse,
  parentChannel,
  processResources,
} from "../../platform/node/for-vm-process.ts";

/** Serves the one VM that the parent will ask for, then ends the process. */
export function serveVm(createVm: VmServerParts["createVm"]): void {
  const channel = parentChannel<FromVmMessage>({
    message(raw) {
      const message = decodeToVm(raw);
      if (message !== undefined) server.receive(message).catch(fail);
    },
  });
  if (channel === undefined) {
    console.error("typevisor: this program is the process of one VM; the typevisor command starts it");
    process.exitCode = 1;
    return;
  }
  const server = new VmServer({
    send: (message) => channel.send(message),
    createVm(request) {
      nameProcess(request.definition.name);
      return createVm(request);
    },
    encodePng,
    resources: processResources,
    memory: (ramBytes) =>
      ownMemoryUse({
        prefixBytes: WASM_ACCELERATOR_PREFIX_BYTES,
        ramBytes,
        behindMaxBytes: SLOT_MEMORY_MAX_BYTES,
      }),
    scheduling: nodeScheduling,
    // The channel empties itself before it closes; with it nothing keeps the process alive.
    finished: () => channel.close(),
  });
  // A bug of ours: the VM ends with a report, or, if there is none yet, the process with a message.
  const fail = (thrown: unknown): void => {
    console.error(thrown);
    if (!server.fail(thrown)) process.exit(1);
  };
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
}
