/** The firmware configuration device. */

export { FW_CFG_FILES_MAX, FW_CFG_ITEM, FwCfg, littleEndian } from "./fw-cfg.ts";
export type { FwCfgContents, FwCfgFile } from "./fw-cfg.ts";
export { FW_CFG_PORT_BASE, FW_CFG_PORT_BYTES } from "./ports.ts";
