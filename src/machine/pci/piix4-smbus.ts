/**
 * The SMBus host controller of Intel's 82371AB PIIX4 (order 290562, section 7.3): quick, byte, byte data, word data and
 * block transactions with the targets of its bus. A transaction takes the time that its bytes take, and ends with INTER,
 * or with DEV_ERR where no target acknowledges.
 *
 * Deliberately missing: SMIs, other masters (so no collisions), clock stretching, and the slave port's work: its registers
 * are kept, but nobody addresses the host or pulls SMBALERT#.
 */

import type { I2cTarget } from "../../devices/smbus/index.ts";
import { NS_PER_US } from "../../base/index.ts";
import type { Releasable } from "../../base/index.ts";
import { asPorts, defineRegisters, RegisterFile, StateReader } from "../../hw/index.ts";
import type {
  Clock,
  Device,
  DeviceState,
  IrqLine,
  PortBus,
  RegisterHooks,
  Timer,
  Timers,
} from "../../hw/index.ts";

export const SMBUS_BLOCK_BYTES = 0x10;
/** Bytes of a block transaction (SMBus 2.0, section 5.5.7). */
export const SMBUS_BLOCK_DATA_BYTES = 32;

const REGISTERS = defineRegisters({
  smbhststs: { at: 0x00, reset: 0, writable: 0, clearedByOnes: 0x1e, read: "readStatus", write: "update" },
  smbslvsts: { at: 0x01, reset: 0, writable: 0, clearedByOnes: 0x3c },
  smbhstcnt: { at: 0x02, reset: 0, writable: 0x1f, read: "readControl", write: "controlWritten" },
  smbhstcmd: { at: 0x03, reset: 0 },
  smbhstadd: { at: 0x04, reset: 0 },
  smbhstdat0: { at: 0x05, reset: 0 },
  smbhstdat1: { at: 0x06, reset: 0 },
  smbblkdat: { at: 0x07, read: "readBlockData", write: "blockDataWritten" },
  smbslvcnt: { at: 0x08, reset: 0, writable: 0x0f },
  smbshdwcmd: { at: 0x09, reset: 0, access: "ro" },
  smbslvevt: { at: 0x0a, size: 2, reset: 0 },
  smbslvdat: { at: 0x0c, size: 2, reset: 0, access: "ro" },
  reserved: { at: 0x0e, size: 2, reset: 0, writable: 0 },
});
const STATUS = { busy: 1 << 0, done: 1 << 1, deviceError: 1 << 2, failed: 1 << 4 } as const;
const CONTROL = { interruptEnable: 1 << 0, kill: 1 << 1, start: 1 << 6 } as const;
const PROTOCOL_SHIFT = 2;
const PROTOCOL_MASK = 7;
const PROTOCOLS = ["quick", "byte", "byte-data", "word-data", undefined, "block"] as const;
type Protocol = NonNullable<(typeof PROTOCOLS)[number]>;
/** Address and data, and for reads the repeated address: with the longest block, however long the one is. */
const BYTES_ON_BUS: Readonly<Record<Protocol, number>> = {
  quick: 1,
  byte: 2,
  "byte-data": 4,
  "word-data": 5,
  block: 4 + SMBUS_BLOCK_DATA_BYTES,
};
/** Eight bits and their acknowledgement, at 100 kHz. */
const BYTE_NS = 9 * 10 * NS_PER_US;

export interface Piix4SmbusConfig {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly ports: PortBus;
  readonly irq: IrqLine;
  readonly targets: readonly I2cTarget[];
}

export class Piix4Smbus implements Device, RegisterHooks<typeof REGISTERS> {
  readonly name = "piix4-smbus";
  readonly #registers = new RegisterFile(REGISTERS, this);
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #ports: PortBus;
  readonly #irq: IrqLine;
  readonly #targets: readonly I2cTarget[];
  readonly #block = new Uint8Array(SMBUS_BLOCK_DATA_BYTES);
  #blockIndex = 0;
  #mapped: { base: number; claim: Releasable } | undefined;
  #interrupts = false;
  /** Guest time at which the transaction under way ends. */
  #endNs: number | undefined;
  #timer: Timer | undefined;

  constructor(config: Piix4SmbusConfig) {
    this.#clock = config.clock;
    this.#timers = config.timers;
    this.#ports = config.ports;
    this.#irq = config.irq;
    this.#targets = config.targets;
  }

