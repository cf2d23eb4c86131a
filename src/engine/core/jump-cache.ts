// The jump cache: RIP to translated block, read by the interpreter at every branch that is not chained and by compiled
// regions when they leave for another or call one. Quick look-ups see one entry; what had its place before is kept
// next to it, and changes places with it when it is looked for: two addresses in turn do not cost a walk each.
//
// An entry is a cached translation of a linear address, like a TLB entry, and goes when those go:
//
// - A page whose paging entry says G keeps its translation when CR3 is loaded (SDM 3A 4.10.4.1), so entries of such
//   pages stay: the kernel's. The others are in a log, by which a load of CR3 drops them. Software that changes a
//   global translation has to use INVLPG or to change CR4.PGE, and both reach the entry here.
// - INVLPG drops the entries of one page. Most pages it names hold no code, which code-fetch.ts knows.
// - A dropped block takes its own entry along and no other (blocks.ts).
//
// A chain in a branch op leads from block to block past this cache. Within a page it needs no mapping: where the one
// block is, the other is too. A far chain leads to another page. It lives as long as an entry of that page would: the
// branch op has GLOBAL_MAPPING_EPOCH or, if the page is not global, MAPPING_EPOCH as it was then. The one is always odd,
// the other even and not 0, so that an op is followed whose epoch is either.
import * as L from "../layout";
import { S, get32, get64, set32, set64, charge, COST_JUMP_CACHE_FLUSH, COST_LOGGED_ENTRY } from "./state";
import { findBlock } from "./blocks";
import { codeIsGlobal, fetchAddress, flushCodeTlb, flushCodeTlbNonGlobal, flushCodeTlbPage, linearOf, mayBeCode } from "./code-fetch";
import { NO_ADDRESS } from "./paging";
import { MEMORY_SIZE } from "./host";

const ENTRY_SIZE: u32 = 1 << L.JUMP_CACHE_SHIFT;
const CACHE_SIZE = L.JUMP_CACHE_COUNT << L.JUMP_CACHE_SHIFT;

/** How many entries of pages that are not global were made since the last flush; above LOG_MAX the log is useless. */
const LOG_COUNT = L.JUMP_PRIVATE;
/** 1 if an entry was made while CS had a base: the entry's page is not to be seen in its tag. */
const HAS_BASED = L.JUMP_PRIVATE + 4;
/** The offsets from S (u32) of the pairs of neighbours that hold them. */
const LOG = L.JUMP_PRIVATE + 0x40;
const LOG_MAX: u32 = 2032;

/** Offset of RIP's entry in the cache, as layout.ts says at JUMP_CACHE. */
@inline
function offsetOf(rip: u64): u32 {
  const low = <u32>rip;
  const mixed = (low << L.JUMP_OFFSET_SHIFT) ^ (((low >>> 12) * L.JUMP_PAGE_FACTOR) >>> L.JUMP_PAGE_SHIFT);
  return mixed & L.JUMP_INDEX_MASK;
}

@inline
function entryOf(rip: u64): u32 {
  return S + L.JUMP_CACHE + offsetOf(rip);
}

/**
 * What RIP is combined with to give a tag: bits of the mode in its low twelve bits and, unless the code is 64-bit code, whose
 * RIPs fill a tag, the base of CS in the high half. Two addresses with one tag differ in their low twelve bits alone,
 * then, which go into the index so that they are neither at one entry nor neighbours: whatever address a guest jumps
 * to, canonical or not, no block of another mode or code segment answers.
 */
export function updateJumpKey(mode: u32, base: u64): void {
  const bits = <u64>(mode & L.MODE_IN_JUMP_KEY);
  set64(L.JUMP_KEY, (mode & L.MODE_CODE_SIZE) == 2 ? bits : (base << 32) | bits);
}

/** The block at RIP if it has been translated and can be fetched, else 0; no fault is pending then. */
@inline
export function cachedBlock(rip: u64): u32 {
  const at = offsetOf(rip);
  // Not an equality: V8 would load what it compares a second time.
  return (load<u64>(at, S + L.JUMP_CACHE) ^ rip ^ get64(L.JUMP_KEY)) == 0
    ? load<u32>(at, S + L.JUMP_CACHE + 8)
    : uncachedBlock(rip);
}

/** Table slot of the compiled region that enters at RIP, 0 if there is none; for regions whose jump cache misses. */
export function regionAt(rip: u64): u32 {
  const block = cachedBlock(rip);
  return block == 0 ? 0 : load<u32>(block, L.BLOCK_REGION);
}

/** cachedBlock() of a RIP that is not in its entry. */
function uncachedBlock(rip: u64): u32 {
  const entry = entryOf(rip);
  const neighbour = entry ^ ENTRY_SIZE;
  const tag = rip ^ get64(L.JUMP_KEY);
  const displaced = load<u32>(neighbour, 8);
  if (displaced != 0 && load<u64>(neighbour) == tag) {
    v128.store(neighbour, v128.load(entry));
    setEntry(entry, tag, displaced);
    return displaced;
  }
  const gpa = fetchAddress(rip);
  if (gpa == NO_ADDRESS) {
    set32(L.FAULT_VECTOR, L.FAULT_NONE);
    return 0;
  }
  if (gpa >= MEMORY_SIZE) return 0;
  const isGlobal = codeIsGlobal;
  const block = findBlock(rip, gpa, get32(L.MODE));
  if (block != 0) cacheBlock(rip, block, isGlobal);
  return block;
}

