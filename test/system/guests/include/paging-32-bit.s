# Paging in 32-bit protected mode: the guests paging-32 (entries of 4 bytes) and paging-pae (8 bytes, PAE = 1) share
# their checks. The first 8 MiB are mapped onto themselves by 4 KiB pages. SDM 3A 4.3, 4.4.
.set WIDTH, 32
.include "guest.s"

.if PAE
.set ENTRY, 8
.set LARGE_SHIFT, 21
.else
.set ENTRY, 4
.set LARGE_SHIFT, 22
.endif
.set PAGE, 0x700000
.set FRAME, PAGE
.set OTHER_FRAME, 0x701000
.set PTE_DEFAULT, PTE_P | PTE_W | PTE_U
.set PAGE_PTE, tables + (PAGE >> 12) * ENTRY
.set PAGE_PDE, directory + (PAGE >> LARGE_SHIFT) * ENTRY
# Virtual address and directory entry for large pages.
.set LARGE, 0x800000
.set LARGE_PDE, directory + (LARGE >> LARGE_SHIFT) * ENTRY
.set LARGE_FRAME, 0x400000

.bss
.balign 4096
pointers: .skip 4096
directory: .skip 4096
tables: .skip 2048 * ENTRY

.text
build_tables:
    mov $tables, %edi
    mov $PTE_DEFAULT, %eax
    mov $2048, %ecx
1:  mov %eax, (%edi)
    movl $0, ENTRY - 4(%edi)
    mov %eax, (%edi)
    add $0x1000, %eax
    add $ENTRY, %edi
    loop 1b
    mov $directory, %edi
    mov $tables + PTE_DEFAULT, %eax
    mov $0x800000 >> LARGE_SHIFT, %ecx
2:  mov %eax, (%edi)
    add $0x1000, %eax
    add $ENTRY, %edi
    loop 2b
    movl $0, LARGE_PDE
    movl $directory + PTE_P, pointers
    movl $0, pointers + 8
    ret

paging_on:
    .if PAE
    mov $pointers, %eax
    .else
    mov $directory, %eax
    .endif
    mov %eax, %cr3
    mov %cr4, %eax
    and $~(CR4_PSE|CR4_PGE), %eax
    .if PAE
    or $CR4_PAE, %eax
    .endif
    mov %eax, %cr4
    mov %cr0, %eax
    or $CR0_PG, %eax
    mov %eax, %cr0
    ret

paging_off:
    mov %cr0, %eax
    and $~(CR0_PG|CR0_WP), %eax
    mov %eax, %cr0
    mov %cr4, %eax
    and $~(CR4_PAE|CR4_PSE), %eax
    mov %eax, %cr4
    ret

.macro set_cr bit, register
    mov %\register, %eax
    or $\bit, %eax
    mov %eax, %\register
.endm

.macro clear_cr bit, register
    mov %\register, %eax
    and $~(\bit), %eax
    mov %eax, %\register
.endm

.macro flush
    mov %cr3, %eax
    mov %eax, %cr3
.endm

.macro map bits, high=0
    movl $FRAME|(\bits), PAGE_PTE
    .if PAE
    movl $\high, PAGE_PTE + 4
    .endif
    invlpg PAGE
.endm

.macro map_default
    map PTE_DEFAULT
.endm

.macro page_fault name, how, error, level=0
    begin
    .if \level == 3
    user
    .endif
    .ifc \how, read
at  mov PAGE + 0x123, %eax
    .endif
    .ifc \how, write
at  mov %eax, PAGE + 0x123
    .endif
    .ifc \how, execute
    mov $PAGE + 0x123, %eax
    call *%eax
    .endif
    raised PF, \error
    expect seen_cr2, $PAGE + 0x123, "CR2"
    check "\name"
.endm

.macro allowed name, how, level=0
    begin
    .if \level == 3
    user
    .endif
    .ifc \how, read
    mov PAGE + 0x123, %eax
    .else
    mov %eax, PAGE + 0x123
    .endif
    completed "\name"
.endm

