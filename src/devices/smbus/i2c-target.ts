/** What answers at an address of an I²C bus, byte by byte; the protocols of SMBus 2.0 (section 5.5) are made of these. */

import type { Device } from "../../hw/index.ts";

export interface I2cTarget extends Device {
  /** Seven bits. */
  readonly address: number;
  /** A start condition, or a repeated one, and this address: bytes follow in one direction. */
  start(): void;
  /** False does not acknowledge the byte. */
  write(byte: number): boolean;
  read(): number;
}
