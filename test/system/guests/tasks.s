# Hardware task switches by jumps, calls, gates, interrupts, exceptions and IRET. SDM 3A 7.
.set WIDTH, 32
.include "guest.s"

.set TASK, SPARE
.set GATE, SPARE + 8
.set TASK16, SPARE + 16
.set LDT, SPARE + 24
.set FAULT_TASK, SPARE + 32
.set VECTOR, 0x41

# Fields of a TSS.
.set LINK, 0
.set TSS_CR3, 0x1c
.set TSS_IP, 0x20
.set TSS_FLAGS, 0x24
.set TSS_AX, 0x28
.set TSS_BX, 0x34
.set TSS_SP, 0x38
.set TSS_ES, 0x48
.set TSS_CS, 0x4c
.set TSS_SS, 0x50
.set TSS_DS, 0x54
.set TSS_FS, 0x58
.set TSS_GS, 0x5c
.set TSS_LDT, 0x60
.set TSS_TRAP, 0x64

.bss
.balign 4096
task: .skip 0x68
fault_task: .skip 0x68
task16: .skip 0x2c
task_stack: .skip 1024
task_stack_top:
fault_error: .skip 4
task_ax: .skip 4
task_tr: .skip 4
task_flags: .skip 4
task_cr0: .skip 4
task_top: .skip 8

.text
# Makes the second task ready to begin at EAX.
prepare:
    mov %eax, task + TSS_IP
    movl $0, task + LINK
    movl $2, task + TSS_FLAGS
    movl $0x12345678, task + TSS_AX
    movl $task_stack_top, task + TSS_SP
    movl $CODE0, task + TSS_CS
    movl $DATA0, %eax
    mov %eax, task + TSS_SS
    mov %eax, task + TSS_DS
    mov %eax, task + TSS_ES
    mov %eax, task + TSS_FS
    mov %eax, task + TSS_GS
    movl $0, task + TSS_LDT
    movl $0x680000, task + TSS_TRAP
    movl $trap_stack_top, task + 4
    movl $DATA0, task + 8
    segment TASK, $task, $0x67, ACCESS_TSS
    clts
    ret

# After a check that ended in another task: back to the first one's TSS.
go_home:
    andb $~2, gdt + TSS0 + 5
    mov $TSS0, %eax
    ltr %ax
    pushf
    andl $~FLAG_NT, (%esp)
    popf
    ret

note_task:
    mov %eax, task_ax
    str %eax
    mov %eax, task_tr
    pushf
    pop task_flags
    mov %cr0, %eax
    mov %eax, task_cr0
    mov 4(%esp), %eax
    mov %eax, task_top
    movzbl gdt + TSS0 + 5, %eax
    mov %eax, task_top + 4
    ret

jumped_to:
    call note_task
    ljmp $TSS0, $0
    jmp jumped_to

called:
    call note_task
    iret
    # A second call goes on behind the IRET.
    jmp called

with_error:
    call note_task
    add $4, %esp
    movl $catch_in_task, tss + TSS_IP # the instruction would fault again
    iret

# Takes #TS by a task gate, notes the error code and goes back to the first task.
fault_entry:
    pop fault_error
    ljmp $TSS0, $0
    jmp fault_entry

prepare_fault_task:
    mov $fault_entry, %eax
    call prepare
    mov $task, %esi
    mov $fault_task, %edi
    mov $0x68, %ecx
    rep movsb
    segment FAULT_TASK, $fault_task, $0x67, ACCESS_TSS
    movl $0, fault_error
    interrupt_gate TS, FAULT_TASK, $0, ACCESS_TASK_GATE
    ret

.macro prepare_at target
    mov $\target, %eax
    call prepare
.endm

