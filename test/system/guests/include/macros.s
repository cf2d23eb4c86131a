# What guests are written with. A check has a name, a sentence that says what is true, and is one line of output.
#
#     begin                                   the code from here on may raise an exception
#     at  mov %eax, %cr9                      the saved IP has to be this instruction's (optional)
#     raised UD                               and here it has to have been raised: vector, error code
#     expect seen_flags, $2, "flags"          any number of comparisons
#     check "a control register that does not exist is #UD"
#
# `faulted NAME, VECTOR, ERROR` is raised and check; `completed NAME` says that nothing was raised; `equals NAME, GOT,
# WANT` is expect and check. Behind raised, completed, expect and check general registers hold nothing of use:
# seen_* has what they and the stack frame were when the exception came.
#
# Numeric labels from 71 on are the macros'. In expressions the assembler's + and - bind less than |, and that less
# than <<.

.if WIDTH == 64
.set rAX, %rax
.set rBX, %rbx
.set rCX, %rcx
.set rDX, %rdx
.set rSI, %rsi
.set rDI, %rdi
.set rBP, %rbp
.set rSP, %rsp
.set WORD, 8
.else
.set rAX, %eax
.set rBX, %ebx
.set rCX, %ecx
.set rDX, %edx
.set rSI, %esi
.set rDI, %edi
.set rBP, %ebp
.set rSP, %esp
.set WORD, 4
.endif
.set planned, 0
.set at_seen, 0

.macro begin
    .set at_seen, 0
    mov rSP, catch_sp
    movl $77f, catch_resume
    movl $-1, seen_vector
    movl $1, catching
.endm

.macro at instruction:vararg
    .set at_seen, 1
78: \instruction
.endm

# Where the saved RIP is to point at what follows.
.macro here
    .set at_seen, 1
78:
.endm

.macro raised vector, error=0
    int $DONE
77:
    movl $\vector, want_vector
    movl $\error, want_error
    .if at_seen
    movl $78b, want_ip
    .else
    movl $0, want_ip
    .endif
    call check_raised
.endm

.macro expect got, want, what="value"
    mov \got, rAX
    mov rAX, compare_got
    mov \want, rAX
    mov rAX, compare_want
    compare_as "\what"
.endm

# The same for 32 bits in memory or a 32-bit register.
.macro expect32 got, want, what="value"
    movl \got, %eax
    mov rAX, compare_got
    movl \want, %eax
    mov rAX, compare_want
    compare_as "\what"
.endm

.macro compare_as what
    .pushsection .rodata
71: .asciz "\what"
    .popsection
    movl $71b, %eax
    call compare
.endm

# One bit (or several at once) of a word: `want` is 0 or 1.
.macro expect_bit got, mask, want, what="bit"
    mov \got, rAX
    test $\mask, %eax
    setnz %al
    movzbl %al, %eax
    mov rAX, compare_got
    mov $\want, rAX
    mov rAX, compare_want
    compare_as "\what"
.endm

.macro check name
    .set planned, planned + 1
    .pushsection .checks, "aw"
76: .byte 0 # whether it has failed
    .asciz "\name"
    .popsection
    movl $76b, %eax
    call conclude
.endm

.macro faulted name, vector, error=0
    raised \vector, \error
    check "\name"
.endm

.macro completed name
    raised DONE
    check "\name"
.endm

.macro equals name, got, want
    expect \got, \want
    check "\name"
.endm

.macro equals32 name, got, want
    expect32 \got, \want
    check "\name"
.endm

# The claim (claims.ts) that the next checks belong to.
.macro topic claim
    .pushsection .rodata
71: .asciz "# topic: \claim\n"
    .popsection
    movl $71b, %eax
    call put_topic
.endm

# The condition holds now: `holds NAME, e`.
.macro holds name, condition
    set\condition %al
    movzbl %al, %eax
    expect32 %eax, $1, "condition"
    check "\name"
.endm

# Checks up to end_when are of a feature that CPUID reports in a bit of a register of a leaf (subleaf 0).
.macro when_cpuid leaf, register, bit, feature
    cpuid_reaches \leaf
    jc 74f
    mov $\leaf, %eax
    xor %ecx, %ecx
    cpuid
    bt $\bit, %\register
    jc 75f
74: .pushsection .checks, "aw"
73: .popsection
    .pushsection .rodata
71: .asciz "CPUID does not report \feature"
    .popsection
    movl $73b, %eax
    movl $73f, %edx
    movl $71b, %ecx
    call skip_names
    jmp 72f
75:
.endm

.macro end_when
    .pushsection .checks, "aw"
73: .popsection
72:
.endm

# CF is set where CPUID does not reach as far as the leaf.
.macro cpuid_reaches leaf
    mov $(\leaf & 0x80000000), %eax
    cpuid
    cmp $\leaf, %eax
.endm

# On to privilege level 3, with general registers as they are.
.macro user flags=2
    .if WIDTH == 64
    push $DATA3
    push $user_stack_top
    push $\flags
    push $CODE3
    push $79f
    iretq
    .else
    load_user_segments
    push $DATA3
    push $user_stack_top
    push $\flags
    push $CODE3
    push $79f
    iret
    .endif
79:
.endm

.macro load_user_segments
    push $DATA3
    pop %ds
    push $DATA3
    pop %es
    push $DATA3
    pop %fs
    push $DATA3
    pop %gs
.endm

# A segment descriptor into the GDT. Base and limit may be registers other than EAX.
.macro segment selector, base, limit, access, flags=0
    push rAX
    push rDX
    push rCX
    mov \base, %edx
    mov \limit, %ecx
    movl $gdt + ((\selector) & 0xfff8), %eax
    movl $(((\flags) << 20) | ((\access) << 8)), segment_bits
    call write_segment
    pop rCX
    pop rDX
    pop rAX
.endm

# A gate of protected mode (8 bytes), or of IA-32e mode (16) in 64-bit guests.
.macro gate_at place, selector, target, access, low=0
    push rAX
    push rDX
    push rCX
    movl $\place, %eax
    mov \target, rDX
    movl $\selector, %ecx
    movl $(((\access) << 8) | (\low)), gate_bits
    call write_gate
    pop rCX
    pop rDX
    pop rAX
.endm

.macro call_gate selector, code, target, access=ACCESS_CALL_GATE, count=0
    gate_at gdt+((\selector)&0xfff8), \code, \target, \access, \count
.endm

.macro interrupt_gate vector, code, target, access=ACCESS_INTERRUPT_GATE, ist=0
    gate_at idt+(\vector)*WORD*2, \code, \target, \access, \ist
.endm

# The vector's exceptions and interrupts go to `target`, with the frame that FRAME_* describe on the stack; it ends
# with `jmp trap_return`.
.macro hook vector, target
    movl $\target, hooks+(\vector)*4
.endm

.macro unhook vector
    movl $0, hooks+(\vector)*4
.endm

.macro read_msr index
    movl $\index, %ecx
    rdmsr
.endm

# EDX:EAX as they are, or the two words given.
.macro write_msr index, low, high=$0
    movl $\index, %ecx
    movl \low, %eax
    movl \high, %edx
    wrmsr
.endm
