// Names of the bits of CR0, CR4, EFER, RFLAGS and of descriptor attributes. SDM 3A 2.3, 2.5, 2.2.1, 3.4.5.

export const CR0_PE: u64 = 1;
export const CR0_MP: u64 = 1 << 1;
export const CR0_EM: u64 = 1 << 2;
export const CR0_TS: u64 = 1 << 3;
export const CR0_ET: u64 = 1 << 4;
export const CR0_NE: u64 = 1 << 5;
export const CR0_WP: u64 = 1 << 16;
export const CR0_AM: u64 = 1 << 18;
export const CR0_NW: u64 = 1 << 29;
export const CR0_CD: u64 = 1 << 30;
export const CR0_PG: u64 = 0x80000000;
export const CR0_DEFINED: u64 = 0xe005003f;

export const CR4_VME: u64 = 1;
export const CR4_PVI: u64 = 1 << 1;
export const CR4_TSD: u64 = 1 << 2;
export const CR4_DE: u64 = 1 << 3;
export const CR4_PSE: u64 = 1 << 4;
export const CR4_PAE: u64 = 1 << 5;
export const CR4_MCE: u64 = 1 << 6;
export const CR4_PGE: u64 = 1 << 7;
export const CR4_PCE: u64 = 1 << 8;
export const CR4_OSFXSR: u64 = 1 << 9;
export const CR4_OSXMMEXCPT: u64 = 1 << 10;
export const CR4_UMIP: u64 = 1 << 11;
export const CR4_FSGSBASE: u64 = 1 << 16;
export const CR4_PCIDE: u64 = 1 << 17;
export const CR4_OSXSAVE: u64 = 1 << 18;
export const CR4_SMEP: u64 = 1 << 20;
export const CR4_SMAP: u64 = 1 << 21;

export const EFER_SCE: u64 = 1;
export const EFER_LME: u64 = 1 << 8;
export const EFER_LMA: u64 = 1 << 10;
export const EFER_NXE: u64 = 1 << 11;

export const FLAG_CF: u32 = 1;
export const FLAG_ONE: u32 = 1 << 1;
export const FLAG_ZF: u32 = 1 << 6;
export const FLAG_TF: u32 = 1 << 8;
export const FLAG_IF: u32 = 1 << 9;
export const FLAG_DF: u32 = 1 << 10;
export const FLAG_OF: u32 = 1 << 11;
export const FLAG_IOPL: u32 = 3 << 12;
export const FLAG_NT: u32 = 1 << 14;
export const FLAG_RF: u32 = 1 << 16;
export const FLAG_VM: u32 = 1 << 17;
export const FLAG_AC: u32 = 1 << 18;
export const FLAG_VIF: u32 = 1 << 19;
export const FLAG_VIP: u32 = 1 << 20;
export const FLAG_ID: u32 = 1 << 21;
/** CF PF AF ZF SF OF: the lazy ones. */
export const FLAGS_STATUS: u32 = 0x8d5;

export const DEBUGCTL_BTF: u64 = 2;

// Segment attributes as layout.ts keeps them: descriptor bits 40–55 with bits 8–11 (limit 19:16) clear.
export const ATTRIBUTE_ACCESSED: u32 = 1;
/** Of data: writable; of code: readable. */
export const ATTRIBUTE_WRITABLE: u32 = 2;
/** Of data: expand-down; of code: conforming. */
export const ATTRIBUTE_DOWN: u32 = 4;
export const ATTRIBUTE_CODE: u32 = 8;
/** Clear in system descriptors. */
export const ATTRIBUTE_S: u32 = 1 << 4;
export const ATTRIBUTE_P: u32 = 1 << 7;
export const ATTRIBUTE_L: u32 = 1 << 13;
export const ATTRIBUTE_DB: u32 = 1 << 14;
export const ATTRIBUTE_G: u32 = 1 << 15;
export const ATTRIBUTES_DEFINED: u32 = 0xf0ff;
