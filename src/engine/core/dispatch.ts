// The run loop: takes interrupts, finds or has translated the block at RIP, runs it in the interpreter (which runs on
// through chains and compiled regions) and delivers the faults that end a run. SDM 3A 6.
import * as L from "../layout";
import { S, get32, get64, set32, set64, VECTOR_GP, raiseWithError, setStepOver, stepOver, beginWork, charge, isWorkDone, COST_TRANSLATION } from "./state";
import { acknowledgeInterrupt, translateBlock, translateFetched, translateSingle, MEMORY_SIZE } from "./host";
import { registerBlock, resetBlocks } from "./blocks";
import { codeIsGlobal, endsAtLimit, fetchAddress, fetchBytes, fetchCode, linearOf } from "./code-fetch";
import { cacheBlock, cachedBlock } from "./jump-cache";
import { deliverInterrupt, deliverNmi, deliverPendingFault, deliverTraps } from "./exceptions";
import { setAlone } from "./memory";
import { flushTlb } from "./tlb";
import { DEBUGCTL_BTF, FLAG_IF, FLAG_RF } from "./control-bits";
import { DR6_BS, breakpointBeforeFetch } from "./debug";
import { nameStackFault } from "./stack-faults";
import { OP_REGION, interpret } from "./interpreter.gen";

/**
 * Bytes of stack that compiled regions may use by calling each other before they return to the dispatcher: a quarter of what a
 * thread has at least under V8. As they keep to it, V8 need not look (platform/node/vm-process.ts).
 */
const REGION_STACK_BYTES: i32 = 256 * 1024;

const NO_PAGE: u32 = 0xffffffff;

/** Calls the compiled region in this table slot: the next RIP or one of the REGION_* results. */
@inline
export function runRegion(slot: u32): u64 {
  return call_indirect<u64>(slot, REGION_STACK_BYTES);
}

/** Returns instructions to the budget that a block took at its entry but did not retire. */
export function giveBack(count: i32): void {
  store<i32>(S + L.BUDGET, load<i32>(S + L.BUDGET) + count);
}

/** A 128-bit value in memory for slowWrite128. */
@inline
export function spill128(value: v128): u32 {
  v128.store(S + L.SCRATCH + 16, value);
  return S + L.SCRATCH + 16;
}

/** RIP arithmetic in the current code size: EIP and IP wrap. */
export function truncateRip(rip: u64): u64 {
  const size = get32(L.MODE) & L.MODE_CODE_SIZE;
  return size == 2 ? rip : size == 1 ? rip & 0xffffffff : rip & 0xffff;
}

/** Sets RIP to the guest instruction that the op at `ip` belongs to, and takes back the count of those behind it. */
export function locateFault(block: u32, ip: u32): void {
  const op = (ip - block - L.BLOCK_OPS) >>> 3;
  const count = <i32>load<u16>(block, L.BLOCK_INSTRUCTION_COUNT);
  let entry = load<u32>(block, L.BLOCK_TABLE);
  let index = 0;
  while (index + 1 < count && <u32>load<u16>(entry, 4) <= op) {
    entry += 4;
    index++;
  }
  set64(L.RIP, load<u64>(block, L.BLOCK_RIP) + <u64>load<u16>(entry, 2));
  giveBack(count - index);
}

function grant(count: i32): void {
  store<i32>(S + L.BUDGET, count);
  store<i32>(S + L.BUDGET_GIVEN, count);
}

/** Instructions retired since grant(). */
@inline
export function retiredSoFar(): i32 {
  return load<i32>(S + L.BUDGET_GIVEN) - load<i32>(S + L.BUDGET);
}

/** Adds what was retired since grant() to the instruction count and returns it. */
function settle(): i32 {
  const retired = retiredSoFar();
  set64(L.INSTRUCTION_COUNT, get64(L.INSTRUCTION_COUNT) + <u64>(<i64>retired));
  grant(0);
  return retired;
}

/** The guest-physical page after the one of `linear`, or NO_PAGE if code cannot be fetched from it. */
function pageAfter(linear: u64): u32 {
  const gpa = fetchCode((linear & ~0xfff) + 0x1000);
  if (gpa == NO_PAGE || gpa >= MEMORY_SIZE) {
    set32(L.FAULT_VECTOR, L.FAULT_NONE);
    return NO_PAGE;
  }
  return gpa;
}

const LONGEST_INSTRUCTION = 15;

/** The page after that of the instruction at RIP, which lies at `gpa`, if it may reach into it, else NO_PAGE. */
function secondPage(rip: u64, gpa: u32): u32 {
  return (gpa & 0xfff) > 0x1000 - LONGEST_INSTRUCTION ? pageAfter(linearOf(rip)) : NO_PAGE;
}

/** The fault of an instruction that goes on behind what can be fetched: `inPages` bytes. */
function raiseIncomplete(rip: u64, inPages: u32): void {
  if (endsAtLimit(rip, inPages)) {
    raiseWithError(VECTOR_GP, 0);
    return;
  }
  fetchCode((linearOf(rip) & ~0xfff) + 0x1000);
}

