/**
 * The PC: builds every device of the i440FX/PIIX-style machine that the platform description declares, wires their
 * interrupts and address ranges, and is what an accelerator's vCPU runs against (MachineBus). One processor.
 *
 * Deliberately missing: a speaker.
 */

import type { CpuState, Device, DeviceState, MachineBus, PortHandler } from "../../hw/index.ts";
import { GiB } from "../../base/index.ts";
import { asPorts, MmioBus, PortBus, StateReader } from "../../hw/index.ts";
import { TransferBuffers } from "../../block/index.ts";
import { DEBUG_CONSOLE_PORT, DebugConsole, DebugExitPort, PostCodePort } from "../../devices/debug/index.ts";
import type { Fdc82077aa } from "../../devices/floppy/index.ts";
import { IDE_CHANNELS, Piix3Ide } from "../../devices/ide/index.ts";
import {
  I8042,
  I8042_COMMAND_OFFSET,
  I8042_DATA_OFFSET,
  Ps2Keyboard,
  Ps2Mouse,
} from "../../devices/ps2/index.ts";
import type { Uart16550 } from "../../devices/serial/index.ts";
import { memoryModules, SpdEeprom } from "../../devices/smbus/index.ts";
import type { Frame, TextScreen, Vga } from "../../devices/vga/index.ts";
import type { VirtioBalloon } from "../../devices/virtio/balloon/index.ts";
import type { VirtioConsole } from "../../devices/virtio/console/index.ts";
import { PC_FLOPPY_CONTROLLER, PC_PARALLEL_PORT, PC_PLATFORM, PC_SERIAL_PORTS } from "../acpi/index.ts";
import type { PlatformDescription } from "../acpi/index.ts";
import { HIGH_MEMORY_GPA, pcMemoryMap } from "../boot/index.ts";
import type { MemoryRange } from "../boot/index.ts";
import { DmaPair } from "../dma/index.ts";
import { FW_CFG_PORT_BASE, FW_CFG_PORT_BYTES } from "../fw-cfg/ports.ts";
import { IO_APIC_BYTES } from "../irq/ioapic.ts";
import { LOCAL_APIC_BYTES } from "../irq/lapic.ts";
import type { LocalApic } from "../irq/lapic.ts";
import { KvmClock } from "../paravirt/index.ts";
import {
  APM_PORT_BYTES,
  enableIdeChannels,
  I440fx,
  initializePci,
  PCI_PORT_BASE,
  PCI_PORT_BYTES,
  PciBus,
  Piix3,
  Piix4Pm,
  Piix4Smbus,
} from "../pci/index.ts";
import type { Bios } from "../firmware/index.ts";
import { RESET_ROM_GPA, ROM_BYTES, TRAP_PORT } from "../firmware/rom.ts";
import { Hpet, HPET_BYTES } from "../timer/hpet.ts";
import { Pit8254 } from "../timer/pit-8254.ts";
import { Rtc } from "../timer/rtc.ts";
import type { BoardConfig, CaseButton } from "./board-config.ts";
import { cmosImage } from "./cmos.ts";
import { Connectors } from "./connectors.ts";
import type { Connector } from "./connectors.ts";
import { TRANSFER_BYTES_MAX } from "./drive.ts";
import type { DriveBus } from "./drive.ts";
import { Display } from "./display.ts";
import { ExpansionSlots } from "./expansion-slots.ts";
import { biosMedium, removableDrives } from "./removable-drives.ts";
import type { RemovableDrive } from "./removable-drives.ts";
import { InterruptControllers } from "./interrupt-controllers.ts";
import { loaded, loadOptionalParts } from "./optional-parts.ts";
import type { BoardEquipment, OptionalParts } from "./optional-parts.ts";
import { PoweredPins } from "./powered-pins.ts";
import { writeFirmwareData } from "./power-on-self-test.ts";
import { ShadowedMemory } from "./shadowed-memory.ts";
import { SLOT_MEMORY_BYTES } from "./slot-memory.ts";
import { SystemControlPortA, SystemControlPortB } from "./system-control-ports.ts";
import { virtioDevices } from "./virtio-devices.ts";
import type { VirtioDeviceName } from "./virtio-devices.ts";

