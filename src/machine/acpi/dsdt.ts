/**
 * The DSDT's AML: power-off, processors, the PCI root with its four interrupt links, and the ISA devices that have no
 * configuration space to be found by. Derived from the platform description.
 */

import { concatBytes } from "../../base/index.ts";
import {
  and,
  ARG_0,
  byteFields,
  createDWordField,
  device,
  eisaId,
  integer,
  method,
  name,
  notify,
  operationRegion,
  or,
  packageOf,
  path,
  returns,
  scope,
  serializedMethod,
  store,
  ifThen,
  text,
} from "./aml.ts";
import type { Term } from "./aml.ts";
import { PARALLEL_PORT_BYTES } from "../../devices/parallel/index.ts";
import { PCI_PIN } from "../../hw/index.ts";
import { FW_CFG_PORT_BASE, FW_CFG_PORT_BYTES } from "../fw-cfg/ports.ts";
import { pciLink, SLEEP_BUTTON_GPE, SMBUS_BLOCK_BYTES } from "../pci/index.ts";
import type { PlatformDescription } from "./platform.ts";
import {
  dwordMemory,
  io,
  isaDma,
  isaIrq,
  memory32Fixed,
  resourceTemplate,
  SHARED_INTERRUPT_OFFSET,
  sharedInterrupts,
  wordSpace,
} from "./resources.ts";
import type { Resource } from "./resources.ts";

/** SLP_TYP of the soft-off state in PIIX4's PM1 control register. */
export const SLEEP_TYPE_S5 = 0;

/** The power button is in the fixed registers, the sleep button is a device (ACPI 6.5, section 4.8.3.2.2). */
const SLEEP_BUTTON = device("SLPB", name("_HID", eisaId("PNP0C0E")));
const BUTTON_PRESSED = 0x80;

const PM_BLOCK_BYTES = 0x40;
const HPET_BLOCK_BYTES = 0x400;
/** The PIIX3 is function 0 of device 1. */
const ISA_BRIDGE_ADDRESS = 0x0001_0000;
const PCI_DEVICES = 32;
const LINK_NAMES = ["LNKA", "LNKB", "LNKC", "LNKD"] as const;
const LINK_FIELDS = ["PRQA", "PRQB", "PRQC", "PRQD"] as const;
const PIRQ_DISABLED = 0x80;

export function dsdtTerms(platform: PlatformDescription): Term {
  const sleepType = integer(SLEEP_TYPE_S5);
  return concatBytes(
    name("\\_S5", packageOf(sleepType, sleepType, integer(0), integer(0))),
    scope(
      "\\_SB",
      ...processors(platform),
      pciRoot(platform),
      ...links(platform),
      ...hpet(platform),
      SLEEP_BUTTON,
    ),
    scope("\\_GPE", method(`_L0${SLEEP_BUTTON_GPE}`, 0, notify(path("\\_SB.SLPB"), BUTTON_PRESSED))),
  );
}

function processors(platform: PlatformDescription): Term[] {
  return platform.apicIds.map((_, index) =>
    device(
      `CP${index.toString(16).toUpperCase().padStart(2, "0")}`,
      name("_HID", text("ACPI0007")),
      name("_UID", integer(index)),
    ),
  );
}

function pciRoot(platform: PlatformDescription): Term {
  const windows = resourceTemplate(
    wordSpace("bus", 0, 0xff),
    io(0xcf8, 8),
    wordSpace("io", 0, 0xcf7),
    wordSpace("io", 0xd00, 0xffff),
    dwordMemory(0xa0000, 0xbffff),
    dwordMemory(platform.pci.holeGpa, platform.pci.holeEndGpa - 1),
  );
  const routes: Term[] = [];
  for (let number = 0; number < PCI_DEVICES; number++) {
    for (const pin of [PCI_PIN.inta, PCI_PIN.intb, PCI_PIN.intc, PCI_PIN.intd]) {
      // The address of "any function of this device"; a link's source index is always 0.
      const address = number * 0x1_0000 + 0xffff;
      const link = LINK_NAMES[pciLink(number, pin)] ?? "LNKA";
      routes.push(
        packageOf(integer(address), integer(pin - PCI_PIN.inta), path(`\\_SB.${link}`), integer(0)),
      );
    }
  }
  return device(
    "PCI0",
    name("_HID", eisaId("PNP0A03")),
    name("_UID", integer(0)),
    name("_CRS", windows),
    name("_PRT", packageOf(...routes)),
    isaBridge(platform),
  );
}

function isaDevice(object: string, id: string, ...resources: readonly Resource[]): Term {
  return device(object, name("_HID", eisaId(id)), name("_CRS", resourceTemplate(...resources)));
}

