/**
 * INT 1Ah, AH = B1h: PCI BIOS Specification 2.1, real-mode calls, on bus 0. Deliberately missing: special cycles (AL = 06h)
 * and routing an interrupt (0Fh), which the power-on self-test has done.
 */

import type { AccessSize, PciFunction } from "../../hw/index.ts";
import { PCI_HEADER } from "../../hw/index.ts";
import type { PciBus } from "../pci/index.ts";
import { PCI_DEVICES, PCI_FUNCTIONS } from "../pci/index.ts";
import { routingEntries } from "../tables/index.ts";
import type { ServiceCall } from "./service-call.ts";

const SIGNATURE = 0x20494350;
const VERSION = 0x0210;
/** Configuration mechanism #1. */
const MECHANISM_1 = 0x01;
const STATUS = {
  ok: 0x00,
  unsupported: 0x81,
  badVendor: 0x83,
  notFound: 0x86,
  badRegister: 0x87,
  bufferTooSmall: 0x89,
} as const;
type Status = (typeof STATUS)[keyof typeof STATUS];
const CLASS_CODE = 0x08;
const CONFIG_BYTES = 256;
const SIZES: readonly AccessSize[] = [1, 2, 4];

export class PciServices {
  readonly #bus: PciBus;
  readonly #routingEntries: Uint8Array;

  /** `linkIrqs` are those that the chipset's links may have. */
  constructor(bus: PciBus, linkIrqs: readonly number[]) {
    this.#bus = bus;
    this.#routingEntries = routingEntries(linkIrqs);
  }

  call(call: ServiceCall): void {
    const status = this.#serve(call);
    call.ah = status;
    call.carry = status !== STATUS.ok;
  }

  #serve(call: ServiceCall): Status {
    // Bit 7 marks calls of the protected-mode entry, which lead to the same functions.
    const operation = call.al & 0x7f;
    switch (operation) {
      case 0x01:
        call.edx = SIGNATURE;
        call.bx = VERSION;
        call.al = MECHANISM_1;
        call.cl = 0;
        return STATUS.ok;
      case 0x02:
        if (call.dx === 0xffff) return STATUS.badVendor;
        return this.#find(
          call,
          (found) => found.readConfig(PCI_HEADER.vendorId, 4) === ((call.cx << 16) | call.dx) >>> 0,
        );
      case 0x03:
        return this.#find(call, (found) => found.readConfig(CLASS_CODE, 4) >>> 8 === (call.ecx & 0xff_ffff));
      case 0x08:
      case 0x09:
      case 0x0a:
        return this.#read(call, SIZES[operation - 0x08] ?? 1);
      case 0x0b:
      case 0x0c:
      case 0x0d:
        return this.#write(call, SIZES[operation - 0x0b] ?? 1);
      case 0x0e:
        return this.#routing(call);
      default:
        return STATUS.unsupported;
    }
  }

  /** The SI-th function that fits, counted from 0: its bus in BH, device and function in BL. */
  #find(call: ServiceCall, fits: (found: PciFunction) => boolean): Status {
    let index = call.si;
    for (let place = 0; place < PCI_DEVICES * PCI_FUNCTIONS; place++) {
      const found = this.#bus.functionAt(Math.floor(place / PCI_FUNCTIONS), place % PCI_FUNCTIONS);
      if (found === undefined || !fits(found) || index-- > 0) continue;
      call.bx = place;
      return STATUS.ok;
    }
    return STATUS.notFound;
  }

  #read(call: ServiceCall, size: AccessSize): Status {
    if (call.di >= CONFIG_BYTES || call.di % size !== 0) return STATUS.badRegister;
    const value = this.#target(call)?.readConfig(call.di, size) ?? 0xffff_ffff;
    if (size === 1) call.cl = value;
    else if (size === 2) call.cx = value;
    else call.ecx = value;
    return STATUS.ok;
  }

  #write(call: ServiceCall, size: AccessSize): Status {
    if (call.di >= CONFIG_BYTES || call.di % size !== 0) return STATUS.badRegister;
    const value = size === 1 ? call.cl : size === 2 ? call.cx : call.ecx;
    this.#target(call)?.writeConfig(call.di, size, value);
    return STATUS.ok;
  }

  /** ES:DI has the size of a buffer and a far pointer to it; which interrupts are PCI's alone is in BX: none. */
  #routing(call: ServiceCall): Status {
    const entries = this.#routingEntries;
    const word = (at: number): number => call.byteInEs(call.di + at) | (call.byteInEs(call.di + at + 1) << 8);
    const offeredBytes = word(0);
    call.setByteInEs(call.di, entries.length & 0xff);
    call.setByteInEs(call.di + 1, entries.length >>> 8);
    if (offeredBytes < entries.length) return STATUS.bufferTooSmall;
    call.memory.write(word(4) * 16 + word(2), entries);
    call.bx = 0;
    return STATUS.ok;
  }

  #target(call: ServiceCall): PciFunction | undefined {
    if (call.bh !== 0) return undefined;
    return this.#bus.functionAt(call.bl >>> 3, call.bl & 7);
  }
}
