/**
 * Gives pages of a VM's memory back to Linux: madvise(MADV_DONTNEED) on a part of a shared WebAssembly.Memory, which is
 * private anonymous memory of this process and reads as zero afterwards (madvise(2)). JavaScript has no call for it;
 * Node.js 26.1 brought node:ffi, by which the C library is called. Where that is missing, switched off
 * (--no-experimental-ffi) or does not do what it shall on a memory of our own, nothing is freed and everything else works.
 *
 * This is the only code of ours that could damage its own process: it hands addresses to the kernel. So they come from one
 * place, PageRelease.release(), which knows where the memory lies and how long it is, and asserts that each range is in it.
 *
 * Deliberately missing: hosts other than Linux on 64-bit processors; giving back memory beside the guest's RAM.
 */

import { assert } from "../../base/index.ts";
import { withForeignFunctions } from "./foreign-functions.ts";

/** The same on all hosts that foreign-functions.ts knows: <asm-generic/mman-common.h>. */
const MADV_DONTNEED = 4;
const WASM_PAGE_BYTES = 64 * 1024;

export type SharedBytes = Uint8Array<SharedArrayBuffer>;

/** The system calls that are needed. */
export interface HostPages {
  /** What the host frees at least; a power of two. */
  readonly pageBytes: number;
  /** Where the first of the bytes lies; valid as long as the memory lives, since a WebAssembly.Memory of fixed size stays. */
  addressOf(bytes: SharedBytes): bigint;
  /** Frees whole pages, which read as zero from then on; false when the host refuses. */
  free(address: bigint, lengthBytes: bigint): boolean;
}

/** Undefined where pages cannot be given back. */
export function loadHostPages(): Promise<HostPages | undefined> {
  return withForeignFunctions(({ dlopen, getRawPointer }) => {
    // The C library of this very program, whatever it is called.
    const library = dlopen(null, {
      getpagesize: { return: "i32", arguments: [] },
      madvise: { return: "i32", arguments: ["pointer", "u64", "i32"] },
    });
    const pages: HostPages = {
      pageBytes: library.functions.getpagesize(),
      addressOf: (bytes) => getRawPointer(bytes),
      free: (address, lengthBytes) => library.functions.madvise(address, lengthBytes, MADV_DONTNEED) === 0,
    };
    return freesWhatItShall(pages) ? pages : undefined;
  });
}

/** Tries the interface, which is experimental, on a memory in which nothing can be lost. */
function freesWhatItShall(pages: HostPages): boolean {
  const { pageBytes } = pages;
  if (![4096, 16384, 65536].includes(pageBytes)) return false;
  const size = { initial: 4, maximum: 4, shared: true };
  const { buffer } = new WebAssembly.Memory(size);
  if (!(buffer instanceof SharedArrayBuffer)) return false;
  const all = new Uint8Array(buffer);
  const part = all.subarray(WASM_PAGE_BYTES, 3 * WASM_PAGE_BYTES);
  if (pages.addressOf(part) - pages.addressOf(all) !== BigInt(WASM_PAGE_BYTES)) return false;
  all.fill(1);
  const freedBytes = new PageRelease(part, pages).release(WASM_PAGE_BYTES, WASM_PAGE_BYTES);
  const start = 2 * WASM_PAGE_BYTES;
  return (
    freedBytes === WASM_PAGE_BYTES &&
    all.every((byte, at) => byte === (at >= start && at < start + WASM_PAGE_BYTES ? 0 : 1))
  );
}

/** Gives back parts of these bytes, and nothing else. */
export class PageRelease {
  /** Kept, so that the memory lives as long as its address is known. */
  readonly #bytes: SharedBytes;
  readonly #address: bigint;
  readonly #pages: HostPages;

  /** `bytes` lie in a WebAssembly.Memory that never grows. */
  constructor(bytes: SharedBytes, pages: HostPages) {
    assert(
      bytes.buffer instanceof SharedArrayBuffer && !bytes.buffer.growable,
      "the memory stays in its place",
    );
    assert(pages.pageBytes > 0 && Number.isInteger(Math.log2(pages.pageBytes)), "a page is a power of two");
    this.#bytes = bytes;
    this.#address = pages.addressOf(bytes);
    this.#pages = pages;
    assert(this.#address > 0n, "the memory has an address");
  }

  /**
   * Gives back the whole pages of the host's in [at, at + lengthBytes), which read as zero then; returns how many bytes they
   * have, 0 where there is no whole page, or the host refuses.
   */
  release(at: number, lengthBytes: number): number {
    assert(Number.isSafeInteger(at) && Number.isSafeInteger(lengthBytes), "a range has whole bytes");
    assert(
      at >= 0 && lengthBytes >= 0 && at + lengthBytes <= this.#bytes.length,
      "the range is in the memory",
    );
    const pageBytes = BigInt(this.#pages.pageBytes);
    const from = this.#address + BigInt(at);
    const to = from + BigInt(lengthBytes);
    // Inward: what shares a page of the host with the range was not asked for.
    const firstPage = ((from + pageBytes - 1n) / pageBytes) * pageBytes;
    const end = (to / pageBytes) * pageBytes;
    if (firstPage >= end) return 0;
    assert(firstPage >= from && end <= to, "pages are freed only within the range");
    return this.#pages.free(firstPage, end - firstPage) ? Number(end - firstPage) : 0;
  }
}
