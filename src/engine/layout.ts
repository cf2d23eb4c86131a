// The engine's memory layout: where the vCPU state, the TLBs, the code cache and guest RAM lie in the one
// WebAssembly.Memory of a VM, and where each register lies in a vCPU's state block.
//
// This file is compiled twice, as TypeScript (translator, snapshots, debugger) and as AssemblyScript (core/), so
// it imports nothing and holds only `export const NAME = integer`. All offsets and sizes are in bytes.

// ---- The memory of one VM -------------------------------------------------------------------------------------
/** AssemblyScript's static data lies in [CORE_DATA, VCPU_BASE); build.ts passes it as --memoryBase. */
export const CORE_DATA = 0x400;
/** State block of vCPU n at VCPU_BASE + n * VCPU_STRIDE. */
export const VCPU_BASE = 0x10000;
export const VCPU_STRIDE = 0x100000;
export const VCPU_COUNT_MAX = 8;
/** Heads (u32 block address) of the hash table of translated blocks. */
export const BLOCK_HASH = 0x810000;
export const BLOCK_HASH_COUNT = 0x20000;
/** Per page of memory: u32 address of the first translated block that starts or ends in it, 0 if none. */
export const PAGE_BLOCKS = 0x900000;
/** Per page of memory: u64, bit i set if a translated block covers bytes [64 i, 64 i + 64) of the page. */
export const PAGE_CODE_BITMAP = 0xc10000;
/**
 * Per guest-physical page of 4 GiB: u8, 1 if it and the next one are RAM without translated code, so that stores which
 * begin in it need no other check while accesses are direct (MODE_DIRECT).
 */
export const STORABLE_PAGES = 0x1230000;
/**
 * Per guest-physical page of 4 GiB: u32, 0 where the page is what it is without a slot (RAM below RAM's end, devices'
 * above), else SLOT_* bits and in the high 20 bits the page of memory that is seen there. Pages of RAM above 1 MiB have no
 * slot.
 */
export const MEMORY_SLOTS = 0x1400000;
/** The page has a slot. */
export const SLOT_PRESENT = 1;
/** Reads are of memory, not of a device. */
export const SLOT_READABLE = 2;
export const SLOT_WRITABLE = 4;
export const FIRST_PAGE_WITHOUT_SLOT = 0x100000;
/** The code cache: encoded IR of translated blocks, in parts that are evicted one by one (runtime/code-cache.ts). */
export const CODE_CACHE = 0x2000000;
export const CODE_CACHE_SIZE = 0x4000000;
/** The start of the code cache holds the one block that is executed alone after FAULT_CODE_CHANGED. */
export const SINGLE_BLOCK = 0x2000000;
export const SINGLE_BLOCK_SIZE = 0x4000;
/** Memory begins: RAM, guest-physical address 0, then what slots show elsewhere. Everything below is the engine's own. */
export const RAM_BASE = 0x6000000;
export const RAM_SIZE_MAX = 0xc0000000;
/** RAM, ROM and video memory together. */
export const MEMORY_SIZE_MAX = 0xc4000000;

export const PAGE_SIZE = 4096;
export const PAGE_SHIFT = 12;

// ---- The vCPU block, offsets from its base --------------------------------------------------------------------
// The first 256 bytes are the register file that one-byte IR operands address: sixteen GPRs, six segment bases,
// a constant zero, nine temporaries that are dead between instructions.
export const GPR = 0;
export const GPR_RAX = 0;
export const GPR_RCX = 8;
export const GPR_RDX = 16;
export const GPR_RBX = 24;
export const GPR_RSP = 32;
export const GPR_RBP = 40;
export const GPR_RSI = 48;
export const GPR_RDI = 56;
/** Segment bases in the order ES, CS, SS, DS, FS, GS (u64 each). The architectural base of each segment. */
export const SEG_BASE = 128;
export const SLOT_ZERO = 176;
export const TEMP = 184;
export const TEMP_COUNT = 9;

export const RIP = 256;
/** Lazy flags: which operation last set CF PF AF ZF SF OF (flags.ts: kind * 4 + log2 of the size in bytes). */
export const CC_OP = 264;
export const CC_DST = 272;
export const CC_SRC = 280;
export const CC_AUX = 288;
/** RFLAGS without the six status flags (u32); bit 1 is always set. */
export const RFLAGS_REST = 296;
export const CPL = 300;
/** Translation mode (MODE_* bits), the part of the state that a translation depends on; updateMode() keeps it. */
export const MODE = 304;
/** RIP after the current instruction, set with RIP by the `syncpc` op before a system helper. */
export const NEXT_RIP = 312;

