/** Serial ports. */

export { FIFO_BYTES, MAX_PENDING_INPUT_BYTES, Uart16550 } from "./uart-16550.ts";
export type { SerialSink, Uart16550Config } from "./uart-16550.ts";
