/** Memory layer: guest RAM. */

export { createGuestRam, GpaOutOfRange, GuestRam } from "./guest-ram.ts";
export type { GuestRamConfig, GuestRamErrorCode } from "./guest-ram.ts";