function isaBridge(platform: PlatformDescription): Term {
  const { pm } = platform;
  const devices = [
    isaDevice("PIC", "PNP0000", io(0x20, 2), io(0xa0, 2), io(0x4d0, 2), isaIrq(2)),
    isaDevice("DMAC", "PNP0200", io(0x00, 0x10), io(0x81, 0x0f), io(0xc0, 0x20), isaDma(4, true)),
    isaDevice("TIMR", "PNP0100", io(0x40, 4), isaIrq(0)),
    isaDevice("RTC", "PNP0B00", io(0x70, 2), isaIrq(8)),
    isaDevice("SPKR", "PNP0800", io(0x61, 1)),
    // Claimed so that no PCI device is moved there.
    isaDevice(
      "MBRD",
      "PNP0C02",
      io(pm.ioBase, PM_BLOCK_BYTES),
      io(pm.smbusIoBase, SMBUS_BLOCK_BYTES),
      io(pm.apmPort, 2),
    ),
  ];
  if (platform.hasKeyboardController) {
    devices.push(isaDevice("KBD", "PNP0303", io(0x60, 1), io(0x64, 1), isaIrq(1)));
    devices.push(isaDevice("MOU", "PNP0F13", isaIrq(12)));
  }
  if (platform.floppyController !== undefined) {
    const { ioBase, irq, dmaChannel } = platform.floppyController;
    // The port between the two ranges is the fixed disk controller's.
    const ports = [io(ioBase, 6), io(ioBase + 7, 1)];
    devices.push(isaDevice("FDC0", "PNP0700", ...ports, isaIrq(irq), isaDma(dmaChannel)));
  }
  if (platform.hasFirmwareConfiguration) {
    const ports = resourceTemplate(io(FW_CFG_PORT_BASE, FW_CFG_PORT_BYTES));
    devices.push(device("FWCF", name("_HID", text("QEMU0002")), name("_CRS", ports)));
  }
  platform.serialPorts.forEach((port, index) => {
    devices.push(
      device(
        `COM${index + 1}`,
        name("_HID", eisaId("PNP0501")),
        name("_UID", integer(index + 1)),
        name("_CRS", resourceTemplate(io(port.ioBase, 8), isaIrq(port.irq))),
      ),
    );
  });
  if (platform.parallelPort !== undefined) {
    const { ioBase, irq } = platform.parallelPort;
    devices.push(isaDevice("LPT1", "PNP0400", io(ioBase, PARALLEL_PORT_BYTES), isaIrq(irq)));
  }
  return device(
    "ISA",
    name("_ADR", integer(ISA_BRIDGE_ADDRESS)),
    operationRegion("PIRQ", "pciConfig", 0x60, LINK_FIELDS.length),
    byteFields("PIRQ", ...LINK_FIELDS),
    ...devices,
  );
}

/** Interrupt link devices over PIIX3's PIRQRC registers: the OS may move each link among `linkIrqs`. */
function links(platform: PlatformDescription): Term[] {
  const choices = resourceTemplate(sharedInterrupts(...platform.pci.linkIrqs));
  return LINK_NAMES.map((object, index) => {
    const register = path(`\\_SB.PCI0.ISA.${LINK_FIELDS[index] ?? "PRQA"}`);
    const ENABLED = 0x0b;
    const DISABLED = 0x09;
    return device(
      object,
      name("_HID", eisaId("PNP0C0F")),
      name("_UID", integer(index)),
      name("_PRS", choices),
      // What _CRS fills in and returns.
      name("RES", resourceTemplate(sharedInterrupts(0))),
      method(
        "_STA",
        0,
        ifThen(and(register, integer(PIRQ_DISABLED)), returns(integer(DISABLED))),
        returns(integer(ENABLED)),
      ),
      method("_DIS", 0, or(register, integer(PIRQ_DISABLED), register)),
      serializedMethod(
        "_CRS",
        0,
        createDWordField(path("RES"), SHARED_INTERRUPT_OFFSET, "IRQ"),
        ifThen(and(register, integer(PIRQ_DISABLED)), returns(path("RES"))),
        store(register, path("IRQ")),
        returns(path("RES")),
      ),
      serializedMethod(
        "_SRS",
        1,
        createDWordField(ARG_0, SHARED_INTERRUPT_OFFSET, "IRQ"),
        store(path("IRQ"), register),
      ),
    );
  });
}

function hpet(platform: PlatformDescription): Term[] {
  if (platform.hpet === undefined) return [];
  return [isaDevice("HPET", "PNP0103", memory32Fixed(platform.hpet.gpa, HPET_BLOCK_BYTES))];
}
