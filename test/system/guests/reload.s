# Host writes into code: a reset loads the kernel again, over code that had changed itself and run often. The second run
# finds a mark in memory that no loader touches. Port CF9H: 82371SB (PIIX3) data sheet, reset control register.
.set ROUNDS, 1
.set WIDTH, 32
.include "guest.s"

.set MARK, 0x500000
.set MARK_VALUE, 0x600d600d
.set OFTEN, 3000

.text
.balign 4096
function:
    mov $1, %eax
    ret
.balign 4096

main:
    topic "the host writes code"
    cmpl $MARK_VALUE, MARK
    je loaded_again
    movl $2, function + 1
    call call_often
    mov %ebx, MARK + 4
    movl $MARK_VALUE, MARK
    mov $6, %al
    mov $0xcf9, %dx
    out %al, %dx
1:  hlt
    jmp 1b

loaded_again:
    movl $0, MARK
    equals32 "the code had been changed and run before the reset", MARK+4, $2*OFTEN
    call call_often
    equals "code that a reset loads again is what runs then", %ebx, $OFTEN
    ret

call_often:
    mov $OFTEN, %ecx
    xor %ebx, %ebx
1:  call function
    add %eax, %ebx
    dec %ecx
    jnz 1b
    ret

.include "end.s"
