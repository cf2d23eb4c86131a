/**
 * Hardware contracts: what devices, boards and accelerators agree on. Nothing here models a particular chip.
 * Clock and Timers are defined in the base layer and are part of these contracts.
 */

export type { Clock, Timer, Timers } from "../base/index.ts";
export { asMmio, asPorts } from "./attach.ts";
export type { RegisterBlock } from "./attach.ts";
export { readBytes } from "./bus.ts";
export type { AccessSize, MachineBus, MmioHandler, PortHandler } from "./bus.ts";
export { CODE_PROFILE_BLOCKS_MAX } from "./code-profile.ts";
export type { CodeProfile, CodeProfileFinding, CodeProfileTask } from "./code-profile.ts";
export type { Device } from "./device.ts";
export type { Dma } from "./dma.ts";
export { fanOut, RecordedLine, UNCONNECTED_LINE, WiredOr } from "./irq-line.ts";
export type { IrqLine } from "./irq-line.ts";
export type { IsaDmaChannel, IsaDmaTransfer } from "./isa-dma.ts";
export { MAX_MMIO_CLAIMS, MmioBus } from "./mmio-bus.ts";
export { BusMasterDma } from "./pci/bus-master-dma.ts";
export type { DeviceRegisters, PciCapability } from "./pci/capabilities.ts";
export { definePciRegisters, PciConfigSpace, reservedBytes } from "./pci/config-space.ts";
export type { BarSpec, PciBuses, PciConfigSpec, PciIdentity } from "./pci/config-space.ts";
export { Msi } from "./pci/msi.ts";
export { MSIX_BAR_BYTES, MSIX_VECTORS_MAX, MsiX } from "./pci/msi-x.ts";
export type { SendMessage } from "./pci/msi-x.ts";
export { PCI_BARS, PCI_COMMAND, PCI_HEADER, PCI_PIN } from "./pci/pci-function.ts";
export type { PciFunction, PciPin } from "./pci/pci-function.ts";
export { MAX_COUNTED_PORTS, MAX_PORT_CLAIMS, PortBus } from "./port-bus.ts";
export { RamDma } from "./ram-dma.ts";
export type { ReleasePages } from "./ram-dma.ts";
export { defineRegisters, RegisterFile } from "./register-map.ts";
export type { RegisterHooks, RegisterMap, RegisterSpec, RegisterValues } from "./register-map.ts";
export { StateReader } from "./state.ts";
export type { DeviceState, StateValue } from "./state.ts";
export type {
  Accelerator,
  CpuState,
  MemorySlot,
  RunBudget,
  SegmentState,
  TableRegister,
  Vcpu,
  VcpuExit,
} from "./vcpu.ts";
