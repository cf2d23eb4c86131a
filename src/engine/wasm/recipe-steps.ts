/**
 * The steps of recipes (recipe.ts writes them, lower.ts takes them): numbers from 0x100 on, each followed by its operands.
 * A number below 0x100 is a byte of the function's code.
 */
import type { Expr, Role, ValueType } from "../ir/expr.ts";
import type { ImportedFunction } from "./encode.ts";
import type { Immediates } from "./static-value.ts";

// ---- Steps ----------------------------------------------------------------------------------------------------------
/** Ends a recipe. */
export const END = 0x100;
/** type, number: a temporary local; all that come before it have been asked for. */
export const GET_TEMPORARY = 0x101;
export const SET_TEMPORARY = 0x102;
export const TEE_TEMPORARY = 0x103;
/** type, number: from here on there is this temporary. */
export const NEED_TEMPORARY = 0x104;
/** slot, width: pushes a register-file slot, makes ready to set one, sets one to a value of so many bits (or DYNAMIC + n). */
export const GET_SLOT = 0x105;
export const BEGIN_SET_SLOT = 0x106;
export const SET_SLOT = 0x107;
/** role: an XMM register. */
export const GET_XMM = 0x108;
export const SET_XMM = 0x109;
/** which: pushes one of the lazy values, 0 to 2. */
export const GET_FLAG_VALUE = 0x10a;
/** form: pushes a static value of type i32 or i64. */
export const STATIC_32 = 0x10b;
export const STATIC_64 = 0x10c;
/** expression: pushes a static vector. */
export const STATIC_VECTOR = 0x10d;
/** place: goes on there; form, place: if the static value is 0; role, place: if the operand is the slot that is always 0. */
export const JUMP = 0x10e;
export const JUMP_IF_ZERO = 0x10f;
export const JUMP_IF_ZERO_SLOT = 0x110;
/** recipe: what it says, then goes on. */
export const FOLLOW = 0x129;
/** hint, block type: an if; and its end. */
export const IF = 0x111;
export const END_IF = 0x112;
/** function: its number in calledFunctions. */
export const CALL = 0x113;
/** offset: the immediate of an access to the state block. */
export const STATE_OFFSET = 0x114;
/** which, offset: the immediate of an access to a TLB's entry. */
export const TLB_OFFSET = 0x115;
/** Leaves with a fault. */
export const FAULT = 0x116;
/** place: goes on there if accesses are direct (MODE_DIRECT). */
export const JUMP_IF_DIRECT = 0x12a;
/** which, size in bytes: pops an i32 address, pushes whether the access is to RAM, and needs nothing else. */
export const IS_DIRECT = 0x12b;
/** The immediate of an access to RAM at a guest-physical address. */
export const RAM_OFFSET = 0x12c;
/** place: goes on there if the op's access has a shared check; if that check has been made. */
export const JUMP_IF_SHARED = 0x117;
export const JUMP_IF_CHECKED = 0x118;
/**
 * The shared check: its local is declared, its address computed from the access', the last offset pushed at which its
 * bytes are in one page, its local set and read.
 */
export const NEW_CHECK = 0x119;
export const CHECK_ADDRESS = 0x11a;
export const CHECK_LAST_OFFSET = 0x11b;
export const SET_CHECK = 0x11c;
export const GET_CHECK = 0x11d;
/** place: goes on there if the access' address, of 32 bits, is not that of the check; computes it from any i32. */
export const JUMP_IF_CHECK_32 = 0x127;
export const CHECK_ADDRESS_32 = 0x128;
/** place: during a trial gives it up, and goes on there. */
export const JUMP_IF_TRIAL = 0x12d;
/** place: goes on there if the region may be left in front of the op's instruction; leaves it, or gives a trial up. */
export const JUMP_IF_GIVES_UP = 0x12e;
export const GIVE_UP = 0x12f;
/** place: goes on there if the region is left when the access' check misses, so that behind it the check has succeeded. */
export const JUMP_IF_CERTAIN = 0x131;
/** which: pops the access' address, pushes where the bytes of its check lie, asked of the core, or 0. */
export const REACH = 0x130;
/** The immediate of an access from the check's local. */
export const CHECK_OFFSET = 0x11e;
/** code: a condition; mask: status flags. */
export const CONDITION = 0x11f;
export const STATUS = 0x120;
/** operation: pops its values. */
export const SET_FLAGS = 0x121;
/** operation: the three parts of setting flags in some cases only. */
export const MIX_FLAGS = 0x122;
export const IF_FLAGS = 0x123;
export const END_IF_FLAGS = 0x124;
/** expression, temporary of its result or NO_RESULT: pushes 1 if numbers are ordinary. */
export const ORDINARY = 0x125;
/** offset: pushes an address in the state block. */
export const STATE_ADDRESS = 0x126;

// ---- Operands -------------------------------------------------------------------------------------------------------
export const TYPES = ["i32", "i64", "f32", "f64", "v128"] as const satisfies readonly ValueType[];
export const ROLE_NUMBERS = { d: 0, s: 1, a: 2 } as const satisfies Record<Role, number>;
/** What a slot operand is for a slot that is no operand of the op: this plus its byte offset. See slotOf(). */
export const FIXED_SLOT = 3;
export const HINTS = ["none", "likely", "unlikely"] as const;
export const TLB_READ = 0;
export const TLB_WRITE = 1;
/** That of the check that the access shares. */
export const TLB_OF_CHECK = 2;
/** A number of bits that immediates decide: see dynamicBits. */
export const DYNAMIC = 0x100;
export const NO_RESULT = -1;

// ---- Tables that operands index -------------------------------------------------------------------------------------
/** All recipes, one behind the other. */
export const steps: number[] = [];
export const calledFunctions: ImportedFunction[] = [];
export const staticExpressions: Expr[] = [];
export const dynamicBits: ((op: Immediates) => number)[] = [];
export const ordinaryExpressions: Extract<Expr, { kind: "ordinary" }>[] = [];