/** Ports at which every PC has these parts; what the platform description places is not among them. */
const PC_PORTS = {
  pic1: { base: 0x20, lengthBytes: 2 },
  pit: { base: 0x40, lengthBytes: 4 },
  i8042Data: { base: 0x60, lengthBytes: 1 },
  systemControlB: { base: 0x61, lengthBytes: 1 },
  i8042Command: { base: 0x64, lengthBytes: 1 },
  rtc: { base: 0x70, lengthBytes: 2 },
  postCode: { base: 0x80, lengthBytes: 1 },
  systemControlA: { base: 0x92, lengthBytes: 1 },
  pic2: { base: 0xa0, lengthBytes: 2 },
  debugExit: { base: 0xf4, lengthBytes: 4 },
  elcr: { base: 0x4d0, lengthBytes: 2 },
} as const;

/** "QEMU virtual machine": on others SeaBIOS asks no firmware configuration device. */
const FIRMWARE_SUBSYSTEM = { vendorId: 0x1af4, deviceId: 0x1100 } as const;

const IRQ = { pit: 0, keyboard: 1, rtc: 8, aux: 12 } as const;
/** I/O APIC inputs above the ISA lines, which HPET timers may be routed to. */
const FIRST_FREE_INPUT = 16;
/** PCI device numbers on bus 0. */
const HOST_BRIDGE_SLOT = 0;
const PIIX_SLOT = 1;
const PIIX_IDE_FUNCTION = 1;
const PIIX_PM_FUNCTION = 3;
const DISPLAY_SLOT = 2;

/**
 * Loads what boards with this equipment are made of. What builds one is then called with a configuration that asks for no
 * more; the guest sees the board from its first reset() on.
 */
export async function prepareBoard(equipment: BoardEquipment): Promise<(config: BoardConfig) => PcBoard> {
  const parts = await loadOptionalParts(equipment);
  return (config) => new PcBoard(config, parts);
}

export class PcBoard {
  readonly bus: MachineBus;
  readonly ports = new PortBus();
  readonly mmio = new MmioBus();
  readonly platform: PlatformDescription;
  readonly memoryMap: readonly MemoryRange[];
  readonly keyboard: Ps2Keyboard;
  readonly mouse = new Ps2Mouse();
  readonly vga: Vga;
  /** By COM number less one. */
  readonly serialPorts: readonly Uart16550[];
  readonly postCode = new PostCodePort();
  /** For whoever changes media, by the place in the configuration's drives; undefined for disks. */
  readonly removableDrives: readonly (RemovableDrive | undefined)[];

  /** Undefined on a board without diskette drives. Diskettes are taken out and put in through it. */
  readonly floppyController: Fdc82077aa | undefined;

  /** Undefined on a board without one. */
  readonly balloon: VirtioBalloon | undefined;

  readonly #config: BoardConfig;
  readonly #parts: OptionalParts;
  readonly #pins: PoweredPins;
  readonly #connectors: Connectors;
  readonly #dma: DmaPair;
  readonly #localApic: LocalApic;
  readonly #pci: PciBus;
  readonly #hostBridge: I440fx;
  readonly #ide: Piix3Ide;
  readonly #shadowedMemory: ShadowedMemory;
  readonly #bios: Bios | undefined;
  readonly #power: Piix4Pm;
  readonly #virtioConsole: VirtioConsole | undefined;
  readonly #debugConsole: DebugConsole | undefined;
  /** In the order of reset and restore: interrupt controllers before what drives them. */
  readonly #devices: readonly Device[];

  /** What the processor adds to guest time to give the TSC. */
  #tscOffsetNs = 0n;
  #rsdpGpa: number | undefined;

