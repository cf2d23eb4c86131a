/** Realtek's fast Ethernet card. */

export { Rtl8139 } from "./rtl8139.ts";
export type { Rtl8139Config } from "./rtl8139.ts";
