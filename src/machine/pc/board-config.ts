/** What a board is built from: the processor's pins, the world outside, and what is plugged in. */

import type { Clock, Dma, IrqLine, MemorySlot, Timers } from "../../hw/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import type { PlatformDescription } from "../acpi/index.ts";
import type { BootSource } from "../firmware/boot-order.ts";
import type { BiosDrives } from "../firmware/index.ts";
import type { Connector } from "./connectors.ts";
import type { Drive } from "./drive.ts";
import type { FlashStore } from "./firmware-flash.ts";
import type { FirmwareKernel } from "./firmware-kernel.ts";
import type { NetworkCard } from "./network-cards.ts";
import type { SharesConfig, VirtioDeviceName } from "./virtio-devices.ts";
import type { WatchdogAction } from "./watchdog-action.ts";

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
  /** Nor this: bytes of the VM's memory that slots show, counted from RAM's first, have changed. */
  memoryWritten(offset: number, lengthBytes: number): void;
}

/** Firmware that a user brings, in the place of the built-in BIOS. */
export interface FirmwareConfig {
  /** 64 KiB to 16 MiB, whole pages; the first instruction is 16 bytes before the end. */
  readonly image: Uint8Array;
  /** For firmware that runs one. */
  readonly vgaBios: Uint8Array | undefined;
  /** Of its variables, which it finds right below the image; together at most 16 MiB. Absent: it keeps none. */
  readonly variables?: FlashStore | undefined;
  /** For firmware that starts one in the place of what is on drives. */
  readonly kernel?: FirmwareKernel | undefined;
  readonly bootOrder: readonly BootSource[];
}

/** What the guest asks of the world outside. Called from within its port writes, to be acted on after the slice. */
export interface BoardEvents {
  powerOff(): void;
  reset(): void;
  /** The processor's INIT# pin: firmware decides whether everything begins anew. */
  processorReset(): void;
  /** isa-debug-exit was written. */
  debugExit(value: number): void;
  /** A stub of the built-in BIOS wants its service: serveFirmware() is to be called with the processor's state. */
  firmwareCall(): void;
  /**
   * A byte at a connector, for the first of which also the virtio console and firmware's log send; false asks to wait for
   * serialReady() of the same.
   */
  serialOutput(byte: number, connector: Connector): boolean;
}

/** Buttons of the PC's case. */
export type CaseButton = "power" | "sleep";

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
  /** 1 to 4; absent: one. */
  readonly serialPortCount?: number;
  readonly hasParallelPort?: boolean;
  /** In the order of their places on each bus; at most DRIVES_MAX. They outlive resets, and their owner closes them. */
  readonly drives: readonly Drive[];
  /** The drives of the built-in BIOS, which is absent where firmware is in its place. */
  readonly bios?: Omit<BiosDrives, "cds">;
  /** Absent where the built-in BIOS is. */
  readonly firmware?: FirmwareConfig;
  readonly virtio: {
    /** Besides the disks on this bus. */
    readonly devices: readonly VirtioDeviceName[];
    /** Whether drivers are offered packed rings. */
    readonly offersPacked: boolean;
  };
  /** Folders of the host that the guest can mount; at most SHARES_MAX. Absent: none. */
  readonly sharing?: SharesConfig | undefined;
  /** In the order of their places; at most NETWORK_CARDS_MAX. Absent: none. */
  readonly networkCards?: readonly NetworkCard[];
  /** Of the i6300ESB watchdog; without one there is none. */
  readonly watchdogAction?: WatchdogAction;
  /** Random bytes of the host. */
  readonly entropy: (byteCount: number) => Uint8Array;
  /** Absent: the standard PC. */
  readonly platform?: PlatformDescription;
}