// Segment registers, ES CS SS DS FS GS LDTR TR: { selector u16 @0, attributes u16 @2, limit u32 @4 (bytes, G
// applied) }. Attributes are descriptor bits 40–55: type 0–3, S 4, DPL 5–6, P 7, AVL 12, L 13, D/B 14, G 15.
// A null or unusable segment has P = 0.
export const SEG = 320;
export const SEG_STRIDE = 8;
export const SEG_ES = 0;
export const SEG_CS = 1;
export const SEG_SS = 2;
export const SEG_DS = 3;
export const SEG_FS = 4;
export const SEG_GS = 5;
export const SEG_LDTR = 6;
export const SEG_TR = 7;
export const SEG_SELECTOR = 0;
export const SEG_ATTRIBUTES = 2;
export const SEG_LIMIT = 4;
export const LDTR_BASE = 384;
export const TR_BASE = 392;
export const GDTR_BASE = 400;
export const IDTR_BASE = 408;
export const GDTR_LIMIT = 416;
export const IDTR_LIMIT = 420;

export const CR0 = 424;
export const CR2 = 432;
export const CR3 = 440;
export const CR4 = 448;
export const EFER = 456;
export const XCR0 = 464;
/** Debug registers DR0–DR7, u64 each. */
export const DR = 472;

export const MSR_STAR = 536;
export const MSR_LSTAR = 544;
export const MSR_CSTAR = 552;
export const MSR_FMASK = 560;
export const MSR_KERNEL_GS_BASE = 568;
export const MSR_SYSENTER_CS = 576;
export const MSR_SYSENTER_ESP = 584;
export const MSR_SYSENTER_EIP = 592;
export const MSR_TSC_AUX = 600;
export const MSR_PAT = 608;
export const MSR_MISC_ENABLE = 616;
/** Added to the host's nanosecond counter to give the TSC (i64). */
export const TSC_OFFSET = 624;
export const MSR_MTRR_DEF_TYPE = 632;
/** Variable-range MTRRs: 8 pairs base, mask; then 11 fixed-range MTRRs; u64 each. */
export const MSR_MTRR_VARIABLE = 640;
export const MSR_MTRR_FIXED = 768;

// Interrupts and exits.
/** 1 while the interrupt line into the CPU is asserted; written by the machine. */
export const INTERRUPT_LINE = 864;
export const NMI_PENDING = 868;
/** 1 while an STI or MOV SS shadow keeps the next instruction boundary free of interrupts. */
export const INTERRUPT_SHADOW = 872;
export const SHADOW_STI = 1;
/** It also holds back debug traps and instruction breakpoints. */
export const SHADOW_SS = 2;
export const HALTED = 876;
/** Set from outside (or by a device access) to make run() return at the next block boundary. */
export const EXIT_REQUEST = 880;
export const NMI_BLOCKED = 884;
/** Instructions retired up to the last return to the dispatcher, i64. */
export const INSTRUCTION_COUNT = 888;
/** Instructions left before the running block loop must return to the dispatcher (i32), and how many it was given. */
export const BUDGET = 896;
export const BUDGET_GIVEN = 900;
/** CR8 / TPR shadow, u32. */
export const CR8 = 904;

// The pending fault: written by whoever finds it, consumed by the dispatcher, which knows RIP.
/** FAULT_* kind below, or an exception vector 0–31. */
export const FAULT_VECTOR = 912;
export const FAULT_HAS_ERROR = 916;
/** In FAULT_HAS_ERROR: there is an error code, and the vector needs no second look (stack-faults.ts). */
export const FAULT_ERROR_EXACT = 2;
export const FAULT_ERROR = 920;
/** Linear address of a page fault, copied to CR2 on delivery. */
export const FAULT_ADDRESS = 928;
/** Not an exception: the store would change translated code, whose blocks are dropped, or slots: execute it alone. */
export const FAULT_CODE_CHANGED = 256;
/** Not an exception: triple fault, the processor is in shutdown. */
export const FAULT_SHUTDOWN = 257;
/** Not an exception: a region has given up in front of an instruction; the interpreter goes on there. */
export const FAULT_GAVE_UP = 258;
/** No fault is pending. */
export const FAULT_NONE = 512;

/** Why run() returned. */
export const EXIT_SLICE = 0;
export const EXIT_HALT = 1;
export const EXIT_SHUTDOWN = 2;
export const EXIT_REQUESTED = 3;

