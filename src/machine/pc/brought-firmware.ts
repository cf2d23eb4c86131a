/** What a board has besides where a user brings the firmware: its flash, and the device that tells it of the machine. */

export { FwCfg } from "../fw-cfg/index.ts";
export { firmwareFlash } from "./firmware-flash.ts";
export { addFirmwareItems } from "./firmware-items.ts";
