/**
 * Guest memory as the caller of a service sees it: by linear addresses, which in real mode are physical ones and in a
 * virtual-8086 task go through its monitor's page tables, with their protection (SDM 3A 4.3 and 4.4, 32-bit and PAE
 * paging). EMM386 and Windows put upper memory and the EMS page frame elsewhere that way.
 *
 * Deliberately missing: raising page faults. A page that is not present, or forbidden, is memory where nothing is: the
 * access does not happen, and the service reports what it has for that. Tables of long mode, from which nobody calls.
 */

import type { CpuState, Dma } from "../../hw/index.ts";

const CR0_PE = 1n << 0n;
const CR0_PG = 1n << 31n;
const CR4_PSE = 1n << 4n;
const CR4_PAE = 1n << 5n;
const RFLAGS_VM = 1n << 17n;
const ENTRY = {
  present: 1 << 0,
  writable: 1 << 1,
  user: 1 << 2,
  accessed: 1 << 5,
  dirty: 1 << 6,
  large: 1 << 7,
};
const PAGE_BYTES = 4096;
const NOTHING = 0xff;

interface Paging {
  readonly cr3: number;
  readonly isPae: boolean;
  readonly hasLargePages: boolean;
  /** Privilege level 3, as in every virtual-8086 task. */
  readonly isUser: boolean;
}

export class CallerMemory {
  readonly #dma: Dma;
  readonly #paging: Paging | undefined;

  constructor(state: CpuState, dma: Dma) {
    this.#dma = dma;
    const isPaging = (state.cr0 & CR0_PG) !== 0n && (state.cr0 & CR0_PE) !== 0n;
    const isPae = (state.cr4 & CR4_PAE) !== 0n;
    this.#paging = isPaging
      ? {
          cr3: Number(state.cr3 & 0xffff_ffffn),
          isPae,
          hasLargePages: isPae || (state.cr4 & CR4_PSE) !== 0n,
          isUser: (state.rflags & RFLAGS_VM) !== 0n || (state.cs.selector & 3) === 3,
        }
      : undefined;
  }

  /** Copies what is at `linear`; false, and nothing is copied, when not all of it can be read. */
  read(linear: number, target: Uint8Array): boolean {
    const pieces = this.#pieces(linear, target.length, false);
    return (
      pieces?.every(({ gpa, at, lengthBytes }) =>
        this.#dma.read(gpa, target.subarray(at, at + lengthBytes)),
      ) ?? false
    );
  }

  /** Copies `source` to `linear`; false, and nothing is changed, when not all of it can be written. */
  write(linear: number, source: Uint8Array): boolean {
    const pieces = this.#pieces(linear, source.length, true);
    if (!pieces?.every(({ gpa, lengthBytes }) => this.#dma.readable(gpa, lengthBytes) !== undefined))
      return false;
    return pieces.every(({ gpa, at, lengthBytes }) =>
      this.#dma.write(gpa, source.subarray(at, at + lengthBytes)),
    );
  }

  /** A copy of what is at `linear`; undefined when not all of it can be read. */
  bytes(linear: number, lengthBytes: number): Uint8Array<ArrayBuffer> | undefined {
    const bytes = new Uint8Array(lengthBytes);
    return this.read(linear, bytes) ? bytes : undefined;
  }

  /** FFh where nothing is. */
  readU8(linear: number): number {
    return this.bytes(linear, 1)?.[0] ?? NOTHING;
  }

  /** Without effect where nothing is. */
  writeU8(linear: number, value: number): void {
    this.write(linear, Uint8Array.of(value));
  }

  /** Where a range lies, page by page if there are any; undefined when a part of it lies nowhere. */
  #pieces(linear: number, lengthBytes: number, isWrite: boolean) {
    const paging = this.#paging;
    if (paging === undefined) return [{ gpa: linear, at: 0, lengthBytes }];
    const pieces = [];
    for (let at = 0; at < lengthBytes;) {
      const place = (linear + at) >>> 0;
      const length = Math.min(lengthBytes - at, PAGE_BYTES - (place % PAGE_BYTES));
      const gpa = this.#walk(paging, place, isWrite);
      if (gpa === undefined) return undefined;
      pieces.push({ gpa, at, lengthBytes: length });
      at += length;
    }
    return pieces;
  }

  #walk(paging: Paging, linear: number, isWrite: boolean): number | undefined {
    const { cr3, isPae } = paging;
    const entryBytes = isPae ? 8 : 4;
    const indexBits = isPae ? 9 : 10;
    let table = cr3 & ~0xfff;
    if (isPae) {
      // The four entries of the first level have no protection of their own.
      const first = this.#entry((cr3 & ~0x1f) + (linear >>> 30) * entryBytes, isPae);
      if (first === undefined || (first & ENTRY.present) === 0) return undefined;
      table = first & ~0xfff;
    }
    for (const shift of [12 + indexBits, 12]) {
      const index = (linear >>> shift) & ((1 << indexBits) - 1);
      const at = (table >>> 0) + index * entryBytes;
      const entry = this.#entry(at, isPae);
      if (entry === undefined || !isAllowed(entry, paging, isWrite)) return undefined;
      const isLarge = shift > 12 && paging.hasLargePages && (entry & ENTRY.large) !== 0;
      const isLast = isLarge || shift === 12;
      this.#mark(at, entry, isLast && isWrite ? ENTRY.accessed | ENTRY.dirty : ENTRY.accessed);
      const offsetMask = (1 << shift) - 1;
      if (isLast) return ((entry & ~offsetMask) | (linear & offsetMask)) >>> 0;
      table = entry & ~0xfff;
    }
    return undefined;
  }

  /** The low half of an entry; none where the upper half leads beyond 4 GiB, which no RAM of a VM does. */
  #entry(gpa: number, isPae: boolean): number | undefined {
    const bytes = this.#dma.readable(gpa >>> 0, isPae ? 8 : 4);
    if (bytes === undefined) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (isPae && (view.getUint32(4, true) & 0x7fff_ffff) !== 0) return undefined;
    return view.getUint32(0, true);
  }

  #mark(gpa: number, entry: number, bits: number): void {
    if ((entry & bits) !== bits) this.#dma.write(gpa, Uint8Array.of((entry | bits) & 0xff));
  }
}

function isAllowed(entry: number, { isUser }: Paging, isWrite: boolean): boolean {
  const demanded = ENTRY.present | (isUser ? ENTRY.user : 0) | (isUser && isWrite ? ENTRY.writable : 0);
  return (entry & demanded) === demanded;
}
