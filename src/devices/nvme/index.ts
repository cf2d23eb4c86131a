/** NVM Express. */

export { NvmeController } from "./nvme-controller.ts";
export type { NvmeControllerParts } from "./nvme-controller.ts";
