// Translated blocks: found by address through the jump cache and a hash table, dropped when their guest code is
// written. A dropped block's memory stays in the code cache until its part is evicted (eviction.ts), and its first op
// becomes `stale`, so chains that still lead to it find their way to a new translation.
import * as L from "../layout";
import { S, get32, get64, set32, set64 } from "./state";
import { MEMORY_SIZE, RAM_SIZE, blockInvalidated, blocksForgotten } from "./host";
import { fetchCode } from "./code-fetch";
import { takeFromWriteTlbs } from "./tlb";
import { flushJumpCache, uncacheBlock } from "./jump-cache";
import { OP_STALE } from "./interpreter.gen";

export { cachedBlock, farChainEpoch } from "./jump-cache";

@inline
function hashBucket(rip: u64, gpa: u32, mode: u32): u32 {
  const mixed = (gpa ^ (gpa >>> 14) ^ ((<u32>rip >>> 12) * 0x9e5) ^ (mode * 0x3d1)) & (L.BLOCK_HASH_COUNT - 1);
  return L.BLOCK_HASH + (mixed << 2);
}

/** The registered block for this code, or 0. A block that straddles pages also needs its second page unchanged. */
export function findBlock(rip: u64, gpa: u32, mode: u32): u32 {
  let block = load<u32>(hashBucket(rip, gpa, mode));
  while (block != 0) {
    if (
      load<u64>(block, L.BLOCK_RIP) == rip &&
      load<u32>(block, L.BLOCK_GPA) == gpa &&
      load<u32>(block, L.BLOCK_MODE) == mode &&
      secondPageMatches(block, rip)
    ) {
      return block;
    }
    block = load<u32>(block, L.BLOCK_HASH_NEXT);
  }
  return 0;
}

function secondPageMatches(block: u32, rip: u64): bool {
  const gpa2 = load<u32>(block, L.BLOCK_GPA2);
  if (gpa2 == 0xffffffff) return true;
  const linear = (rip + get64(L.SEG_BASE + 8 * L.SEG_CS) + 0x1000) & ~0xfff;
  const actual = fetchCode(linear);
  if (actual == 0xffffffff) set32(L.FAULT_VECTOR, L.FAULT_NONE);
  return actual == gpa2;
}

/** Makes a block that the host has written into the code cache known, and protects its guest code. */
export function registerBlock(block: u32): void {
  linkToHash(block);
  const gpa = load<u32>(block, L.BLOCK_GPA);
  const size = <u32>load<u16>(block, L.BLOCK_GUEST_SIZE);
  const gpa2 = load<u32>(block, L.BLOCK_GPA2);
  const first = gpa & 0xfff;
  const inFirst = gpa2 == 0xffffffff ? size : 0x1000 - first;
  linkToPage(block, gpa >>> L.PAGE_SHIFT, L.BLOCK_PAGE_NEXT);
  coverPage(gpa >>> L.PAGE_SHIFT, first, first + inFirst);
  if (gpa2 == 0xffffffff) return;
  if (isOtherPage(gpa2, gpa)) linkToPage(block, gpa2 >>> L.PAGE_SHIFT, L.BLOCK_PAGE2_NEXT);
  coverPage(gpa2 >>> L.PAGE_SHIFT, 0, size - inFirst);
}

export function linkToHash(block: u32): void {
  const bucket = hashBucket(load<u64>(block, L.BLOCK_RIP), load<u32>(block, L.BLOCK_GPA), load<u32>(block, L.BLOCK_MODE));
  store<u32>(block, load<u32>(bucket), L.BLOCK_HASH_NEXT);
  store<u32>(bucket, block);
}

/** A second page that is not the first again (two linear pages may map to one). */
export function isOtherPage(gpa2: u32, gpa: u32): bool {
  return gpa2 != 0xffffffff && gpa2 >>> L.PAGE_SHIFT != gpa >>> L.PAGE_SHIFT;
}

function linkToPage(block: u32, page: u32, field: u32): void {
  const head = L.PAGE_BLOCKS + (page << 2);
  store<u32>(block + field, load<u32>(head));
  store<u32>(head, block);
}

function granules(from: u32, to: u32): u64 {
  return bits(from >>> 6, ((to - 1) >>> 6) + 1);
}

/** Bits [first, end), of which there is at least one. */
@inline
function bits(first: u32, end: u32): u64 {
  return (~(<u64>0) << <u64>first) & (~(<u64>0) >>> <u64>(64 - end));
}

/** Marks bytes [from, to) of a page as code; a page's first code takes it out of the write TLBs. */
function coverPage(page: u32, from: u32, to: u32): void {
  if (hasPieces) forgetPieces();
  const before = load<u64>(L.PAGE_CODE_BITMAP + (page << 3));
  setCode(page, before | granules(from, to));
  if (before == 0) takeFromWriteTlbs(page << L.PAGE_SHIFT);
}

