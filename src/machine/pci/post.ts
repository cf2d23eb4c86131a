/**
 * What firmware's power-on self-test does to the PCI chipset before an operating system sees it: places base
 * addresses, routes the four interrupt links, and switches the power management block on. A directly booted kernel
 * runs no firmware, so the board calls this after each reset. Works through configuration space alone, as firmware
 * does.
 */

import { alignUp } from "../../base/index.ts";
import { PCI_BARS, PCI_COMMAND, PCI_HEADER } from "../../hw/index.ts";
import type { PciFunction, PciPin, PortBus } from "../../hw/index.ts";
import type { PciBus } from "./pci-bus.ts";
import { PCI_DEVICES, PCI_FUNCTIONS, pciLink } from "./pci-bus.ts";

export interface PciResources {
  /** Where BARs in memory may lie. */
  readonly memoryStartGpa: number;
  readonly memoryEndGpa: number;
  /** PIIX4's PMBA. */
  readonly pmIoBase: number;
  /** PIIX4's SMBBA. */
  readonly smbusIoBase: number;
  readonly sciIrq: number;
}

/** IRQ of PIRQA–PIRQD; two links share each, as SeaBIOS has it. */
export const PIRQ_ROUTES = [10, 10, 11, 11] as const;
/** Above every ISA device and the chipset's own ports. */
const IO_START = 0xc000;
const IO_END = 0x1_0000;

const PIIX3_ID = 0x7000_8086;
const PIIX3_PIRQA = 0x60;
const PIIX3_IDE_ID = 0x7010_8086;
const PIIX3_IDETIM = [0x40, 0x42] as const;
const IDETIM_DECODE_ENABLE = 0x8000;
const PIIX4_PM_ID = 0x7113_8086;
const PIIX4_PMBA = 0x40;
const PIIX4_PMREGMISC = 0x80;
const PIIX4_SMBBA = 0x90;
const PIIX4_SMBHSTCFG = 0xd2;
/** The host controller, with its interrupt as IRQ 9. */
const SMBUS_ENABLE = 0x09;
/** Edge/level control registers of the two PICs. */
const ELCR_PORTS = [0x4d0, 0x4d1] as const;

/** Returns the functions that did not get all their base addresses, because the range is full. */
export function initializePci(bus: PciBus, ports: PortBus, resources: PciResources): PciFunction[] {
  const starved: PciFunction[] = [];
  const next = { io: IO_START, memory: resources.memoryStartGpa };
  for (let place = 0; place < PCI_DEVICES * PCI_FUNCTIONS; place++) {
    const deviceNumber = Math.floor(place / PCI_FUNCTIONS);
    const target = bus.functionAt(deviceNumber, place % PCI_FUNCTIONS);
    if (target === undefined) continue;
    if (!placeBars(target, next, resources.memoryEndGpa)) starved.push(target);
    routeInterrupt(target, deviceNumber);
    const id = target.readConfig(PCI_HEADER.vendorId, 4);
    if (id === PIIX3_ID) routeLinks(target, ports);
    if (id === PIIX3_IDE_ID) enableIde(target);
    if (id === PIIX4_PM_ID) enablePowerManagement(target, resources);
  }
  return starved;
}

/** Sizes each BAR by writing all ones (section 6.2.5.1), then gives it the next free naturally aligned place. */
function placeBars(target: PciFunction, next: { io: number; memory: number }, memoryEndGpa: number): boolean {
  let enable = 0;
  let isComplete = true;
  for (let index = 0; index < PCI_BARS; index++) {
    const at = PCI_HEADER.bar0 + 4 * index;
    target.writeConfig(at, 4, 0xffffffff);
    const probe = target.readConfig(at, 4);
    target.writeConfig(at, 4, 0);
    if (probe === 0) continue;
    const isIo = (probe & 1) !== 0;
    const sizeBytes = isIo ? (-(probe & 0xfffffffc) & 0xffff) >>> 0 : -(probe & 0xfffffff0) >>> 0;
    const base = alignUp(isIo ? next.io : next.memory, sizeBytes);
    if (base + sizeBytes > (isIo ? IO_END : memoryEndGpa)) {
      isComplete = false;
      continue;
    }
    target.writeConfig(at, 4, base);
    if (isIo) next.io = base + sizeBytes;
    else next.memory = base + sizeBytes;
    enable |= isIo ? PCI_COMMAND.io : PCI_COMMAND.memory;
  }
  if (enable !== 0) {
    target.writeConfig(PCI_HEADER.command, 2, target.readConfig(PCI_HEADER.command, 2) | enable);
  }
  return isComplete;
}

function routeInterrupt(target: PciFunction, deviceNumber: number): void {
  const pin = target.readConfig(PCI_HEADER.interruptPin, 1);
  if (!isPin(pin)) return;
  target.writeConfig(PCI_HEADER.interruptLine, 1, PIRQ_ROUTES[pciLink(deviceNumber, pin)] ?? 0xff);
}

function isPin(value: number): value is Exclude<PciPin, 0> {
  return value >= 1 && value <= 4;
}

function routeLinks(piix3: PciFunction, ports: PortBus): void {
  let levels = 0;
  PIRQ_ROUTES.forEach((irq, link) => {
    piix3.writeConfig(PIIX3_PIRQA + link, 1, irq);
    levels |= 1 << irq;
  });
  ELCR_PORTS.forEach((port, index) => ports.writePort(port, 1, (levels >>> (8 * index)) & 0xff));
}

/** Both channels at their ports. */
export function enableIdeChannels(ide: PciFunction): void {
  for (const timing of PIIX3_IDETIM) ide.writeConfig(timing, 2, IDETIM_DECODE_ENABLE);
}

/** With bus mastering, which Linux 2.0 leaves to the firmware. */
function enableIde(ide: PciFunction): void {
  enableIdeChannels(ide);
  const command = ide.readConfig(PCI_HEADER.command, 2);
  ide.writeConfig(PCI_HEADER.command, 2, command | PCI_COMMAND.busMaster);
}

function enablePowerManagement(pm: PciFunction, resources: PciResources): void {
  pm.writeConfig(PIIX4_PMBA, 4, resources.pmIoBase | 1);
  pm.writeConfig(PIIX4_PMREGMISC, 1, 1);
  pm.writeConfig(PIIX4_SMBBA, 4, resources.smbusIoBase | 1);
  pm.writeConfig(PIIX4_SMBHSTCFG, 1, SMBUS_ENABLE);
  pm.writeConfig(PCI_HEADER.interruptLine, 1, resources.sciIrq);
}
