/** What a VM needs of the machine it is: its board, seen from above. */

import type { Clock, IrqLine, MachineBus, Timers } from "../hw/index.ts";
import type { MemoryRange } from "../machine/boot/index.ts";
import type { GuestRam } from "../memory/index.ts";

/** The pins of the processor, driven by the board. */
export interface ProcessorPins {
  readonly interrupt: IrqLine;
  raiseNmi(): void;
  setA20(enabled: boolean): void;
}

/** What happens outside the VM because of the guest. Called from bus callbacks: a request, acted on after the slice. */
export interface BoardEvents {
  powerOff(): void;
  reset(): void;
  /** isa-debug-exit was written. */
  debugExit(value: number): void;
  /** Takes a byte of the first serial port; false asks for a pause until the port's transmitReady(). */
  serialOutput(byte: number): boolean;
}

export interface BoardParts {
  readonly ram: GuestRam;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly pins: ProcessorPins;
  readonly events: BoardEvents;
  /** Nanoseconds since 1970, UTC: the real-time clock's source. */
  readonly wallClockNs: () => bigint;
  readonly hasDebugExit: boolean;
}

/** The characters of a text screen, row by row, and where its cursor is. */
export interface TextScreen {
  readonly columns: number;
  readonly rows: number;
  /** Two bytes per cell, as in the VGA text buffer: code page 437, then the attribute. */
  readonly cells: Uint8Array;
  readonly cursor: { readonly column: number; readonly row: number } | undefined;
}

export interface Board {
  readonly bus: MachineBus;
  readonly memoryMap: readonly MemoryRange[];
  readonly rsdpGpa: number | undefined;
  /** The hardware reset of every device; also writes the firmware's tables to RAM anew. */
  reset(): void;
  /** Host input of the first serial port; returns how many bytes it took. */
  serialInput(bytes: Uint8Array): number;
  /** After serialOutput() returned false: bytes are taken again. */
  serialReady(): void;
  /** The text screen as it is now; undefined in a graphics mode or without a display. */
  textScreen(): TextScreen | undefined;
}
