/** What `typevisor demo` does when it is not told: apart from the demo, which every other command can do without. */

import type { GuestName } from "../../host/index.ts";

/** Two Linux kernels, a microkernel, and a program that needs no operating system. */
export const DEMO_GUESTS: readonly GuestName[] = ["linux-amd64", "linux-i386", "gnumach", "memtest86plus"];
/** Without a terminal: how long a guest may take to show its mark. */
export const DEMO_TIMEOUT_SECONDS = 180;
