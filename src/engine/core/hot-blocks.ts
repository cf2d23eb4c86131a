// Which blocks are hot. In any case those that have been executed often enough for what compiling them costs; much sooner
// those that run often just now, while the guest does nothing new: a loop that has gone on for a while will go on for longer
// than what a program comes across on its way. Each block is looked at every EXECUTIONS_PER_LOOK executions.
//
// Time is work: a million interpreted instructions, or eight million in regions, are one unit, so that a guest that waits or
// shares its processor finds the same blocks hot.
import * as L from "../layout";
import { S, get64 } from "./state";
import { blockIsHot } from "./host";
import { retiredSoFar } from "./dispatch";

/** A block that is looked at again only after so long has begun anew, as has one that is looked at for the first time. */
const ASLEEP: u16 = 128;
/** One that takes longer from look to look has other things around it that take more time. */
const SLOW: u16 = 6;
/** The guest does nothing new if at most BEGINNINGS_MAX blocks have begun for so long. */
const STEADY: u64 = 12;
const BEGINNINGS_MAX: u32 = 8;

/** When the last BEGINNINGS_MAX + 1 blocks began, in a ring. */
const beginnings: usize = memory.data((BEGINNINGS_MAX + 1) * 8, 8);
/** Byte in it of the oldest. */
let oldest: usize = 0;

function workDone(): u64 {
  const retired = get64(L.INSTRUCTION_COUNT) + <u64>(<i64>retiredSoFar());
  const inRegions = get64(L.STAT_IN_REGIONS);
  return (retired - inRegions + (inRegions >> 3)) >> 20;
}

function noteBeginning(now: u64): void {
  store<u64>(beginnings + oldest, now);
  oldest = oldest == BEGINNINGS_MAX * 8 ? 0 : oldest + 8;
}

/** Executions until a block counts as hot in any case. */
export function executionsLeft(block: u32): i32 {
  return load<i32>(block, L.BLOCK_HEAT) + L.EXECUTIONS_PER_LOOK * <i32>load<u8>(block, L.BLOCK_LOOKS_LEFT);
}

/** One that is not looked at stays so. */
export function setExecutionsLeft(block: u32, executions: i32): void {
  let looksLeft: i32 = 0;
  if (load<u8>(block, L.BLOCK_LOOKS_LEFT) != 0) looksLeft = min<i32>(L.LOOKS, (executions - 1) / L.EXECUTIONS_PER_LOOK);
  store<u8>(block, <u8>looksLeft, L.BLOCK_LOOKS_LEFT);
  store<i32>(block, executions - looksLeft * L.EXECUTIONS_PER_LOOK, L.BLOCK_HEAT);
}

/** A block has been executed as often as it was to be before the next look. */
export function lookAt(block: u32): void {
  const looksLeft = load<u8>(block, L.BLOCK_LOOKS_LEFT);
  if (looksLeft == 0) {
    blockIsHot(block);
    return;
  }
  const now = workDone();
  const since = <u16>now - load<u16>(block, L.BLOCK_LOOK_TIME);
  store<u16>(block, <u16>now, L.BLOCK_LOOK_TIME);
  if (looksLeft == L.LOOKS || since > ASLEEP) {
    noteBeginning(now);
  } else if (since <= SLOW && now - load<u64>(beginnings + oldest) > STEADY) {
    store<u8>(block, 0, L.BLOCK_LOOKS_LEFT);
    blockIsHot(block);
    return;
  }
  store<u8>(block, <u8>(looksLeft - 1), L.BLOCK_LOOKS_LEFT);
  store<i32>(block, L.EXECUTIONS_PER_LOOK, L.BLOCK_HEAT);
}
