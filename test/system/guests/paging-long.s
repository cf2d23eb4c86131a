# 4-level paging: rights, accessed and dirty bits, reserved bits, what may stay in the TLB. SDM 3A 4.5–4.10.
.set WIDTH, 64
.include "guest.s"
.include "pages64.s"

.text
set_nxe:
    mov $IA32_EFER, %ecx
    rdmsr
    or $EFER_NXE, %eax
    wrmsr
    ret

clear_nxe:
    mov $IA32_EFER, %ecx
    rdmsr
    and $~EFER_NXE, %eax
    wrmsr
    ret

main:
    map_default
    movb $0xc3, FRAME # RET, for calls into PAGE
    movl $0x11111111, FRAME + 0x123
    movb $0xc3, OTHER_FRAME
    movl $0x22222222, OTHER_FRAME + 0x123
    call clear_nxe

    topic "4-level paging"
    map PTE_W|PTE_U
    page_fault "a read of a page that is not present has error code 0", read, 0
    page_fault "a write to a page that is not present has W", write, PF_W
    page_fault "a read at CPL 3 of a page that is not present has U", read, PF_U, 3
    page_fault "a write at CPL 3 to a page that is not present has U and W", write, PF_U|PF_W, 3
    page_fault "a fetch from a page that is not present has error code 0 without NX and SMEP", execute, 0
    map_default
    andl $~PTE_P, PAGE_PDE
    invlpg PAGE
    page_fault "a page directory entry that is not present", read, 0
    orl $PTE_P, PAGE_PDE
    andl $~PTE_P, pdpt + 8
    mov %cr3, %rax
    mov %rax, %cr3
    begin
at  mov 0x40000000, %eax
    raised PF, 0
    expect seen_cr2, $0x40000000, "CR2"
    check "a page-directory-pointer entry that is not present"
    orl $PTE_P, pdpt + 8
    mov $0xffff800000000000, %rbx
    begin
at  mov 8(%rbx), %eax
    raised PF, 0
    expect seen_cr2, $0xffff800000000008, "CR2"
    check "a PML4 entry that is not present; CR2 has all 64 bits"

    # A high alias of the low 512 GiB.
    mov pml4, %rax
    mov %rax, pml4 + 256 * 8
    mov $0xffff800000000000 + PAGE + 0x123, %rbx
    begin
    mov (%rbx), %eax
    raised DONE
    expect seen_ax, $0x11111111
    check "the upper half of the address space has the upper half of the PML4"
    movl $0, pml4 + 256 * 8
    mov %cr3, %rax
    mov %rax, %cr3

    mov $FRAME|PTE_DEFAULT|PTE_PS, %eax # in a page directory: a page of 2 MiB from 200000H
    and $~0x1fffff, %eax
    or $PTE_DEFAULT|PTE_PS, %eax
    mov PAGE_PDE, %rbx
    mov %rax, PAGE_PDE
    invlpg PAGE
    movl $0x33333333, OTHER_FRAME + 0x200
    mov OTHER_FRAME + 0x200, %ecx
    mov %rbx, PAGE_PDE
    invlpg PAGE
    equals "a page of 2 MiB maps what its address says", %rcx, $0x33333333

    when_cpuid 0x80000001, edx, 26, "1-GByte pages"
    movl $PTE_P|PTE_W|PTE_U|PTE_PS, pdpt + 8 * 8
    mov $0x200000000 + PAGE + 0x123, %rbx
    mov (%rbx), %ecx
    movl $0, pdpt + 8 * 8
    invlpg (%rbx)
    equals "a page of 1 GiB maps what its address says", %rcx, $0x11111111
    end_when

    topic "user and supervisor pages"
    map PTE_P|PTE_W
    page_fault "a read at CPL 3 of a supervisor page has P and U", read, PF_P|PF_U, 3
    page_fault "a write at CPL 3 to a supervisor page has P, U and W", write, PF_P|PF_U|PF_W, 3
    page_fault "a fetch at CPL 3 from a supervisor page has P and U", execute, PF_P|PF_U, 3
    allowed "CPL 0 reads supervisor pages", read
    map_default
    andl $~PTE_U, PAGE_PDE
    invlpg PAGE
    page_fault "U clear in one level suffices", read, PF_P|PF_U, 3
    orl $PTE_U, PAGE_PDE
    map_default
    allowed "CPL 3 reads user pages", read, 3

    topic "read-only pages and CR0.WP"
    map PTE_P|PTE_U
    mov %cr0, %rax
    and $~CR0_WP, %eax
    mov %rax, %cr0
    page_fault "a write at CPL 3 to a read-only page has P, U and W", write, PF_P|PF_U|PF_W, 3
    allowed "without WP CPL 0 writes to read-only pages", write
    mov %cr0, %rax
    or $CR0_WP, %eax
    mov %rax, %cr0
    page_fault "with WP a write at CPL 0 to a read-only page has P and W", write, PF_P|PF_W
    allowed "read-only pages can be read", read, 3
    map_default
    andl $~PTE_W, PAGE_PDE
    invlpg PAGE
    page_fault "W clear in one level suffices", write, PF_P|PF_W
    orl $PTE_W, PAGE_PDE
    map_default
    movl $0x44444444, FRAME + 0x123
    map PTE_P|PTE_U
    begin
