# The A20 gate: with it closed address bit 20 is always 0. This code runs from the second MiB, so what closes the gate
# is copied below 1 MiB. IBM PS/2 Technical Reference, system control port A; SDM 3A 8.7.13.4.
.set WIDTH, 32
.include "guest.s"

.set LOW, 0x8000
.set LOW_STACK, 0x8000
.set RESULTS, 0x9000
# An address without and one with bit 20.
.set EVEN, 0x400800
.set ODD, EVEN | 1 << 20

.text
# Position does not matter in what is copied. It must not touch the stack of the second MiB.
low_code:
    mov %esp, %ebp
    mov $LOW_STACK, %esp
    # Both ways to the gate are closed: port 92H and the keyboard controller's output port.
    in $0x92, %al
    and $~2, %al
    out %al, $0x92
    call controller_ready
    mov $0xd1, %al
    out %al, $0x64
    call controller_ready
    mov $0xdd, %al
    out %al, $0x60
    call controller_ready

    mov ODD, %eax
    mov %eax, RESULTS
    movl $0x33333333, ODD + 4
    mov $ODD + 0x100, %eax
    call *%eax
    mov %eax, RESULTS + 4

    mov $0xd1, %al
    out %al, $0x64
    call controller_ready
    mov $0xdf, %al
    out %al, $0x60
    call controller_ready
    in $0x92, %al
    or $2, %al
    and $~1, %al
    out %al, $0x92
    mov ODD, %eax
    mov %eax, RESULTS + 8
    mov $ODD + 0x100, %eax
    call *%eax
    mov %eax, RESULTS + 12
    mov %ebp, %esp
    ret
controller_ready:
    in $0x64, %al
    test $2, %al
    jnz controller_ready
    ret
low_code_end:

.macro put_function place, value
    movb $0xb8, \place # MOV EAX, imm32; RET
    movl $\value, \place + 1
    movb $0xc3, \place + 5
.endm

main:
    topic "A20 gate"
    mov $low_code, %esi
    mov $LOW, %edi
    mov $low_code_end - low_code, %ecx
    rep movsb
    movl $0x11111111, EVEN
    movl $0x22222222, ODD
    movl $0, EVEN + 4
    movl $0, ODD + 4
    put_function EVEN + 0x100, 1
    put_function ODD + 0x100, 2
    mov $ODD + 0x100, %eax # known to the processor before the gate closes
    call *%eax
    mov $LOW, %eax
    call *%eax
    equals32 "with the gate closed an odd MiB reads as the even one below", RESULTS, $0x11111111
    expect32 EVEN+4, $0x33333333, "the even MiB"
    expect32 ODD+4, $0, "the odd MiB"
    check "with the gate closed a store to an odd MiB goes to the even one"
    equals32 "with the gate closed code of an odd MiB is that of the even one", RESULTS+4, $1
    equals32 "with the gate open again an odd MiB is itself", RESULTS+8, $0x22222222
    equals32 "with the gate open again its code is its own", RESULTS+12, $2
    ret

.include "end.s"
