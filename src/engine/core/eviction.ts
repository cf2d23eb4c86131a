// Eviction: empties a part of the code cache so that new blocks can be written there. Blocks that were executed often
// since they were last looked at, and those that compiled regions contain, are moved to the part that is being filled;
// the others are dropped, and are translated again when they are met. No interpreter and no region is on the stack.
//
// What knows a block by its address: its hash chain, the lists of its pages, its jump cache entries, regions (the host),
// and chains in other blocks, which all lie in its first page (ir/print-interpreter.ts) but for far ones. So each page is walked once for all
// its blocks in the part. What an evicted block's own memory is used for until then is told at forwardOf().
import * as L from "../layout";
import { executionsLeft, setExecutionsLeft } from "./hot-blocks";
import { S, get64, set64 } from "./state";
import { blockInvalidated, blockMoved } from "./host";
import { coveredGranules, isOtherPage, linkInPage, linkToHash, setCode, unlinkFromHash } from "./blocks";
import { dropFarChains, uncacheBlock } from "./jump-cache";
import { OP_STALE } from "./interpreter.gen";

/** Executions since it was last looked at with which a block stays. */
const EXECUTIONS_TO_STAY = 16;
/** In a link of an evicted block: that page's list has been walked. No block has this address. */
const WALKED: u32 = 1;

/** The block behind this one in its part. */
@inline
function behind(block: u32): u32 {
  const end = load<u32>(block, L.BLOCK_TABLE) + (<u32>load<u16>(block, L.BLOCK_INSTRUCTION_COUNT) << 2);
  return (end + 7) & ~7;
}

/** Where an evicted block has gone, 0 if it was dropped: it is in no hash chain any more. */
@inline
function forwardOf(block: u32): u32 {
  return load<u32>(block, L.BLOCK_HASH_NEXT);
}

/** Is the block worth its place? Counts half of its executions from now on, so that one that is left alone goes. */
function stays(block: u32, heat: i32): bool {
  if (load<u8>(block, L.BLOCK_IN_REGIONS) != 0) return true;
  const executions = heat - executionsLeft(block);
  if (executions < EXECUTIONS_TO_STAY) return false;
  setExecutionsLeft(block, heat - (executions >> 1));
  return true;
}

/** Copies a block, which is linked to nothing but its pages; regions are told. */
function move(block: u32, to: u32): void {
  memory.copy(to, block, behind(block) - block);
  const distance = to - block;
  store<u32>(to, load<u32>(to, L.BLOCK_TABLE) + distance, L.BLOCK_TABLE);
  const chains = load<u32>(to, L.BLOCK_CHAINS);
  if (chains != 0) store<u32>(to, chains + distance, L.BLOCK_CHAINS);
  linkToHash(to);
  if (load<u8>(to, L.BLOCK_IN_REGIONS) != 0) blockMoved(block, to);
}

/** A chain into the part: to where its block has gone. */
@inline
function redirectChain(chain: u32, start: u32, size: u32): void {
  const block = load<u32>(chain) - L.BLOCK_OPS;
  if (block - start >= size) return;
  const forward = forwardOf(block);
  store<u32>(chain, forward == 0 ? 0 : forward + L.BLOCK_OPS);
}

/** Takes evicted blocks out of the list of a page, or puts their copies in their place, and redirects its chains. */
function walkPage(page: u32, start: u32, size: u32): void {
  let link = L.PAGE_BLOCKS + (page << 2);
  let bits: u64 = 0;
  let block = load<u32>(link);
  while (block != 0) {
    let kept = block;
    if (block - start < size) {
      kept = forwardOf(block);
      const own = linkInPage(block, page);
      const next = load<u32>(own);
      store<u32>(own, WALKED);
      if (kept == 0) {
        block = next;
        continue;
      }
    }
    store<u32>(link, kept);
    const chains = load<u32>(kept, L.BLOCK_CHAINS);
    if (chains != 0) {
      redirectChain(chains + 8, start, size);
      redirectChain(chains + 12, start, size);
    }
    bits |= coveredGranules(kept, page);
    link = linkInPage(kept, page);
    block = load<u32>(link);
  }
  store<u32>(link, 0);
  setCode(page, bits);
}

/**
 * Evicts the blocks in [start, end). Those that stay go to `to` and behind, as far as half of the evicted part's size:
 * new blocks have to find room there too. Returns the address behind them. `heat` is what new blocks begin with.
 */
export function evictBlocks(start: u32, end: u32, to: u32, heat: i32): u32 {
  dropFarChains();
  const size = end - start;
  const room = to + (size >>> 1);
  let next = to;
  let evicted: u64 = 0;
  let moved: u64 = 0;
  for (let block = start; block < end; block = behind(block)) {
    if (<u32>load<u16>(block, L.BLOCK_OPS) == OP_STALE) {
      // It is in no list, but chains from blocks of its page may still lead to it.
      store<u32>(block, 0, L.BLOCK_PAGE_NEXT);
      store<u32>(block, WALKED, L.BLOCK_PAGE2_NEXT);
      store<u32>(block, 0, L.BLOCK_HASH_NEXT);
      continue;
    }
    unlinkFromHash(block);
    uncacheBlock(block);
    const copyEnd = next + (behind(block) - block);
    let forward: u32 = 0;
    if (copyEnd <= room && stays(block, heat)) {
      move(block, next);
      forward = next;
      next = copyEnd;
      moved++;
    } else evicted++;
    store<u16>(block + L.BLOCK_OPS, <u16>OP_STALE);
    store<u32>(block, forward, L.BLOCK_HASH_NEXT);
    if (forward == 0 && load<u8>(block, L.BLOCK_IN_REGIONS) != 0) blockInvalidated(block);
  }
  let walked: u32 = 0xffffffff;
  for (let block = start; block < end; block = behind(block)) {
    const gpa = load<u32>(block, L.BLOCK_GPA);
    const gpa2 = load<u32>(block, L.BLOCK_GPA2);
    const page = gpa >>> L.PAGE_SHIFT;
    if (load<u32>(block, L.BLOCK_PAGE_NEXT) != WALKED && page != walked) {
      walkPage(page, start, size);
      walked = page;
    }
    if (isOtherPage(gpa2, gpa) && load<u32>(block, L.BLOCK_PAGE2_NEXT) != WALKED) {
      walkPage(gpa2 >>> L.PAGE_SHIFT, start, size);
    }
  }
  set64(L.STAT_BLOCKS_EVICTED, get64(L.STAT_BLOCKS_EVICTED) + evicted);
  set64(L.STAT_BLOCKS_MOVED, get64(L.STAT_BLOCKS_MOVED) + moved);
  return next;
}