/** Says which 64-byte pieces of a page hold code. */
export function setCode(page: u32, pieces: u64): void {
  const word = L.PAGE_CODE_BITMAP + (page << 3);
  const changes = (load<u64>(word) == 0) != (pieces == 0);
  store<u64>(word, pieces);
  if (!changes) return;
  noteStorable(page);
  if (page != 0) noteStorable(page - 1);
}

function noteStorable(page: u32): void {
  const word = L.PAGE_CODE_BITMAP + (page << 3);
  const isLast = page + 1 >= RAM_SIZE >>> L.PAGE_SHIFT;
  store<u8>(L.STORABLE_PAGES + page, <u8>(!isLast && (load<u64>(word) | load<u64>(word, 8)) == 0));
}

/** The field that holds what follows the block in the list of `page`. */
@inline
export function linkInPage(block: u32, page: u32): u32 {
  return block + (load<u32>(block, L.BLOCK_GPA) >>> L.PAGE_SHIFT == page ? L.BLOCK_PAGE_NEXT : L.BLOCK_PAGE2_NEXT);
}

/** The block that follows in the list of `page`. */
@inline
function nextInPage(block: u32, page: u32): u32 {
  return load<u32>(linkInPage(block, page));
}

/** Does the block cover any of the bytes [from, to) of the page? */
function covers(block: u32, page: u32, from: u32, to: u32): bool {
  const gpa = load<u32>(block, L.BLOCK_GPA);
  const size = <u32>load<u16>(block, L.BLOCK_GUEST_SIZE);
  const offset = gpa & 0xfff;
  if (gpa >>> L.PAGE_SHIFT == page && offset < to && from < offset + size) return true;
  return isSecondPage(block, page) && from < offset + size - 0x1000;
}

/** Does the block straddle into this page? It may be its first one too. */
@inline
function isSecondPage(block: u32, page: u32): bool {
  const gpa2 = load<u32>(block, L.BLOCK_GPA2);
  return gpa2 != 0xffffffff && gpa2 >>> L.PAGE_SHIFT == page;
}

/**
 * Before a store of `size` bytes at gpa within one page: drops the translated blocks it would change and returns 1
 * if there were any, in which case the store must not happen yet (FAULT_CODE_CHANGED).
 */
export function codeWrite(gpa: u32, size: u32): u32 {
  const page = gpa >>> L.PAGE_SHIFT;
  const word = L.PAGE_CODE_BITMAP + (page << 3);
  const from = gpa & 0xfff;
  const to = from + size;
  if ((load<u64>(word) & granules(from, to)) == 0) return 0;
  if (isDataBesideCode(gpa, size)) return 0;
  if (dropBlocks(page, from, to)) return 1;
  notePiece(gpa);
  return 0;
}

// Programs that keep variables beside their code, as those in real mode do, store there again and again. Which bytes of such
// a piece are code is remembered until something is translated; what is dropped meanwhile only makes it too careful.

let hasPieces: bool = false;

@inline
function placeOfPiece(piece: u32): u32 {
  return L.MIXED_PIECES + ((piece & (L.MIXED_PIECES_COUNT - 1)) << 4);
}

function isDataBesideCode(gpa: u32, size: u32): bool {
  const piece = gpa >>> 6;
  const last = (gpa + size - 1) >>> 6;
  if (!hasPieces || last != piece || get32(placeOfPiece(piece)) != piece) return false;
  const first = gpa & 63;
  return (get64(placeOfPiece(piece) + 8) & bits(first, first + size)) == 0;
}

function notePiece(gpa: u32): void {
  const page = gpa >>> L.PAGE_SHIFT;
  const start = gpa & 0xfc0;
  let code: u64 = 0;
  for (let block = load<u32>(L.PAGE_BLOCKS + (page << 2)); block != 0; block = nextInPage(block, page)) {
    const offset = load<u32>(block, L.BLOCK_GPA) & 0xfff;
    const end = offset + <u32>load<u16>(block, L.BLOCK_GUEST_SIZE);
    if (load<u32>(block, L.BLOCK_GPA) >>> L.PAGE_SHIFT == page) code |= codeInPiece(offset, end, start);
    if (isSecondPage(block, page)) code |= codeInPiece(0, end - 0x1000, start);
  }
  const piece = gpa >>> 6;
  if (!hasPieces) forgetPieces();
  hasPieces = true;
  set32(placeOfPiece(piece), piece);
  set64(placeOfPiece(piece) + 8, code);
}

function codeInPiece(from: u32, to: u32, start: u32): u64 {
  const first = max(from, start);
  const end = min(to, start + 64);
  return first < end ? bits(first - start, end - start) : 0;
}

function forgetPieces(): void {
  hasPieces = false;
  for (let at = 0; at < L.MIXED_PIECES_COUNT; at++) set32(placeOfPiece(at), 0xffffffff);
}

