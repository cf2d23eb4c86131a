/** NE2000 network cards. */

export { Rtl8029 } from "./rtl8029.ts";
export type { Rtl8029Config } from "./rtl8029.ts";
