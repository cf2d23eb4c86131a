# Call gates of 32 and 16 bits: privilege, parameters, inner stacks. SDM 3A 5.8.3–5.8.5, CALL in SDM 2.
.set WIDTH, 32
.include "guest.s"

.set GATE, SPARE
.set CODE, SPARE + 8
.set STACK, SPARE + 16

.data
got_sp: .long 0
got_cs: .long 0
got_ss: .long 0
got_stack: .fill 8, 4, 0

.text
# What a gate leads to: notes where it is and the eight words (or doublewords) on its stack.
.macro note_entry
    mov %esp, got_sp
    mov %cs, %eax
    mov %eax, got_cs
    mov %ss, %eax
    mov %eax, got_ss
    mov %esp, %esi
    mov $got_stack, %edi
    mov $8, %ecx
    rep movsl %ss:(%esi), %es:(%edi)
.endm

with_parameters:
    note_entry
    lret $8

without_parameters:
    note_entry
    lret

with_parameters_16:
    note_entry
    lretw $4

main:
    topic "call gates"
    call_gate GATE|3, CODE0, $with_parameters, ACCESS_CALL_GATE|ACCESS_DPL3, 2
    begin
    user
    push $0x1111
    push $0x2222
    lcall $GATE|3, $0
    mov %cs, %ebx
    raised DONE
    expect32 got_cs, $CODE0, "CS within"
    expect32 got_ss, $DATA0, "SS within"
    expect32 got_sp, $trap_stack_top-24, "ESP within"
    expect32 got_stack+4, $CODE3, "saved CS"
    expect32 got_stack+8, $0x2222, "second parameter"
    expect32 got_stack+12, $0x1111, "first parameter"
    expect32 got_stack+16, $user_stack_top-8, "saved ESP"
    expect32 got_stack+20, $DATA3, "saved SS"
    expect seen_bx, $CODE3, "CS behind"
    expect seen_sp, $user_stack_top, "ESP behind"
    check "a call gate leads from CPL 3 to CPL 0 with parameters on the inner stack, and back"

    call_gate GATE, CODE1&~3, $with_parameters, ACCESS_CALL_GATE|ACCESS_DPL3, 2
    begin
    user
    push $0x1111
    push $0x2222
    lcall $GATE, $0
    raised DONE
    expect32 got_cs, $CODE1, "CS within"
    expect32 got_ss, $DATA1, "SS within"
    expect32 got_sp, $spare_stack_top-24, "ESP within"
    check "a call gate to CPL 1 uses the stack of level 1"

    call_gate GATE, CODE0, $without_parameters, ACCESS_CALL_GATE, 2
    begin
    push $0x3333
    lcall $GATE, $0
    raised DONE
    expect32 got_cs, $CODE0, "CS within"
    mov catch_sp, %eax
    sub $12, %eax
    expect32 got_sp, %eax, "ESP within"
    expect32 got_stack+4, $CODE0, "saved CS"
    expect32 got_stack+8, $0x3333, "the caller's stack"
    check "a call gate at the same level changes no stack and copies nothing"

    begin
at  lcall $GATE|3, $0
    faulted "a gate of DPL 0 named with RPL 3 is #GP with it", GP, GATE

    begin
    user
at  lcall $GATE, $0
    faulted "a gate of DPL 0 at CPL 3 is #GP with it", GP, GATE

    call_gate GATE, CODE0, $with_jump
    begin
    ljmp $GATE, $0
with_jump:
    completed "a jump through a gate at the same level goes to its target"

    call_gate GATE, CODE0, $with_jump, ACCESS_CALL_GATE|ACCESS_DPL3
    begin
    user
at  ljmp $GATE, $0
    faulted "a jump through a gate to an inner level is #GP with the code segment", GP, CODE0

    call_gate GATE, CODE0, $main, (ACCESS_CALL_GATE&~ACCESS_P)
    begin
at  lcall $GATE, $0
    faulted "a gate that is not present is #NP with it", NP, GATE

    segment CODE, $0, $0xfffff, ACCESS_CODE&~ACCESS_P, SIZE32|GRANULAR
    call_gate GATE, CODE, $main
    begin
at  lcall $GATE, $0
    faulted "a gate to code that is not present is #NP with the code segment", NP, CODE

    call_gate GATE, DATA0, $main
    begin
at  lcall $GATE, $0
    faulted "a gate to a data segment is #GP with that segment", GP, DATA0

    call_gate GATE, 0, $main
    begin
at  lcall $GATE, $0
    faulted "a gate with a null selector is #GP(0)", GP

    call_gate GATE, GDT_BYTES, $main
    begin
at  lcall $GATE, $0
    faulted "a gate with a selector beyond the limit of the GDT is #GP with that selector", GP, GDT_BYTES

    call_gate GATE, CODE3&~3, $main
    begin
at  lcall $GATE, $0
    faulted "a gate to code of an outer level is #GP with the code segment", GP, CODE3&~3

    segment CODE, $0, $0xfff, ACCESS_CODE, SIZE32
    call_gate GATE, CODE, $0x1000
    begin
