/**
 * The PC: builds every device of the i440FX/PIIX-style machine that the platform description declares, wires their
 * interrupts and address ranges, and is what an accelerator's vCPU runs against (MachineBus). One processor.
 *
 * Interrupts: ISA lines reach the 8259s and the I/O APIC; the 8259s' INTR is the local APIC's LINT0, which passes it
 * on as ExtINT, or directly while the APIC is disabled; the local APIC drives the processor's pin.
 *
 * Deliberately missing: a speaker.
 */

import type {
  Clock,
  CpuState,
  Device,
  DeviceState,
  Dma,
  IrqLine,
  MachineBus,
  MemorySlot,
  PortHandler,
  SendMessage,
  Timers,
} from "../../hw/index.ts";
import { asPorts, MmioBus, PCI_PIN, PortBus, StateReader } from "../../hw/index.ts";
import { MiB } from "../../base/index.ts";
import { TransferBuffers } from "../../block/index.ts";
import {
  DEBUG_CONSOLE_PORT,
  DebugConsole,
  DebugExitPort,
  Fdc82077aa,
  FDC_PORTS,
  I8042,
  I8042_COMMAND_OFFSET,
  I8042_DATA_OFFSET,
  IDE_CHANNELS,
  Piix3Ide,
  PostCodePort,
  Ps2Keyboard,
  Ps2Mouse,
  Uart16550,
  VBE_PORT_BASE,
  VBE_PORT_BYTES,
  Vga,
  VGA_PORT_BASE,
  VGA_PORT_RANGES,
  VgaPci,
  VIDEO_WINDOW_BYTES,
  VIDEO_WINDOW_GPA,
  VirtioConsole,
  VirtioPci,
  VirtioRng,
} from "../../devices/index.ts";
import type { CdromUnit, Frame, TextScreen } from "../../devices/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import { PC_FLOPPY_CONTROLLER, PC_PLATFORM } from "../acpi/index.ts";
import type { PlatformDescription } from "../acpi/index.ts";
import { pcMemoryMap } from "../boot/index.ts";
import type { MemoryRange } from "../boot/index.ts";
import { DmaPair } from "../dma/index.ts";
import { FW_CFG_PORT_BASE, FW_CFG_PORT_BYTES, FwCfg } from "../fw-cfg/index.ts";
import { IO_APIC_BYTES, IoApic } from "../irq/ioapic.ts";
import { ApicBus } from "../irq/lapic-bus.ts";
import { LOCAL_APIC_BYTES, LocalApic } from "../irq/lapic.ts";
import { PicPair } from "../irq/pic-pair.ts";
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
} from "../pci/index.ts";
import { Bios, loadFont, RESET_ROM_GPA, ROM_BYTES, TRAP_PORT } from "../firmware/index.ts";
import type { BiosDrives, BootSource } from "../firmware/index.ts";
import { Hpet, HPET_BYTES } from "../timer/hpet.ts";
import { Pit8254 } from "../timer/pit-8254.ts";
import { Rtc } from "../timer/rtc.ts";
import { cmosImage } from "./cmos.ts";
import { attachNvme } from "./nvme-controllers.ts";
import { TRANSFER_BYTES_MAX } from "./drive.ts";
import type { Drive } from "./drive.ts";
import { addFirmwareItems } from "./firmware-items.ts";
import { floppyDrives } from "./floppy-drives.ts";
import { cdromUnits, ideDrives } from "./ide-drives.ts";
import { IsaInterrupts } from "./isa-interrupts.ts";
import { writeFirmwareData } from "./power-on-self-test.ts";
import { ShadowedMemory } from "./shadowed-memory.ts";
import { SLOT_MEMORY, SLOT_MEMORY_BYTES } from "./slot-memory.ts";
import { SystemControlPortA, SystemControlPortB } from "./system-control-ports.ts";
import { virtioDevices } from "./virtio-devices.ts";
import type { VirtioDeviceName } from "./virtio-devices.ts";