/** Drops the blocks that cover bytes [from, to) of a page; DMA and snapshots call it through codePageWritten. */
function dropBlocks(page: u32, from: u32, to: u32): u32 {
  const head = L.PAGE_BLOCKS + (page << 2);
  let dropped: u32 = 0;
  let block = load<u32>(head);
  while (block != 0) {
    const next = nextInPage(block, page);
    if (covers(block, page, from, to)) {
      dropBlock(block);
      dropped = 1;
    }
    block = next;
  }
  recoverBitmap(page);
  if (dropped) store<u64>(S + L.STAT_CODE_WRITES, load<u64>(S + L.STAT_CODE_WRITES) + 1);
  return dropped;
}

/** Forgets translations of a whole page range that the host is about to change (DMA, image loading). */
export function codePagesWritten(gpa: u32, size: u32): void {
  if (size == 0) return;
  const last = (gpa + size - 1) >>> L.PAGE_SHIFT;
  for (let page = gpa >>> L.PAGE_SHIFT; page <= last; page++) {
    if (load<u64>(L.PAGE_CODE_BITMAP + (page << 3)) != 0) dropBlocks(page, 0, 0x1000);
  }
}

/** Drops the blocks that cover the byte at this offset of any page: they are to be translated otherwise. */
export function dropCodeAtOffset(offset: u32): void {
  const bit = granules(offset, offset + 1);
  const pages = MEMORY_SIZE >>> L.PAGE_SHIFT;
  for (let page: u32 = 0; page < pages; page++) {
    if (load<u64>(L.PAGE_CODE_BITMAP + (page << 3)) & bit) dropBlocks(page, offset, offset + 1);
  }
}

function recoverBitmap(page: u32): void {
  let bits: u64 = 0;
  let block = load<u32>(L.PAGE_BLOCKS + (page << 2));
  while (block != 0) {
    bits |= coveredGranules(block, page);
    block = nextInPage(block, page);
  }
  setCode(page, bits);
}

/** The bits of PAGE_CODE_BITMAP that a block needs in a page of its. */
export function coveredGranules(block: u32, page: u32): u64 {
  const gpa = load<u32>(block, L.BLOCK_GPA);
  const size = <u32>load<u16>(block, L.BLOCK_GUEST_SIZE);
  const offset = gpa & 0xfff;
  let bits: u64 = 0;
  if (gpa >>> L.PAGE_SHIFT == page) bits |= granules(offset, min<u32>(offset + size, 0x1000));
  if (isSecondPage(block, page)) bits |= granules(0, offset + size - 0x1000);
  return bits;
}

function dropBlock(block: u32): void {
  const gpa = load<u32>(block, L.BLOCK_GPA);
  uncacheBlock(block);
  unlinkFromHash(block);
  unlinkFromPage(block, gpa >>> L.PAGE_SHIFT);
  const gpa2 = load<u32>(block, L.BLOCK_GPA2);
  if (isOtherPage(gpa2, gpa)) {
    unlinkFromPage(block, gpa2 >>> L.PAGE_SHIFT);
    recoverBitmap(gpa2 >>> L.PAGE_SHIFT);
  }
  store<u16>(block + L.BLOCK_OPS, <u16>OP_STALE);
  if (load<u8>(block, L.BLOCK_IN_REGIONS) != 0) blockInvalidated(block);
}

export function unlinkFromHash(block: u32): void {
  const bucket = hashBucket(load<u64>(block, L.BLOCK_RIP), load<u32>(block, L.BLOCK_GPA), load<u32>(block, L.BLOCK_MODE));
  let link = bucket;
  while (load<u32>(link) != block) {
    assert(load<u32>(link) != 0);
    link = load<u32>(link) + L.BLOCK_HASH_NEXT;
  }
  store<u32>(link, load<u32>(block, L.BLOCK_HASH_NEXT));
}

function unlinkFromPage(block: u32, page: u32): void {
  const next = nextInPage(block, page);
  let link = L.PAGE_BLOCKS + (page << 2);
  while (load<u32>(link) != block) {
    assert(load<u32>(link) != 0);
    link = linkInPage(load<u32>(link), page);
  }
  store<u32>(link, next);
}

/** Forgets every block; the host fills the code cache from its start again. */
export function resetBlocks(): void {
  const pages = MEMORY_SIZE >>> L.PAGE_SHIFT;
  memory.fill(L.BLOCK_HASH, 0, L.BLOCK_HASH_COUNT << 2);
  memory.fill(L.PAGE_BLOCKS, 0, pages << 2);
  memory.fill(L.PAGE_CODE_BITMAP, 0, pages << 3);
  memory.fill(L.STORABLE_PAGES, 1, (RAM_SIZE >>> L.PAGE_SHIFT) - 1);
  flushJumpCache();
  blocksForgotten();
}
