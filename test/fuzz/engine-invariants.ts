/**
 * What has to hold of the VM's memory whatever a guest did: the engine writes only its own structures, its pointers
 * stay inside them, TLBs lead into guest RAM alone, and nothing lets a store pass by translated code.
 */
import assert from "node:assert/strict";
import type { Engine } from "../../src/engine/index.ts";
import { opNumber } from "../../src/engine/ir/ops.ts";
import * as L from "../../src/engine/layout.ts";

/** Well above the core's tables and its scratch memory, well below the first vCPU. */
const STATIC_DATA_END = 0x4000;

/** Machine-check banks, each with a control register. */
const MC_BANKS = 4;

/** It takes longer than the other checks together. */
const CHECKS_PER_LOOK_AT_CHAINS = 16;
const STALE = opNumber("stale");

type Range = readonly [name: string, start: number, end: number];

const vcpuGaps = (base: number): readonly Range[] => [
  ["registers to debugging", base + L.XMM + (L.XMM_COUNT + 2) * L.XMM_STRIDE, base + L.DEBUG_ARMED],
  ["behind fetched bytes", base + L.FETCHED + L.FETCHED_SIZE, base + L.GLOBAL_MAPPING_EPOCH],
  ["mapping epoch to MSRs", base + L.GLOBAL_MAPPING_EPOCH + 4, base + L.TSC_ADJUST],
  ["MSRs to CPUID", base + L.MSR_MC_CTL + MC_BANKS * 8, base + L.CPUID_TABLE],
  ["statistics to paging", base + L.STAT_BLOCKS_MOVED + 8, base + L.PAGING_PRIVATE],
  [
    "mixed pieces to watched offsets",
    base + L.MIXED_PIECES + 16 * L.MIXED_PIECES_COUNT,
    base + L.WATCHED_OFFSETS,
  ],
  [
    "watched offsets to jump cache's own",
    base + L.WATCHED_OFFSETS + L.WATCHED_OFFSETS_SIZE,
    base + L.JUMP_PRIVATE,
  ],
  ["jump cache's own to fetch TLB", base + L.JUMP_PRIVATE + L.JUMP_PRIVATE_SIZE, base + L.CODE_TLB],
  ["fetch TLB to writable pages", base + L.CODE_TLB + L.CODE_TLB_SIZE, base + L.WRITABLE_PAGES],
  ["writable pages to TLBs", base + L.WRITABLE_PAGES + L.WRITABLE_PAGES_SIZE, base + L.TLB_KERNEL_READ],
  ["TLBs to jump cache", base + L.TLB_USER_WRITE + L.TLB_SIZE, base + L.JUMP_CACHE],
  [
    "behind the jump cache",
    base + L.JUMP_CACHE + (L.JUMP_CACHE_COUNT << L.JUMP_CACHE_SHIFT),
    base + L.VCPU_STRIDE,
  ],
];

/** Checks one engine on one memory; keeps what has to stay as it was. */
export class EngineInvariants {
  readonly #memory: Uint8Array;
  readonly #view: DataView;
  readonly #ramSizeBytes: number;
  readonly #gaps: readonly Range[];
  readonly #cpuid: Uint8Array;
  #checks = 0;

