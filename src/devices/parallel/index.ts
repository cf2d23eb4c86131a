/** Parallel ports. */

export { PARALLEL_PORT_BYTES, ParallelPort } from "./parallel-port.ts";
export type { ParallelPortConfig, PrinterSink } from "./parallel-port.ts";
