# What CR4 forbids the kernel and its users: SMEP, SMAP, UMIP; and address spaces with identifiers (PCID). SDM 3A 2.5,
# 4.6, 4.10, INVPCID in SDM 2.
.set WIDTH, 64
.include "guest.s"
.include "pages64.s"

.data
.balign 16
descriptor: .quad 0, 0

.text
# U on or off in all small pages but PAGE's; code of CPL 3 cannot run while it is off.
.macro user_bit instruction
    mov $page_tables, %ebx
    mov $1024, %ecx
1:  \instruction, (%rbx)
    add $8, %ebx
    loop 1b
    map_default
    mov %cr3, %rax
    mov %rax, %cr3
.endm

.macro set_cr4 bit
    mov %cr4, %rax
    or $\bit, %eax
    mov %rax, %cr4
.endm

.macro clear_cr4 bit
    mov %cr4, %rax
    and $~(\bit), %eax
    mov %rax, %cr4
.endm

.macro invpcid_at type
    mov $\type, %eax
at  invpcid descriptor, %rax
.endm

main:
    movb $0xc3, PAGE # RET
    map_default
    movl $0x11111111, FRAME + 0x123
    movl $0x22222222, OTHER_FRAME + 0x123
    mov $IA32_EFER, %ecx
    rdmsr
    and $~EFER_NXE, %eax
    wrmsr
    user_bit "andl $~PTE_U"

    topic "SMEP"
    when_cpuid 7, ebx, 7, "SMEP"
    set_cr4 CR4_SMEP
    page_fault "a fetch at CPL 0 from a user page has P and I", execute, PF_P|PF_I
    allowed "data of user pages may be read at CPL 0", read
    map PTE_P|PTE_W
    allowed "supervisor pages may be executed at CPL 0", execute
    map PTE_W|PTE_U
    page_fault "with SMEP a fetch from a page that is not present has I", execute, PF_I
    map_default
    andl $~PTE_U, PAGE_PDE
    invlpg PAGE
    allowed "a page that is a supervisor's in one level may be executed", execute
    orl $PTE_U, PAGE_PDE
    clear_cr4 CR4_SMEP
    allowed "without SMEP user pages may be executed at CPL 0", execute
    end_when
    map_default

    topic "SMAP"
    when_cpuid 7, ebx, 20, "SMAP"
    allowed "without SMAP user pages may be read at CPL 0", read
    set_cr4 CR4_SMAP
    page_fault "a read at CPL 0 of a user page has P", read, PF_P
    page_fault "a write at CPL 0 to a user page has P and W", write, PF_P|PF_W
    begin
    stac
    mov PAGE + 0x123, %eax
    mov %eax, PAGE + 0x123
    raised DONE
    expect_bit seen_flags, FLAG_AC, 1, "AC"
    check "with AC set by STAC user pages may be accessed"
    begin
    stac
    mov PAGE + 0x123, %eax
    clac
at  mov PAGE + 0x123, %eax
    raised PF, PF_P
    expect_bit seen_flags, FLAG_AC, 0, "AC"
    check "CLAC forbids it again"
    begin
    pushf
    orl $FLAG_AC, (%rsp)
    popf
    mov PAGE + 0x123, %eax
    completed "with AC set by POPF user pages may be accessed"
    allowed "SMAP lets user pages be executed", execute

    # The processor's own accesses do not heed AC.
    segment SPARE, $PAGE, $0xff, ACCESS_LDT
    mov $SPARE, %eax
    lldt %ax
    begin
    stac
    mov $8|4, %eax
at  mov %eax, %fs
    raised PF, PF_P
    expect seen_cr2, $PAGE + 8, "CR2"
    check "a descriptor table in a user page faults even with AC"
    clear_cr4 CR4_SMAP
    end_when
    user_bit "orl $PTE_U"
    when_cpuid 7, ebx, 20, "SMAP"
    begin
    user
at  clac
    faulted "CLAC at CPL 3 is #UD", UD
    end_when

    topic "UMIP"
    begin
    user
    sgdt descriptor
    sidt descriptor
    sldt %eax
    str %eax
    smsw %eax
    completed "without UMIP SGDT, SIDT, SLDT, STR and SMSW are for everybody"
    when_cpuid 7, ecx, 2, "UMIP"
    set_cr4 CR4_UMIP
    .macro umip name, instruction:vararg
    begin
    user
at  \instruction
    faulted "\name at CPL 3 with UMIP is #GP(0)", GP
    .endm
    umip "SGDT", sgdt descriptor
    umip "SIDT", sidt descriptor
    umip "SLDT", sldt %eax
    umip "STR", str %eax
    umip "SMSW", smsw %eax
    begin
    sgdt descriptor
    sidt descriptor
    sldt %eax
    str %eax
    smsw %eax
    completed "UMIP does not concern CPL 0"
    clear_cr4 CR4_UMIP
    end_when

    topic "PCID and INVPCID"
    when_cpuid 1, ecx, 17, "PCID"
    mov $pml4 + 1, %eax
    mov %rax, %cr3
    begin
    mov %cr4, %rax
    or $CR4_PCIDE, %eax
at  mov %rax, %cr4
    faulted "setting CR4.PCIDE while CR3 has an identifier is #GP(0)", GP
    mov $pml4, %eax
    mov %rax, %cr3
    begin
    mov $pml4, %eax
    bts $63, %rax
