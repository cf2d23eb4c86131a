# Gates in IA-32e mode: call gates of 64 bits, interrupt stacks, what 64-bit code segments have to be. SDM 3A 5.8.3.1, 6.14.
.set WIDTH, 64
.include "guest.s"

.set GATE, SPARE # two entries
.set CODE, SPARE + 16
.set VECTOR, 0x41

.data
.balign 8
got_sp: .quad 0
got_cs: .quad 0
got_ss: .quad 0
got_stack: .fill 6, 8, 0

.bss
.balign 16
    .skip 1024
ist_stack_top:

.text
note_entry:
    lea 8(%rsp), %rsi
    mov %rsi, got_sp
    mov %cs, %rax
    mov %rax, got_cs
    mov %ss, %rax
    mov %rax, got_ss
    mov $got_stack, %edi
    mov $4, %ecx
    rep movsq
    ret

called:
    call note_entry
    lretq

.macro call_by_gate
at  lcall *gate_pointer
.endm

main:
    topic "call gates of 64 bits"
    movl $0, gate_pointer
    movw $GATE|3, gate_pointer + 4
    call_gate GATE, CODE0, $called, ACCESS_CALL_GATE|ACCESS_DPL3
    begin
    user
    lcall *gate_pointer
    raised DONE
    expect got_cs, $CODE0, "CS within"
    expect got_ss, $0, "SS within"
    expect got_sp, $trap_stack_top-32, "RSP within"
    expect got_stack+8, $CODE3, "saved CS"
    expect got_stack+16, $user_stack_top, "saved RSP"
    expect got_stack+24, $DATA3, "saved SS"
    expect seen_cs, $CODE3, "CS behind"
    expect seen_sp, $user_stack_top, "RSP behind"
    check "a call gate leads from CPL 3 to CPL 0 with a null SS and quadwords on its stack, and back"

    movw $GATE, gate_pointer + 4
    begin
    lcall *gate_pointer
    raised DONE
    mov catch_sp, %rax
    sub $16, %rax
    expect got_sp, %rax, "RSP within"
    expect got_ss, $DATA0, "SS within"
    check "a call gate at the same level stays on the stack"

    call_gate GATE, CODE32, $called
    begin
    call_by_gate
    faulted "a gate to code of 32 bits is #GP with that code", GP, CODE32
    call_gate GATE, CODE0, $called, (ACCESS_CALL_GATE&~ACCESS_P)
    begin
    call_by_gate
    faulted "a gate that is not present is #NP with it", NP, GATE
    call_gate GATE, CODE0, $called
    movl $0x0c00, gdt + GATE + 12
    begin
    call_by_gate
    faulted "a type in the upper half of a gate is #GP with the gate", GP, GATE
    call_gate GATE, CODE0, $called, ACCESS_CALL_GATE16
    begin
    call_by_gate
    faulted "a 16-bit gate is #GP with the gate", GP, GATE
    call_gate GATE, CODE0, $called, ACCESS_TASK_GATE
    begin
    call_by_gate
    faulted "a task gate is #GP with the gate", GP, GATE
    call_gate GATE, CODE0, $called
    begin
    user
    call_by_gate
    faulted "a gate of DPL 0 at CPL 3 is #GP with the gate", GP, GATE
    movw $TSS0, gate_pointer + 4
    begin
    call_by_gate
    faulted "a call to a TSS is #GP with it", GP, TSS0
    segment CODE, $0, $0xfffff, ACCESS_CODE, SIZE64|SIZE32
    movw $CODE, gate_pointer + 4
    begin
    call_by_gate
    faulted "code with both L and D is #GP with its selector", GP, CODE

    topic "interrupt stack table"
    movl $ist_stack_top, tss + 36
    interrupt_gate VECTOR, CODE0, $trap_entries+VECTOR*16, ACCESS_INTERRUPT_GATE|ACCESS_DPL3, 1
    begin
    mov $user_stack_top - 3, %rsp
    int $VECTOR
    here
    raised VECTOR
    expect seen_frame, $ist_stack_top-40, "place of the frame"
    expect seen_sp, $user_stack_top-3, "saved RSP"
    expect seen_ss, $DATA0, "saved SS"
    check "a gate with an IST index switches stacks at the same level"
    begin
    user
    int $VECTOR
    raised VECTOR
    expect seen_frame, $ist_stack_top-40, "place of the frame"
    expect seen_sp, $user_stack_top, "saved RSP"
    check "a gate with an IST index uses its stack from CPL 3 too"
    interrupt_gate UD, CODE0, $trap_entries+UD*16, ACCESS_INTERRUPT_GATE, 1
    begin
    mov $0x0000800000000000, %rsp
at  ud2
    raised UD
    expect seen_frame, $ist_stack_top-40, "place of the frame"
    check "an exception with an IST index survives a bad RSP"
    interrupt_gate UD, CODE0, $trap_entries+UD*16
    interrupt_gate VECTOR, CODE0, $trap_entries+VECTOR*16
    begin
    sub $3, %rsp
    int $VECTOR
    raised VECTOR
    mov catch_sp, %rax
    sub $3, %rax
    expect seen_sp, %rax, "saved RSP"
    sub $40, %rax
    and $~15, %rax
    # 40 bytes below the next lower multiple of 16.
    mov catch_sp, %rax
    sub $3, %rax
    and $~15, %rax
    sub $40, %rax
    expect seen_frame, %rax, "place of the frame"
    check "without a change of stacks the frame is aligned to 16 bytes, and SS and RSP are saved"

    movl $0, tss + 36
    movl $0x8000, tss + 40
    interrupt_gate VECTOR, CODE0, $trap_entries+VECTOR*16, ACCESS_INTERRUPT_GATE, 1
    begin
at  int $VECTOR
    faulted "an interrupt stack at an address that is not canonical is #SS(0)", SS
    movl $ist_stack_top, tss + 36
    movl $0, tss + 40
    interrupt_gate VECTOR, CODE32, $trap_entries+VECTOR*16
    begin
at  int $VECTOR
    faulted "an interrupt gate to code of 32 bits is #GP with that code", GP, CODE32
    interrupt_gate VECTOR, CODE0, $trap_entries+VECTOR*16, ACCESS_INTERRUPT_GATE16
    begin
at  int $VECTOR
    faulted "an interrupt gate of 16 bits is #GP with the vector", GP, VECTOR*8+2
    interrupt_gate VECTOR, CODE0, $trap_entries+VECTOR*16
    ret

.data
gate_pointer:
    .long 0
    .word 0

.include "end.s"
