# Names of the architecture, as the SDM has them. Vectors: SDM 3A table 6-1; control bits: 3A 2.3, 2.5; MSRs: SDM 4.
.set DE, 0
.set DB, 1
.set NMI, 2
.set BP, 3
.set OF, 4
.set BR, 5
.set UD, 6
.set NM, 7
.set DF, 8
.set TS, 10
.set NP, 11
.set SS, 12
.set GP, 13
.set PF, 14
.set MF, 16
.set AC, 17
.set XM, 19

# Bits of a page fault's error code.
.set PF_P, 1
.set PF_W, 2
.set PF_U, 4
.set PF_RSVD, 8
.set PF_I, 16
.set FLAG_CF, 1
.set FLAG_ZF, 1 << 6
.set FLAG_TF, 1 << 8
.set FLAG_IF, 1 << 9
.set FLAG_DF, 1 << 10
.set FLAG_IOPL3, 3 << 12
.set FLAG_NT, 1 << 14
.set FLAG_RF, 1 << 16
.set FLAG_VM, 1 << 17
.set FLAG_AC, 1 << 18
.set FLAG_VIF, 1 << 19
.set FLAG_VIP, 1 << 20
.set FLAG_ID, 1 << 21
.set CR0_PE, 1
.set CR0_MP, 1 << 1
.set CR0_EM, 1 << 2
.set CR0_TS, 1 << 3
.set CR0_NE, 1 << 5
.set CR0_WP, 1 << 16
.set CR0_AM, 1 << 18
.set CR0_NW, 1 << 29
.set CR0_CD, 1 << 30
.set CR0_PG, 1 << 31
.set CR4_VME, 1
.set CR4_TSD, 1 << 2
.set CR4_DE, 1 << 3
.set CR4_PSE, 1 << 4
.set CR4_PAE, 1 << 5
.set CR4_PGE, 1 << 7
.set CR4_PCE, 1 << 8
.set CR4_OSFXSR, 1 << 9
.set CR4_OSXMMEXCPT, 1 << 10
.set CR4_UMIP, 1 << 11
.set CR4_FSGSBASE, 1 << 16
.set CR4_PCIDE, 1 << 17
.set CR4_SMEP, 1 << 20
.set CR4_SMAP, 1 << 21

# Bits of a paging-structure entry.
.set PTE_P, 1
.set PTE_W, 2
.set PTE_U, 4
.set PTE_A, 0x20
.set PTE_D, 0x40
.set PTE_PS, 0x80
.set PTE_G, 0x100
.set IA32_TSC, 0x10
.set IA32_APIC_BASE, 0x1b
.set IA32_MTRRCAP, 0xfe
.set IA32_SYSENTER_CS, 0x174
.set IA32_SYSENTER_ESP, 0x175
.set IA32_SYSENTER_EIP, 0x176
.set IA32_MCG_CAP, 0x179
.set IA32_MCG_STATUS, 0x17a
.set IA32_MISC_ENABLE, 0x1a0
.set IA32_DEBUGCTL, 0x1d9
.set IA32_PAT, 0x277
.set IA32_MTRR_DEF_TYPE, 0x2ff
.set IA32_TSC_DEADLINE, 0x6e0
.set IA32_EFER, 0xc0000080
.set IA32_STAR, 0xc0000081
.set IA32_LSTAR, 0xc0000082
.set IA32_CSTAR, 0xc0000083
.set IA32_FMASK, 0xc0000084
.set IA32_FS_BASE, 0xc0000100
.set IA32_GS_BASE, 0xc0000101
.set IA32_KERNEL_GS_BASE, 0xc0000102
.set IA32_TSC_AUX, 0xc0000103
.set EFER_SCE, 1
.set EFER_LME, 1 << 8
.set EFER_LMA, 1 << 10
.set EFER_NXE, 1 << 11

# Access bytes of descriptors (byte 5) and the flags nibble above the limit.
.set ACCESS_P, 0x80
.set ACCESS_DPL1, 0x20
.set ACCESS_DPL2, 0x40
.set ACCESS_DPL3, 0x60
.set ACCESS_DATA, 0x92
.set ACCESS_DATA_READ_ONLY, 0x90
.set ACCESS_DATA_DOWN, 0x96
.set ACCESS_CODE, 0x9a
.set ACCESS_CODE_EXECUTE_ONLY, 0x98
.set ACCESS_CODE_CONFORMING, 0x9e
.set ACCESS_LDT, 0x82
.set ACCESS_TSS, 0x89
.set ACCESS_TSS_BUSY, 0x8b
.set ACCESS_TSS16, 0x81
.set ACCESS_CALL_GATE, 0x8c
.set ACCESS_CALL_GATE16, 0x84
.set ACCESS_TASK_GATE, 0x85
.set ACCESS_INTERRUPT_GATE, 0x8e
.set ACCESS_TRAP_GATE, 0x8f
.set ACCESS_INTERRUPT_GATE16, 0x86
.set ACCESS_TRAP_GATE16, 0x87
.set SIZE16, 0x0
.set SIZE32, 0x4
.set SIZE64, 0x2
.set GRANULAR, 0x8

# Selectors of the runtime's GDT. Guests use those from SPARE on for descriptors of their own.
.set CODE0, 0x08
.set DATA0, 0x10
.set CODE3, 0x1b
.set DATA3, 0x23
.set TSS0, 0x28
.set CODE32, 0x38
.set CODE32_3, 0x43
.set CODE1, 0x49
.set DATA1, 0x51
.set CODE2, 0x5a
.set DATA2, 0x62
.set CODE16, 0x68
.set DATA16, 0x70
.set SPARE, 0x80
.set GDT_BYTES, 0x400

# The vector that code under test raises when it has run to its end: a gate that any privilege level may use.
.set DONE, 0x2f
