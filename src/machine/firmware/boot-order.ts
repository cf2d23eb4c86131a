/** From which kinds of drives a system is looked for, one after the other. */

export type BootSource = "floppy" | "disk" | "cdrom";
export const BOOT_ORDER: readonly BootSource[] = ["floppy", "disk", "cdrom"];
