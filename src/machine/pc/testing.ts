/** Boards for tests, which build them at once and with whatever their configuration says. */

import { prepareBoard } from "./board.ts";
import { NETWORK_CARD_MODELS } from "./network-cards.ts";
import { VIRTIO_DEVICES } from "./virtio-devices.ts";

export const createBoard = await prepareBoard({
  driveBuses: ["nvme", "ide", "virtio", "floppy"],
  virtioDevices: VIRTIO_DEVICES,
  networkCards: NETWORK_CARD_MODELS,
  hasShares: true,
  hasWatchdog: true,
  hasBios: true,
  hasFirmware: true,
});
