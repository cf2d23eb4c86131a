/**
 * How long Linux lets this thread run at a time while others want its core: sched_setattr(2) on the calling thread. Since
 * Linux 6.12 sched_runtime of an ordinary thread is the slice it asks for, from 0.1 to 100 ms; what it gets in all stays its
 * fair share, and one that asks for a longer slice waits longer for each. Older kernels ignore the field. JavaScript has no
 * call for it; node:ffi calls the C library. Where that is missing, switched off (--no-experimental-ffi) or refused, the
 * thread keeps the slices that the host gives by itself.
 *
 * Deliberately missing: hosts other than Linux on 64-bit processors; other threads than the calling one.
 */

import { withForeignFunctions } from "./foreign-functions.ts";

/**
 * As long as the slice of Xen's credit scheduler: a guest's caches are filled once in it, and several of its timer's ticks
 * follow each other.
 */
export const LONG_SLICE_NS = 30_000_000;
/** Zero in sched_runtime: whatever the host gives others. */
const USUAL_SLICE_NS = 0;

/** Numbers of sched_setattr and sched_getattr, which not every C library has by name: <asm/unistd.h>. */
const CALLS: Partial<Record<string, { readonly set: number; readonly get: number }>> = {
  x64: { set: 314, get: 315 },
  arm64: { set: 274, get: 275 },
};
/** Of struct sched_attr in its first version, and offsets in it: <linux/sched/types.h>. */
const ATTRIBUTES_BYTES = 48;
const SIZE = 0;
const POLICY = 4;
const RUNTIME = 24;
/** Policies whose threads have slices: <linux/sched.h>. Real-time threads and idle ones are left as they are. */
const SCHED_NORMAL = 0;
const SCHED_BATCH = 3;

/** The system calls on the calling thread's `struct sched_attr`, of {@link ATTRIBUTES_BYTES}; false when refused. */
export interface HostAttributes {
  read(attributes: Uint8Array): boolean;
  write(attributes: Uint8Array): boolean;
}

export type TimeSliceLength = "usual" | "long";

/** Undefined where a thread cannot ask for slices. */
export async function loadHostAttributes(): Promise<HostAttributes | undefined> {
  const calls = CALLS[process.arch];
  if (calls === undefined) return undefined;
  return await withForeignFunctions(({ dlopen }) => {
    const { functions } = dlopen(null, {
      syscall: { return: "i64", arguments: ["i64", "i64", "buffer", "i64", "i64"] },
    });
    const call = (number: number, attributes: Uint8Array, sizeBytes: number): boolean =>
      functions.syscall(BigInt(number), 0n, attributes, BigInt(sizeBytes), 0n) === 0n;
    const host: HostAttributes = {
      read: (attributes) => call(calls.get, attributes, ATTRIBUTES_BYTES),
      // Its third argument are flags, of which there are none.
      write: (attributes) => call(calls.set, attributes, 0),
    };
    return host.read(new Uint8Array(ATTRIBUTES_BYTES)) ? host : undefined;
  });
}

/** Asks for slices of the calling thread. */
export class TimeSlice {
  readonly #host: HostAttributes;
  readonly #attributes = new Uint8Array(ATTRIBUTES_BYTES);
  readonly #view = new DataView(this.#attributes.buffer);

  constructor(host: HostAttributes) {
    this.#host = host;
  }

  /** Returns whether the host took it. All else that it knows of the thread, such as its nice value, stays. */
  prefer(length: TimeSliceLength): boolean {
    this.#attributes.fill(0);
    this.#view.setUint32(SIZE, ATTRIBUTES_BYTES, true);
    if (!this.#host.read(this.#attributes)) return false;
    const policy = this.#view.getUint32(POLICY, true);
    if (policy !== SCHED_NORMAL && policy !== SCHED_BATCH) return false;
    const sliceNs = length === "long" ? LONG_SLICE_NS : USUAL_SLICE_NS;
    this.#view.setBigUint64(RUNTIME, BigInt(sliceNs), true);
    return this.#host.write(this.#attributes);
  }
}
