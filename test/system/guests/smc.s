# Code that changes: under the processor that runs it, across pages, under another address, outside RAM. SDM 3A 8.1.3,
# 11.6.
.set WIDTH, 64
.include "guest.s"
.include "pages64.s"

# A second address for PAGE's frame, and a pair of pages for code that lies across their border.
.set ALIAS, 0x310000
.set FIRST, 0x320000
.set SECOND, FIRST + 0x1000
.set SECOND_PTE, page_tables + (SECOND >> 12) * 8
.set OTHER_SECOND, 0x331000
# Often enough for any tier of a translator.
.set OFTEN, 3000

.text
# MOV EAX, imm32; RET
.macro put_function place, value
    movb $0xb8, \place
    movl $\value, \place + 1
    movb $0xc3, \place + 5
.endm

# Calls the function at EBX OFTEN times; the sum of what it returned is in R12.
call_often:
    mov $OFTEN, %ecx
    xor %r12d, %r12d
1:  call *%rbx
    add %rax, %r12
    dec %ecx
    jnz 1b
    ret

.macro map_second bits, frame=SECOND
    mov $\bits, %rax
    or $\frame, %rax
    mov %rax, SECOND_PTE
    invlpg SECOND
.endm

# At the end of FIRST: two bytes of MOV EAX, imm32, the rest of which is in SECOND.
.macro put_straddling value
    movb $0xb8, SECOND - 2
    movl $\value, SECOND - 1
    movb $0xc3, SECOND + 3
.endm

main:
    map_default
    map_second PTE_DEFAULT
    movq $FRAME|PTE_DEFAULT, page_tables + (ALIAS >> 12) * 8
    invlpg ALIAS

    topic "self-modifying code"
    movb $1, 1f + 1
    movb $2, 1f + 1
1:  mov $1, %bl
    movzbl %bl, %ebx
    equals "a store changes the next instruction", %rbx, $2

    xor %ebx, %ebx
    mov $100, %ecx
1:  movl %ecx, 2f + 1
2:  mov $0, %eax
    add %rax, %rbx
    dec %ecx
    jnz 1b
    equals "a loop that changes its own immediate operand", %rbx, $100*101/2

    mov $PAGE, %ebx
    put_function PAGE, 1
    call call_often
    mov %r12, %r13
    put_function PAGE, 2
    call call_often
    sub %r13, %r12
    equals "a function that ran often is changed and runs often again", %r12, $OFTEN

    put_function PAGE, 1
    mov $PAGE, %ebx
    call call_often
    mov $other_function, %esi
    mov $PAGE, %edi
    mov $6, %ecx
    rep movsb
    call *%rbx
    equals "REP MOVSB changes a function", %rax, $0x77

    put_function PAGE + 0x40, 5
    mov $PAGE + 0x40, %ebx
    call call_often
    mov %rsp, %rdx
    mov $0xc300000006b80000, %rax
    mov $PAGE + 0x46, %esp
    push %rax # from PAGE + 3EH on: B8 06 00 00 00 C3 at 40H
    mov %rdx, %rsp
    call *%rbx
    equals "PUSH changes a function", %rax, $6

    put_function PAGE + 0x80, 5
    mov $PAGE + 0x80, %ebx
    call call_often
    mov $5, %eax
    mov $7, %edx
    lock cmpxchg %edx, PAGE + 0x81
    call *%rbx
    equals "LOCK CMPXCHG changes a function", %rax, $7

    put_function PAGE + 0xc0, 5
    mov $PAGE + 0xc0, %ebx
    call call_often
    movl $0x00000008, PAGE + 0x100
    movl $0x0000c300, PAGE + 0x104
    movups PAGE + 0x100, %xmm0
    movq %xmm0, PAGE + 0xc1
    call *%rbx
    equals "a store of an SSE register changes a function", %rax, $8

    # A function that changes its own future within one run of its block.
    movl $0xc3c3c3c3, PAGE + 0x200
    movb $0xc6, PAGE + 0x200 # MOV BYTE [RBX + 4], 90H: the RET behind it becomes NOP
    movb $0x43, PAGE + 0x201
    movb $4, PAGE + 0x202
    movb $0x90, PAGE + 0x203
    movb $0xc3, PAGE + 0x204
    movb $0xb0, PAGE + 0x205 # MOV AL, 33H; RET
    movb $0x33, PAGE + 0x206
    movb $0xc3, PAGE + 0x207
    mov $PAGE + 0x200, %ebx
    xor %eax, %eax
    call *%rbx
    equals "a store takes the RET behind it away", %rax, $0x33

    # Data beside code, written often, and the code is as it was.
    put_function PAGE + 0x300, 9
    mov $PAGE + 0x300, %ebx
    xor %r12d, %r12d
    mov $OFTEN, %ecx
