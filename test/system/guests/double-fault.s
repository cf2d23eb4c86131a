# Exceptions in the delivery of exceptions: which pairs are a double fault. SDM 3A 6.15, table 6-5.
.set WIDTH, 64
.include "guest.s"
.include "pages64.s"

.bss
.balign 16
    .skip 1024
ist_stack_top:
.text

.macro break_gate vector
    interrupt_gate \vector, CODE0, $0, (ACCESS_INTERRUPT_GATE&~ACCESS_P)
.endm

.macro mend_gate vector
    interrupt_gate \vector, CODE0, $trap_entries+(\vector)*16
.endm

main:
    # #DF has a stack of its own, as it has to be where RSP is bad.
    movl $ist_stack_top, tss + 36
    interrupt_gate DF, CODE0, $trap_entries+DF*16, ACCESS_INTERRUPT_GATE, 1

    topic "double fault"
    break_gate DE
    begin
    xor %ecx, %ecx
at  div %ecx
    faulted "#DE whose gate is not present, then #NP, makes it #DF(0)", DF
    mend_gate DE

    break_gate GP
    begin
    mov $GDT_BYTES, %eax
at  mov %eax, %fs
    faulted "#GP whose gate is not present, then #NP, makes it #DF(0)", DF
    mend_gate GP

    break_gate UD
    begin
at  ud2
    faulted "#UD whose gate is not present is #NP, since #UD is benign", NP, UD*8+3
    break_gate NP
    begin
at  ud2
    faulted "#UD, then #NP whose gate is not present either, is #DF(0)", DF
    mend_gate NP
    mend_gate UD

    break_gate 0x41
    begin
at  int $0x41
    faulted "INT is benign, its missing gate is #NP", NP, 0x41*8+2

    map 0
    break_gate PF
    begin
at  mov PAGE, %eax
    faulted "#PF whose gate is not present, then #NP, makes it #DF(0)", DF
    mend_gate PF

    # Stacks that cannot be pushed to. #PF gets a good one.
    movl $spare_stack_top, tss + 44
    interrupt_gate PF, CODE0, $trap_entries+PF*16, ACCESS_INTERRUPT_GATE, 2
    begin
    mov $PAGE + 0x800, %esp
at  ud2
    raised PF, PF_W
    expect seen_cr2, $PAGE+0x800-8, "CR2"
    check "#UD, then #PF on the stack, is #PF"
    begin
    mov $PAGE + 0x800, %esp
    mov $GDT_BYTES, %eax
at  mov %eax, %fs
    raised PF, PF_W
    expect seen_cr2, $PAGE+0x800-8, "CR2"
    check "#GP, then #PF on the stack, is #PF"
    begin
    mov $PAGE + 0x800, %esp
    int $0x40
    raised PF, PF_W
    check "INT, then #PF on the stack, is #PF"
    mend_gate PF
    begin
    mov $PAGE + 0x800, %esp
at  mov PAGE, %eax
    raised DF
    expect seen_cr2, $PAGE+0x800-8, "CR2"
    check "#PF, then #PF on the stack, is #DF(0) with CR2 of the second"
    begin
    mov $0x0000800000000000, %rsp
    xor %ecx, %ecx
at  div %ecx
    faulted "#DE, then #SS on the stack, is #DF(0)", DF
    map_default
    mend_gate 0x41
    mend_gate DF
    ret

.include "end.s"
