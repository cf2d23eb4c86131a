/**
 * The I/O port space: 65,536 ports, each looked up in one table. Reads of ports nobody claimed give all ones, as
 * the pulled-up ISA bus does, and writes to them are dropped; both are counted. An access that is wider than
 * what is left of a claim is split into bytes, as ISA does for 8-bit cards.
 */

import { allOnes, assert, hex, releasable } from "../base/index.ts";
import type { Releasable } from "../base/index.ts";
import type { AccessSize, PortHandler } from "./bus.ts";

const PORT_COUNT = 0x1_0000;
/** Claims a bus can hold at one time; the table stores their numbers in 16 bits, 0 meaning none. */
export const MAX_PORT_CLAIMS = 1024;
/** Distinct unclaimed ports that are counted one by one. */
export const MAX_COUNTED_PORTS = 256;

interface PortClaim {
  readonly name: string;
  readonly base: number;
  readonly lengthBytes: number;
  readonly handler: PortHandler;
}

export class PortBus {
  readonly #claimOfPort = new Uint16Array(PORT_COUNT);
  /** By number; 0 stays empty. */
  readonly #claims: (PortClaim | undefined)[] = [undefined];
  readonly #unclaimed = new Map<number, number>();
  #unclaimedReads = 0;
  #unclaimedWrites = 0;

  /** Accesses that found no handler since the bus was made. */
  get unclaimedReads(): number {
    return this.#unclaimedReads;
  }

  get unclaimedWrites(): number {
    return this.#unclaimedWrites;
  }

  /** Accesses by port, for the first {@link MAX_COUNTED_PORTS} ports seen. */
  get unclaimedPorts(): ReadonlyMap<number, number> {
    return this.#unclaimed;
  }

  /** Gives [base, base + lengthBytes) to `handler` until released. Overlap is a bug in the board's wiring. */
  claim(name: string, base: number, lengthBytes: number, handler: PortHandler): Releasable {
    const owner = this.#ownerIn(base, lengthBytes);
    assert(owner === undefined, `ports ${hex(base)} of ${name} are free (owner: ${owner})`);
    const claimed = this.tryClaim(name, base, lengthBytes, handler);
    assert(claimed !== undefined, `the port bus has room for ${name}`);
    return claimed;
  }

  /** Like claim, for places a guest chooses (PCI BARs): undefined when any port of the range is taken. */
  tryClaim(name: string, base: number, lengthBytes: number, handler: PortHandler): Releasable | undefined {
    assert(lengthBytes > 0 && base >= 0 && base + lengthBytes <= PORT_COUNT, `${name} fits the port space`);
    if (this.#ownerIn(base, lengthBytes) !== undefined) return undefined;
    const free = this.#claims.indexOf(undefined, 1);
    const number = free < 0 ? this.#claims.length : free;
    if (number > MAX_PORT_CLAIMS) return undefined;
    this.#claims[number] = { name, base, lengthBytes, handler };
    this.#claimOfPort.fill(number, base, base + lengthBytes);
    return releasable(() => {
      this.#claimOfPort.fill(0, base, base + lengthBytes);
      this.#claims[number] = undefined;
    });
  }

  /** The name under which `port` is claimed. */
  ownerOf(port: number): string | undefined {
    return this.#claimAt(port)?.name;
  }

  readPort(port: number, size: AccessSize): number {
    const claim = this.#claimAt(port);
    if (claim !== undefined) {
      const offset = port - claim.base;
      if (offset + size <= claim.lengthBytes) return claim.handler.readPort(offset, size);
    } else if (size === 1) {
      this.#unclaimedReads++;
      this.#count(port);
      return 0xff;
    } else if (this.#ownerIn(port, size) === undefined) {
      this.#unclaimedReads++;
      this.#count(port);
      return allOnes(size);
    }
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.readPort((port + i) & 0xffff, 1) << (8 * i);
    return value >>> 0;
  }

  writePort(port: number, size: AccessSize, value: number): void {
    const claim = this.#claimAt(port);
    if (claim !== undefined) {
      const offset = port - claim.base;
      if (offset + size <= claim.lengthBytes) {
        claim.handler.writePort(offset, size, value);
        return;
      }
    } else if (size === 1 || this.#ownerIn(port, size) === undefined) {
      this.#unclaimedWrites++;
      this.#count(port);
      return;
    }
    for (let i = 0; i < size; i++) this.writePort((port + i) & 0xffff, 1, (value >>> (8 * i)) & 0xff);
  }

  #claimAt(port: number): PortClaim | undefined {
    return this.#claims[this.#claimOfPort[port] ?? 0];
  }

  #ownerIn(base: number, lengthBytes: number): string | undefined {
    for (let port = base; port < base + lengthBytes; port++) {
      const claim = this.#claimAt(port & 0xffff);
      if (claim !== undefined) return claim.name;
    }
    return undefined;
  }

  #count(port: number): void {
    const count = this.#unclaimed.get(port);
    if (count !== undefined || this.#unclaimed.size < MAX_COUNTED_PORTS) {
      this.#unclaimed.set(port, (count ?? 0) + 1);
    }
  }
}
