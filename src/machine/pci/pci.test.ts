import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { ManualClock, TimerQueue } from "../../base/index.ts";
import { MmioBus, PciConfigSpace, PortBus } from "../../hw/index.ts";
import type { AccessSize, DeviceState, IrqLine, PciFunction } from "../../hw/index.ts";
import {
  APM_PORT_BASE,
  APM_PORT_BYTES,
  bios32Header,
  I440fx,
  initializePci,
  PCI_PORT_BASE,
  PCI_PORT_BYTES,
  PciBus,
  pciLink,
  Piix3,
  Piix4Pm,
  Piix4Smbus,
} from "./index.ts";

class ProbeLine implements IrqLine {
  level = false;
  set(level: boolean): void {
    this.level = level;
  }
}

/** A function with one BAR of each kind, as a network card has. */
class TestCard implements PciFunction {
  readonly name = "card";
  readonly config: PciConfigSpace;

  constructor(ports: PortBus, mmio: MmioBus) {
    this.config = new PciConfigSpace({
      name: this.name,
      identity: { vendorId: 0x1234, deviceId: 0x5678, baseClass: 2, subClass: 0, interruptPin: 1 },
      buses: { ports, mmio },
      bars: [
        { kind: "memory", sizeBytes: 0x1000, handler: { readMmio: (offset) => offset, writeMmio() {} } },
        undefined,
        { kind: "ports", sizeBytes: 0x20, handler: { readPort: (offset) => 0x40 + offset, writePort() {} } },
      ],
    });
  }