at  lcall $GATE, $0
    faulted "a gate to an offset beyond the limit of its code is #GP(0)", GP

    segment CODE, $0, $0xfffff, ACCESS_CODE_CONFORMING, SIZE32|GRANULAR
    call_gate GATE, CODE, $without_parameters, ACCESS_CALL_GATE|ACCESS_DPL3, 2
    begin
    user
    push $0x4444
    lcall $GATE, $0
    raised DONE
    expect32 got_cs, $CODE|3, "CS within"
    expect32 got_ss, $DATA3, "SS within"
    expect32 got_stack+8, $0x4444, "the caller's stack"
    check "a call gate to conforming code keeps the level and the stack"

    call_gate GATE, CODE1&~3, $with_parameters, ACCESS_CALL_GATE|ACCESS_DPL3, 2
    movl $DATA0, tss + 16
    begin
    user
at  lcall $GATE, $0
    faulted "an inner stack of another level is #TS with its selector", TS, DATA0

    movl $0, tss + 16
    begin
    user
at  lcall $GATE, $0
    faulted "a null inner stack is #TS(0)", TS

    movl $GDT_BYTES+1, tss + 16
    begin
    user
at  lcall $GATE, $0
    faulted "an inner stack beyond the limit of the GDT is #TS with its selector", TS, GDT_BYTES

    segment STACK, $0, $0xfffff, ACCESS_DATA_READ_ONLY|ACCESS_DPL1, SIZE32|GRANULAR
    movl $STACK|1, tss + 16
    begin
    user
at  lcall $GATE, $0
    faulted "a read-only inner stack is #TS with its selector", TS, STACK

    segment STACK, $0, $0xfffff, ACCESS_DATA&~ACCESS_P|ACCESS_DPL1, SIZE32|GRANULAR
    begin
    user
at  lcall $GATE, $0
    faulted "an inner stack that is not present is #SS with its selector", SS, STACK

    segment STACK, $0, $0xfff, ACCESS_DATA|ACCESS_DPL1, SIZE32
    movl $20, tss + 12
    begin
    user
at  lcall $GATE, $0
    faulted "an inner stack without room for the frame is #SS with its selector", SS, STACK
    movl $spare_stack_top, tss + 12
    movl $DATA1, tss + 16

    # The return to an outer level.
    begin
    push $DATA3
    push $user_stack_top-16
    push $0x5555
    push $CODE3
    push $1f
    mov $DATA0, %eax
    mov %eax, %gs
    lret $4
1:  mov %gs, %ebx
    raised DONE
    expect seen_cs, $CODE3, "CS"
    expect seen_sp, $user_stack_top-12, "ESP"
    expect seen_bx, $0, "GS"
    check "a far return to CPL 3 drops the parameters of both stacks and nulls inner segments"

    begin
    push $DATA0
    push $user_stack_top
    push $CODE3
    push $1f
at  lret
1:  faulted "a far return to CPL 3 with a stack of CPL 0 is #GP with the stack's selector", GP, DATA0

    begin
    user
    push $CODE0
    push $1f
at  lret
1:  faulted "a far return to an inner level is #GP with the code's selector", GP, CODE0

    topic "call gates of 16 bits"
    # A target within 64 KiB: through a code segment whose base is this code's.
    segment CODE, $with_parameters_16, $0xffff, ACCESS_CODE, SIZE32
    call_gate GATE, CODE, $0, ACCESS_CALL_GATE16|ACCESS_DPL3, 2
    # The way back has 16 bits of address too.
    segment STACK, $gate_16_return, $0xffff, ACCESS_CODE|ACCESS_DPL3, SIZE32
    begin
    user
    ljmp $STACK|3, $0
gate_16_return:
    pushw $0x1111
    pushw $0x2222
    lcall $GATE, $0
    ljmp $CODE3, $1f
1:  raised DONE
    expect32 got_sp, $trap_stack_top-12, "ESP within"
    expect32 got_cs, $CODE, "CS within"
    movzwl got_stack+2, %eax
    expect %eax, $STACK|3, "saved CS"
    expect32 got_stack+4, $0x11112222, "parameters"
    mov $user_stack_top-4, %edx
    movzwl %dx, %ecx
    movzwl got_stack+8, %eax
    expect %eax, %ecx, "saved SP"
    movzwl got_stack+10, %eax
    expect %eax, $DATA3, "saved SS"
    check "a 16-bit gate from CPL 3 to CPL 0 pushes words and copies words"

    segment CODE, $gate_16_target, $0xffff, ACCESS_CODE, SIZE16
    call_gate GATE, CODE, $0, ACCESS_CALL_GATE16
    begin
    lcall $GATE, $0
    .pushsection .text.gate16, "ax"
gate_16_target:
    int $DONE
    .popsection
    raised DONE
    expect seen_cs, $CODE, "CS"
    mov catch_sp, %eax
    sub $4, %eax
    expect seen_sp, %eax, "ESP"
    check "a 16-bit gate at the same level pushes two words"
    ret

.include "end.s"
