// What the core asks of its host while a vCPU runs: the callbacks of EngineHost (runtime/host.ts). They are called
// synchronously; 8-byte accesses arrive as two 4-byte ones, low half first.

@external("host", "readPort")
export declare function readPort(port: u32, size: u32): u32;
@external("host", "writePort")
export declare function writePort(port: u32, size: u32, value: u32): void;
@external("host", "readMmio")
export declare function readMmio(gpa: u32, size: u32): u32;
@external("host", "writeMmio")
export declare function writeMmio(gpa: u32, size: u32, value: u32): void;
/** INTA cycle: the vector of the pending external interrupt. */
@external("host", "acknowledgeInterrupt")
export declare function acknowledgeInterrupt(): u32;
/** RDMSR of an MSR the core does not own: 1 and the value at S + SCRATCH, or 0 for #GP. */
@external("host", "readMsr")
export declare function readMsr(index: u32): u32;
/** WRMSR of an MSR the core does not own: 1, or 0 for #GP. */
@external("host", "writeMsr")
export declare function writeMsr(index: u32, low: u32, high: u32): u32;
/** MOV to CR8 has set the task priority class. */
@external("host", "taskPriorityChanged")
export declare function taskPriorityChanged(priorityClass: u32): void;
/** The TSC is guest time plus this from now on. */
@external("host", "tscOffsetChanged")
export declare function tscOffsetChanged(low: u32, high: u32): void;
/** 32 random bits, for RDRAND and RDSEED. */
@external("host", "entropyU32")
export declare function entropyU32(): u32;
/** Nanoseconds of guest time; the TSC counts these (1 GHz) plus TSC_OFFSET. */
@external("host", "nowNs")
export declare function nowNs(): f64;
/**
 * Translates the block at RIP, whose first byte has this guest-physical address, and registers it; returns its
 * address. gpa2 is the page that follows linearly if the first instruction may straddle, or 0xffffffff.
 */
@external("host", "translateBlock")
export declare function translateBlock(gpa: u32, gpa2: u32): u32;
/** The block at this address has become hot: the host may compile a region for it. */
@external("host", "blockIsHot")
export declare function blockIsHot(block: u32): void;
/**
 * The same for the one instruction at RIP, in SINGLE_BLOCK, known to nobody else; gpa2 is its second page or 0xffffffff.
 * 0 if it needs more bytes.
 */
@external("host", "translateSingle")
export declare function translateSingle(gpa: u32, gpa2: u32): u32;
/** The same for the `size` bytes at S + FETCHED, of an instruction that does not lie in RAM alone. */
@external("host", "translateFetched")
export declare function translateFetched(gpa: u32, size: u32): u32;
/** A block that compiled regions contain has been invalidated. */
@external("host", "blockInvalidated")
export declare function blockInvalidated(block: u32): void;
/** The code cache has been emptied: no block is known any more. */
@external("host", "blocksForgotten")
export declare function blocksForgotten(): void;
/** A block that compiled regions contain lies elsewhere from now on. */
@external("host", "blockMoved")
export declare function blockMoved(from: u32, to: u32): void;
/** RAM size in bytes, a multiple of 4096; guest-physical addresses at or above it are MMIO unless they have a slot. */
@external("env", "ramSize")
export declare const RAM_SIZE: u32;
/** RAM and what lies behind it for slots, in bytes, a multiple of 4096. */
@external("env", "memorySize")
export declare const MEMORY_SIZE: u32;