/** Leaves the instruction at RIP to runSingle(), which can fetch it from anywhere. */
function leaveToRunSingle(): u32 {
  set32(L.FAULT_VECTOR, L.FAULT_CODE_CHANGED);
  return 0;
}

/** Has the block at RIP, which is not known yet, translated; 0 with a fault or what else has to be done pending. */
function newBlock(rip: u64): u32 {
  const block = translateAt(rip);
  if (block == 0 && get32(L.DEBUG_ARMED) & L.ARMED_EXECUTION) breakpointBeforeFetch();
  return block;
}

function translateAt(rip: u64): u32 {
  const gpa = fetchAddress(rip);
  if (gpa == NO_PAGE) return 0;
  if (gpa >= MEMORY_SIZE) return leaveToRunSingle();
  const isGlobal = codeIsGlobal;
  const second = secondPage(rip, gpa);
  const block = translateBlock(gpa, second);
  if (block == 0) {
    raiseIncomplete(rip, second == NO_PAGE ? 0x1000 - (gpa & 0xfff) : LONGEST_INSTRUCTION);
    // Its second page is a device's.
    return get32(L.FAULT_VECTOR) == L.FAULT_NONE ? leaveToRunSingle() : 0;
  }
  registerBlock(block);
  charge(COST_TRANSLATION);
  cacheBlock(rip, block, isGlobal);
  return block;
}

/** The instruction at RIP as a block of its own, fetched from wherever it is; 0 with a fault pending. */
function singleBlock(rip: u64): u32 {
  const gpa = fetchAddress(rip);
  if (gpa == NO_PAGE) return 0;
  let block: u32 = 0;
  if (gpa < MEMORY_SIZE) block = translateSingle(gpa, secondPage(rip, gpa));
  if (block == 0) {
    const size = fetchBytes(rip, gpa);
    block = translateFetched(gpa, size);
    if (block == 0) raiseIncomplete(rip, size);
  }
  return block;
}

/**
 * Executes the instruction at RIP in a block of its own: after a store found translated code or a chip's memory in its way,
 * and because it lies outside RAM.
 */
function runSingle(): u32 {
  set32(L.FAULT_VECTOR, L.FAULT_NONE);
  const block = singleBlock(get64(L.RIP));
  if (block == 0) {
    if (get32(L.DEBUG_ARMED) & L.ARMED_EXECUTION) breakpointBeforeFetch();
    return 1;
  }
  grant(1);
  setAlone(true);
  const faulted = interpret(block + L.BLOCK_OPS);
  setAlone(false);
  settle();
  return faulted;
}

/** What ended a run wants the instruction at RIP executed otherwise. */
@inline
function isNoException(): bool {
  const vector = get32(L.FAULT_VECTOR);
  return vector == L.FAULT_CODE_CHANGED || vector == L.FAULT_GAVE_UP;
}

/** Where the interpreter goes on for a region that has given up, or 0: one that begins at RIP would do so again. */
function blockBehindRegion(): u32 {
  set32(L.FAULT_VECTOR, L.FAULT_NONE);
  if (get32(L.DEBUG_ARMED) != 0) return 0;
  const rip = get64(L.RIP);
  let block = cachedBlock(rip);
  if (block == 0) block = newBlock(rip);
  return block != 0 && load<u16>(block + L.BLOCK_OPS) != OP_REGION ? block : 0;
}

/** The next instruction is executed alone: what covers it ends with it. */
let alone: bool = false;

function interruptIsDeliverable(): bool {
  return get32(L.INTERRUPT_LINE) != 0 && (get32(L.RFLAGS_REST) & FLAG_IF) != 0;
}

/** An STI or MOV SS shadow passes over the next instruction: whatever waits behind it comes after exactly one. */
function enterShadow(shadow: u32): void {
  set32(L.INTERRUPT_SHADOW, 0);
  alone = interruptIsDeliverable() || get32(L.NMI_PENDING) != 0;
  if (shadow != L.SHADOW_SS) return;
  shadowIsNoted = true;
  set64(L.SHADOWED_RIP, get64(L.RIP));
  if (get32(L.DEBUG_TRAPS) != 0 || get32(L.DEBUG_ARMED) & L.ARMED_EXECUTION) {
    alone = true;
    set32(L.BREAKPOINTS_OFF, 1);
  }
}

/** SHADOWED_RIP names an instruction. */
let shadowIsNoted: bool = false;
function forgetShadow(): void {
  shadowIsNoted = false;
  set64(L.SHADOWED_RIP, -1);
}

/** Takes an NMI or external interrupt if one may be taken now. */
function takeInterrupts(): void {
  alone = false;
  if (shadowIsNoted) forgetShadow();
  const shadow = get32(L.INTERRUPT_SHADOW);
  if (shadow != 0) {
    enterShadow(shadow);
  } else if (get32(L.NMI_PENDING) != 0 && get32(L.NMI_BLOCKED) == 0) {
    deliverNmi();
  } else if (interruptIsDeliverable()) {
    set64(L.STAT_INTERRUPTS, get64(L.STAT_INTERRUPTS) + 1);
    deliverInterrupt(acknowledgeInterrupt());
  }
}