at  mov %rax, %cr3
    faulted "bit 63 of CR3 without PCIDE is #GP(0)", GP
    set_cr4 CR4_PCIDE
    begin
    mov %cr0, %rax
    and $~CR0_PG, %eax
at  mov %rax, %cr0
    faulted "leaving paging with PCIDE is #GP(0)", GP

    # Address space 1 has FRAME at PAGE, address space 2 OTHER_FRAME.
    call make_second_space
    mov $pml4 + 1, %eax
    mov %rax, %cr3
    mov PAGE + 0x123, %ebx
    mov $second_pml4 + 2, %eax
    mov %rax, %cr3
    mov PAGE + 0x123, %ecx
    mov $pml4 + 1, %eax
    bts $63, %rax
    mov %rax, %cr3
    mov PAGE + 0x123, %edx
    mov $second_pml4 + 2, %eax
    bts $63, %rax
    mov %rax, %cr3
    mov PAGE + 0x123, %esi
    mov %cr3, %rdi
    mov $pml4 + 1, %eax
    mov %rax, %cr3
    movl %ebx, pcid_values
    movl %ecx, pcid_values + 4
    movl %edx, pcid_values + 8
    movl %esi, pcid_values + 12
    mov %rdi, pcid_values + 16
    expect32 pcid_values, $0x11111111, "space 1"
    expect32 pcid_values+4, $0x22222222, "space 2"
    expect32 pcid_values+8, $0x11111111, "space 1 again"
    expect32 pcid_values+12, $0x22222222, "space 2 again"
    check "each identifier has its own translations, and bit 63 of CR3 keeps them"
    equals "bit 63 of CR3 is not stored", pcid_values+16, $second_pml4+2

    # A load of CR3 without bit 63 drops what the identifier had.
    mov PAGE + 0x123, %ebx
    movl $OTHER_FRAME|PTE_DEFAULT, PAGE_PTE
    mov $pml4 + 1, %eax
    mov %rax, %cr3
    mov PAGE + 0x123, %ebx
    equals "loading CR3 without bit 63 drops the identifier's translations", %rbx, $0x22222222
    movl $FRAME|PTE_DEFAULT, PAGE_PTE
    mov $pml4, %eax
    mov %rax, %cr3
    clear_cr4 CR4_PCIDE
    end_when

    when_cpuid 7, ebx, 10, "INVPCID"
    .macro invalidates name, type, pcid, address
    movq $\pcid, descriptor
    movq $\address, descriptor + 8
    movl $FRAME|PTE_DEFAULT, PAGE_PTE
    invlpg PAGE
    mov PAGE + 0x123, %ebx
    movl $OTHER_FRAME|PTE_DEFAULT, PAGE_PTE
    mov $\type, %eax
    invpcid descriptor, %rax
    mov PAGE + 0x123, %ebx
    equals "\name", %rbx, $0x22222222
    .endm
    invalidates "INVPCID type 0 drops the translation of one address", 0, 0, PAGE
    invalidates "INVPCID type 1 drops the translations of one identifier", 1, 0, 0
    invalidates "INVPCID type 2 drops everything", 2, 0, 0
    invalidates "INVPCID type 3 drops everything but global translations", 3, 0, 0
    movl $FRAME|PTE_DEFAULT, PAGE_PTE
    invlpg PAGE
    movq $0, descriptor
    movq $0, descriptor + 8
    begin
    invpcid_at 4
    faulted "INVPCID of a type above 3 is #GP(0)", GP
    movq $0x1000, descriptor
    begin
    invpcid_at 0
    faulted "INVPCID with reserved bits in the descriptor is #GP(0)", GP
    movq $0, descriptor
    mov $1 << 63, %rax
    mov %rax, descriptor + 8
    begin
    invpcid_at 0
    faulted "INVPCID of an address that is not canonical is #GP(0)", GP
    movq $0, descriptor + 8
    begin
    user
    invpcid_at 2
    faulted "INVPCID at CPL 3 is #GP(0)", GP
    movq $1, descriptor
    begin
    invpcid_at 1
    faulted "INVPCID of an identifier without PCIDE is #GP(0)", GP
    end_when
    map_default
    ret

# Copies of all tables on the way to PAGE, with OTHER_FRAME at its end.
make_second_space:
    mov $pml4, %esi
    mov $second_pml4, %edi
    mov $4 * 512, %ecx
    rep movsq # PML4, PDPT, and the first two page directories
    mov $page_tables, %esi
    mov $second_page_tables, %edi
    mov $2 * 512, %ecx
    rep movsq
    movl $second_pdpt + 7, second_pml4
    movl $second_page_directory + 7, second_pdpt
    movl $second_page_tables + 7, second_page_directory
    movl $second_page_tables + 0x1000 + 7, second_page_directory + 8
    movl $OTHER_FRAME|PTE_DEFAULT, second_page_tables + (PAGE >> 12) * 8
    ret

.data
.balign 8
pcid_values: .fill 3, 8, 0

.bss
.balign 4096
second_pml4: .skip 4096
second_pdpt: .skip 4096
second_page_directory: .skip 4096
second_spare: .skip 4096
second_page_tables: .skip 2 * 4096

.include "end.s"