main:
    topic "task switches"
    prepare_at jumped_to
    begin
    mov $0xabcd, %ebx
    ljmp $TASK, $0
    str %ecx
    raised DONE
    expect32 task_ax, $0x12345678, "EAX of the new task"
    expect32 task_tr, $TASK, "TR in the new task"
    expect_bit task_flags, FLAG_NT, 0, "NT in the new task"
    expect_bit task_cr0, CR0_TS, 1, "CR0.TS in the new task"
    expect32 task_top+4, $ACCESS_TSS, "the old TSS"
    expect seen_bx, $0xabcd, "EBX after the way back"
    expect seen_cx, $TSS0, "TR after the way back"
    movzbl gdt + TASK + 5, %eax
    expect %eax, $ACCESS_TSS, "the other TSS"
    movzbl gdt + TSS0 + 5, %eax
    expect %eax, $ACCESS_TSS_BUSY, "the own TSS"
    check "jumps to a TSS and back switch tasks and their busy bits"

    prepare_at called
    begin
    lcall $TASK, $0
    raised DONE
    expect_bit task_flags, FLAG_NT, 1, "NT in the new task"
    movzwl task + LINK, %eax
    expect %eax, $TSS0, "link"
    expect32 task_top+4, $ACCESS_TSS_BUSY, "the old TSS"
    movzbl gdt + TASK + 5, %eax
    expect %eax, $ACCESS_TSS, "the new TSS afterwards"
    expect_bit seen_flags, FLAG_NT, 0, "NT afterwards"
    check "a call to a TSS nests, and IRET returns"

    prepare_at called
    begin
    lcall $TASK, $0
    clts
    lcall $TASK, $0
    raised DONE
    expect32 task + TSS_FLAGS, $2, "flags saved"
    check "a task that is called again goes on behind its IRET, with NT saved as 0"

    prepare_at jumped_to
    begin
    ljmp $TASK, $0
at  fnop
    faulted "after a task switch an x87 instruction is #NM", NM
    clts

    prepare_at jumped_to
    andb $~2, gdt + TASK + 5
    orb $2, gdt + TASK + 5
    begin
at  ljmp $TASK, $0
    faulted "a jump to a busy TSS is #GP with it", GP, TASK

    begin
at  lcall $TASK, $0
    faulted "a call to a busy TSS is #GP with it", GP, TASK

    segment TASK, $task, $0x67, ACCESS_TSS&~ACCESS_P
    begin
at  ljmp $TASK, $0
    faulted "a TSS that is not present is #NP with it", NP, TASK

    segment TASK, $task, $0x66, ACCESS_TSS
    begin
at  ljmp $TASK, $0
    faulted "a TSS that is too short is #TS with it", TS, TASK

    segment TASK, $task, $0x67, ACCESS_TSS
    begin
    user
at  ljmp $TASK, $0
    faulted "a TSS of DPL 0 at CPL 3 is #GP with it", GP, TASK

    # Faults that the new task meets: it is the current one by then.
    prepare_at jumped_to
    movl $CODE3, task + TSS_CS # so that the exception has a stack of its own
    begin
    ljmp $TASK, $0
    raised TS, DATA0
    expect seen_ip, $jumped_to, "saved IP"
    str %eax
    expect %eax, $TASK, "TR"
    check "a stack segment of another level in the new TSS is #TS in the new task"
    call go_home

    prepare_at jumped_to
    segment LDT, $0, $0xfffff, ACCESS_DATA&~ACCESS_P
    movl $LDT, task + TSS_DS
    begin
    ljmp $TASK, $0
    raised NP, LDT
    expect seen_ip, $jumped_to, "saved IP"
    check "a data segment that is not present in the new TSS is #NP in the new task"
    call go_home

    # A new task without code or LDT has no stack to speak of: its faults get a task of their own.
    call prepare_fault_task
    prepare_at jumped_to
    movl $DATA0, task + TSS_LDT
    begin
    ljmp $TASK, $0
    raised DONE
    expect32 fault_error, $DATA0, "error code"
    movzwl fault_task + LINK, %eax
    expect %eax, $TASK, "the task that faulted"
    check "an LDT in the new TSS that is none is #TS with it"

    prepare_at jumped_to
    movl $DATA0, task + TSS_CS
    begin
    ljmp $TASK, $0
    raised DONE
    expect32 fault_error, $DATA0, "error code"
    movzwl fault_task + LINK, %eax
    expect %eax, $TASK, "the task that faulted"
    check "a code selector in the new TSS that is no code is #TS with it"
    interrupt_gate TS, CODE0, $trap_entries+TS*16

    # IRET with NT looks at the link.
    movw $TASK, tss + LINK
    prepare_at jumped_to
    begin
    pushf
    orl $FLAG_NT, (%esp)
    popf
