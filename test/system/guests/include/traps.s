# Exceptions and interrupts: one entry per vector, all of which come together in trap_common. It records what came
# (seen_*), and goes to the vector's hook, or, if code under test is running, to where `begin` said.

.data
.balign 8
seen_vector: .quad 0
seen_error: .quad 0
seen_ip: .quad 0
seen_cs: .quad 0
seen_flags: .quad 0
seen_sp: .quad 0
seen_ss: .quad 0
seen_cr2: .quad 0
seen_ds: .quad 0
seen_es: .quad 0
seen_fs: .quad 0
seen_gs: .quad 0
seen_ax: .quad 0
seen_bx: .quad 0
seen_cx: .quad 0
seen_dx: .quad 0
seen_si: .quad 0
seen_di: .quad 0
seen_bp: .quad 0

# The stack pointer after the frame had been pushed.
seen_frame: .quad 0
catch_sp: .quad 0
catch_resume: .quad 0
catching: .long 0
hooks: .fill 256, 4, 0

# The frame that hooks find at their stack pointer.
.if WIDTH == 64
.set FRAME_AX, 14 * 8
.set FRAME_BX, 11 * 8
.set FRAME_CX, 13 * 8
.set FRAME_DX, 12 * 8
.set FRAME_VECTOR, 15 * 8
.set FRAME_ERROR, 16 * 8
.set FRAME_IP, 17 * 8
.set FRAME_CS, 18 * 8
.set FRAME_FLAGS, 19 * 8
.set FRAME_SP, 20 * 8
.set FRAME_SS, 21 * 8
.else
.set FRAME_AX, 7 * 4
.set FRAME_CX, 6 * 4
.set FRAME_DX, 5 * 4
.set FRAME_BX, 4 * 4
.set FRAME_VECTOR, 8 * 4
.set FRAME_ERROR, 9 * 4
.set FRAME_IP, 10 * 4
.set FRAME_CS, 11 * 4
.set FRAME_FLAGS, 12 * 4
.set FRAME_SP, 13 * 4
.set FRAME_SS, 14 * 4

# From virtual-8086 mode.
.set FRAME_ES, 15 * 4
.set FRAME_DS, 16 * 4
.set FRAME_FS, 17 * 4
.set FRAME_GS, 18 * 4
.endif

.text
.balign 16

trap_entries:
.set vector, 0
.rept 256
.balign 16
.if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17)
    nop
.else
    push $0
.endif
    push $vector
    jmp trap_common
.set vector, vector + 1
.endr
.if WIDTH == 64

trap_common:
    push %rax
    push %rcx
    push %rdx
    push %rbx
    push %rbp
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    cld
    mov %rsi, seen_si
    mov %rdi, seen_di
    mov %rbp, seen_bp
    mov %rsp, %rsi
    lea FRAME_IP(%rsp), %rax
    mov FRAME_SP(%rsi), %rcx
    mov %rcx, seen_sp
    mov FRAME_SS(%rsi), %rcx
    mov %rcx, seen_ss
.else

trap_common:
    pusha
    cld
    mov %ds, %ebx
    mov $DATA0, %eax
    mov %eax, %ds
    mov %ebx, seen_ds
    mov %es, %ebx
    mov %eax, %es
    mov %ebx, seen_es
    mov %fs, %ebx
    mov %ebx, seen_fs
    mov %gs, %ebx
    mov %ebx, seen_gs
    mov %esi, seen_si
    mov %edi, seen_di
    mov %ebp, seen_bp
    mov %esp, %ebp # stays relative to SS, which a guest may have given a base

    # Without a change of privilege the frame ends with the flags.
    lea FRAME_SP(%esp), %ecx
    mov %ss, %edx
    testl $FLAG_VM, FRAME_FLAGS(%ebp)
    jnz 1f
    mov %cs, %eax
    xor FRAME_CS(%ebp), %eax
    test $3, %eax
    jz 2f
1:  mov FRAME_SP(%ebp), %ecx
    mov FRAME_SS(%ebp), %edx
2:  mov %ecx, seen_sp
    mov %edx, seen_ss
    mov %ebp, %esi
    lea FRAME_IP(%ebp), %eax
.endif
    mov rAX, seen_frame

.macro keep offset, place
    .if WIDTH == 64
    mov \offset(%rsi), %rcx
    mov %rcx, \place
    .else
    mov %ss:\offset(%esi), %ecx
    mov %ecx, \place
    .endif
.endm
    keep FRAME_VECTOR, seen_vector
    keep FRAME_ERROR, seen_error
    keep FRAME_IP, seen_ip
    keep FRAME_CS, seen_cs
    keep FRAME_FLAGS, seen_flags
    keep FRAME_AX, seen_ax
    keep FRAME_BX, seen_bx
    keep FRAME_CX, seen_cx
    keep FRAME_DX, seen_dx
    mov %cr2, rAX
    mov rAX, seen_cr2
    mov seen_vector, %eax
    and $0xff, %eax
    mov hooks(,rAX,4), %eax
    test %eax, %eax
    jz 3f
    jmp *rAX
3:  cmpl $0, catching
    je unexpected
    movl $0, catching
    mov $DATA0, %eax
    mov %eax, %ss
.if WIDTH == 32
    mov %eax, %fs
    mov %eax, %gs
.endif
    mov catch_sp, rSP
    push $2
.if WIDTH == 64
    popfq
.else
    popf
.endif
    jmp *catch_resume

# Back to where the exception came from, with what the hook has changed in the frame.
trap_return:
.if WIDTH == 64
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rbp
    pop %rbx
    pop %rdx
    pop %rcx
    pop %rax
    add $16, %rsp
    iretq
.else
    testl $FLAG_VM, FRAME_FLAGS(%esp)
    jnz 1f
    mov seen_es, %eax
    mov %eax, %es
    mov seen_ds, %eax
    mov %eax, %ds
1:  popa
    add $8, %esp
    iret
.endif

unexpected:
    mov $boot_stack_top, rSP
    movl $1, rounds_left
    call put_seen
    mov $text_bail, %eax
    call put_text
    mov $2, %al
    out %al, $0xf4
1:  hlt
    jmp 1b