/** Results of a compiled region that are no RIP (they are not canonical): a fault is pending / RIP is in the state. */
export const REGION_FAULT_LOW = 1;
export const REGION_DISPATCH_LOW = 2;
export const REGION_RESULT_HIGH = 0x40000000;
/**
 * Another number (u32, even, not 0) since a translation of code may have been dropped, or blocks have been evicted: regions
 * of several pages check their mapping by it, and chains to other pages end with it.
 */
export const MAPPING_EPOCH = 908;

/**
 * What RIP is combined with to give the tag of its jump-cache entry: the mode, and in the high half the base of CS if
 * the code is not 64-bit code (jump-cache.ts). updateMode() keeps it.
 */
export const JUMP_KEY = 936;

/** Where slow reads compose MMIO and page-crossing values (32 bytes). */
export const SCRATCH = 944;

// x87 and MMX: eight registers by physical number, { significand u64 @0, sign and exponent u16 @8 }, 16 bytes each.
export const X87 = 976;
export const X87_STRIDE = 16;
/** Control word u16, status word u16 (TOP in bits 11–13 kept current), abridged tag byte (bit set = not empty). */
export const X87_CW = 1104;
export const X87_SW = 1108;
export const X87_TAG = 1112;
/** The last x87 instruction: FOP u16, FIP and FDP u64, FCS and FDS u16; what is above those of 16 bits is not theirs. */
export const X87_OPCODE = 1116;
export const X87_IP = 1120;
export const X87_DP = 1128;
export const MXCSR = 1136;
export const X87_CS = 1140;
export const X87_DS = 1144;

/** XMM registers with room for 256 bits each; entry 16 and 17 are translation temporaries. */
export const XMM = 1152;
export const XMM_STRIDE = 32;
export const XMM_COUNT = 16;
export const XMM_TEMP = 16;
// 1152 + 18 * 32 = 1728

// Debugging (debug.ts).
/** Which kinds of breakpoints DR7 enables: ARMED_* bits. */
export const DEBUG_ARMED = 1904;
export const ARMED_EXECUTION = 1;
export const ARMED_DATA = 2;
export const ARMED_PORT = 4;
/** Traps due at the end of the instruction: bits of DR6. */
export const DEBUG_TRAPS = 1908;
/** In DEBUG_TRAPS, and no bit of DR6: a task switch has left a fault of the new task pending. */
export const TASK_FAULT = 0x40000000;
/** IA32_DEBUGCTL, u64. */
export const DEBUGCTL = 1912;
/** 1 while a match is noted in DEBUG_TRAPS; 0 inside a block, where it makes the instruction be executed alone. */
export const TRAPS_NOTED = 1920;
/** 1 while RF or MOV SS holds instruction breakpoints off. */
export const BREAKPOINTS_OFF = 1924;
/** 1 if RF may be set in RFLAGS_REST: it goes when the next instruction begins. */
export const RF_LOADED = 1928;
/** How many bits of WATCHED_OFFSETS are set: for each offset in a page whether code there checks for breakpoints. */
export const WATCHED_OFFSET_COUNT = 1932;
/** RIP of the instruction that the shadow of a MOV SS covers now, u64; -1 if there is none. */
export const SHADOWED_RIP = 1936;
/** 1 while programs' accesses have to be aligned (CR0.AM, RFLAGS.AC, CPL 3): the user TLBs are empty. */
export const ALIGNMENT_CHECKED = 1944;
/** 1 if the user TLBs may have entries. */
export const USER_TLBS_FILLED = 1948;
/** The bytes of one instruction that the core has fetched from elsewhere than RAM alone, for translateFetched. */
export const FETCHED = 1952;
export const FETCHED_SIZE = 15;
/** As MAPPING_EPOCH, of global pages alone, whose translations outlive a load of CR3 (u32, odd). */
export const GLOBAL_MAPPING_EPOCH = 1968;
/** What WRMSR has added to the TSC (i64); machine-check status and control, and control of each of four banks. */
export const TSC_ADJUST = 1984;
export const MSR_MCG_STATUS = 1992;
export const MSR_MCG_CTL = 2000;
export const MSR_MC_CTL = 2008;
export const MSR_SPEC_CTRL = 2040;

/** CPUID leaves as a table: u32 count, then entries of 24 bytes { leaf, subleaf, eax, ebx, ecx, edx }. */
export const CPUID_TABLE = 2048;
export const CPUID_ENTRY_SIZE = 24;
export const CPUID_COUNT_MAX = 80;