  constructor(config: BoardConfig, parts: OptionalParts) {
    const { ram, clock, timers, events, wallClockNs } = config;
    const hasDrives = (bus: DriveBus): boolean => config.drives.some((drive) => drive.bus === bus);
    const drives = hasDrives("floppy") ? loaded(parts.floppy).floppyDrives(config.drives) : [];
    const ide = hasDrives("ide") ? loaded(parts.ide) : undefined;
    const floppyController = drives.length === 0 ? undefined : PC_FLOPPY_CONTROLLER;
    const { firmware } = config;
    const hasFirmwareConfiguration = firmware !== undefined;
    const platform = config.platform ?? {
      ...{ ...PC_PLATFORM, floppyController, hasFirmwareConfiguration },
      serialPorts: PC_SERIAL_PORTS.slice(0, config.serialPortCount ?? 1),
      parallelPort: config.hasParallelPort === true ? PC_PARALLEL_PORT : undefined,
      // Firmware places BARs as low as RAM leaves room: OVMF from 2 GiB on.
      ...(hasFirmwareConfiguration
        ? { pci: { ...PC_PLATFORM.pci, holeGpa: Math.max(ram.sizeBytes, 2 * GiB) } }
        : {}),
    };
    this.#config = config;
    this.#parts = parts;
    this.platform = platform;
    this.memoryMap = pcMemoryMap(ram.sizeBytes);

    this.#pins = new PoweredPins(config.pins, ram.sizeBytes);
    const { localApic, pic, ioApic, isa, sendMessage } = new InterruptControllers({
      ...{ platform, clock, timers },
      pins: this.#pins,
      nsAtTsc: (tsc) => Number(tsc - this.#tscOffsetNs),
    });
    this.#localApic = localApic;
    const hpet = new Hpet({
      clock,
      timers,
      irq0: isa.driver(IRQ.pit),
      irq8: isa.driver(IRQ.rtc),
      onPitConnected: (isConnected) => pit.setOutputConnected(isConnected),
      ioApicInputs: ioApic.inputs.map((line, input) => (input < FIRST_FREE_INPUT ? undefined : line)),
    });

    this.#dma = new DmaPair(config.dma);
    const pit = new Pit8254({ clock, timers, irq: hpet.pitOutput });
    const cmos = cmosImage({
      ramBytes: ram.sizeBytes,
      disketteTypes: drives.map(({ type }) => type.cmosType),
      disks: ide?.ideDiskGeometries(config.drives) ?? [],
      bootOrder: config.firmware?.bootOrder,
    });
    const rtc = new Rtc({ clock, timers, irq: hpet.rtcOutput, wallClockNs, cmos });
    const portB = new SystemControlPortB(clock, pit);
    const portA = new SystemControlPortA(
      (on) => this.#pins.setA20("port92", on),
      () => events.processorReset(),
    );
    this.keyboard = new Ps2Keyboard({ clock, timers });
    const i8042 = new I8042({
      clock,
      timers,
      keyboardIrq: isa.driver(IRQ.keyboard),
      auxIrq: isa.driver(IRQ.aux),
      keyboard: this.keyboard,
      aux: this.mouse,
      onA20: (on) => this.#pins.setA20("i8042", on),
      onReset: () => events.processorReset(),
    });
    this.#connectors = new Connectors({
      ...{ platform, clock, timers, isa },
      ports: this.ports,
      output: (byte, connector) => events.serialOutput(byte, connector),
    });
    this.serialPorts = this.#connectors.serialPorts;
    if (platform.floppyController !== undefined) {
      const { ioBase, irq, dmaChannel } = platform.floppyController;
      this.floppyController = loaded(parts.floppy).attachFloppyController(this.ports, ioBase, {
        ...{ clock, timers, drives },
        irq: isa.driver(irq),
        dma: this.#dma.channel(dmaChannel),
      });
    }
    const display = new Display({ ram, clock, dma: config.dma, buses: this, pins: this.#pins });
    this.vga = display.vga;

    const piix3 = new Piix3({
      isaIrqs: isa.drivers(),
      onReset: (isOfAll) => (isOfAll ? events.reset() : events.processorReset()),
    });
    const places = ide?.ideDrives(config.drives) ?? [];
    const cdroms = ide?.cdromUnits(places) ?? [];
    this.removableDrives = removableDrives(config.drives, cdroms, this.floppyController);
    const [primary, secondary] = IDE_CHANNELS;
    this.#ide = new Piix3Ide({
      buses: { ports: this.ports, mmio: this.mmio },
      dma: config.dma,
      irqs: [isa.driver(primary.irq), isa.driver(secondary.irq)],
      drives: places,
    });
    if (firmware !== undefined) ram.slotMemory.set(firmware.image, SLOT_MEMORY_BYTES);
    this.#shadowedMemory = new ShadowedMemory({
      ...{ ram, dma: config.dma, mmio: this.mmio },
      setMemorySlot: (gpa, lengthBytes, slot) => config.pins.setMemorySlot(gpa, lengthBytes, slot),
      rom: firmware && { offset: SLOT_MEMORY_BYTES, sizeBytes: firmware.image.length },
    });
    const flash =
      firmware?.variables &&
      loaded(parts.firmware).firmwareFlash({
        ...{ ram, mmio: this.mmio, store: firmware.variables },
        setMemorySlot: (gpa, lengthBytes, slot) => config.pins.setMemorySlot(gpa, lengthBytes, slot),
        memoryWritten: (offset, lengthBytes) => config.pins.memoryWritten(offset, lengthBytes),
        slotOffset: SLOT_MEMORY_BYTES + firmware.image.length,
        romBytes: firmware.image.length,
      });
    this.#hostBridge = new I440fx({
      onAttributes: (gpa, lengthBytes, attributes) =>
        this.#shadowedMemory.setAttributes(gpa, lengthBytes, attributes),
      ...(hasFirmwareConfiguration ? { subsystem: FIRMWARE_SUBSYSTEM } : {}),
    });
    const smbus = new Piix4Smbus({
      ...{ clock, timers, ports: this.ports },
      irq: isa.driver(platform.pm.sciIrq),
      targets: memoryModules(ram.sizeBytes).map((content, socket) => new SpdEeprom(socket, content)),
    });
    this.#power = new Piix4Pm({
      smbus,
      clock,
      timers,
      ports: this.ports,
      sci: isa.driver(platform.pm.sciIrq),
      onPowerOff: () => events.powerOff(),
    });
    this.#pci = new PciBus(piix3.links);
    this.#pci.attach(HOST_BRIDGE_SLOT, 0, this.#hostBridge);
    this.#pci.attach(PIIX_SLOT, 0, piix3);
    this.#pci.attach(PIIX_SLOT, PIIX_IDE_FUNCTION, this.#ide);
    this.#pci.attach(PIIX_SLOT, PIIX_PM_FUNCTION, this.#power);
    if (platform.hasVga) this.#pci.attach(DISPLAY_SLOT, 0, display.pci);
    this.#pci.attachResetControl(piix3);
    const hasVirtio = (name: VirtioDeviceName): boolean => config.virtio.devices.includes(name);
    this.#virtioConsole = hasVirtio("virtio-console")
      ? new (loaded(parts.console).VirtioConsole)({ transmit: (byte) => events.serialOutput(byte, "com1") })
      : undefined;
    this.balloon = hasVirtio("virtio-balloon")
      ? new (loaded(parts.balloon).VirtioBalloon)({ ramBytes: ram.sizeBytes, keptBytes: HIGH_MEMORY_GPA })
      : undefined;
    const buffers = new TransferBuffers(TRANSFER_BYTES_MAX);
    const slots = new ExpansionSlots(this.#pci, parts, { buses: this, dma: config.dma, sendMessage });
    slots.attachNvme(config.drives, buffers);
    const virtio = virtioDevices(parts, {
      drives: config.drives,
      buffers,
      others: {
        "virtio-rng": hasVirtio("virtio-rng") ? new (loaded(parts.rng).VirtioRng)(config.entropy) : undefined,
        "virtio-console": this.#virtioConsole,
        "virtio-balloon": this.balloon,
      },
      sharing: config.sharing,
    });
    slots.attachVirtio(virtio, config.virtio.offersPacked);
    const watchdog =
      config.watchdogAction &&
      loaded(parts.watchdog).attachWatchdog(config.watchdogAction, {
        ...{ pci: this.#pci, buses: this, clock, timers, events },
      });
    slots.attachNetworkCards(config.networkCards ?? [], { clock, timers, ...config.virtio });

    const fwCfg = firmware && new (loaded(parts.firmware).FwCfg)(config.dma);
    if (firmware !== undefined && fwCfg !== undefined) {
      loaded(parts.firmware).addFirmwareItems(fwCfg, {
        ram,
        platform,
        power: this.#power,
        firmware,
        drives: config.drives,
        slots: slots.slots,
      });
      this.ports.claim(fwCfg.name, FW_CFG_PORT_BASE, FW_CFG_PORT_BYTES, asPorts(fwCfg.registers));
    }
    if (config.hasDebugConsole === true) {
      this.#debugConsole = new DebugConsole({ transmit: (byte) => events.serialOutput(byte, "com1") });
      this.ports.claim(this.#debugConsole.name, DEBUG_CONSOLE_PORT, 1, this.#debugConsole);
    }

    const kvmClock = new KvmClock({
      ram,
      clock,
      wallClockNs,
      tscAtNs: (ns) => BigInt.asUintN(64, BigInt(ns) + this.#tscOffsetNs),
    });
    this.bus = this.#createBus(kvmClock);
    this.#devices = [
      localApic,
      ioApic,
      pic,
      this.#dma,
      hpet,
      pit,
      rtc,
      portB,
      portA,
      this.keyboard,
      this.mouse,
      i8042,
      ...this.#connectors.devices,
      ...(this.floppyController === undefined ? [] : [this.floppyController]),
      this.vga,
      display.pci,
      this.postCode,
      piix3,
      this.#ide,
      this.#hostBridge,
      this.#power,
      smbus,
      ...slots.functions,
      ...(watchdog === undefined ? [] : [watchdog]),
      this.#pci,
      kvmClock,
      ...(fwCfg === undefined ? [] : [fwCfg]),
      ...(flash === undefined ? [] : [flash]),
      ...(this.#debugConsole === undefined ? [] : [this.#debugConsole]),
    ];

    this.#claim("pic1", asPorts(pic.first.registers));
    this.#claim("pic2", asPorts(pic.second.registers));
    this.#claim("elcr", asPorts(pic.elcr));
    this.#dma.claimPorts(this.ports);
    this.#claim("pit", asPorts(pit.registers));
    this.#claim("rtc", asPorts(rtc.registers));
    this.#claim("systemControlB", asPorts(portB.registers));
    this.#claim("systemControlA", asPorts(portA.registers));
    this.#claim("postCode", this.postCode);
    if (config.hasDebugExit) this.#claim("debugExit", new DebugExitPort((value) => events.debugExit(value)));
    if (platform.hasKeyboardController) {
      this.#claim("i8042Data", asPorts(i8042.registers, I8042_DATA_OFFSET));
      this.#claim("i8042Command", asPorts(i8042.registers, I8042_COMMAND_OFFSET));
    }
    if (platform.hasVga) display.claim(this);
    if (config.bios !== undefined) {
      this.#bios = new (loaded(parts.bios).Bios)({
        ...{
          ram,
          clock,
          dma: config.dma,
          ports: this.ports,
          mmio: this.mmio,
          pci: this.#pci,
          linkIrqs: platform.pci.linkIrqs,
          mouse: this.mouse,
          memoryMap: this.memoryMap,
        },
        serialPorts: platform.serialPorts.map(({ ioBase }) => ioBase),
        parallelPorts: platform.parallelPort === undefined ? [] : [platform.parallelPort.ioBase],
        drives: { ...config.bios, cds: cdroms.map(biosMedium) },
        onReset: () => events.reset(),
      });
      this.ports.claim("bios", TRAP_PORT, 1, {
        readPort: () => 0xff,
        writePort: () => events.firmwareCall(),
      });
      this.mmio.claim("bios-rom", RESET_ROM_GPA, ROM_BYTES, this.#bios.rom);
    }
    this.ports.claim("pci", PCI_PORT_BASE, PCI_PORT_BYTES, this.#pci);
    this.ports.claim("apm", platform.pm.apmPort, APM_PORT_BYTES, this.#power.apmPorts);
    this.mmio.claim("lapic", platform.localApicGpa, LOCAL_APIC_BYTES, localApic);
    this.mmio.claim("ioapic", platform.ioApic.gpa, IO_APIC_BYTES, ioApic);
    if (platform.hpet !== undefined) this.mmio.claim("hpet", platform.hpet.gpa, HPET_BYTES, hpet);
  }

  // Lifecycle.

  /**
   * The hardware reset of every device; then, unless firmware in ROM does so itself, what firmware would do before it starts
   * an operating system.
   */
  reset(): void {
    this.#pins.powerOn();
    for (const device of this.#devices) device.reset();
    this.#pins.drive();
    this.#shadowedMemory.showRom();
    if (this.#config.firmware !== undefined) {
      // OVMF takes for granted that they are decoded, and else waits half a minute for each.
      enableIdeChannels(this.#ide);
      return;
    }
    this.#localApic.enterVirtualWireMode();
    this.#dma.openCascade();
    const { pci, pm } = this.platform;
    initializePci(this.#pci, this.ports, {
      memoryStartGpa: pci.holeGpa,
      memoryEndGpa: pci.holeEndGpa,
      pmIoBase: pm.ioBase,
      smbusIoBase: pm.smbusIoBase,
      sciIrq: pm.sciIrq,
    });
    this.#hostBridge.openShadowRam();
    this.#rsdpGpa = writeFirmwareData(this.#config.ram, this.platform);
    if (this.platform.hasVga) loaded(this.#parts.bios).loadFont(this.ports, this.mmio);
    this.#bios?.reset();
  }

  /**
   * Whether the built-in BIOS goes on where the guest has said, in CMOS memory, if only the processor is reset; otherwise all of
   * the board is to be reset, too.
   */
  get resumesAfterReset(): boolean {
    return this.#bios?.resumesAfterReset ?? false;
  }

  /** After a reset of the processor alone, which is in `state`: the state in which it goes on. Other devices stay as they are. */
  resume(state: CpuState): CpuState {
    // INIT# resets the processor's APIC, too.
    this.#localApic.reset();
    this.#localApic.enterVirtualWireMode();
    return this.#bios?.resume(state) ?? state;
  }

  /** The state of every device under its name. Guest RAM and the processor are saved by their owners. */
  save(): DeviceState {
    return Object.fromEntries(this.#devices.map((device) => [device.name, device.save()]));
  }

  /** Puts back what a board of the same configuration saved; guest RAM and the processor come from their owners. */
  restore(state: DeviceState): void {
    this.#pins.powerOn();
    const reader = new StateReader("board", state);
    for (const device of this.#devices) device.restore(reader.object(device.name));
    this.#shadowedMemory.showRom();
    this.#pins.drive();
  }

  /** The ACPI root pointer, once reset() has written the tables. */
  get rsdpGpa(): number | undefined {
    return this.#rsdpGpa;
  }

  // The host's side.

  /**
   * After firmwareCall(), with the processor at rest in this state: what resolves is the state in which it goes on.
   * Undefined when there is nothing to serve.
   */
  serveFirmware(state: CpuState): Promise<CpuState> | undefined {
    return this.#bios?.serve(state);
  }

  /**
   * Input at a connector; of the first for the virtio console while a driver uses it. Returns how many bytes were taken.
   */
  serialInput(bytes: Uint8Array, connector: Connector = "com1"): number {
    const console = connector === "com1" ? this.#virtioConsole : undefined;
    return console?.isInUse === true ? console.receive(bytes) : this.#connectors.receive(connector, bytes);
  }

  /** After serialOutput() returned false: bytes of this connector are taken again. */
  serialReady(connector: Connector = "com1"): void {
    this.#connectors.transmitReady(connector);
    if (connector !== "com1") return;
    this.#virtioConsole?.transmitReady();
    this.#debugConsole?.transmitReady();
  }

  /** The text screen as it is now; undefined while the VGA shows graphics or nothing. */
  textScreen(): TextScreen | undefined {
    return this.platform.hasVga ? this.vga.textScreen() : undefined;
  }

  /** What a monitor shows now, as pixels; undefined on a PC without a display. */
  frame(): Frame | undefined {
    return this.platform.hasVga ? this.vga.frame() : undefined;
  }

  /** A button of the case. An ACPI guest shuts down, or looks for a way to sleep; others take no notice. */
  pressButton(button: CaseButton): void {
    if (button === "power") this.#power.pressPowerButton();
    else this.#power.pressSleepButton();
  }

  // Wiring.

  #claim(name: keyof typeof PC_PORTS, handler: PortHandler): void {
    const { base, lengthBytes } = PC_PORTS[name];
    this.ports.claim(name, base, lengthBytes, handler);
  }

  #createBus(kvmClock: KvmClock): MachineBus {
    const { ports, mmio } = this;
    const localApic = this.#localApic;
    return {
      readPort: (port, size) => ports.readPort(port, size),
      writePort: (port, size, value) => ports.writePort(port, size, value),
      readMmio: (gpa, size) => mmio.readMmio(gpa, size),
      writeMmio: (gpa, size, value) => mmio.writeMmio(gpa, size, value),
      acknowledgeInterrupt: () => localApic.acknowledgeInterrupt(),
      readMsr: (index) => localApic.readMsr(index) ?? kvmClock.readMsr(index),
      writeMsr: (index, value) => localApic.writeMsr(index, value) || kvmClock.writeMsr(index, value),
      taskPriorityChanged: (priorityClass) => {
        localApic.taskPriorityClass = priorityClass;
      },
      tscOffsetChanged: (offsetNs) => {
        this.#tscOffsetNs = offsetNs;
        localApic.tscChanged();
        kvmClock.tscChanged();
      },
    };
  }
}