main:
    call build_tables
    call paging_on
    mov $IA32_EFER, %ecx
    rdmsr
    and $~EFER_NXE, %eax
    wrmsr
    call basic
    call large_pages
    .if PAE
    call pae_only
    .endif
    call paging_off
    ret

basic:
    .if PAE
    topic "PAE paging"
    .else
    topic "32-bit paging"
    .endif
    map_default
    movl $0x11111111, FRAME + 0x123
    movl $0x22222222, OTHER_FRAME + 0x123
    map PTE_W|PTE_U
    page_fault "a read of a page that is not present has error code 0", read, 0
    page_fault "a write to a page that is not present has W", write, PF_W
    page_fault "a read at CPL 3 of a page that is not present has U", read, PF_U, 3
    page_fault "a write at CPL 3 to a page that is not present has U and W", write, PF_U|PF_W, 3
    page_fault "a fetch from a page that is not present has error code 0", execute, 0
    map PTE_P|PTE_W
    page_fault "a read at CPL 3 of a supervisor page has P and U", read, PF_P|PF_U, 3
    page_fault "a write at CPL 3 to a supervisor page has P, U and W", write, PF_P|PF_U|PF_W, 3
    page_fault "a fetch at CPL 3 from a supervisor page has P and U", execute, PF_P|PF_U, 3
    map PTE_P|PTE_U
    page_fault "a write at CPL 3 to a read-only page has P, U and W", write, PF_P|PF_U|PF_W, 3
    allowed "without WP CPL 0 writes to read-only pages", write
    set_cr CR0_WP, cr0
    page_fault "with WP a write at CPL 0 to a read-only page has P and W", write, PF_P|PF_W
    clear_cr CR0_WP, cr0
    map_default
    allowed "CPL 3 writes to user pages", write, 3
    andl $~PTE_P, PAGE_PDE
    invlpg PAGE
    page_fault "a page directory entry that is not present", read, 0
    orl $PTE_P, PAGE_PDE
    andl $~PTE_U, PAGE_PDE
    invlpg PAGE
    page_fault "U clear in the page directory suffices", read, PF_P|PF_U, 3
    orl $PTE_U, PAGE_PDE
    andl $~PTE_W, PAGE_PDE
    invlpg PAGE
    page_fault "W clear in the page directory suffices", write, PF_P|PF_U|PF_W, 3
    orl $PTE_W, PAGE_PDE

    andl $~PTE_A, PAGE_PDE
    map_default
    mov PAGE, %al
    mov PAGE_PTE, %ebx
    mov PAGE_PDE, %ecx
    and $PTE_A, %ecx
    and $PTE_A|PTE_D, %ebx
    or %ecx, %ebx
    equals "a read sets A in both levels and not D", %ebx, $PTE_A
    movb $1, PAGE
    mov PAGE_PTE, %ebx
    and $PTE_A|PTE_D, %ebx
    equals "a write sets D", %ebx, $PTE_A|PTE_D

    map_default
    mov PAGE + 0x123, %eax
    movl $OTHER_FRAME|PTE_DEFAULT, PAGE_PTE
    flush
    mov PAGE + 0x123, %ebx
    equals "loading CR3 drops translations", %ebx, $0x22222222
    map_default
    movl $0, LARGE_PDE
    begin
at  mov LARGE, %eax
    raised PF, 0
    expect seen_cr2, $LARGE, "CR2"
    check "what is not mapped is not there"
    ret