/** Statistics, u64 each: what `--stats` prints. */
export const STAT_IN_REGIONS = 4000;
export const STAT_TLB_FILLS = 4008;
export const STAT_TLB_FLUSHES = 4016;
export const STAT_INTERRUPTS = 4024;
export const STAT_EXCEPTIONS = 4032;
export const STAT_CODE_WRITES = 4040;
export const STAT_PORT_ACCESSES = 4048;
export const STAT_MMIO_ACCESSES = 4056;
export const STAT_BLOCKS_EVICTED = 4064;
export const STAT_BLOCKS_MOVED = 4072;

export const STATE_SIZE = 4096;
/** Paging's own: which linear 2 MiB ranges large pages map, and a log of TLB fills for quick flushes (tlb.ts). */
export const PAGING_PRIVATE = 0x1000;
export const PAGING_PRIVATE_SIZE = 0x4400;
/** Pairs of TLB entries, read and write, that made room for others: 16 of the supervisor's, then 16 of users'. */
export const TLB_VICTIMS = 0x5400;
export const TLB_VICTIMS_SIZE = 0x400;
/** Of 64-byte pieces that hold code beside data: { piece u32, unused u32, its bytes of code u64, a bit each } (blocks.ts). */
export const MIXED_PIECES = 0x5800;
export const MIXED_PIECES_COUNT = 16;
export const WATCHED_OFFSETS = 0x5c00;
export const WATCHED_OFFSETS_SIZE = 0x200;
/** What jump-cache.ts keeps about the jump cache, and the TLB of instruction fetches (code-fetch.ts). */
export const JUMP_PRIVATE = 0x6000;
export const JUMP_PRIVATE_SIZE = 0x2000;
export const CODE_TLB = 0x8000;
export const CODE_TLB_SIZE = 0x9800;
/** Bitmap by guest-physical page: clear if no write TLB can lead to the page (tlb.ts). */
export const WRITABLE_PAGES = 0x12000;
export const WRITABLE_PAGES_SIZE = 0x1000;

// ---- Jump cache: virtual address to block ---------------------------------------------------------------------
// Entries { tag i64 = rip ^ JUMP_KEY, block u32 (0 if empty), region u32 (table slot of its compiled region, 0 if
// none) }. With low = the low half of RIP, its entry lies at JUMP_CACHE + (JUMP_INDEX_MASK &
// ((low << JUMP_OFFSET_SHIFT) ^ ((low >>> 12) * JUMP_PAGE_FACTOR >>> JUMP_PAGE_SHIFT))): the offsets of a page are spread
// over the whole cache, pages are mixed in.
export const JUMP_CACHE = 0x60000;
export const JUMP_CACHE_COUNT = 16384;
export const JUMP_CACHE_SHIFT = 4;
export const JUMP_OFFSET_SHIFT = 6;
export const JUMP_PAGE_FACTOR = 0x61c88647;
export const JUMP_PAGE_SHIFT = 14;
export const JUMP_INDEX_MASK = 0x3fff0;

// ---- What regions have executed --------------------------------------------------------------------------------
/** While a profile is learnt: instructions of the n-th region (u64 each). */
export const REGION_INSTRUCTIONS = 0xa0000;
export const REGION_INSTRUCTIONS_COUNT = 4096;

// ---- TLBs: direct-mapped, entries { tag i64, addend i32, unused i32 } -------------------------------------------
// An access of size s at va hits if (va ^ tag) <= PAGE_SIZE - s, unsigned: it lies in the page of the tag. Host address
// = (i32)va + addend. Index: ((i32)va >>> 8) & TLB_INDEX_MASK. The tag of an empty entry is an address in a page that
// has another index, so that no address hits.
export const TLB_KERNEL_READ = 0x20000;
export const TLB_KERNEL_WRITE = 0x30000;
export const TLB_USER_READ = 0x40000;
export const TLB_USER_WRITE = 0x50000;
export const TLB_SIZE = 0x10000;
export const TLB_INDEX_MASK = 0xfff0;