/** The processor's pins, which the board drives. */
export interface ProcessorPins {
  /** INTR. */
  readonly interrupt: IrqLine;
  raiseNmi(): void;
  /** A20M#. */
  setA20(enabled: boolean): void;
  /** CR8, as the local APIC's task priority has it. */
  setTaskPriority(priorityClass: number): void;
  /** No pin of any processor: as Vcpu.setMemorySlot(). */
  setMemorySlot(gpa: number, lengthBytes: number, slot: MemorySlot): void;
}

/** Firmware that a user brings, in the place of the built-in BIOS. */
export interface FirmwareConfig {
  /** 64 KiB to 16 MiB, whole pages; the first instruction is 16 bytes before the end. */
  readonly image: Uint8Array;
  /** For firmware that runs one. */
  readonly vgaBios: Uint8Array | undefined;
  readonly bootOrder: readonly BootSource[];
}

/** What the guest asks of the world outside. Called from within its port writes, to be acted on after the slice. */
export interface BoardEvents {
  powerOff(): void;
  reset(): void;
  /** isa-debug-exit was written. */
  debugExit(value: number): void;
  /** A stub of the built-in BIOS wants its service: serveFirmware() is to be called with the processor's state. */
  firmwareCall(): void;
  /** A byte of the first serial port or of the virtio console; false asks it to wait for serialReady(). */
  serialOutput(byte: number): boolean;
}

export interface BoardConfig {
  /** With SLOT_MEMORY_BYTES behind it, and then room for firmware. */
  readonly ram: GuestRam;
  /** For devices that reach guest RAM by themselves. */
  readonly dma: Dma;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly pins: ProcessorPins;
  readonly events: BoardEvents;
  /** Nanoseconds since 1970, UTC: the real-time clock's source. */
  readonly wallClockNs: () => bigint;
  readonly hasDebugExit: boolean;
  /** Whether firmware's log goes where the first serial port's output goes. */
  readonly hasDebugConsole?: boolean;
  /** In the order of their places on each bus; at most DRIVES_MAX. They outlive resets, and their owner closes them. */
  readonly drives: readonly Drive[];
  /** The drives of the built-in BIOS; absent where a kernel is loaded directly, which finds no BIOS. */
  readonly bios?: BiosDrives;
  /** Absent where a kernel is loaded directly or the built-in BIOS starts a system. */
  readonly firmware?: FirmwareConfig;
  readonly virtio: {
    /** Besides the disks on this bus. */
    readonly devices: readonly VirtioDeviceName[];
    /** Whether drivers are offered packed rings. */
    readonly offersPacked: boolean;
  };
  /** Random bytes of the host. */
  readonly entropy: (byteCount: number) => Uint8Array;
  /** Absent: the standard PC. */
  readonly platform?: PlatformDescription;
}

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
const UART_PORTS = 8;

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
/** 3 is kept for a network card. */
const FIRST_FREE_SLOT = 4;
/** Interrupt messages are writes to FEEx_xxxx. */
const MESSAGE_ADDRESS = 0xfee;

/** Builds the board; the guest sees it from the first reset() on. */
export function createBoard(config: BoardConfig): PcBoard {
  return new PcBoard(config);
}

export class PcBoard {
  readonly bus: MachineBus;
  readonly ports = new PortBus();
  readonly mmio = new MmioBus();
  readonly platform: PlatformDescription;
  readonly memoryMap: readonly MemoryRange[];
  readonly keyboard = new Ps2Keyboard();
  readonly mouse = new Ps2Mouse();
  readonly vga: Vga;
  /** By COM number less one. */
  readonly serialPorts: readonly Uart16550[];
  readonly postCode = new PostCodePort();
  /** For whoever changes discs: each IDE CD-ROM drive in the order of places. */
  readonly cdroms: readonly CdromUnit[];

  /** Undefined on a board without diskette drives. Diskettes are taken out and put in through it. */
  readonly floppyController: Fdc82077aa | undefined;

  readonly #config: BoardConfig;
  readonly #dma: DmaPair;
  readonly #pic: PicPair;
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

  /** Pins are not driven while the board is being built: the processor may be built after it. */
  #isPowered = false;
  #interrupt = false;
  #a20 = { i8042: true, port92: false };
  /** What the processor adds to guest time to give the TSC. */
  #tscOffsetNs = 0n;
  #rsdpGpa: number | undefined;

