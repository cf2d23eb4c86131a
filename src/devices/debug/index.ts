/** Ports for kernel and firmware developers. */

export { DEBUG_CONSOLE_BYTES_MAX, DEBUG_CONSOLE_PORT, DebugConsole } from "./debug-console.ts";
export type { DebugConsoleSink } from "./debug-console.ts";
export { DebugExitPort, PostCodePort } from "./debug-ports.ts";