  /** Where the registers are decoded, if anywhere, and whether the interrupt goes to the line: the PCI function's part. */
  place(base: number | undefined, interrupts: boolean): void {
    this.#interrupts = interrupts;
    this.update();
    if (this.#mapped?.base === base) return;
    this.#mapped?.claim.release();
    this.#mapped = undefined;
    if (base === undefined) return;
    const claim = this.#ports.tryClaim(this.name, base, SMBUS_BLOCK_BYTES, asPorts(this.#registers));
    if (claim !== undefined) this.#mapped = { base, claim };
  }

  reset(): void {
    this.#registers.reset();
    this.#block.fill(0);
    this.#blockIndex = 0;
    this.#cancel();
    for (const target of this.#targets) target.reset();
    this.update();
  }

  save(): DeviceState {
    return {
      registers: this.#registers.save(),
      block: this.#block.slice(),
      blockIndex: this.#blockIndex,
      endNs: this.#endNs ?? null,
      targets: Object.fromEntries(this.#targets.map((target) => [target.name, target.save()])),
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.#registers.restore(reader.object("registers"), `${this.name}.registers`);
    this.#block.fill(0);
    this.#block.set(reader.bytes("block", SMBUS_BLOCK_DATA_BYTES));
    this.#blockIndex = reader.integer("blockIndex", SMBUS_BLOCK_DATA_BYTES - 1);
    this.#cancel();
    if (!reader.isNull("endNs")) this.#endAt(reader.number("endNs"));
    const targets = reader.child("targets");
    for (const target of this.#targets) target.restore(targets.object(target.name));
    this.update();
  }

  // Register hooks.

  readStatus(stored: number): number {
    return stored | (this.#endNs === undefined ? 0 : STATUS.busy);
  }

  /** Reading the control register begins the block data anew. */
  readControl(stored: number): number {
    this.#blockIndex = 0;
    return stored;
  }

  controlWritten(written: number): void {
    if ((written & CONTROL.kill) !== 0) {
      if (this.#endNs !== undefined) this.#end(STATUS.failed);
    } else if ((written & CONTROL.start) !== 0 && this.#endNs === undefined) {
      const bytes = this.#protocol === undefined ? 1 : BYTES_ON_BUS[this.#protocol];
      this.#endAt(this.#clock.nowNs() + bytes * BYTE_NS);
    }
    this.update();
  }

  readBlockData(): number {
    const byte = this.#block[this.#blockIndex] ?? 0;
    this.#nextBlockByte();
    return byte;
  }

  blockDataWritten(byte: number): void {
    this.#block[this.#blockIndex] = byte;
    this.#nextBlockByte();
  }

  /** Sets the interrupt's level. */
  update(): void {
    const { smbhststs, smbhstcnt } = this.#registers.values;
    const isEnabled = this.#interrupts && (smbhstcnt & CONTROL.interruptEnable) !== 0;
    this.#irq.set(isEnabled && smbhststs !== 0);
  }

  // Workings.

  get #protocol(): Protocol | undefined {
    return PROTOCOLS[(this.#registers.values.smbhstcnt >>> PROTOCOL_SHIFT) & PROTOCOL_MASK];
  }

  #nextBlockByte(): void {
    this.#blockIndex = (this.#blockIndex + 1) % SMBUS_BLOCK_DATA_BYTES;
  }

  #endAt(endNs: number): void {
    this.#endNs = endNs;
    this.#timer = this.#timers.schedule(endNs, () => {
      this.#end(this.#transfer() ? STATUS.done : STATUS.deviceError);
    });
  }

  #cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#endNs = undefined;
  }

  #end(status: number): void {
    this.#cancel();
    this.#registers.values.smbhststs |= status;
    this.update();
  }

  /** False: nobody is at this address, it does not acknowledge, or the protocol is none. */
  #transfer(): boolean {
    const { values } = this.#registers;
    const protocol = this.#protocol;
    const target = this.#targets.find(({ address }) => address === values.smbhstadd >>> 1);
    if (protocol === undefined || target === undefined) return false;
    const isRead = (values.smbhstadd & 1) !== 0;
    target.start();
    if (protocol === "quick") return true;
    if (protocol === "byte" && isRead) {
      values.smbhstdat0 = target.read();
      return true;
    }
    if (!target.write(values.smbhstcmd)) return false;
    if (protocol === "byte") return true;
    if (isRead) {
      target.start();
      values.smbhstdat0 = target.read();
    }
    if (protocol === "block" && !isBlockLength(values.smbhstdat0)) return false;
    if (!isRead) return this.#dataOf(protocol).every((byte) => target.write(byte));
    if (protocol === "word-data") values.smbhstdat1 = target.read();
    if (protocol === "block") {
      for (let index = 0; index < values.smbhstdat0; index++) this.#block[index] = target.read();
    }
    return true;
  }

  /** What follows the command of a write. */
  #dataOf(protocol: "byte-data" | "word-data" | "block"): number[] {
    const { smbhstdat0, smbhstdat1 } = this.#registers.values;
    if (protocol === "byte-data") return [smbhstdat0];
    if (protocol === "word-data") return [smbhstdat0, smbhstdat1];
    return [smbhstdat0, ...this.#block.subarray(0, smbhstdat0)];
  }
}

const isBlockLength = (byteCount: number): boolean => byteCount >= 1 && byteCount <= SMBUS_BLOCK_DATA_BYTES;