1:  call *%rbx
    mov %ecx, PAGE + 0x308
    add %rax, %r12
    dec %ecx
    jnz 1b
    equals "stores beside code leave it alone", %r12, $9*OFTEN

    topic "instructions across pages"
    put_straddling 0x12345678
    mov $SECOND - 2, %ebx
    call *%rbx
    equals "an instruction across two pages is executed", %rax, $0x12345678
    mov $SECOND - 2, %ebx
    call call_often
    movb $0x99, SECOND + 2
    call *%rbx
    equals "a store to its second page changes it", %rax, $0x99345678
    movb $0xaa, SECOND - 1
    mov $SECOND - 2, %ebx
    call *%rbx
    equals "a store to its first page changes it", %rax, $0x993456aa
    movl $0xc3214365, OTHER_SECOND # three bytes of the operand, and RET
    mov $SECOND - 2, %ebx
    call call_often
    map_second PTE_DEFAULT, OTHER_SECOND
    mov $SECOND - 2, %ebx
    call *%rbx
    equals "another frame for its second page changes it", %rax, $0x214365aa
    map_second PTE_DEFAULT
    mov $SECOND - 2, %ebx
    call *%rbx
    equals "and back", %rax, $0x993456aa
    put_straddling 0x12345678

    topic "instructions across pages of different rights"
    .macro straddle_fault name, error, level=0
    begin
    .if \level == 3
    user
    .endif
    mov $SECOND - 2, %ebx
    call *%rbx
    raised PF, \error
    expect seen_cr2, $SECOND, "CR2"
    expect seen_ip, $SECOND-2, "saved IP"
    check "\name"
    .endm
    mov $IA32_EFER, %ecx
    rdmsr
    or $EFER_NXE, %eax
    wrmsr
    map_second 0
    straddle_fault "the second page is not present", PF_I
    map_second PTE_P|PTE_W
    straddle_fault "the second page is the supervisor's", PF_P|PF_U|PF_I, 3
    begin
    mov $SECOND - 2, %ebx
    call *%rbx
    mov %eax, %ecx
    raised DONE
    expect seen_cx, $0x12345678
    check "the supervisor executes across both"
    map_second NX|PTE_DEFAULT
    straddle_fault "the second page is not executable", PF_P|PF_I
    map_second PTE_P|PTE_U
    begin
    user
    mov $SECOND - 2, %ebx
    call *%rbx
    mov %eax, %ecx
    raised DONE
    expect seen_cx, $0x12345678
    check "a read-only second page can be executed"
    # The instruction's own write faults in its second page, not its fetch.
    movw $0x0506, SECOND - 4
    begin
    user
    mov $SECOND - 2, %ebx
at  movl $0x11223344, (%rbx)
    raised PF, PF_P|PF_W|PF_U
    expect seen_cr2, $SECOND, "CR2"
    expect32 SECOND-4, $0x78b80506, "the first page"
    check "a store across pages that faults in the second changes nothing in the first"
    map_second PTE_DEFAULT
    put_straddling 0x12345678

    topic "physical aliases"
    put_function PAGE, 1
    mov $ALIAS, %ebx
    call call_often
    movb $2, PAGE + 1
    cpuid # serializes, as the manual wants for another linear address
    mov $ALIAS, %ebx
    call *%rbx
    equals "code is changed through another address of its frame", %rax, $2
    mov $PAGE, %ebx
    call call_often
    movb $3, ALIAS + 1
    cpuid
    mov $PAGE, %ebx
    call *%rbx
    equals "and the other way round", %rax, $3
    put_function OTHER_FRAME, 0x44
    mov $ALIAS, %ebx
    call call_often
    movq $OTHER_FRAME|PTE_DEFAULT, page_tables + (ALIAS >> 12) * 8
    invlpg ALIAS
    call *%rbx
    mov %rax, %r12
    mov $PAGE, %ebx
    call *%rbx
    shl $8, %eax
    or %r12, %rax
    equals "an address with another frame runs that frame's code, the other one its own", %rax, $0x344

    topic "code outside RAM"
    # The text screen's memory.
    put_function 0xb8100, 0x5a
    begin
    mov $0xb8100, %ebx
    call *%rbx
    mov %eax, %ecx
    raised DONE
    expect seen_cx, $0x5a
    check "code in the screen's memory is executed"
    put_function 0xb8100, 0x5b
    begin
    mov $0xb8100, %ebx
    call *%rbx
    mov %eax, %ecx
    raised DONE
    expect seen_cx, $0x5b
    check "and what is written there next"
    # The comparator of an HPET timer holds 8 bytes.
    mov $0xfed00108, %ebx
    movl $0x000033b8, (%rbx) # MOV EAX, 33H; RET
    movl $0x0000c300, 4(%rbx)
    begin
    mov $0xfed00108, %ebx
    call *%rbx
    mov %eax, %ecx
    raised DONE
    expect seen_cx, $0x33
    check "code in a device's registers is executed"
    mov $0xfed00108, %ebx
    movl $0x000044b8, (%rbx)
    begin
    mov $0xfed00108, %ebx
    call *%rbx
    mov %eax, %ecx
    raised DONE
    expect seen_cx, $0x44
    check "code in a device's registers is fetched each time"
    begin
    mov $0xf0000000, %ebx
    jmp *%rbx
    raised UD
    expect seen_ip, $0xf0000000, "saved IP"
    check "where nothing answers all bits are ones, which is no instruction"
    ret

other_function:
    mov $0x77, %eax
    ret

.include "end.s"
