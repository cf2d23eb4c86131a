/** Where things lie in the small guest of the engine fuzz. All in guest-physical bytes, mostly mapped one to one. */

export const RAM_SIZE_BYTES = 1 << 20;
/** Random code fills [0, CODE_END). */
export const CODE_END = 0x10000;
export const GDT = 0x20000;
export const IDT = 0x21000;
export const TSS = 0x22000;
export const LDT = 0x23000;
/** Root tables of the three kinds of paging, and what they lead to. */
export const PAGE_DIRECTORY = 0x30000;
export const PAGE_TABLE_32 = 0x31000;
export const PAE_POINTERS = 0x32000;
export const PML4 = 0x33000;
export const POINTERS = 0x34000;
export const DIRECTORY = 0x35000;
export const PAGE_TABLE = 0x36000;
export const STACK_TOP = 0x50000;
export const TABLES = [PAGE_DIRECTORY, PAE_POINTERS, PML4, PML4, DIRECTORY, PAGE_TABLE] as const;
