/** Watchdogs. */

export { I6300Esb } from "./i6300esb.ts";
export type { I6300EsbConfig } from "./i6300esb.ts";