  /** To be made before the guest has run. */
  constructor(memory: WebAssembly.Memory, ramSizeBytes: number) {
    this.#memory = new Uint8Array(memory.buffer);
    this.#view = new DataView(memory.buffer);
    this.#ramSizeBytes = ramSizeBytes;
    const pages = ramSizeBytes >>> L.PAGE_SHIFT;
    this.#gaps = [
      ["below static data", 0, L.CORE_DATA],
      ["behind static data", STATIC_DATA_END, L.VCPU_BASE],
      ...vcpuGaps(L.VCPU_BASE),
      ["other vCPUs", L.VCPU_BASE + L.VCPU_STRIDE, L.BLOCK_HASH],
      ["behind the block hash", L.BLOCK_HASH + 4 * L.BLOCK_HASH_COUNT, L.PAGE_BLOCKS],
      ["behind the pages' blocks", L.PAGE_BLOCKS + 4 * pages, L.PAGE_CODE_BITMAP],
      ["behind the code bitmaps", L.PAGE_CODE_BITMAP + 8 * pages, L.STORABLE_PAGES],
      ["behind the storable pages", L.STORABLE_PAGES + pages - 1, L.CODE_CACHE],
      ["behind RAM", L.RAM_BASE + ramSizeBytes, memory.buffer.byteLength],
    ];
    this.#cpuid = this.#memory.slice(L.VCPU_BASE + L.CPUID_TABLE, L.VCPU_BASE + L.STAT_IN_REGIONS);
  }

  /** What is quick to check, after every run. */
  check(registers: Engine["registers"]): void {
    this.#checkTlbs();
    this.#checkStorablePages();
    this.#checkBlocks();
    const state = L.VCPU_BASE;
    const mode = this.#view.getUint32(state + L.MODE, true);
    registers.writeKeepingCaches(registers.read());
    assert.equal(this.#view.getUint32(state + L.MODE, true), mode, "MODE is what the registers say");
    assert.equal(this.#view.getUint32(state + L.CPL, true) <= 3, true, "CPL is a privilege level");
  }

  /** Everything that must never change. */
  checkGuards(): void {
    for (const [name, start, end] of this.#gaps) {
      const at = firstNonZero(this.#memory, start, end);
      assert.equal(at, undefined, `${name}: the engine wrote at ${String(at?.toString(16))}`);
    }
    this.#assertSame(this.#cpuid, L.VCPU_BASE + L.CPUID_TABLE, "CPUID table");
  }

  #assertSame(before: Uint8Array, start: number, name: string): void {
    const now = this.#memory.subarray(start, start + before.length);
    const at = before.findIndex((byte, i) => byte !== now[i]);
    assert.equal(at, -1, `${name} has changed at ${(start + at).toString(16)}`);
  }

  #checkStorablePages(): void {
    const pages = this.#ramSizeBytes >>> L.PAGE_SHIFT;
    const code = new BigUint64Array(this.#memory.buffer, L.PAGE_CODE_BITMAP, pages);
    const storable = this.#memory.subarray(L.STORABLE_PAGES, L.STORABLE_PAGES + pages);
    const wrong = storable.findIndex(
      (is, page) => is !== (code[page] === 0n && code[page + 1] === 0n ? 1 : 0),
    );
    assert.equal(wrong, -1, `stores without paging to page ${wrong}`);
  }

  #checkTlbs(): void {
    const view = this.#view;
    for (
      let at = L.VCPU_BASE + L.TLB_KERNEL_READ;
      at < L.VCPU_BASE + L.TLB_USER_WRITE + L.TLB_SIZE;
      at += 16
    ) {
      const tag = view.getUint32(at, true);
      // Empty: the tag has its place elsewhere, so no address hits.
      if (((tag >>> 8) & L.TLB_INDEX_MASK) !== ((at - L.VCPU_BASE) & L.TLB_INDEX_MASK)) continue;
      const hva = (tag + view.getUint32(at + 8, true)) >>> 0;
      const gpa = hva - L.RAM_BASE;
      assert.equal(tag & 0xfff, 0, "a TLB tag is a page");
      assert.equal(
        gpa >= 0 && gpa < this.#ramSizeBytes && (gpa & 0xfff) === 0,
        true,
        `a TLB leads to ${hva.toString(16)}`,
      );
      const table = (at - L.VCPU_BASE - L.TLB_KERNEL_READ) >>> 16;
      if (table === 0 || table === 2) continue;
      const bitmap = view.getBigUint64(L.PAGE_CODE_BITMAP + (gpa >>> L.PAGE_SHIFT) * 8, true);
      assert.equal(bitmap, 0n, `a write TLB passes by code at gpa ${gpa.toString(16)}`);
    }
  }

  #checkBlocks(): void {
    const view = this.#view;
    for (let i = 0; i < L.JUMP_CACHE_COUNT; i++) {
      const at = L.VCPU_BASE + L.JUMP_CACHE + (i << L.JUMP_CACHE_SHIFT);
      const block = view.getUint32(at + 8, true);
      if (block !== 0xffffffff && block !== 0) this.#checkBlock(block, "jump cache");
    }
    for (let page = 0; page < this.#ramSizeBytes >>> L.PAGE_SHIFT; page++) {
      const block = view.getUint32(L.PAGE_BLOCKS + page * 4, true);
      if (block !== 0) this.#checkBlock(block, `page ${page.toString(16)}`);
    }
    if (this.#checks++ % CHECKS_PER_LOOK_AT_CHAINS === 0) this.#checkChains();
  }

  /** Every block is in the lists of its pages, its chains lead to blocks of its page that are or were registered. */
  #checkChains(): void {
    const view = this.#view;
    const registered = new Set<number>();
    for (let bucket = 0; bucket < L.BLOCK_HASH_COUNT; bucket++) {
      let block = view.getUint32(L.BLOCK_HASH + 4 * bucket, true);
      for (; block !== 0; block = view.getUint32(block + L.BLOCK_HASH_NEXT, true)) {
        this.#checkBlock(block, "block hash");
        assert.equal(registered.has(block), false, "a block is in one hash chain, once");
        registered.add(block);
      }
    }
    let inPages = 0;
    for (let page = 0; page < this.#ramSizeBytes >>> L.PAGE_SHIFT; page++) {
      let block = view.getUint32(L.PAGE_BLOCKS + page * 4, true);
      while (block !== 0) {
        assert.equal(
          registered.has(block),
          true,
          `page ${page.toString(16)} has a block that is in no hash chain`,
        );
        const isFirst = view.getUint32(block + L.BLOCK_GPA, true) >>> L.PAGE_SHIFT === page;
        if (isFirst) inPages++;
        block = view.getUint32(block + (isFirst ? L.BLOCK_PAGE_NEXT : L.BLOCK_PAGE2_NEXT), true);
      }
    }
    assert.equal(inPages, registered.size, "every block is in the list of its first page");
    for (const block of registered) {
      const chains = view.getUint32(block + L.BLOCK_CHAINS, true);
      if (chains === 0) continue;
      for (const at of [chains + 8, chains + 12]) {
        const to = view.getUint32(at, true);
        if (to !== 0 && this.#isFollowed(chains)) this.#checkChain(block, to - L.BLOCK_OPS, registered);
      }
    }
  }

  /** A chain to another page holds while the epoch is the one that its op names. */
  #isFollowed(op: number): boolean {
    const epoch = this.#view.getUint32(op + 4, true);
    const current = [L.MAPPING_EPOCH, L.GLOBAL_MAPPING_EPOCH].map((at) =>
      this.#view.getUint32(L.VCPU_BASE + at, true),
    );
    return epoch === 0 || current.includes(epoch);
  }

  #checkChain(from: number, to: number, registered: ReadonlySet<number>): void {
    const view = this.#view;
    const page = (block: number): number => view.getUint32(block + L.BLOCK_GPA, true) >>> L.PAGE_SHIFT;
    const isFar = view.getUint32(view.getUint32(from + L.BLOCK_CHAINS, true) + 4, true) !== 0;
    assert.equal(
      isFar || page(from) === page(to),
      true,
      `a chain from ${from.toString(16)} leads to another page`,
    );
    const isStale = view.getUint16(to + L.BLOCK_OPS, true) === STALE;
    assert.equal(
      registered.has(to) || isStale,
      true,
      `a chain leads to ${to.toString(16)}, where no block is`,
    );
  }

  #checkBlock(block: number, from: string): void {
    const inside = block >= L.CODE_CACHE && block < L.CODE_CACHE + L.CODE_CACHE_SIZE && (block & 7) === 0;
    assert.equal(inside, true, `${from}: block pointer ${block.toString(16)} outside the code cache`);
    const table = this.#view.getUint32(block + L.BLOCK_TABLE, true);
    assert.equal(
      table > block && table < L.CODE_CACHE + L.CODE_CACHE_SIZE,
      true,
      `${from}: table ${table.toString(16)}`,
    );
    assert.equal(
      this.#view.getUint32(block + L.BLOCK_GPA, true) < this.#ramSizeBytes,
      true,
      `${from}: gpa of a block`,
    );
  }
}

const zeros = new Uint8Array(1 << 20);

function firstNonZero(memory: Uint8Array, start: number, end: number): number | undefined {
  for (let at = start; at < end; at += zeros.length) {
    const piece = memory.subarray(at, Math.min(end, at + zeros.length));
    if (Buffer.compare(piece, zeros.subarray(0, piece.length)) === 0) continue;
    return at + piece.findIndex((byte) => byte !== 0);
  }
  return undefined;
}
