# Page tables of 64-bit guests: PAGE is a page of the first 4 MiB that tests map as they like; FRAME is the physical
# page that it has at first, OTHER_FRAME another one.
.set PAGE, 0x300000
.set FRAME, PAGE
.set OTHER_FRAME, 0x301000
.set PAGE_PTE, page_tables + (PAGE >> 12) * 8
.set PAGE_PDE, page_directories + (PAGE >> 21) * 8
.set PTE_DEFAULT, PTE_P | PTE_W | PTE_U
.set NX, 1 << 63

# Entry of `table` (a symbol) := the value; the old translations of PAGE are dropped.
.macro set_entry table, value
    mov $\value, %rax
    mov %rax, \table
    invlpg PAGE
.endm

.macro map bits
    set_entry PAGE_PTE, (FRAME|(\bits))
.endm

.macro map_default
    map PTE_DEFAULT
.endm

# Instructions that access PAGE + 123H: IP is to be that of the access, CR2 the address.
.macro access how
    .ifc \how, read
at  mov PAGE + 0x123, %eax
    .endif
    .ifc \how, write
at  mov %eax, PAGE + 0x123
    .endif
    .ifc \how, execute
    mov $PAGE, %eax
    call *%rax
    .endif
.endm

# The access raises #PF with this error code.
.macro page_fault name, how, error, level=0
    begin
    .if \level == 3
    user
    .endif
    access \how
    raised PF, \error
    .ifc \how, execute
    expect seen_cr2, $PAGE, "CR2"
    expect seen_ip, $PAGE, "saved IP"
    .else
    expect seen_cr2, $PAGE + 0x123, "CR2"
    .endif
    check "\name"
.endm

# The access is allowed.
.macro allowed name, how, level=0
    begin
    .if \level == 3
    user
    .endif
    access \how
    .set at_seen, 0
    completed "\name"
.endm
