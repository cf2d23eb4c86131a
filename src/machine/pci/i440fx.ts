/**
 * Host bridge: Intel 82441FX PMC ("440FX PCIset", order 290549), function 0 of device 0.
 *
 * The memory attributes (PAM) and SMRAM registers are stored and have no effect: C0000–FFFFF is always RAM here, and
 * there is no system management mode. DRAM timing, error and arbitration registers are reserved.
 */

import { definePciRegisters, PciConfigSpace, RegisterFile } from "../../hw/index.ts";
import type { AccessSize, DeviceState, PciFunction, RegisterHooks } from "../../hw/index.ts";

const REGISTERS = definePciRegisters({
  pam0: { at: 0x59, reset: 0 },
  pam1: { at: 0x5a, reset: 0 },
  pam2: { at: 0x5b, reset: 0 },
  pam3: { at: 0x5c, reset: 0 },
  pam4: { at: 0x5d, reset: 0 },
  pam5: { at: 0x5e, reset: 0 },
  pam6: { at: 0x5f, reset: 0 },
  smram: { at: 0x72, reset: 0x02, writable: 0x78 },
});

export class I440fx implements PciFunction, RegisterHooks<typeof REGISTERS> {
  readonly name = "i440fx";
  readonly #config = new PciConfigSpace({
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
    },
    registers: new RegisterFile(REGISTERS, this),
  });

  readConfig(offset: number, size: AccessSize): number {
    return this.#config.read(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    this.#config.write(offset, size, value);
  }

  reset(): void {
    this.#config.reset();
  }

  save(): DeviceState {
    return this.#config.save();
  }

  restore(state: DeviceState): void {
    this.#config.restore(state);
  }

  readReserved(): number {
    return 0;
  }
}
