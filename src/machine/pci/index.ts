/** PCI: bus 0, configuration mechanism #1, and the 440FX/PIIX chipset. */

export { bios32Header } from "./bios32.ts";
export { I440fx } from "./i440fx.ts";
export type { I440fxConfig, MemoryAttributes } from "./i440fx.ts";
export { PCI_DEVICES, PCI_FUNCTIONS, PCI_PORT_BASE, PCI_PORT_BYTES, PciBus, pciLink } from "./pci-bus.ts";
export type { ResetControl } from "./pci-bus.ts";
export { Piix3 } from "./piix3.ts";
export type { Piix3Config } from "./piix3.ts";
export {
  ACPI_DISABLE,
  ACPI_ENABLE,
  APM_PORT_BASE,
  APM_PORT_BYTES,
  Piix4Pm,
  PM_TIMER_HZ,
  SLEEP_BUTTON_GPE,
} from "./piix4-pm.ts";
export type { Piix4PmConfig } from "./piix4-pm.ts";
export { Piix4Smbus, SMBUS_BLOCK_BYTES, SMBUS_BLOCK_DATA_BYTES } from "./piix4-smbus.ts";
export { enableIdeChannels, initializePci, PIRQ_ROUTES } from "./post.ts";
export type { PciResources } from "./post.ts";