/** The host keeps the region of a block's entry current wherever it is (Regions), the block's own word is what it is made of. */
@inline
function setEntry(entry: u32, tag: u64, block: u32): void {
  store<u64>(entry, tag);
  store<u32>(entry, block, 8);
  const region = load<u32>(block, L.BLOCK_REGION);
  store<u32>(entry, region, 12);
  if (region != 0) store<i32>(block, 1, L.BLOCK_HEAT);
}

/** Enters the block that lies at RIP; its page is global or not. */
export function cacheBlock(rip: u64, block: u32, isGlobal: bool): void {
  const entry = entryOf(rip);
  if (load<u32>(entry, 8) != 0) v128.store(entry ^ ENTRY_SIZE, v128.load(entry));
  setEntry(entry, rip ^ get64(L.JUMP_KEY), block);
  if (linearOf(rip) != rip) set32(HAS_BASED, 1);
  const straddles = load<u32>(block, L.BLOCK_GPA2) != 0xffffffff;
  // Nobody has looked whether the second page is global.
  if (isGlobal && !straddles) return;
  const count = get32(LOG_COUNT);
  if (count < LOG_MAX) store<u32>(S + LOG + (count << 2), (entry - S) & ~ENTRY_SIZE);
  set32(LOG_COUNT, count + 1);
}

@inline
function emptyEntry(entry: u32): void {
  v128.store(entry, i64x2.splat(0));
}

/** The epoch until which a jump from another page may be chained to the block at RIP, 0 if it may not. */
export function farChainEpoch(rip: u64, block: u32): u32 {
  const mode = load<u32>(block, L.BLOCK_MODE);
  // What has a mode that is not flat is reached by a base of CS.
  if (!((mode & L.MODE_CODE_SIZE) == 2 || (mode & L.MODE_FLAT) != 0)) return 0;
  if (load<u32>(block, L.BLOCK_GPA2) != 0xffffffff) return 0;
  const gpa = fetchAddress(rip);
  if (gpa == NO_ADDRESS) {
    set32(L.FAULT_VECTOR, L.FAULT_NONE);
    return 0;
  }
  if (gpa != load<u32>(block, L.BLOCK_GPA)) return 0;
  return get32(codeIsGlobal ? L.GLOBAL_MAPPING_EPOCH : L.MAPPING_EPOCH);
}

/** Far chains lead nowhere from now on: blocks go whose places will hold others. */
export function dropFarChains(): void {
  endMappingEpoch();
  endGlobalMappingEpoch();
}

/** Drops the entry of a block that is no longer valid. */
export function uncacheBlock(block: u32): void {
  const entry = entryOf(load<u64>(block, L.BLOCK_RIP));
  if (load<u32>(entry, 8) == block) emptyEntry(entry);
  if (load<u32>(entry ^ ENTRY_SIZE, 8) == block) emptyEntry(entry ^ ENTRY_SIZE);
}

// ---- Flushes ----------------------------------------------------------------------------------------------------

function endMappingEpoch(): void {
  const next = get32(L.MAPPING_EPOCH) + 2;
  set32(L.MAPPING_EPOCH, next == 0 ? 2 : next);
}

function endGlobalMappingEpoch(): void {
  set32(L.GLOBAL_MAPPING_EPOCH, (get32(L.GLOBAL_MAPPING_EPOCH) + 2) | 1);
}

/** Drops everything. */
export function flushJumpCache(): void {
  endMappingEpoch();
  endGlobalMappingEpoch();
  charge(COST_JUMP_CACHE_FLUSH);
  memory.fill(S + L.JUMP_CACHE, 0, CACHE_SIZE);
  set32(LOG_COUNT, 0);
  set32(HAS_BASED, 0);
  flushCodeTlb();
}

/** Drops what loading CR3 drops: all entries but those of global pages. */
export function flushJumpCacheNonGlobal(): void {
  const count = get32(LOG_COUNT);
  if (count > LOG_MAX) return flushJumpCache();
  endMappingEpoch();
  charge(<i32>count * COST_LOGGED_ENTRY);
  for (let i: u32 = 0; i < count; i++) {
    // One of the pair may be global: dropping it costs a look-up, nothing else.
    const pair = S + load<u32>(S + LOG + (i << 2));
    emptyEntry(pair);
    emptyEntry(pair + ENTRY_SIZE);
  }
  set32(LOG_COUNT, 0);
  flushCodeTlbNonGlobal();
}

/** Drops the entries of the 4 KiB page at `page`, global or not. */
export function flushJumpCachePage(page: u64): void {
  if (!mayBeCode(page)) return;
  if (get32(HAS_BASED) != 0) return flushJumpCache();
  endMappingEpoch();
  endGlobalMappingEpoch();
  flushCodeTlbPage(page);
  charge(COST_JUMP_CACHE_FLUSH);
  // No entry has a base: the bits of its tag above the mode's are RIP's. A block may straddle from the page before.
  const before = page - L.PAGE_SIZE;
  const end = S + L.JUMP_CACHE + CACHE_SIZE;
  for (let entry = S + L.JUMP_CACHE; entry < end; entry += ENTRY_SIZE) {
    const tagPage = load<u64>(entry) & ~0xfff;
    if (tagPage == page || tagPage == before) emptyEntry(entry);
  }
}
