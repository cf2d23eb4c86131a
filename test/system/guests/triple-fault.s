# Three exceptions in a row: shutdown, which this machine ends by. SDM 3A 6.15 (#DF). Each variant ends in its own way,
# so what is checked is that nothing comes behind it.
# variants: 3
# ends: crashed
.set WIDTH, 64
.include "guest.s"

main:
    movl $1, rounds_left # the others would not come back
    topic "triple fault"
    movzbl variant, %eax
    cmp $'1', %al
    je without_idt
    cmp $'2', %al
    je without_gate
    jmp without_stack

# Says that the check holds, prints the plan, and does it: coming back is what must not be.
.macro last name, instruction:vararg
    check "\name"
    call put_plan
    \instruction
    call unexpected
.endm

.data
.balign 8
no_idt: .quad 0, 0
.text

without_idt:
    lidt no_idt
    last "an exception without an IDT is a shutdown", ud2

without_gate:
    interrupt_gate GP, CODE0, $0, (ACCESS_INTERRUPT_GATE&~ACCESS_P)
    interrupt_gate DF, CODE0, $0, (ACCESS_INTERRUPT_GATE&~ACCESS_P)
    mov $GDT_BYTES, %eax
    last "#DF whose gate is not present is a shutdown", mov %eax, %fs

without_stack:
    mov $0x0000800000000000, %rbx
    check "an exception with a stack that is not canonical is a shutdown"
    call put_plan
    mov $0x0000800000000000, %rsp
    ud2

.set planned, 1 # each variant has one of them
.include "end.s"
