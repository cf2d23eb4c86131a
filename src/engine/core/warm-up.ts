// Runs the interpreter for a moment in memory that no VM has, for V8 to optimize it.
import * as L from "../layout";
import { get32, set32 } from "./state";
import { interpret, OP_JMP } from "./interpreter.gen";

/** V8 begins sooner: it estimates how many bytes of machine code have run, of which a round of the interpreter has many. */
const ROUNDS: u32 = 2000;

/** Interprets a block that jumps to itself until its budget is used up; returns how often that was. */
export function warmUp(): u32 {
  const block: u32 = L.CODE_CACHE;
  const first: u32 = block + L.BLOCK_OPS;
  // enter, of one instruction; jmp, chained to enter.
  store<u64>(first, (<u64>1) << 32);
  store<u16>(first, <u16>OP_JMP, 8);
  store<u32>(first, first, 16);
  store<i32>(block, i32.MAX_VALUE, L.BLOCK_HEAT);
  set32(L.BUDGET, ROUNDS);
  interpret(first);
  return ROUNDS - get32(L.BUDGET);
}
