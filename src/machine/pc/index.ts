/** The PC. */

export { PcBoard, prepareBoard } from "./board.ts";
export type { BoardConfig, BoardEvents, CaseButton, FirmwareConfig, ProcessorPins } from "./board-config.ts";
export { CONNECTORS, PRINTER_CONNECTOR, SERIAL_CONNECTORS } from "./connectors.ts";
export type { Connector, SerialConnector } from "./connectors.ts";
export { DRIVES_MAX, DRIVES_PER_BUS } from "./drive.ts";
export type { Drive, DriveBus } from "./drive.ts";
export type { RemovableDrive } from "./removable-drives.ts";
export { NETWORK_CARD_MODELS, NETWORK_CARDS_MAX } from "./network-cards.ts";
export type { NetworkCard, NetworkCardModel } from "./network-cards.ts";
export type { FlashStore } from "./firmware-flash.ts";
export type { FirmwareKernel } from "./firmware-kernel.ts";
export type { BoardEquipment } from "./optional-parts.ts";
export { SLOT_MEMORY_BYTES } from "./slot-memory.ts";
export { SHARES_MAX, VIRTIO_DEVICES } from "./virtio-devices.ts";
export type { Share, SharesConfig, VirtioDeviceName } from "./virtio-devices.ts";
export { WATCHDOG_ACTIONS } from "./watchdog-action.ts";
export type { WatchdogAction } from "./watchdog-action.ts";
