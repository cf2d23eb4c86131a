/**
 * The command block registers of one drive as its commands see them (ATA/ATAPI-6, sections 6.6 to 6.22 and 7). Five of
 * them remember what was written before the last write too: the 48-bit commands take both, and reads choose by HOB.
 *
 * Data, status and command are not here: the first is the drive's buffer, the others its state.
 */

import { StateReader } from "../../hw/index.ts";
import type { DeviceState } from "../../hw/index.ts";

/** What was written last in bits 0–7, what was written before in bits 8–15. */
export const DEEP_REGISTERS = ["features", "sectorCount", "lbaLow", "lbaMid", "lbaHigh"] as const;
export type DeepRegister = (typeof DEEP_REGISTERS)[number];

/** The device register. */
export const DEVICE = { headMask: 0x0f, dev: 0x10, lba: 0x40 } as const;

const POWER_24 = 2 ** 24;
const POWER_32 = 2 ** 32;
const POWER_40 = 2 ** 40;

export class TaskFile {
  features = 0;
  sectorCount = 0;
  lbaLow = 0;
  lbaMid = 0;
  lbaHigh = 0;
  device = 0;
  /** The error register, written by the drive only. */
  error = 0;

  /** The host writes a register. */
  push(register: DeepRegister, value: number): void {
    this[register] = ((this[register] & 0xff) << 8) | value;
  }

  /** The drive sets what the host reads, and keeps what was written before. */
  set(register: DeepRegister, value: number): void {
    this[register] = (this[register] & 0xff00) | (value & 0xff);
  }

  /** What the host reads. */
  byte(register: DeepRegister, isHighOrder: boolean): number {
    return isHighOrder ? this[register] >> 8 : this[register] & 0xff;
  }

  /** Command, count and error of a drive after reset or diagnostics; the address tells what it is (section 9.12). */
  setSignature(lbaMid: number, lbaHigh: number): void {
    for (const register of DEEP_REGISTERS) this[register] = 0;
    this.sectorCount = 1;
    this.lbaLow = 1;
    this.lbaMid = lbaMid;
    this.lbaHigh = lbaHigh;
    this.device = 0;
  }

  get lba28(): number {
    const high = this.lbaHigh & 0xff;
    const mid = this.lbaMid & 0xff;
    return (((this.device & DEVICE.headMask) << 24) | (high << 16) | (mid << 8) | (this.lbaLow & 0xff)) >>> 0;
  }

  setLba28(lba: number): void {
    this.set("lbaLow", lba);
    this.set("lbaMid", lba >>> 8);
    this.set("lbaHigh", lba >>> 16);
    this.device = (this.device & ~DEVICE.headMask) | ((lba >>> 24) & DEVICE.headMask);
  }

  get lba48(): number {
    const low = ((this.lbaHigh & 0xff) << 16) | ((this.lbaMid & 0xff) << 8) | (this.lbaLow & 0xff);
    return (
      (this.lbaHigh >> 8) * POWER_40 + (this.lbaMid >> 8) * POWER_32 + (this.lbaLow >> 8) * POWER_24 + low
    );
  }

  setLba48(lba: number): void {
    const high = Math.floor(lba / POWER_24);
    this.lbaLow = (lba & 0xff) | ((high & 0xff) << 8);
    this.lbaMid = ((lba >>> 8) & 0xff) | (high & 0xff00);
    this.lbaHigh = ((lba >>> 16) & 0xff) | ((high >>> 8) & 0xff00);
  }

  save(): DeviceState {
    const { features, sectorCount, lbaLow, lbaMid, lbaHigh, device, error } = this;
    return { features, sectorCount, lbaLow, lbaMid, lbaHigh, device, error };
  }

  restore(state: DeviceState, path: string): void {
    const reader = new StateReader(path, state);
    for (const register of DEEP_REGISTERS) this[register] = reader.u16(register);
    this.device = reader.u8("device");
    this.error = reader.u8("error");
  }
}
