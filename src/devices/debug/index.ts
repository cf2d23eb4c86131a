/** Ports for kernel developers. */

export { DebugExitPort, PostCodePort } from "./debug-ports.ts";
