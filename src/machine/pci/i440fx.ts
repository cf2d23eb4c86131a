/**
 * Host bridge: Intel 82441FX PMC ("440FX PCIset", order 290549), function 0 of device 0: what is seen between C0000 and
 * FFFFF (section 3.2.13, PAM0–PAM6), and SMRAM with its lock (3.2.17).
 *
 * There is no system management mode, so SMRAM stays closed: D_OPEN is kept, and does not show the memory behind the
 * video window. DRAM timing, error and arbitration registers are reserved.
 */

import { definePciRegisters, PciConfigSpace, RegisterFile } from "../../hw/index.ts";
import type { AccessSize, DeviceState, PciFunction, RegisterHooks } from "../../hw/index.ts";

const REGISTERS = definePciRegisters({
  pam0: { at: 0x59, reset: 0, writable: 0x30, write: "attributesChanged" },
  pam1: { at: 0x5a, reset: 0, writable: 0x33, write: "attributesChanged" },
  pam2: { at: 0x5b, reset: 0, writable: 0x33, write: "attributesChanged" },
  pam3: { at: 0x5c, reset: 0, writable: 0x33, write: "attributesChanged" },
  pam4: { at: 0x5d, reset: 0, writable: 0x33, write: "attributesChanged" },
  pam5: { at: 0x5e, reset: 0, writable: 0x33, write: "attributesChanged" },
  pam6: { at: 0x5f, reset: 0, writable: 0x33, write: "attributesChanged" },
  smram: { at: 0x72, reset: 0x02, writable: 0x78, write: "smramWritten" },
});
const PAM_NAMES = ["pam0", "pam1", "pam2", "pam3", "pam4", "pam5", "pam6"] as const;
const FIRST_PAM_AT = REGISTERS.pam0.at;
/** Of a range's four bits. */
const PAM = { readsDram: 1 << 0, writesDram: 1 << 1, mask: 3 } as const;
const SMRAM = { open: 1 << 6, closed: 1 << 5, lock: 1 << 4, enable: 1 << 3 } as const;

/** The ranges from C0000 on, and where their bits are: each of PAM1–PAM6 has two of 16 KiB, PAM0 the last 64 KiB. */
const LOW_RANGE_BYTES = 0x4000;
const RANGES = Array.from({ length: 13 }, (_, index) => {
  const isLast = index === 12;
  return {
    gpa: 0xc0000 + index * LOW_RANGE_BYTES,
    lengthBytes: isLast ? 0x1_0000 : LOW_RANGE_BYTES,
    register: PAM_NAMES[isLast ? 0 : 1 + (index >> 1)] ?? "pam0",
    shift: isLast || index % 2 === 1 ? 4 : 0,
  };
});

/** Where accesses to a range go: to RAM, or to PCI, where ROM and devices are. */
export interface MemoryAttributes {
  readonly readsDram: boolean;
  readonly writesDram: boolean;
}

export interface I440fxConfig {
  /** Called for each of the 13 ranges that has got other attributes, from within the guest's port write. */
  readonly onAttributes: (gpa: number, lengthBytes: number, attributes: MemoryAttributes) => void;
  /** Vendor and device of the whole machine, by which firmware recognises it; none unless given. */
  readonly subsystem?: { readonly vendorId: number; readonly deviceId: number };
}

export class I440fx implements PciFunction, RegisterHooks<typeof REGISTERS> {
  readonly name = "i440fx";
  readonly #registers = new RegisterFile(REGISTERS, this);
  readonly #config: PciConfigSpace;
  readonly #onAttributes: I440fxConfig["onAttributes"];
  /** What onAttributes was told last, by range. */
  readonly #told: (number | undefined)[] = RANGES.map(() => undefined);

  constructor({ onAttributes, subsystem }: I440fxConfig) {
    this.#onAttributes = onAttributes;
    this.#config = new PciConfigSpace({
      name: this.name,
      identity: {
        vendorId: 0x8086,
        deviceId: 0x1237,
        revisionId: 0x02,
        baseClass: 0x06,
        subClass: 0x00,
        // Memory decoding and bus mastering cannot be turned off.
        command: 0x0006,
        commandWritable: 0,
        status: 0x0280,
        ...(subsystem === undefined
          ? {}
          : { subsystemVendorId: subsystem.vendorId, subsystemId: subsystem.deviceId }),
      },
      registers: this.#registers,
    });
  }

  /** RAM everywhere, for reads and writes: what firmware leaves that has nothing to protect. */
  openShadowRam(): void {
    PAM_NAMES.forEach((_, index) => this.writeConfig(FIRST_PAM_AT + index, 1, 0x33));
  }

  readConfig(offset: number, size: AccessSize): number {
    return this.#config.read(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    this.#config.write(offset, size, value);
  }

  reset(): void {
    this.#config.reset();
    this.attributesChanged();
  }

  save(): DeviceState {
    return this.#config.save();
  }

  restore(state: DeviceState): void {
    this.#config.restore(state);
    this.attributesChanged();
  }

  // Register hooks.

  attributesChanged(): void {
    const { values } = this.#registers;
    RANGES.forEach(({ gpa, lengthBytes, register, shift }, index) => {
      const bits = (values[register] >>> shift) & PAM.mask;
      if (this.#told[index] === bits) return;
      this.#told[index] = bits;
      this.#onAttributes(gpa, lengthBytes, {
        readsDram: (bits & PAM.readsDram) !== 0,
        writesDram: (bits & PAM.writesDram) !== 0,
      });
    });
  }

  /** Once locked, open and enable keep their values until reset, and SMRAM is not open. */
  smramWritten(_written: number, before: number): void {
    const { values } = this.#registers;
    if ((before & SMRAM.lock) !== 0) values.smram = (before & ~SMRAM.closed) | (values.smram & SMRAM.closed);
    else if ((values.smram & SMRAM.lock) !== 0) values.smram &= ~SMRAM.open;
  }

  readReserved(): number {
    return 0;
  }
}
