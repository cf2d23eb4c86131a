/** One PC: its board, how a kernel is entered on it, and what it offers guests that know they are one. */

export { PC_PLATFORM } from "./acpi/index.ts";
export { BOOT_PROTOCOLS, loadKernel, pcMemoryMap, readKernel } from "./boot/index.ts";
export type { BootFile, BootModule, BootProtocol, Decompressors } from "./boot/index.ts";
export { BOOT_ORDER } from "./firmware/boot-order.ts";
export type { BootSource } from "./firmware/boot-order.ts";
export type { BiosDrives } from "./firmware/index.ts";
export { KVM_CPUID } from "./paravirt/index.ts";
export type { CpuidLeaf } from "./paravirt/index.ts";
export {
  DRIVES_MAX,
  DRIVES_PER_BUS,
  prepareBoard,
  SHARES_MAX,
  SLOT_MEMORY_BYTES,
  VIRTIO_DEVICES,
} from "./pc/index.ts";
export { CONNECTORS, PRINTER_CONNECTOR, SERIAL_CONNECTORS } from "./pc/index.ts";
export type { CaseButton, Connector, SerialConnector } from "./pc/index.ts";
export { NETWORK_CARD_MODELS, NETWORK_CARDS_MAX } from "./pc/index.ts";
export type {
  BoardConfig,
  BoardEquipment,
  Drive,
  DriveBus,
  FirmwareConfig,
  PcBoard,
  RemovableDrive,
  Share,
  VirtioDeviceName,
} from "./pc/index.ts";
export type { FirmwareKernel, FlashStore, NetworkCard, NetworkCardModel } from "./pc/index.ts";
export { WATCHDOG_ACTIONS } from "./pc/index.ts";
export type { WatchdogAction } from "./pc/index.ts";