// ---- Translation mode -----------------------------------------------------------------------------------------
/** Code size: 0 = 16-bit, 1 = 32-bit, 2 = 64-bit. */
export const MODE_CODE_SIZE = 3;
/** SS.B: stack pointer is ESP (in 64-bit mode set too). */
export const MODE_STACK32 = 4;
/** ES, CS, SS, DS have base 0 and cover 4 GiB read/write (always in 64-bit mode): no base, no limit check. */
export const MODE_FLAT = 8;
/** CPL is 3: user TLBs, privileged instructions raise #GP. */
export const MODE_USER = 16;
/** RFLAGS.TF: blocks hold one instruction, #DB follows it. */
export const MODE_STEP = 32;
/** CR0.TS: x87 and SSE instructions raise #NM. */
export const MODE_FPU_TS = 64;
/** CR0.EM: x87 raises #NM, SSE #UD. */
export const MODE_FPU_EM = 128;
/** CR4.OSFXSR is clear: SSE raises #UD. */
export const MODE_NO_SSE = 256;
/** FS (GS) covers 4 GiB read/write from its base (always in 64-bit mode): no limit check. */
export const MODE_FS_FLAT = 512;
export const MODE_GS_FLAT = 1024;
/** CR0.PE is clear or RFLAGS.VM set: segment loads compute base = selector << 4. */
export const MODE_REAL = 2048;
/**
 * A linear address is a place in RAM, unless it lies behind RAM's end: paging is off, the A20 gate open, no data watched and
 * no alignment checked. Compiled regions then ask no TLB.
 */
export const MODE_DIRECT = 4096;
/** The bits that are part of JUMP_KEY; the jump cache is flushed when another one changes. */
export const MODE_IN_JUMP_KEY = 4095;

// ---- Where an indirect branch has led -------------------------------------------------------------------------
/** In the op of an indirect jump or call: low halves of the RIPs it has led to (u32, 0 if none), each at its hash. */
export const SEEN_TARGETS = 24;
export const SEEN_TARGETS_COUNT = 32;
/** A target's first place is (low half * SEEN_FACTOR) >>> SEEN_SHIFT, in u32s; where all it may take are taken it gets that. */
export const SEEN_PLACES_TRIED = 8;
export const SEEN_FACTOR = 0x9e3779b1;
export const SEEN_SHIFT = 27;

// ---- Translated blocks in the code cache ----------------------------------------------------------------------
// Header, then encoded IR ops, then the instruction table: u16 pairs { op offset / 8 from the first op, guest
// offset from the block's RIP }, one for each guest instruction, for exact faults.
/** Guest-physical address of the first byte. */
export const BLOCK_GPA = 0;
export const BLOCK_MODE = 4;
/** Next block in the same hash bucket. */
export const BLOCK_HASH_NEXT = 8;
/** Next block in the list of its first page, and of the second page for one that straddles (0 if it does not). */
export const BLOCK_PAGE_NEXT = 12;
export const BLOCK_PAGE2_NEXT = 16;
/** Guest-physical page address of the second page, or 0xffffffff. */
export const BLOCK_GPA2 = 20;
/** Guest bytes covered (u16), guest instructions (u16). */
export const BLOCK_GUEST_SIZE = 24;
export const BLOCK_INSTRUCTION_COUNT = 26;
/** Address of the instruction table, behind which the block ends. */
export const BLOCK_TABLE = 28;
/** Table slot of a compiled region that enters here, 0 if none. */
export const BLOCK_REGION = 32;
/** u8: 1 if compiled regions contain this block's code: the host hears of its invalidation. */
export const BLOCK_IN_REGIONS = 36;
/** u8: looks (core/hot-blocks.ts) until the block counts as hot however seldom it runs just now; at 0 the next one says so. */
export const BLOCK_LOOKS_LEFT = 37;
/** u16: time of the last look, if there was one. */
export const BLOCK_LOOK_TIME = 38;
/** Address of the last op if it has chains to other blocks, else 0. */
export const BLOCK_CHAINS = 40;
// What the interpreter reads each time comes last, next to the ops: it shares a cache line with the first of them.
/**
 * Executions left until the next look at the block (i32). While a compiled region enters here it is 1 if that has been entered
 * since the host last set it to 0.
 */
export const BLOCK_HEAT = 44;
export const BLOCK_RIP = 48;
/** First op. */
export const BLOCK_OPS = 56;
/** A new block is looked at after so many executions, and so often before it counts as hot in any case. */
export const EXECUTIONS_PER_LOOK = 2000;
export const LOOKS = 7;
/**
 * Executions after which a block counts as hot in any case: what choosing, translating and compiling the region around it
 * costs is then about what interpreting it has cost (docs/engine.md).
 */
export const EXECUTIONS_OF_A_HOT_BLOCK = (LOOKS + 1) * EXECUTIONS_PER_LOOK;
