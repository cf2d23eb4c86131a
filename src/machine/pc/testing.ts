/** Boards for tests, which build them at once and with whatever their configuration says. */

import { prepareBoard } from "./board.ts";
import type { BoardEvents, ProcessorPins } from "./board-config.ts";
import { NETWORK_CARD_MODELS } from "./network-cards.ts";
import { VIRTIO_DEVICES } from "./virtio-devices.ts";

const nothing = (): void => undefined;

/** A processor that hears nothing. */
export const UNCONNECTED_PINS: ProcessorPins = {
  interrupt: { set: nothing },
  raiseNmi: nothing,
  setA20: nothing,
  setTaskPriority: nothing,
  setMemorySlot: nothing,
  memoryWritten: nothing,
};

/** Nobody minds what the guest asks for; its serial output is taken. */
export const UNHEARD_EVENTS: BoardEvents = {
  powerOff: nothing,
  reset: nothing,
  processorReset: nothing,
  debugExit: nothing,
  firmwareCall: nothing,
  serialOutput: () => true,
};

export const createBoard = await prepareBoard({
  driveBuses: ["nvme", "ide", "virtio", "floppy"],
  virtioDevices: VIRTIO_DEVICES,
  networkCards: NETWORK_CARD_MODELS,
  hasShares: true,
  hasWatchdog: true,
  hasBios: true,
  hasFirmware: true,
});
