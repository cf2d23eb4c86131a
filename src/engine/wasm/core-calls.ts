/** The functions that compiled regions import, with their WebAssembly types: the core's (core/index.ts) and the engine's. */
import type { MemorySize, PureFunction } from "../ir/expr.ts";
import { ImportedFunction, type Signature } from "./encode.ts";

/** Where region modules find things: the core's exports, and what the engine itself gives. */
const CORE_MODULE = "core";
export const ENGINE_MODULE = "engine";

const core = (name: string, signature: Signature): ImportedFunction =>
  new ImportedFunction(CORE_MODULE, name, signature);
/** One function for each key, made when it is asked for first. */
function family<Key>(make: (key: Key) => ImportedFunction): (key: Key) => ImportedFunction {
  const known = new Map<Key, ImportedFunction>();
  return (key) => {
    const before = known.get(key);
    if (before !== undefined) return before;
    const made = make(key);
    known.set(key, made);
    return made;
  };
}

const returnsI32: Signature = { parameters: [], results: ["i32"] };
const fromI64: Signature = { parameters: ["i64"], results: ["i32"] };
const storesI32: Signature = { parameters: ["i64", "i32"], results: ["i32"] };
const storesI64: Signature = { parameters: ["i64", "i64"], results: ["i32"] };

const helperSignature: Signature = { parameters: ["i32", "i32", "i32"], results: ["i32"] };
/** h_<name>(d, s, imm): 0, or 1 with a fault pending. */
export const helperFunction = family((name: string) => core(`h_${name}`, helperSignature));
/** slowRead<size>(va): host address, or -1 with a fault pending; checked as a store is: slowReadForWrite<size>. */
export const slowRead = family((size: MemorySize) => core(`slowRead${size}`, fromI64));
export const slowReadForWrite = family((size: MemorySize) => core(`slowReadForWrite${size}`, fromI64));
/** slowWrite<size>(va, value): 0, or 1 with a fault pending; 128-bit values go by host address. */
export const slowWrite = family((size: MemorySize) =>
  core(`slowWrite${size}`, size === 64 ? storesI64 : storesI32),
);
const reaches: Signature = { parameters: ["i64", "i32", "i32"], results: ["i32"] };
/**
 * reachTo...(va, before, behind): for the access at va and others, from so many bytes in front of it to so many from it: host
 * address of the first byte, or 0, perhaps with a fault pending.
 */
export const reachToRead = core("reachToRead", reaches);
export const reachToWrite = core("reachToWrite", reaches);
export const reachToReadAndWrite = core("reachToReadAndWrite", reaches);
/** beginAgain(): 1, and the instruction is executed anew. */
export const beginAgain = core("beginAgain", returnsI32);
/** raiseCallFault(rsp). */
export const raiseCallFault = core("raiseCallFault", { parameters: ["i64"], results: [] });
export const raiseBranchFault = core("raiseBranchFault", { parameters: [], results: [] });
const pureSignature: Signature = { parameters: ["i64", "i64"], results: ["i64"] };
/** pureFunctions of ir/expr.ts. */
export const pureFunction = family((name: PureFunction) => core(name, pureSignature));
/** condition<code>(): 1 if it holds for the flags in the state block. */
export const conditionFunction = family((code: number) => core(`condition${code}`, returnsI32));
/** computeFlags(): the status flags. */
export const computeFlags = core("computeFlags", returnsI32);
/** floatsAreOrdinary(first, second, size, scalar): 1 if so and MXCSR is as quick forms need it. */
export const floatsAreOrdinary = core("floatsAreOrdinary", {
  parameters: ["i32", "i32", "i32", "i32"],
  results: ["i32"],
});
/** regionAt(rip): table slot of the region that enters there, or 0. */
export const regionAt = core("regionAt", fromI64);
const walks: Signature = { parameters: ["i64", "i32", "i32"], results: ["i32"] };
/** translate(linear, access, user) and translateGlobal(): guest-physical address, or -1. */
export const translate = core("translate", walks);
export const translateGlobal = core("translateGlobal", walks);
/** remap(region): after translate() gave something else for one of its pages; 1 if they are mapped as before. */
export const remap = new ImportedFunction(ENGINE_MODULE, "remap", { parameters: ["i32"], results: ["i32"] });
/** guardMissed(region, offset, target): a guarded call, so far from the region's entry, has led there once more. */
export const guardMissed = new ImportedFunction(ENGINE_MODULE, "guardMissed", {
  parameters: ["i32", "i32", "i32"],
  results: [],
});
/** runsFailed(region, count): RUN_FAILURES_COUNTED runs have failed; so many instructions are not settled yet. */
export const runsFailed = new ImportedFunction(ENGINE_MODULE, "runsFailed", {
  parameters: ["i32", "i32"],
  results: [],
});
/** gaveUp(region, offset): an access of the instruction there has missed, which is left to the interpreter. */
export const gaveUp = new ImportedFunction(ENGINE_MODULE, "gaveUp", {
  parameters: ["i32", "i32"],
  results: [],
});
/** A compiled region: bytes of stack that regions may still use, to the next RIP or a REGION_* result. */
export const regionSignature: Signature = { parameters: ["i32"], results: ["i64"] };