/** RF goes when the instruction that it covers begins. */
function beginUnderResumeFlag(): void {
  set32(L.RF_LOADED, 0);
  const flags = get32(L.RFLAGS_REST);
  if (!(flags & FLAG_RF)) return;
  set32(L.RFLAGS_REST, flags & ~FLAG_RF);
  if (!(get32(L.DEBUG_ARMED) & L.ARMED_EXECUTION)) return;
  alone = true;
  set32(L.BREAKPOINTS_OFF, 1);
}

/** Whether the instruction between these two RIPs, which is `size` bytes long, has branched. */
function hasBranched(from: u64, to: u64, size: u32): bool {
  // A repeated string instruction that stops half-way stays where it is, with RF set.
  return to != truncateRip(from + size) && !(to == from && get32(L.RF_LOADED) != 0);
}

/** The trap of RFLAGS.TF behind the instruction that `block`, or else the single block, has executed. */
function noteSingleStep(rip: u64, block: u32): void {
  if (stepOver || get32(L.DEBUG_TRAPS) & L.TASK_FAULT) return;
  if (get64(L.DEBUGCTL) & DEBUGCTL_BTF) {
    const executed = block != 0 ? block : <u32>L.SINGLE_BLOCK;
    if (!hasBranched(rip, get64(L.RIP), load<u16>(executed, L.BLOCK_GUEST_SIZE))) return;
  }
  set32(L.DEBUG_TRAPS, get32(L.DEBUG_TRAPS) | DR6_BS);
}

/** Instructions that run() may still execute. */
let left: i32 = 0;

/**
 * Interprets from a block on. One larger than what is left of the slice runs all the same: a slice is a guide, not a
 * promise.
 */
function runBlock(block: u32): u32 {
  const stepping = get32(L.MODE) & L.MODE_STEP;
  grant(stepping ? 1 : max<i32>(left, <i32>load<u16>(block, L.BLOCK_INSTRUCTION_COUNT)));
  const watched = get32(L.DEBUG_ARMED) != 0;
  // An instruction that meets a breakpoint is executed alone.
  if (watched) set32(L.TRAPS_NOTED, 0);
  const faulted = interpret(block + L.BLOCK_OPS);
  if (watched) set32(L.TRAPS_NOTED, 1);
  left -= settle();
  return faulted;
}

/** Runs about `budget` instructions: EXIT_SLICE, EXIT_HALT, EXIT_SHUTDOWN or EXIT_REQUESTED. */
export function run(budget: i32): u32 {
  left = budget;
  beginWork();
  while (true) {
    // Traps behind the last instruction come before interrupts, but not out of the shadow of a MOV SS.
    if (get32(L.DEBUG_TRAPS) != 0 && get32(L.INTERRUPT_SHADOW) != L.SHADOW_SS) deliverTraps();
    if (get32(L.FAULT_VECTOR) == L.FAULT_SHUTDOWN) return L.EXIT_SHUTDOWN;
    if (get32(L.EXIT_REQUEST) != 0) {
      set32(L.EXIT_REQUEST, 0);
      return L.EXIT_REQUESTED;
    }
    if ((left <= 0 || isWorkDone()) && get32(L.HALTED) == 0) return L.EXIT_SLICE;
    takeInterrupts();
    if (get32(L.FAULT_VECTOR) == L.FAULT_SHUTDOWN) return L.EXIT_SHUTDOWN;
    if (get32(L.HALTED) != 0) return L.EXIT_HALT;
    const held = get32(L.DEBUG_TRAPS);
    if (held != 0 && !alone) continue;
    if (get32(L.RF_LOADED) != 0) beginUnderResumeFlag();

    const rip = get64(L.RIP);
    const stepping = get32(L.MODE) & L.MODE_STEP;
    if (stepping) setStepOver(false);
    let faulted: u32 = 1;
    let block: u32 = 0;
    if (alone) {
      faulted = runSingle();
      set32(L.BREAKPOINTS_OFF, 0);
      left--;
    } else {
      block = cachedBlock(rip);
      if (block == 0) block = newBlock(rip);
      if (block != 0) faulted = runBlock(block);
    }
    // More than once for an instruction that stores to several pages with code; each time drops what stood in its way.
    while (faulted && isNoException()) {
      block = get32(L.FAULT_VECTOR) == L.FAULT_GAVE_UP ? blockBehindRegion() : 0;
      if (block != 0) {
        faulted = runBlock(block);
      } else {
        faulted = runSingle();
        left--;
      }
    }
    if (faulted) {
      set32(L.DEBUG_TRAPS, held);
      set64(L.STAT_EXCEPTIONS, get64(L.STAT_EXCEPTIONS) + 1);
      nameStackFault();
      deliverPendingFault();
      left--;
    } else if (stepping) {
      noteSingleStep(rip, block);
    }
  }
}

/** Starts with empty caches; the host calls it once the registers are set, and after it changed memory or paging. */
export function resetCaches(): void {
  set32(L.FAULT_VECTOR, L.FAULT_NONE);
  resetBlocks();
  flushTlb();
}
