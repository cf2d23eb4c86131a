/**
 * Two ports for people who develop kernels: port 80h, where firmware and kernels write POST codes, and the
 * isa-debug-exit port known from QEMU, which ends the VM with an exit status.
 */

import { allOnes } from "../../base/index.ts";
import type { AccessSize, Device, DeviceState, PortHandler } from "../../hw/index.ts";
import { StateReader } from "../../hw/index.ts";

/** Port 80h: remembers the last code. Kernels also write to it to wait for about a microsecond. */
export class PostCodePort implements Device, PortHandler {
  readonly name = "post-code";
  #code = 0;

  get code(): number {
    return this.#code;
  }

  readPort(): number {
    return this.#code;
  }

  writePort(_offset: number, _size: AccessSize, value: number): void {
    this.#code = value;
  }

  reset(): void {
    this.#code = 0;
  }

  save(): DeviceState {
    return { code: this.#code };
  }

  restore(state: DeviceState): void {
    this.#code = new StateReader(this.name, state).u8("code");
  }
}

/** Four ports from F4h: a write of any size asks for the VM's end with `value`. The status is (value << 1) | 1. */
export class DebugExitPort implements PortHandler {
  readonly #onExit: (value: number) => void;

  constructor(onExit: (value: number) => void) {
    this.#onExit = onExit;
  }

  readPort(_offset: number, size: AccessSize): number {
    return allOnes(size);
  }

  writePort(_offset: number, _size: AccessSize, value: number): void {
    this.#onExit(value);
  }
}