at  xorl $0x11111111, PAGE + 0x123
    raised PF, PF_P|PF_W
    expect32 FRAME + 0x123, $0x44444444, "memory"
    check "a read-modify-write of a read-only page faults as a write, and flags stay"
    map PTE_P
    begin
    mov $PAGE, %edi
    mov $PAGE - 4, %eax
    mov $2, %ecx
    lea -4(%rdi), %rdi
at  rep stosl
    raised PF, PF_P|PF_W
    expect seen_cx, $1, "RCX"
    expect seen_di, $PAGE, "RDI"
    check "REP STOSD stops at a read-only page with its progress in the registers"
    mov %cr0, %rax
    and $~CR0_WP, %eax
    mov %rax, %cr0

    topic "no-execute pages"
    call set_nxe
    map PTE_W|PTE_U
    page_fault "with NXE a fetch from a page that is not present has I", execute, PF_I
    map NX|PTE_DEFAULT
    page_fault "a fetch from a no-execute page has P and I", execute, PF_P|PF_I
    page_fault "a fetch at CPL 3 from a no-execute page has P, U and I", execute, PF_P|PF_U|PF_I, 3
    allowed "a no-execute page can be read", read, 3
    allowed "a no-execute page can be written", write, 3
    map_default
    allowed "a page without NX can be executed", execute, 3
    orl $1 << 31, PAGE_PDE + 4
    invlpg PAGE
    page_fault "NX set in one level suffices", execute, PF_P|PF_I
    andl $~(1 << 31), PAGE_PDE + 4
    map_default
    call clear_nxe
    map NX|PTE_DEFAULT
    page_fault "without NXE bit 63 is reserved", read, PF_P|PF_RSVD
    call set_nxe

    topic "reserved bits"
    map PTE_DEFAULT|(1<<51)
    page_fault "an address bit beyond MAXPHYADDR in a PTE", read, PF_P|PF_RSVD
    page_fault "a write through a reserved bit has P, W and RSVD", write, PF_P|PF_W|PF_RSVD
    page_fault "a read at CPL 3 through a reserved bit has P, U and RSVD", read, PF_P|PF_U|PF_RSVD, 3
    page_fault "a fetch through a reserved bit has P, RSVD and I", execute, PF_P|PF_RSVD|PF_I
    map (1<<51)|PTE_W|PTE_U
    page_fault "reserved bits do not count where P is clear", read, 0
    map_default
    orl $1 << 19, PAGE_PDE + 4
    invlpg PAGE
    page_fault "an address bit beyond MAXPHYADDR in a PDE", read, PF_P|PF_RSVD
    andl $~(1 << 19), PAGE_PDE + 4
    mov page_directories + 8 * 3, %rbx
    orl $1 << 13, page_directories + 8 * 3
    mov %cr3, %rax
    mov %rax, %cr3
    begin
at  mov 0x600000, %eax
    raised PF, PF_P|PF_RSVD
    check "an address bit below 2 MiB in a large page"
    andl $~(1 << 13), page_directories + 8 * 3
    orl $PTE_PS, pml4
    mov pml4, %rax
    mov %rax, pml4 + 256 * 8
    andl $~PTE_PS, pml4
    mov $0xffff800000000000, %rbx
    begin
