/** Where the firmware configuration device of a PC is. */

export const FW_CFG_PORT_BASE = 0x510;
export const FW_CFG_PORT_BYTES = 12;