at  iret
    faulted "IRET with NT to a TSS that is not busy is #TS with it", TS, TASK
    movw $0, tss + LINK

    prepare_at jumped_to
    movl $1, task + TSS_TRAP
    mov $0, %eax
    mov %eax, %dr6
    begin
    ljmp $TASK, $0
    raised DB
    mov %dr6, %eax
    expect_bit %eax, 1<<15, 1, "DR6.BT"
    expect seen_ip, $jumped_to, "saved IP"
    check "the T flag of the new TSS is #DB before its first instruction"
    call go_home
    mov $0, %eax
    mov %eax, %dr6

    prepare_at jumped_to
    movl $2|FLAG_TF, tss + TSS_FLAGS
    begin
    ljmp $TASK, $0
    completed "the flags that a task is left with are saved in its TSS"

    # A task of 16 bits.
    movw $task_16_code - task_16_base, task16 + 0x0e
    movw $2, task16 + 0x10
    movw $0x4321, task16 + 0x12
    movw $task_stack_top - task, %ax
    mov %ax, task16 + 0x1a
    movw $DATA0, task16 + 0x22
    movw $DATA0, task16 + 0x28
    segment LDT, $task_16_base, $0xffff, ACCESS_CODE, SIZE32
    movw $LDT, task16 + 0x24
    segment GATE, $task, $0xffff, ACCESS_DATA, SIZE16
    movw $GATE, task16 + 0x26
    movw $0, task16 + 0x2a
    segment TASK16, $task16, $0x2b, ACCESS_TSS16
    begin
    lcall $TASK16, $0
    .pushsection .text.task16, "ax"
task_16_base:
    nop
task_16_code:
    mov %eax, %ds:task_ax
    mov %esp, %ds:task_top
    str %eax
    mov %eax, task_tr
    iret
    .popsection
    raised DONE
    movzwl task_ax, %eax
    expect %eax, $0x4321, "AX"
    expect32 task_tr, $TASK16, "TR"
    movzwl task16, %eax
    expect %eax, $TSS0, "link"
    check "a call to a 16-bit TSS and IRET switch there and back"

    topic "task gates"
    prepare_at called
    call_gate GATE, TASK, $0, ACCESS_TASK_GATE
    begin
    lcall $GATE, $0
    raised DONE
    expect32 task_tr, $TASK
    check "a call through a task gate switches tasks"

    prepare_at jumped_to
    begin
    ljmp $GATE, $0
    raised DONE
    expect32 task_tr, $TASK
    check "a jump through a task gate switches tasks"

    prepare_at called
    call_gate GATE, TASK, $0, ACCESS_TASK_GATE|ACCESS_DPL3
    begin
    user
    lcall $GATE, $0
    raised DONE
    expect32 task_tr, $TASK
    expect seen_cs, $CODE3, "CS afterwards"
    check "a task gate of DPL 3 gives CPL 3 a task of DPL 0"

    call_gate GATE, TASK, $0, ACCESS_TASK_GATE
    begin
    user
at  lcall $GATE, $0
    faulted "a task gate of DPL 0 at CPL 3 is #GP with it", GP, GATE

    call_gate GATE, TASK, $0, ACCESS_TASK_GATE&~ACCESS_P
    begin
at  lcall $GATE, $0
    faulted "a task gate that is not present is #NP with it", NP, GATE

    call_gate GATE, DATA0, $0, ACCESS_TASK_GATE
    begin
at  lcall $GATE, $0
    faulted "a task gate to a data segment is #GP with that segment", GP, DATA0

    prepare_at called
    interrupt_gate VECTOR, TASK, $0, ACCESS_TASK_GATE
    begin
    int $VECTOR
    raised DONE
    expect32 task_tr, $TASK
    expect_bit task_flags, FLAG_NT, 1, "NT"
    check "INT through a task gate of the IDT switches tasks"

    prepare_at with_error
    interrupt_gate GP, TASK, $0, ACCESS_TASK_GATE
    begin
    mov $GDT_BYTES, %eax
    mov %eax, %fs
catch_in_task:
    raised DONE
    expect32 task_tr, $TASK, "TR"
    expect32 task_top, $GDT_BYTES, "error code on the task's stack"
    check "an exception through a task gate gives the task its error code"
    interrupt_gate GP, CODE0, $trap_entries+GP*16
    call go_home
    ret

.include "end.s"