  readConfig(offset: number, size: AccessSize): number {
    return this.config.read(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    this.config.write(offset, size, value);
  }

  reset(): void {
    this.config.reset();
  }

  save(): DeviceState {
    return this.config.save();
  }

  restore(state: DeviceState): void {
    this.config.restore(state);
  }
}

const RESOURCES = {
  ...{ memoryStartGpa: 0xc0000000, memoryEndGpa: 0xfec00000 },
  ...{ pmIoBase: 0x600, smbusIoBase: 0x700, sciIrq: 9 },
};

let ports: PortBus;
let mmio: MmioBus;
let clock: ManualClock;
let timers: TimerQueue;
let bus: PciBus;
let piix3: Piix3;
let pm: Piix4Pm;
let card: TestCard;
let isaIrqs: ProbeLine[];
let sci: ProbeLine;
let resets: number;
let powerOffs: number;

beforeEach(() => {
  ports = new PortBus();
  mmio = new MmioBus();
  clock = new ManualClock();
  timers = new TimerQueue();
  isaIrqs = Array.from({ length: 16 }, () => new ProbeLine());
  sci = new ProbeLine();
  resets = 0;
  powerOffs = 0;
  piix3 = new Piix3({ isaIrqs, onReset: () => resets++ });
  const smbus = new Piix4Smbus({ clock, timers, ports, irq: new ProbeLine(), targets: [] });
  pm = new Piix4Pm({ clock, timers, ports, sci, smbus, onPowerOff: () => powerOffs++ });
  card = new TestCard(ports, mmio);
  bus = new PciBus(piix3.links);
  bus.attach(0, 0, new I440fx({ onAttributes: () => undefined }));
  bus.attach(1, 0, piix3);
  bus.attach(1, 3, pm);
  bus.attach(3, 0, card);
  bus.attachResetControl(piix3);
  ports.claim("pci", PCI_PORT_BASE, PCI_PORT_BYTES, bus);
  ports.claim("apm", APM_PORT_BASE, APM_PORT_BYTES, pm.apmPorts);
});

function address(device: number, fn: number, register: number): number {
  return (0x80000000 | (device << 11) | (fn << 8) | (register & 0xfc)) >>> 0;
}

/** As a guest does it: through CF8 and CFC. */
function readConfig(device: number, fn: number, register: number, size: AccessSize): number {
  ports.writePort(0xcf8, 4, address(device, fn, register));
  return ports.readPort(0xcfc + (register & 3), size);
}

function writeConfig(device: number, fn: number, register: number, size: AccessSize, value: number): void {
  ports.writePort(0xcf8, 4, address(device, fn, register));
  ports.writePort(0xcfc + (register & 3), size, value);
}

test("CONFIG_ADDRESS reads back with its reserved bits clear, as Linux and Mach probe it", () => {
  ports.writePort(0xcfb, 1, 1);
  ports.writePort(0xcf8, 4, 0x80000000);
  assert.equal(ports.readPort(0xcf8, 4), 0x80000000);
  ports.writePort(0xcf8, 4, 0xffffffff);
  assert.equal(ports.readPort(0xcf8, 4), 0x80fffffc);
});

test("the chipset has the identities that drivers look for", () => {
  const ids = [
    [0, 0],
    [1, 0],
    [1, 3],
  ].map(([device, fn]) => readConfig(device ?? 0, fn ?? 0, 0, 4));
  assert.deepEqual(ids, [0x12378086, 0x70008086, 0x71138086]);
  assert.equal(readConfig(0, 0, 0x0a, 2), 0x0600);
  assert.equal(readConfig(1, 0, 0x0a, 2), 0x0601);
  assert.equal(readConfig(1, 3, 0x0a, 2), 0x0680);
  assert.equal(readConfig(1, 0, 0x0e, 1), 0x80);
});

test("absent functions, other buses and disabled accesses read all ones", () => {
  assert.equal(readConfig(5, 0, 0, 4), 0xffffffff);
  ports.writePort(0xcf8, 4, 0x80010000);
  assert.equal(ports.readPort(0xcfc, 4), 0xffffffff);
  ports.writePort(0xcf8, 4, 0);
  assert.equal(ports.readPort(0xcfc, 2), 0xffff);
});

test("reserved bytes of configuration space read as zero, whatever is written", () => {
  writeConfig(1, 0, 0x44, 4, 0xffffffff);
  assert.equal(readConfig(1, 0, 0x44, 4), 0);
  assert.equal(readConfig(3, 0, 0xf0, 4), 0);
  assert.equal(readConfig(3, 0, 0x28, 4), 0);
});

test("identity registers cannot be written", () => {
  writeConfig(3, 0, 0, 4, 0);
  writeConfig(3, 0, 8, 4, 0);
  assert.equal(readConfig(3, 0, 0, 4), 0x56781234);
  assert.equal(readConfig(3, 0, 8, 4), 0x02000000);
});

test("a BAR answers the sizing probe with its size and kind", () => {
  writeConfig(3, 0, 0x10, 4, 0xffffffff);
  writeConfig(3, 0, 0x14, 4, 0xffffffff);
  writeConfig(3, 0, 0x18, 4, 0xffffffff);
  assert.equal(readConfig(3, 0, 0x10, 4), 0xfffff000);
  assert.equal(readConfig(3, 0, 0x14, 4), 0);
  assert.equal(readConfig(3, 0, 0x18, 4), 0xffffffe1);
});

test("a BAR is decoded where it was put while its kind of decoding is on, and follows a move", () => {
  writeConfig(3, 0, 0x10, 4, 0xd0000000);
  writeConfig(3, 0, 0x18, 4, 0xc100);
  assert.equal(ports.ownerOf(0xc100), undefined);
  writeConfig(3, 0, 4, 2, 0x0003);
  assert.equal(mmio.readMmio(0xd0000010, 4), 0x10);
  assert.equal(ports.readPort(0xc11f, 1), 0x5f);
  writeConfig(3, 0, 0x18, 4, 0xc200);
  assert.equal(ports.ownerOf(0xc100), undefined);
  assert.equal(ports.ownerOf(0xc21f), "card BAR 2");
  writeConfig(3, 0, 4, 2, 0x0001);
  assert.equal(mmio.ownerOf(0xd0000000), undefined);
});

test("a BAR placed over something else is not decoded, and is counted", () => {
  writeConfig(3, 0, 4, 2, 0x0001);
  writeConfig(3, 0, 0x18, 4, 0x0ce1);
  assert.equal(card.config.mappedAt(2), undefined);
  assert.equal(card.config.conflicts, 1);
  assert.equal(ports.ownerOf(0xcf8), "pci");
});

test("a restored function is decoded where the saved one was", () => {
  writeConfig(3, 0, 0x18, 4, 0xc100);
  writeConfig(3, 0, 4, 2, 0x0001);
  const state = card.save();
  card.reset();
  assert.equal(ports.ownerOf(0xc100), undefined);
  card.restore(state);
  assert.equal(ports.ownerOf(0xc100), "card BAR 2");
});

test("pins of neighbouring slots are spread over the four links", () => {
  assert.deepEqual(
    [1, 2, 3, 4, 5].map((slot) => pciLink(slot, 1)),
    [0, 1, 2, 3, 0],
  );
  assert.equal(pciLink(1, 4), 3);
});

test("an interrupt pin reaches the IRQ its link is routed to, moves with the route, and is shared", () => {
  const first = bus.interruptLine(3, 1);
  const second = bus.interruptLine(7, 1);
  first.set(true);
  assert.equal(
    isaIrqs.some((line) => line.level),
    false,
  );
  writeConfig(1, 0, 0x62, 1, 11);
  assert.equal(isaIrqs[11]?.level, true);
  writeConfig(1, 0, 0x62, 1, 10);
  assert.deepEqual([isaIrqs[11]?.level, isaIrqs[10]?.level], [false, true]);
  second.set(true);
  first.set(false);
  assert.equal(isaIrqs[10]?.level, true);
  second.set(false);
  assert.equal(isaIrqs[10]?.level, false);
});

test("a link cannot be routed to an IRQ of the board", () => {
  bus.interruptLine(1, 1).set(true);
  for (const irq of [0, 1, 2, 8, 13]) {
    writeConfig(1, 0, 0x60, 1, irq);
    assert.equal(isaIrqs[irq]?.level, false, `IRQ ${irq}`);
  }
});

test("reset control resets when bit 2 rises, and not before", () => {
  ports.writePort(0xcf9, 1, 0x02);
  assert.equal(resets, 0);
  ports.writePort(0xcf9, 1, 0x06);
  assert.equal(resets, 1);
  assert.equal(ports.readPort(0xcf9, 1), 0x06);
  ports.writePort(0xcf9, 1, 0x06);
  assert.equal(resets, 1);
});

test("power-on initialisation gives every BAR an aligned place of its own and routes the links", () => {
  assert.deepEqual(initializePci(bus, ports, RESOURCES), []);
  assert.equal(card.config.mappedAt(0), 0xc0000000);
  assert.equal(card.config.mappedAt(2), 0xc000);
  assert.equal(readConfig(3, 0, 0x3c, 1), 11);
  assert.deepEqual(
    [0x60, 0x61, 0x62, 0x63].map((at) => readConfig(1, 0, at, 1)),
    [10, 10, 11, 11],
  );
  assert.equal(ports.ownerOf(0x600), "piix4-pm");
});

test("a function whose BARs find no room is reported", () => {
  const starved = initializePci(bus, ports, { ...RESOURCES, memoryEndGpa: 0xc0000800 });
  assert.deepEqual(
    starved.map((each) => each.name),
    ["card"],
  );
});

test("the PM timer runs at 3.579545 MHz in 24 bits", () => {
  initializePci(bus, ports, RESOURCES);
  clock.advanceTo(1_000_000_000);
  assert.equal(ports.readPort(0x608, 4), 3_579_545);
  clock.advanceTo(5_000_000_000);
  assert.equal(ports.readPort(0x608, 4), (5 * 3_579_545) & 0xffffff);
});

test("the PM timer's overflow shows, interrupts where enabled, and is acknowledged by writing one", () => {
  initializePci(bus, ports, RESOURCES);
  ports.writePort(APM_PORT_BASE, 1, 0xf1);
  ports.writePort(0x602, 2, 0x0001);
  const due = timers.nextDeadlineNs() ?? 0;
  assert.equal(due, Math.ceil((0x800000 * 1e9) / 3_579_545));
  clock.advanceTo(due);
  timers.runDue(due);
  assert.equal(sci.level, true);
  assert.equal(ports.readPort(0x600, 2), 1);
  ports.writePort(0x600, 2, 1);
  assert.deepEqual([sci.level, ports.readPort(0x600, 2)], [false, 0]);
  assert.ok((timers.nextDeadlineNs() ?? 0) > due);
});

test("ACPI mode is entered and left through the APM port", () => {
  initializePci(bus, ports, RESOURCES);
  assert.equal(ports.readPort(0x604, 2), 0);
  ports.writePort(APM_PORT_BASE, 1, 0xf1);
  assert.equal(ports.readPort(0x604, 2), 1);
  ports.writePort(APM_PORT_BASE, 1, 0xf0);
  assert.equal(ports.readPort(0x604, 2), 0);
});

test("the power button raises the SCI of a guest that listens", () => {
  initializePci(bus, ports, RESOURCES);
  ports.writePort(APM_PORT_BASE, 1, 0xf1);
  pm.pressPowerButton();
  assert.equal(sci.level, false);
  ports.writePort(0x602, 2, 0x0100);
  assert.equal(sci.level, true);
  ports.writePort(0x600, 2, 0x0100);
  assert.equal(sci.level, false);
});

test("the sleep button is a general purpose event", () => {
  initializePci(bus, ports, RESOURCES);
  ports.writePort(APM_PORT_BASE, 1, 0xf1);
  pm.pressSleepButton();
  assert.deepEqual([sci.level, ports.readPort(0x60c, 2)], [false, 0x0200]);
  ports.writePort(0x60e, 2, 0x0200);
  assert.equal(sci.level, true);
  ports.writePort(0x60c, 2, 0x0200);
  assert.equal(sci.level, false);
});

test("sleep enable with the soft-off type powers off; other types do not", () => {
  initializePci(bus, ports, RESOURCES);
  ports.writePort(0x604, 2, 0x2001 | (1 << 10));
  assert.deepEqual([powerOffs, pm.ignoredSleeps], [0, 1]);
  ports.writePort(0x604, 2, 0x2001);
  assert.equal(powerOffs, 1);
  assert.equal(ports.readPort(0x604, 2) & 0x2000, 0);
});

test("reserved bytes of the PM block read as zero beside registers", () => {
  initializePci(bus, ports, RESOURCES);
  ports.writePort(APM_PORT_BASE, 1, 0xf1);
  assert.equal(ports.readPort(0x604, 4), 1);
  assert.equal(ports.readPort(0x620, 4), 0);
});

test("restored power management continues where it was saved", () => {
  initializePci(bus, ports, RESOURCES);
  ports.writePort(APM_PORT_BASE, 1, 0xf1);
  ports.writePort(0x602, 2, 0x0100);
  pm.pressPowerButton();
  const state = pm.save();
  pm.reset();
  assert.deepEqual([sci.level, ports.ownerOf(0x600)], [false, undefined]);
  pm.restore(state);
  assert.deepEqual([sci.level, ports.ownerOf(0x600), ports.readPort(0x600, 2)], [true, "piix4-pm", 0x100]);
});

test("the BIOS32 header is valid and its entry is out of reach", () => {
  const header = bios32Header();
  assert.equal(header.reduce((sum, byte) => sum + byte, 0) & 0xff, 0);
  assert.ok(new DataView(header.buffer).getUint32(4, true) >= 0x100000);
});
