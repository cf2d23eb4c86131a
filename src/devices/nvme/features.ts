/**
 * Features (Base Specification 1.4, section 5.21.1): settings of the controller that a reset takes back. Those that only say
 * how eagerly a device shall work are kept and have no effect: arbitration, power state, temperature thresholds, error
 * recovery, coalescing of interrupts, write atomicity. None can be saved.
 */

import type { DeviceState, StateReader } from "../../hw/index.ts";
import { done, failed } from "./command.ts";
import type { NvmeCommand, Outcome } from "./command.ts";
import { FEATURE, IO_QUEUES_MAX, STATUS } from "./protocol.ts";

const SAVE = 0x8000_0000;
const CACHE_ENABLED = 1;
/** Both numbers of queues less one, in the two halves. */
const QUEUES = (IO_QUEUES_MAX - 1) * 0x1_0001;
const QUEUES_INVALID = 0xffff;
/** Kelvin above which a warning would be due: never. */
const TEMPERATURE_THRESHOLD = 343;
const COALESCING_DISABLED = 1 << 16;

const KEPT: Readonly<Record<number, number>> = {
  [FEATURE.arbitration]: 0,
  [FEATURE.powerManagement]: 0,
  [FEATURE.temperatureThreshold]: TEMPERATURE_THRESHOLD,
  [FEATURE.errorRecovery]: 0,
  [FEATURE.volatileWriteCache]: CACHE_ENABLED,
  [FEATURE.interruptCoalescing]: 0,
  [FEATURE.writeAtomicity]: 0,
  [FEATURE.asyncEvents]: 0,
};

export class NvmeFeatures {
  /** CDW11 of the last Set Features, by identifier. */
  readonly #values = new Map<number, number>(Object.entries(KEPT).map(([id, value]) => [Number(id), value]));

  /** Whether writes may stay in the host's cache until a flush. */
  get isWriteCacheEnabled(): boolean {
    return ((this.#values.get(FEATURE.volatileWriteCache) ?? 0) & CACHE_ENABLED) !== 0;
  }

  get(command: NvmeCommand, vectors: number): Outcome {
    const id = command.dword(10) & 0xff;
    if (id === FEATURE.numberOfQueues) return done(QUEUES);
    if (id === FEATURE.interruptVector) {
      const vector = command.dword(11) & 0xffff;
      return vector < vectors ? done(vector | COALESCING_DISABLED) : failed(STATUS.invalidField);
    }
    const value = this.#values.get(id);
    return value === undefined ? failed(STATUS.invalidField) : done(value);
  }

  /** `hasQueues`: the number of queues cannot be changed while there are some. */
  set(command: NvmeCommand, vectors: number, hasQueues: boolean): Outcome {
    const id = command.dword(10) & 0xff;
    const value = command.dword(11);
    if ((command.dword(10) & SAVE) !== 0) return failed(STATUS.featureNotSaveable);
    switch (id) {
      case FEATURE.numberOfQueues:
        if (hasQueues) return failed(STATUS.commandSequence);
        if ((value & 0xffff) === QUEUES_INVALID || value >>> 16 === QUEUES_INVALID)
          return failed(STATUS.invalidField);
        return done(QUEUES);
      case FEATURE.interruptVector:
        return (value & 0xffff) < vectors ? done(0) : failed(STATUS.invalidField);
      case FEATURE.powerManagement:
        // There is one power state.
        if ((value & 0x1f) !== 0) return failed(STATUS.invalidField);
        break;
      default:
        if (!this.#values.has(id)) return failed(STATUS.invalidField);
    }
    this.#values.set(id, value);
    return done(0);
  }

  save(): DeviceState {
    return Object.fromEntries([...this.#values].map(([id, value]) => [`feature${id}`, value]));
  }

  restore(reader: StateReader): void {
    for (const id of this.#values.keys()) this.#values.set(id, reader.u32(`feature${id}`));
  }
}
