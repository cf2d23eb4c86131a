/**
 * The bus master of one IDE channel: command, status and descriptor table pointer (Programming Interface for Bus Master
 * IDE Controller 1.0; 82371SB sections 2.6 and 4.8), and the walk along the table of physical region descriptors.
 *
 * A drive offers bytes, the engine moves as many as it can: none while it is stopped, may not master the bus or goes the
 * other way, fewer when the table ends. A region or descriptor that is not RAM ends the transfer with the error bit, as
 * a master abort does. Bases and counts are even; regions and tables that cross the 64 KiB boundaries which the
 * specification forbids are followed in a line. What a guest makes the engine do is bounded by what the drive moves,
 * since every region has two bytes at least.
 */

import { defineRegisters, RegisterFile, reservedBytes, StateReader } from "../../hw/index.ts";
import type { AccessSize, DeviceState, Dma, IrqLine, RegisterHooks } from "../../hw/index.ts";
import type { DmaPath } from "./ide-drive.ts";

export const BUS_MASTER_BYTES = 8;

const DECLARED = defineRegisters({
  bmic: { at: 0, reset: 0, writable: 0x09, write: "commandWritten" },
  /** Simplex, bit 7, stays 0: both channels work at the same time. */
  bmis: { at: 2, reset: 0, writable: 0x60, clearedByOnes: 0x06 },
  bmidtp: { at: 4, size: 4, reset: 0, writable: 0xffff_fffc },
});
const REGISTERS = defineRegisters({ ...DECLARED, ...reservedBytes(DECLARED, 0, BUS_MASTER_BYTES) });

const COMMAND = { start: 0x01, toMemory: 0x08 } as const;
export const BUS_MASTER_STATUS = { active: 0x01, error: 0x02, interrupt: 0x04 } as const;

const DESCRIPTOR_BYTES = 8;
const END_OF_TABLE = 0x8000_0000;
const REGION_BYTES_MAX = 0x1_0000;

export interface BusMasterConfig {
  readonly dma: Dma;
  /** The function's bus master bit. */
  readonly isBusMaster: () => boolean;
  /** Nobody answered at an address. */
  readonly onMasterAbort: () => void;
  /** The engine may be able to move bytes now. */
  readonly onStart: () => void;
}

export class BusMaster implements RegisterHooks<typeof REGISTERS>, DmaPath {
  readonly registers = new RegisterFile(REGISTERS, this);
  readonly #config: BusMasterConfig;
  readonly #descriptor = new Uint8Array(DESCRIPTOR_BYTES);
  readonly #descriptorView = new DataView(this.#descriptor.buffer);
  /** Where the next descriptor is. */
  #nextGpa = 0;
  #regionGpa = 0;
  #regionBytes = 0;
  #isLastRegion = false;
  #isInterrupting = false;
  /** INTRQ as the engine sees it: its rising edge sets the interrupt bit. */
  readonly interruptInput: IrqLine = {
    set: (level) => {
      if (level && !this.#isInterrupting) this.registers.values.bmis |= BUS_MASTER_STATUS.interrupt;
      this.#isInterrupting = level;
    },
  };

  constructor(config: BusMasterConfig) {
    this.#config = config;
  }

  // The drive's side.

  toMemory(bytes: Uint8Array): number {
    return this.#move(bytes, true);
  }

  fromMemory(bytes: Uint8Array): number {
    return this.#move(bytes, false);
  }

  // Register hooks.

  commandWritten(written: number, before: number): void {
    const isStarted = (written & COMMAND.start) !== 0;
    if (!isStarted) {
      this.#setActive(false);
    } else if ((before & COMMAND.start) === 0) {
      this.#nextGpa = this.registers.values.bmidtp;
      this.#regionBytes = 0;
      this.#isLastRegion = false;
      this.#setActive(true);
      this.#config.onStart();
    }
  }

  readReserved(): number {
    return 0;
  }

  // Lifecycle.

  reset(): void {
    this.registers.reset();
    this.#nextGpa = 0;
    this.#regionGpa = 0;
    this.#regionBytes = 0;
    this.#isLastRegion = false;
    this.#isInterrupting = false;
  }

  save(): DeviceState {
    return {
      registers: this.registers.save(),
      nextGpa: this.#nextGpa,
      regionGpa: this.#regionGpa,
      regionBytes: this.#regionBytes,
      isLastRegion: this.#isLastRegion,
      isInterrupting: this.#isInterrupting,
    };
  }

  restore(state: DeviceState, path: string): void {
    const reader = new StateReader(path, state);
    this.registers.restore(reader.object("registers"), `${path}.registers`);
    this.#nextGpa = reader.integer("nextGpa", 2 ** 33);
    this.#regionGpa = reader.integer("regionGpa", 2 ** 33);
    this.#regionBytes = reader.integer("regionBytes", REGION_BYTES_MAX);
    this.#isLastRegion = reader.boolean("isLastRegion");
    this.#isInterrupting = reader.boolean("isInterrupting");
  }

  // Workings.

  get #isActive(): boolean {
    return (this.registers.values.bmis & BUS_MASTER_STATUS.active) !== 0;
  }

  #setActive(isActive: boolean): void {
    const { values } = this.registers;
    values.bmis = isActive ? values.bmis | BUS_MASTER_STATUS.active : values.bmis & ~BUS_MASTER_STATUS.active;
  }

  #move(bytes: Uint8Array, isToMemory: boolean): number {
    const isThisWay = ((this.registers.values.bmic & COMMAND.toMemory) !== 0) === isToMemory;
    if (!isThisWay || !this.#config.isBusMaster()) return 0;
    let moved = 0;
    while (this.#isActive && moved < bytes.length) {
      if (this.#regionBytes === 0 && !this.#nextRegion()) break;
      const piece = bytes.subarray(moved, moved + this.#regionBytes);
      const { dma } = this.#config;
      const isRam = isToMemory ? dma.write(this.#regionGpa, piece) : dma.read(this.#regionGpa, piece);
      if (!isRam) {
        this.#abort();
        break;
      }
      moved += piece.length;
      this.#regionGpa += piece.length;
      this.#regionBytes -= piece.length;
      if (this.#regionBytes === 0 && this.#isLastRegion) this.#setActive(false);
    }
    return moved;
  }

  /** Reads the next descriptor; false when there is no memory where it should be. */
  #nextRegion(): boolean {
    if (!this.#config.dma.read(this.#nextGpa, this.#descriptor)) {
      this.#abort();
      return false;
    }
    this.#nextGpa += DESCRIPTOR_BYTES;
    const control = this.#descriptorView.getUint32(4, true);
    this.#regionGpa = (this.#descriptorView.getUint32(0, true) & ~1) >>> 0;
    this.#regionBytes = control & (REGION_BYTES_MAX - 2) || REGION_BYTES_MAX;
    this.#isLastRegion = (control & END_OF_TABLE) !== 0;
    return true;
  }

  #abort(): void {
    this.registers.values.bmis |= BUS_MASTER_STATUS.error;
    this.#setActive(false);
    this.#config.onMasterAbort();
  }
}

/** Both channels' registers behind one another, as BMIBA shows them. */
export function busMasterPorts(channels: readonly BusMaster[]) {
  const at = (offset: number) => channels[Math.floor(offset / BUS_MASTER_BYTES)]?.registers;
  return {
    readPort: (offset: number, size: AccessSize): number =>
      at(offset)?.read(offset % BUS_MASTER_BYTES, size) ?? 0,
    writePort: (offset: number, size: AccessSize, value: number): void =>
      at(offset)?.write(offset % BUS_MASTER_BYTES, size, value),
  };
}