at  mov (%rbx), %eax
    raised PF, PF_P|PF_RSVD
    check "PS in a PML4 entry"
    movl $0, pml4 + 256 * 8
    map PTE_DEFAULT|(7<<52)|(7<<9)
    allowed "bits that are ignored do not fault", write

    topic "accessed and dirty bits"
    map_default
    andl $~PTE_A, PAGE_PDE
    invlpg PAGE
    mov PAGE, %al
    mov PAGE_PTE, %rbx
    mov PAGE_PDE, %rcx
    and $PTE_A|PTE_D, %ebx
    equals "a read sets A and not D", %rbx, $PTE_A
    expect_bit PAGE_PDE, PTE_A, 1
    check "a read sets A in the page directory"
    movb $0xc3, PAGE
    mov PAGE_PTE, %rbx
    and $PTE_A|PTE_D, %ebx
    equals "a write to a page that was read sets D", %rbx, $PTE_A|PTE_D
    map_default
    mov $PAGE, %ebx
    call *%rbx
    mov PAGE_PTE, %rbx
    and $PTE_A|PTE_D, %ebx
    equals "a fetch sets A and not D", %rbx, $PTE_A
    map PTE_P|PTE_W
    begin
    user
    access write
    raised PF, PF_P|PF_U|PF_W
    mov PAGE_PTE, %rbx
    and $PTE_D, %ebx
    expect %rbx, $0, "D"
    check "a write that faults does not set D"
    map_default
    andl $~PTE_D, page_directories + 8 * 3
    mov %cr3, %rax
    mov %rax, %cr3
    movb $1, 0x600000
    expect_bit page_directories+8*3, PTE_D, 1
    check "a write to a large page sets D in the page directory"
    xor %eax, %eax
    map_default
    mov $0x55, %bl
    mov %bl, %al
    lock cmpxchg %cl, PAGE + 8
    mov PAGE_PTE, %rbx
    and $PTE_D, %ebx
    equals "CMPXCHG that fails writes all the same and sets D", %rbx, $PTE_D

    topic "global pages"
    mov %cr4, %rax
    or $CR4_PGE, %eax
    mov %rax, %cr4
    movl $0x11111111, FRAME + 0x123
    map_default
    mov PAGE + 0x123, %ebx
    movl $OTHER_FRAME|PTE_DEFAULT, PAGE_PTE
    mov %cr3, %rax
    mov %rax, %cr3
    mov PAGE + 0x123, %ebx
    equals "loading CR3 drops the translation of a page that is not global", %rbx, $0x22222222
    map PTE_DEFAULT|PTE_G
    mov PAGE + 0x123, %ebx
    movl $OTHER_FRAME|PTE_DEFAULT|PTE_G, PAGE_PTE
    invlpg PAGE
    mov PAGE + 0x123, %ebx
    equals "INVLPG drops the translation of a global page", %rbx, $0x22222222
    movl $FRAME|PTE_DEFAULT|PTE_G, PAGE_PTE
    mov %cr4, %rax
    and $~CR4_PGE, %eax
    mov %rax, %cr4
    mov PAGE + 0x123, %ebx
    equals "changing CR4.PGE drops the translations of global pages", %rbx, $0x11111111
    map_default
    mov PAGE + 0x123, %ebx
    movl $OTHER_FRAME|PTE_DEFAULT, PAGE_PTE
    invlpg PAGE + 0xfff
    mov PAGE + 0x123, %ebx
    equals "INVLPG of any address in a page drops its translation", %rbx, $0x22222222
    # Code too: two frames with different code behind one address.
    map_default
    movl $0xc301b0, FRAME + 0x800 # MOV AL, 1; RET
    movl $0xc302b0, OTHER_FRAME + 0x800
    mov $PAGE + 0x800, %esi
    xor %eax, %eax
    call *%rsi
    mov %eax, %edi
    movl $OTHER_FRAME|PTE_DEFAULT, PAGE_PTE
    invlpg PAGE
    call *%rsi
    shl $8, %edi
    lea (%rdi,%rax), %ebx
    equals "INVLPG drops the translation that instructions are fetched by", %rbx, $0x102
    map_default

    begin
    user
at  invlpg PAGE
    faulted "INVLPG at CPL 3 is #GP(0)", GP
    ret

.include "end.s"
