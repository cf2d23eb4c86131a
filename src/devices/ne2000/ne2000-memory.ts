/**
 * What an NE2000's remote DMA reaches: the address PROM, of which each byte is there twice as it is read a word at a time,
 * and 16 KiB of packet memory. What else is asked for reads as ones and keeps nothing.
 */

import type { DeviceState, StateReader } from "../../hw/index.ts";
import { MAC_ADDRESS_BYTES } from "../../net/index.ts";

const PROM_BYTES = 32;
/** The last two bytes tell drivers that the card is 16 bits wide: "W". */
const PROM_SIGNATURE = { at: 14, byte: 0x57 } as const;
export const PACKET_MEMORY = { at: 0x4000, lengthBytes: 0x4000 } as const;

export class Ne2000Memory {
  readonly #prom = new Uint8Array(PROM_BYTES);
  readonly #packets = new Uint8Array(PACKET_MEMORY.lengthBytes);

  constructor(macAddress: Uint8Array) {
    for (let index = 0; index < PROM_BYTES / 2; index++) {
      const own = index < MAC_ADDRESS_BYTES ? (macAddress[index] ?? 0) : 0;
      const byte = index >= PROM_SIGNATURE.at ? PROM_SIGNATURE.byte : own;
      this.#prom.fill(byte, 2 * index, 2 * index + 2);
    }
  }

  readByte(address: number): number {
    if (address < PROM_BYTES) return this.#prom[address] ?? 0xff;
    return this.#packets[address - PACKET_MEMORY.at] ?? 0xff;
  }

  writeByte(address: number, value: number): void {
    const at = address - PACKET_MEMORY.at;
    if (at >= 0 && at < PACKET_MEMORY.lengthBytes) this.#packets[at] = value;
  }

  /** Bytes of packet memory; undefined where not all of them are. */
  slice(address: number, lengthBytes: number): Uint8Array | undefined {
    const at = address - PACKET_MEMORY.at;
    if (at < 0 || at + lengthBytes > PACKET_MEMORY.lengthBytes) return undefined;
    return this.#packets.subarray(at, at + lengthBytes);
  }

  save(): DeviceState {
    return { packets: this.#packets.slice() };
  }

  restore(reader: StateReader): void {
    this.#packets.fill(0);
    this.#packets.set(reader.bytes("packets", PACKET_MEMORY.lengthBytes));
  }
}