  constructor(config: BoardConfig) {
    const { ram, clock, timers, events, wallClockNs } = config;
    const drives = floppyDrives(config.drives);
    const floppyController = drives.length === 0 ? undefined : PC_FLOPPY_CONTROLLER;
    const { firmware } = config;
    const hasFirmwareConfiguration = firmware !== undefined;
    const platform = config.platform ?? { ...PC_PLATFORM, floppyController, hasFirmwareConfiguration };
    this.#config = config;
    this.platform = platform;
    this.memoryMap = pcMemoryMap(ram.sizeBytes);

    const apicBus = new ApicBus();
    this.#localApic = new LocalApic({
      apicId: platform.apicIds[0] ?? 0,
      clock,
      timers,
      bus: apicBus,
      cpu: {
        setInterruptLine: (level) => this.#setInterrupt(level),
        raiseNmi: () => config.pins.raiseNmi(),
        setTaskPriority: (priorityClass) => {
          if (this.#isPowered) config.pins.setTaskPriority(priorityClass);
        },
      },
      tsc: { nsAtTsc: (tsc) => Number(tsc - this.#tscOffsetNs) },
      acknowledgeExternal: () => this.#pic.acknowledge(),
    });
    this.#pic = new PicPair(this.#localApic.lint0);
    const ioApic = new IoApic(apicBus, platform.ioApic.id);
    const isa = new IsaInterrupts(platform, this.#pic, ioApic.inputs);
    const hpet = new Hpet({
      clock,
      timers,
      irq0: isa.driver(IRQ.pit),
      irq8: isa.driver(IRQ.rtc),
      ioApicInputs: ioApic.inputs.map((line, input) => (input < FIRST_FREE_INPUT ? undefined : line)),
    });

    this.#dma = new DmaPair(config.dma);
    const pit = new Pit8254({ clock, timers, irq: hpet.pitOutput });
    const cmos = cmosImage(
      ram.sizeBytes,
      drives.map(({ type }) => type.cmosType),
      config.firmware?.bootOrder,
    );
    const rtc = new Rtc({ clock, timers, irq: hpet.rtcOutput, wallClockNs, cmos });
    const portB = new SystemControlPortB(clock, pit);
    const portA = new SystemControlPortA(
      (on) => this.#setA20("port92", on),
      () => events.reset(),
    );
    const i8042 = new I8042({
      clock,
      timers,
      keyboardIrq: isa.driver(IRQ.keyboard),
      auxIrq: isa.driver(IRQ.aux),
      keyboard: this.keyboard,
      aux: this.mouse,
      onA20: (on) => this.#setA20("i8042", on),
      onReset: () => events.reset(),
    });
    this.serialPorts = platform.serialPorts.map(
      (port, index) =>
        new Uart16550({
          name: `com${index + 1}`,
          clock,
          timers,
          irq: isa.driver(port.irq),
          // Only the first port leads somewhere; the others send into the void, as unplugged ones do.
          sink: { transmit: index === 0 ? (byte) => events.serialOutput(byte) : () => true },
        }),
    );
    if (platform.floppyController !== undefined) {
      const { ioBase, irq, dmaChannel } = platform.floppyController;
      const fdc = new Fdc82077aa({
        ...{ clock, timers, drives },
        irq: isa.driver(irq),
        dma: this.#dma.channel(dmaChannel),
      });
      this.floppyController = fdc;
      for (const { at, lengthBytes } of [FDC_PORTS.first, FDC_PORTS.second]) {
        this.ports.claim(fdc.name, ioBase + at, lengthBytes, asPorts(fdc.registers, at));
      }
    }
    const { video } = SLOT_MEMORY;
    const setVideoSlot = (gpa: number, lengthBytes: number, slot: MemorySlot): void =>
      this.#setMemorySlot(gpa, lengthBytes, video.offset, slot);
    this.vga = new Vga({
      memory: ram.slotMemory.subarray(video.offset, video.offset + video.sizeBytes),
      dma: config.dma,
      clock,
      setSlot: setVideoSlot,
    });
    const vgaPci = new VgaPci({ vga: this.vga, buses: this, setSlot: setVideoSlot });

    const piix3 = new Piix3({ isaIrqs: isa.drivers(), onReset: () => events.reset() });
    const places = ideDrives(config.drives);
    this.cdroms = cdromUnits(places);
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
    this.#hostBridge = new I440fx({
      onAttributes: (gpa, lengthBytes, attributes) =>
        this.#shadowedMemory.setAttributes(gpa, lengthBytes, attributes),
      ...(hasFirmwareConfiguration ? { subsystem: FIRMWARE_SUBSYSTEM } : {}),
    });
    this.#power = new Piix4Pm({
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
    if (platform.hasVga) this.#pci.attach(DISPLAY_SLOT, 0, vgaPci);
    this.#pci.attachResetControl(piix3);
    const hasVirtio = (name: VirtioDeviceName): boolean => config.virtio.devices.includes(name);
    this.#virtioConsole = hasVirtio("virtio-console")
      ? new VirtioConsole({ transmit: (byte) => events.serialOutput(byte) })
      : undefined;
    const buffers = new TransferBuffers(TRANSFER_BYTES_MAX);
    const sendMessage: SendMessage = (address, data) => {
      if (address >>> 20 === MESSAGE_ADDRESS) apicBus.deliverMsi(address, data);
    };
    const nvme = attachNvme(config.drives, FIRST_FREE_SLOT, {
      pci: this.#pci,
      buses: this,
      dma: config.dma,
      buffers,
      sendMessage,
    });
    const virtioSlot = FIRST_FREE_SLOT + nvme.length;
    const virtio = virtioDevices({
      drives: config.drives,
      buffers,
      others: {
        "virtio-rng": hasVirtio("virtio-rng") ? new VirtioRng(config.entropy) : undefined,
        "virtio-console": this.#virtioConsole,
      },
    }).map(
      ({ name, device }, index) =>
        new VirtioPci({
          name,
          device,
          dma: config.dma,
          buses: { ports: this.ports, mmio: this.mmio },
          sendMessage,
          pin: this.#pci.interruptLine(virtioSlot + index, PCI_PIN.inta),
          offersPacked: config.virtio.offersPacked,
        }),
    );
    virtio.forEach((pciFunction, index) => this.#pci.attach(virtioSlot + index, 0, pciFunction));

    const fwCfg = firmware && new FwCfg(config.dma);
    if (fwCfg !== undefined) {
      addFirmwareItems(fwCfg, { ram, platform, vgaBios: firmware?.vgaBios });
      this.ports.claim(fwCfg.name, FW_CFG_PORT_BASE, FW_CFG_PORT_BYTES, asPorts(fwCfg.registers));
    }
    if (config.hasDebugConsole === true) {
      this.#debugConsole = new DebugConsole({ transmit: (byte) => events.serialOutput(byte) });
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
      this.#localApic,
      ioApic,
      this.#pic,
      this.#dma,
      hpet,
      pit,
      rtc,
      portB,
      portA,
      this.keyboard,
      this.mouse,
      i8042,
      ...this.serialPorts,
      ...(this.floppyController === undefined ? [] : [this.floppyController]),
      this.vga,
      vgaPci,
      this.postCode,
      piix3,
      this.#ide,
      ...virtio,
      this.#hostBridge,
      this.#power,
      ...nvme,
      this.#pci,
      kvmClock,
      ...(fwCfg === undefined ? [] : [fwCfg]),
      ...(this.#debugConsole === undefined ? [] : [this.#debugConsole]),
    ];

    this.#claim("pic1", asPorts(this.#pic.first.registers));
    this.#claim("pic2", asPorts(this.#pic.second.registers));
    this.#claim("elcr", asPorts(this.#pic.elcr));
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
    platform.serialPorts.forEach((port, index) => {
      const uart = this.serialPorts[index];
      if (uart !== undefined) this.ports.claim(uart.name, port.ioBase, UART_PORTS, asPorts(uart.registers));
    });
    if (platform.hasVga) {
      for (const [base, lengthBytes] of VGA_PORT_RANGES) {
        this.ports.claim("vga", base, lengthBytes, asPorts(this.vga.registers, base - VGA_PORT_BASE));
      }
      this.ports.claim("vbe", VBE_PORT_BASE, VBE_PORT_BYTES, this.vga.vbe);
      this.mmio.claim("vga", VIDEO_WINDOW_GPA, VIDEO_WINDOW_BYTES, this.vga.window);
    }
    if (config.bios !== undefined) {
      this.#bios = new Bios({
        ...{
          ram,
          clock,
          dma: config.dma,
          ports: this.ports,
          mmio: this.mmio,
          pci: this.#pci,
          memoryMap: this.memoryMap,
        },
        serialPorts: platform.serialPorts.map(({ ioBase }) => ioBase),
        drives: config.bios,
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
    this.mmio.claim("lapic", platform.localApicGpa, LOCAL_APIC_BYTES, this.#localApic);
    this.mmio.claim("ioapic", platform.ioApic.gpa, IO_APIC_BYTES, ioApic);
    if (platform.hpet !== undefined) this.mmio.claim("hpet", platform.hpet.gpa, HPET_BYTES, hpet);
  }

  // Lifecycle.

  /**
   * The hardware reset of every device; then, unless firmware in ROM does so itself, what firmware would do before it starts
   * an operating system.
   */
  reset(): void {
    this.#isPowered = true;
    for (const device of this.#devices) device.reset();
    this.#drivePins();
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
      sciIrq: pm.sciIrq,
    });
    this.#hostBridge.openShadowRam();
    this.#rsdpGpa = writeFirmwareData(this.#config.ram, this.platform);
    if (this.platform.hasVga) loadFont(this.ports, this.mmio);
    this.#bios?.reset();
  }

  /** The state of every device under its name. Guest RAM and the processor are saved by their owners. */
  save(): DeviceState {
    return Object.fromEntries(this.#devices.map((device) => [device.name, device.save()]));
  }

  /** Puts back what a board of the same configuration saved; guest RAM and the processor come from their owners. */
  restore(state: DeviceState): void {
    this.#isPowered = true;
    const reader = new StateReader("board", state);
    for (const device of this.#devices) device.restore(reader.object(device.name));
    this.#shadowedMemory.showRom();
    this.#drivePins();
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

  /** Input of the virtio console while a driver uses it, else of the first serial port; returns how many bytes it took. */
  serialInput(bytes: Uint8Array): number {
    if (this.#virtioConsole?.isInUse === true) return this.#virtioConsole.receive(bytes);
    return this.serialPorts[0]?.receive(bytes) ?? 0;
  }

  /** After serialOutput() returned false: bytes are taken again. */
  serialReady(): void {
    this.serialPorts[0]?.transmitReady();
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

  /** The power button: an ACPI guest shuts down, others take no notice. */
  pressPowerButton(): void {
    this.#power.pressPowerButton();
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

  #setInterrupt(level: boolean): void {
    if (level === this.#interrupt) return;
    this.#interrupt = level;
    if (this.#isPowered) this.#config.pins.interrupt.set(level);
  }

  /** `slotMemoryOffset` is where the bytes begin from which the slot counts. RAM stays where somebody places memory over it. */
  #setMemorySlot(gpa: number, lengthBytes: number, slotMemoryOffset: number, slot: MemorySlot): void {
    const ramBytes = this.#config.ram.sizeBytes;
    if (!this.#isPowered || (gpa >= MiB && gpa < ramBytes)) return;
    const offset = slot.kind === "memory" ? ramBytes + slotMemoryOffset + slot.offset : 0;
    const placed = slot.kind === "memory" ? { ...slot, offset } : slot;
    this.#config.pins.setMemorySlot(gpa, lengthBytes, placed);
  }

  /** The address line is open while either of its two gates is. */
  #setA20(gate: "i8042" | "port92", enabled: boolean): void {
    this.#a20 = { ...this.#a20, [gate]: enabled };
    if (this.#isPowered) this.#config.pins.setA20(this.#a20.i8042 || this.#a20.port92);
  }

  #drivePins(): void {
    this.#config.pins.interrupt.set(this.#interrupt);
    this.#config.pins.setA20(this.#a20.i8042 || this.#a20.port92);
  }
}
