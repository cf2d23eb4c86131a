# Addresses that are not canonical: accesses, branches, registers that must not hold them. SDM 1 3.3.7.1, SDM 2.
.set WIDTH, 64
.include "guest.s"

.set HOLE, 0x0000800000000000
.set LAST, 0x00007fffffffffff

.data
.balign 8
pointer: .quad 0, 0

.text
main:
    # Faults come on a stack of their own: RSP will not do.
    movl $spare_stack_top, tss + 36
    interrupt_gate GP, CODE0, $trap_entries+GP*16, ACCESS_INTERRUPT_GATE, 1
    interrupt_gate SS, CODE0, $trap_entries+SS*16, ACCESS_INTERRUPT_GATE, 1
    # The last page before the hole is mapped.
    movl $top_pdpt + 7, pml4 + 255 * 8
    movl $top_directory + 7, top_pdpt + 511 * 8
    movl $PTE_P|PTE_W|PTE_U|PTE_PS, top_directory + 511 * 8

    topic "canonical addresses"
    mov $HOLE, %rsi
    begin
at  mov (%rsi), %eax
    faulted "a read is #GP(0)", GP
    begin
    mov $HOLE, %rsi
at  mov %eax, (%rsi)
    faulted "a store is #GP(0)", GP
    mov $0xffff7fffffffffff, %rbx
    begin
at  mov (%rbx), %al
    faulted "the last address of the hole is #GP(0)", GP
    mov $LAST - 1, %rbx
    begin
at  mov (%rbx), %eax
    faulted "a read that begins before the hole and reaches into it is #GP(0)", GP
    mov $HOLE, %rbp
    begin
at  mov (%rbp), %eax
    faulted "a read by RBP is #SS(0)", SS
    begin
    mov $HOLE, %rsp
at  mov (%rsp), %eax
    faulted "a read by RSP is #SS(0)", SS
    begin
    mov $HOLE, %rsp
at  pop %rax
    faulted "POP is #SS(0)", SS
    begin
    mov $HOLE + 8, %rsp
at  push %rax
    faulted "PUSH is #SS(0)", SS
    begin
    mov $HOLE + 8, %rsp
at  call 1f
1:  faulted "CALL with such a stack is #SS(0)", SS
    begin
    mov $HOLE, %rsp
at  ret
    faulted "RET with such a stack is #SS(0)", SS
    begin
    mov $HOLE, %rdi
at  stosb
    faulted "STOSB is #GP(0)", GP
    begin
    mov $HOLE, %rdi
    xor %ecx, %ecx
    rep stosb
    completed "REP STOSB of nothing touches nothing"
    mov $HOLE, %rsi
    begin
at  clflush (%rsi)
    faulted "CLFLUSH is #GP(0)", GP
    begin
    mov $HOLE, %rsi
    invlpg (%rsi)
    completed "INVLPG does nothing"
    begin
    mov $HOLE, %rsi
    prefetcht0 (%rsi)
    completed "PREFETCHT0 does nothing"
    begin
    mov $HOLE, %rsi
    lea (%rsi), %rbx
    completed "LEA does not mind"

    begin
    mov $HOLE, %rax
at  jmp *%rax
    faulted "a jump is #GP(0) at the jump", GP
    begin
    mov $HOLE, %rax
at  call *%rax
    raised GP
    mov catch_sp, %rax
    expect seen_sp, %rax, "RSP"
    check "a call is #GP(0) at the call, and pushes nothing"
    begin
    mov $HOLE, %rax
    push %rax
at  ret
    raised GP
    mov catch_sp, %rax
    sub $8, %rax
    expect seen_sp, %rax, "RSP"
    check "RET is #GP(0) at the RET, and pops nothing"
    mov $HOLE, %rax
    mov %rax, pointer
    begin
at  jmp *pointer
    faulted "a jump through memory is #GP(0) at the jump", GP
    begin
    push $DATA0
    push %rsp
    push $2
    push $CODE0
    mov $HOLE, %rax
    push %rax
at  iretq
    faulted "IRET is #GP(0) at the IRET", GP
    movw $CODE0, pointer + 8
    begin
at  rex.w ljmp *pointer
    faulted "a far jump is #GP(0) at the jump", GP
    begin
    push $CODE0
    mov $HOLE, %rax
    push %rax
at  lretq
    faulted "a far return is #GP(0) at the return", GP

    .macro msr_refuses name, index
    begin
    mov $\index, %ecx
    mov $0x8000, %edx
    xor %eax, %eax
at  wrmsr
    faulted "WRMSR of \name is #GP(0)", GP
    .endm
    msr_refuses "FS_BASE", IA32_FS_BASE
    msr_refuses "GS_BASE", IA32_GS_BASE
    msr_refuses "KERNEL_GS_BASE", IA32_KERNEL_GS_BASE
    msr_refuses "LSTAR", IA32_LSTAR
    msr_refuses "CSTAR", IA32_CSTAR
    msr_refuses "SYSENTER_ESP", IA32_SYSENTER_ESP
    msr_refuses "SYSENTER_EIP", IA32_SYSENTER_EIP

    movw $0xff, pointer
    mov $HOLE, %rax
    mov %rax, pointer + 2
    begin
at  lgdt pointer
    faulted "LGDT is #GP(0)", GP
    begin
at  lidt pointer
    faulted "LIDT is #GP(0)", GP

    read_msr IA32_FS_BASE
    mov $IA32_FS_BASE, %ecx
    mov $0x7fff, %edx
    mov $0xfffff000, %eax
    wrmsr
    begin
at  mov %fs:0x1000, %eax
    faulted "a base and an offset that add up to such an address are #GP(0)", GP
    write_msr IA32_FS_BASE, $0

    interrupt_gate 0x41, CODE0, $trap_entries
    movl $0x8000, idt + 0x41 * 16 + 8
    begin
at  int $0x41
    faulted "a gate to such an address is #GP(0)", GP

    ret

.bss
.balign 4096
top_pdpt: .skip 4096
top_directory: .skip 4096

.include "end.s"
