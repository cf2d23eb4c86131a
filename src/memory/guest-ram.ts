/**
 * Guest RAM: the guest-physical bytes [0, sizeBytes), a region inside one shared WebAssembly.Memory. The engine
 * owns the reserved prefix before it (state blocks, TLB, code cache); a guest-physical address becomes an offset
 * of that memory by adding `base`. The memory never grows, so views stay valid for the life of the VM.
 *
 * Everything here is bounds-checked: addresses come from guests (DMA, kernels' own headers). Deliberately
 * missing: RAM above 4 GiB, ROM, and dirty tracking.
 */

import {
  alignUp,
  assert,
  err,
  hex,
  MAX_GUEST_RAM_BYTES,
  MAX_WASM_MEMORY_BYTES,
  MIN_GUEST_RAM_BYTES,
  MiB,
  ok,
  OperatorFault,
  PAGE_SIZE_BYTES,
  SLOT_MEMORY_MAX_BYTES,
} from "../base/index.ts";
import type { Result } from "../base/index.ts";

const WASM_PAGE_BYTES = 64 * 1024;

export interface GuestRamConfig {
  /** A multiple of 4 KiB, from 2 MiB to 3 GiB. */
  readonly sizeBytes: number;
  /** Bytes before guest RAM that belong to the engine; rounded up to a page of 64 KiB. */
  readonly reservedPrefixBytes: number;
  /** Bytes behind guest RAM for ROM and video memory, a multiple of 4 KiB; none unless given. */
  readonly slotMemoryBytes?: number;
}

export type GuestRamErrorCode = "ram-size" | "ram-unavailable";

/** Allocates the memory of one VM. The host commits pages only when they are touched. */
export function createGuestRam(config: GuestRamConfig): Result<GuestRam> {
  const { sizeBytes } = config;
  if (sizeBytes < MIN_GUEST_RAM_BYTES || sizeBytes > MAX_GUEST_RAM_BYTES) {
    return err(
      "ram-size",
      `A guest needs between ${MIN_GUEST_RAM_BYTES / MiB} and ${MAX_GUEST_RAM_BYTES / MiB} MiB of memory; ` +
        `${sizeBytes / MiB} MiB was asked for.`,
    );
  }
  if (sizeBytes % PAGE_SIZE_BYTES !== 0) {
    return err("ram-size", `The guest's memory must be a multiple of 4 KiB; ${sizeBytes} bytes is not.`);
  }
  const { slotMemoryBytes = 0 } = config;
  assert(
    slotMemoryBytes % PAGE_SIZE_BYTES === 0 && slotMemoryBytes <= SLOT_MEMORY_MAX_BYTES,
    "slots have whole pages, and a limit",
  );
  const base = alignUp(config.reservedPrefixBytes, WASM_PAGE_BYTES);
  const pages = alignUp(base + sizeBytes + slotMemoryBytes, WASM_PAGE_BYTES) / WASM_PAGE_BYTES;
  if (pages * WASM_PAGE_BYTES > MAX_WASM_MEMORY_BYTES) {
    return err("ram-size", `${sizeBytes / MiB} MiB of guest memory leaves no room for the engine in 4 GiB.`);
  }
  try {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    return ok(new GuestRam(memory, base, sizeBytes, slotMemoryBytes));
  } catch {
    return err(
      "ram-unavailable",
      `The host could not reserve ${sizeBytes / MiB} MiB of memory for the guest.`,
    );
  }
}

/** An access by guest-physical address left guest RAM. Who caused it decides what kind of error it becomes. */
export class GpaOutOfRange extends Error {
  override readonly name = "GpaOutOfRange";
  readonly gpa: number;
  readonly lengthBytes: number;

  constructor(gpa: number, lengthBytes: number, sizeBytes: number) {
    super(`${lengthBytes} bytes at gpa ${hex(gpa)} are outside ${hex(sizeBytes)} bytes of guest RAM`);
    this.gpa = gpa;
    this.lengthBytes = lengthBytes;
  }
}

export class GuestRam {
  /** The whole WebAssembly memory, for instantiating engine modules. */
  readonly memory: WebAssembly.Memory;
  /** Offset of gpa 0 in `memory`. */
  readonly base: number;
  readonly sizeBytes: number;
  /** All of guest RAM, indexed by gpa. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** What slots show besides RAM: ROM, video memory. No address leads here but by a slot, and no DMA. */
  readonly slotMemory: Uint8Array<SharedArrayBuffer>;
  readonly #view: DataView<SharedArrayBuffer>;

  constructor(memory: WebAssembly.Memory, base: number, sizeBytes: number, slotMemoryBytes = 0) {
    const { buffer } = memory;
    if (!(buffer instanceof SharedArrayBuffer)) {
      throw new OperatorFault("ram-unavailable", "Guest memory must be shared WebAssembly memory.");
    }
    this.memory = memory;
    this.base = base;
    this.sizeBytes = sizeBytes;
    this.bytes = new Uint8Array(buffer, base, sizeBytes);
    this.slotMemory = new Uint8Array(buffer, base + sizeBytes, slotMemoryBytes);
    this.#view = new DataView(buffer, base, sizeBytes);
  }

  /** Whether all of [gpa, gpa + lengthBytes) is guest RAM. */
  contains(gpa: number, lengthBytes: number): boolean {
    return gpa >= 0 && lengthBytes >= 0 && gpa + lengthBytes <= this.sizeBytes;
  }

  /** A live view of [gpa, gpa + lengthBytes). Throws {@link GpaOutOfRange}, like every method below. */
  slice(gpa: number, lengthBytes: number): Uint8Array<SharedArrayBuffer> {
    this.#check(gpa, lengthBytes);
    return this.bytes.subarray(gpa, gpa + lengthBytes);
  }

  /** Copies `source` to [gpa, gpa + source.length). */
  write(gpa: number, source: Uint8Array): void {
    this.#check(gpa, source.length);
    this.bytes.set(source, gpa);
  }

  /** Sets [gpa, gpa + lengthBytes) to `value`. */
  fill(gpa: number, lengthBytes: number, value: number): void {
    this.#check(gpa, lengthBytes);
    this.bytes.fill(value, gpa, gpa + lengthBytes);
  }

  readU8(gpa: number): number {
    this.#check(gpa, 1);
    return this.#view.getUint8(gpa);
  }

  readU16(gpa: number): number {
    this.#check(gpa, 2);
    return this.#view.getUint16(gpa, true);
  }

  readU32(gpa: number): number {
    this.#check(gpa, 4);
    return this.#view.getUint32(gpa, true);
  }

  readU64(gpa: number): bigint {
    this.#check(gpa, 8);
    return this.#view.getBigUint64(gpa, true);
  }

  writeU8(gpa: number, value: number): void {
    this.#check(gpa, 1);
    this.#view.setUint8(gpa, value);
  }

  writeU16(gpa: number, value: number): void {
    this.#check(gpa, 2);
    this.#view.setUint16(gpa, value, true);
  }

  writeU32(gpa: number, value: number): void {
    this.#check(gpa, 4);
    this.#view.setUint32(gpa, value, true);
  }

  writeU64(gpa: number, value: bigint): void {
    this.#check(gpa, 8);
    this.#view.setBigUint64(gpa, value, true);
  }

  #check(gpa: number, lengthBytes: number): void {
    if (!this.contains(gpa, lengthBytes)) throw new GpaOutOfRange(gpa, lengthBytes, this.sizeBytes);
  }
}
