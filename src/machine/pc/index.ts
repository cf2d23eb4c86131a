/** The PC. */

export { createBoard, PcBoard } from "./board.ts";
export type { BoardConfig, BoardEvents, ProcessorPins } from "./board.ts";