large_pages:
    .if PAE
    topic "PAE paging"
    .else
    topic "page size extension"
    # Without CR4.PSE the bit is ignored: the entry leads to a page table.
    movl $tables + 0x1000 + PTE_DEFAULT + PTE_PS, LARGE_PDE
    movl $0x55555555, LARGE_FRAME + 0x123
    mov LARGE + 0x123, %ebx
    equals "without CR4.PSE a directory entry with PS leads to a page table", %ebx, $0x55555555
    set_cr CR4_PSE, cr4
    .endif
    movl $0x55555555, LARGE_FRAME + 0x123
    movl $0x66666666, LARGE_FRAME + 0x1ffffc
    movl $LARGE_FRAME|PTE_DEFAULT|PTE_PS, LARGE_PDE
    flush
    mov LARGE + 0x123, %ebx
    equals "a large page maps its beginning", %ebx, $0x55555555
    mov LARGE + 0x1ffffc, %ebx
    equals "a large page maps more than a page table's first page", %ebx, $0x66666666
    mov LARGE_PDE, %ebx
    and $PTE_A|PTE_D, %ebx
    equals "reads of a large page set A and not D", %ebx, $PTE_A
    movl $1, LARGE
    mov LARGE_PDE, %ebx
    and $PTE_A|PTE_D, %ebx
    equals "a write to a large page sets D", %ebx, $PTE_A|PTE_D
    movl $LARGE_FRAME|PTE_P|PTE_W|PTE_PS, LARGE_PDE
    flush
    begin
    user
at  mov LARGE + 4, %eax
    raised PF, PF_P|PF_U
    expect seen_cr2, $LARGE+4, "CR2"
    check "a large page of the supervisor has P and U at CPL 3"
    movl $LARGE_FRAME|PTE_DEFAULT|PTE_PS|(1<<(LARGE_SHIFT-1)), LARGE_PDE
    flush
    begin
at  mov LARGE, %eax
    faulted "a reserved address bit of a large page has P and RSVD", PF, PF_P|PF_RSVD
    .if PAE == 0
    # PSE-36: bits 13 and up are address bits 32 and up; nothing is there.
    movl $LARGE_FRAME|PTE_DEFAULT|PTE_PS|(1<<13), LARGE_PDE
    flush
    begin
    mov LARGE, %ebx
    completed "bit 13 of a 4 MiB page is an address bit"
    clear_cr CR4_PSE, cr4
    .endif
    movl $0, LARGE_PDE
    flush
    ret

.if PAE
pae_only:
    topic "PAE paging"
    map PTE_DEFAULT, 1<<31
    page_fault "without NXE bit 63 is reserved", read, PF_P|PF_RSVD
    mov $IA32_EFER, %ecx
    rdmsr
    or $EFER_NXE, %eax
    wrmsr
    page_fault "a fetch from a no-execute page has P and I", execute, PF_P|PF_I
    allowed "a no-execute page can be read", read
    map PTE_W|PTE_U
    page_fault "with NXE a fetch from a page that is not present has I", execute, PF_I
    map PTE_DEFAULT, 1<<20
    page_fault "bit 52 of an entry is reserved", read, PF_P|PF_RSVD
    map PTE_DEFAULT, 1<<19
    page_fault "an address bit beyond MAXPHYADDR is reserved", write, PF_P|PF_W|PF_RSVD
    map_default

    begin
at  mov 0x40000000, %eax
    raised PF, 0
    expect seen_cr2, $0x40000000, "CR2"
    check "a page-directory-pointer entry that is not present"
    movl $directory + PTE_P + PTE_W, pointers + 8
    begin
    mov $pointers, %eax
at  mov %eax, %cr3
    faulted "loading CR3 with a reserved bit in a present pointer is #GP(0)", GP
    # The pointers are in registers of the processor: memory counts when CR3 is loaded.
    movl $directory + PTE_P, pointers + 8
    begin
at  mov 0x40000000 + PAGE, %eax
    raised PF, 0
    check "a pointer that was changed in memory has no effect before CR3 is loaded"
    flush
    movl $0x11111111, PAGE + 0x123
    mov 0x40000000 + PAGE + 0x123, %ebx
    equals "a pointer that was changed in memory has effect once CR3 is loaded", %ebx, $0x11111111
    movl $0, pointers + 8
    mov $0x40000000 + PAGE, %ecx
    invlpg (%ecx)
    begin
    mov 0x40000000 + PAGE, %eax
    completed "a pointer that was cleared in memory stays until CR3 is loaded"
    flush
    mov $IA32_EFER, %ecx
    rdmsr
    and $~EFER_NXE, %eax
    wrmsr
    ret
.endif
