/** The core functions that compiled regions import, with their WebAssembly types. core/index.ts exports them. */
import type { MemorySize } from "../ir/expr.ts";
import type { Signature } from "./encode.ts";

/** Where region modules find things: the core's exports, and what the engine itself gives. */
export const CORE_MODULE = "core";
export const ENGINE_MODULE = "engine";

/** h_<name>(d, s, imm): 0, or 1 with a fault pending. */
export const helperSignature: Signature = { parameters: ["i32", "i32", "i32"], results: ["i32"] };
/** slowRead<size>(va): host address, or -1 with a fault pending. */
export const slowReadSignature: Signature = { parameters: ["i64"], results: ["i32"] };
/** slowWrite<size>(va, value): 0, or 1 with a fault pending; 128-bit values go by host address. */
export const slowWriteSignature = (size: MemorySize): Signature => ({
  parameters: ["i64", size === 64 ? "i64" : "i32"],
  results: ["i32"],
});
/** beginAgain(): 1, and the instruction is executed anew. */
export const beginAgainSignature: Signature = { parameters: [], results: ["i32"] };
/** raiseCallFault(rsp). */
export const raiseCallSignature: Signature = { parameters: ["i64"], results: [] };
/** raiseBranchFault(). */
export const raiseSignature: Signature = { parameters: [], results: [] };
/** pureFunctions of ir/expr.ts. */
export const pureSignature: Signature = { parameters: ["i64", "i64"], results: ["i64"] };
/** floatsAreOrdinary(first, second, size, scalar): 1 if so and MXCSR is as quick forms need it. */
export const floatsAreOrdinarySignature: Signature = {
  parameters: ["i32", "i32", "i32", "i32"],
  results: ["i32"],
};
/** regionAt(rip): table slot of the region that enters there, or 0. */
export const regionAtSignature: Signature = { parameters: ["i64"], results: ["i32"] };
/** translate(linear, access, user): guest-physical address, or -1 with a fault pending. */
export const translateSignature: Signature = { parameters: ["i64", "i32", "i32"], results: ["i32"] };
/** remap(region): after translate() gave something else for one of its pages; 1 if they are mapped as before. */
export const remapSignature: Signature = { parameters: ["i32"], results: ["i32"] };
/** A compiled region: how deep regions may still call each other, to the next RIP or a REGION_* result. */
export const regionSignature: Signature = { parameters: ["i32"], results: ["i64"] };
