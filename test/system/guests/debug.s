# Breakpoint registers, single step, RF and INT1. SDM 3A 6.15 (#DB), SDM 3B 17.2–17.3.
.set WIDTH, 32
.include "guest.s"

.set DR6_CLEAR, 0xffff0ff0
.set DR6_BD, 1 << 13
.set DR6_BS, 1 << 14
.set DR7_GD, 1 << 13
.set WHEN_EXECUTED, 0
.set WHEN_WRITTEN, 1
.set WHEN_PORT, 2
.set WHEN_ACCESSED, 3

.bss
.balign 16
buffer: .skip 64
steps: .skip 4
step_ips: .skip 64 * 4
saved_dr6: .skip 4
handler_flags: .skip 4
handler_dr7: .skip 4

.text
# Breakpoint 0 to 3 at an address: when, and how many bytes less one (0, 1 or 3).
.macro breakpoint number, address, when, length=0
    mov \address, %eax
    mov %eax, %db\number
    mov $DR6_CLEAR, %eax
    mov %eax, %db6
    mov $(2 << (2 * (\number))) | (((\when) | ((\length) << 2)) << (16 + 4 * (\number))) | 0x400, %eax
    mov %eax, %db7
.endm

.macro no_breakpoints
    mov $0x400, %eax
    mov %eax, %db7
.endm

.macro read_dr6
    mov %db6, %eax
    mov %eax, saved_dr6
    mov $DR6_CLEAR, %eax
    mov %eax, %db6
.endm

# Runs what follows with TF; each #DB is counted and its IP kept.
.macro step_through
    hook DB, note_step
    movl $0, steps
    mov $DR6_CLEAR, %eax
    mov %eax, %db6
    begin
    pushf
    orl $FLAG_TF, (%esp)
    popf
.endm

note_step:
    mov steps, %eax
    mov FRAME_IP(%esp), %ecx
    mov %ecx, step_ips(,%eax,4)
    incl steps
    pushf
    pop handler_flags
    jmp trap_return

# Notes DR6 and DR7, and goes on with RF set, so that a breakpoint at the instruction does not hit again.
pass_breakpoint:
    mov %db6, %eax
    mov %eax, saved_dr6
    mov %db7, %eax
    mov %eax, handler_dr7
    incl steps
    orl $FLAG_RF, FRAME_FLAGS(%esp)
    jmp trap_return

main:
    topic "debug registers"
    mov $0x12345678, %eax
    mov %eax, %db0
    mov %db0, %ebx
    equals "a breakpoint register keeps its address", %ebx, $0x12345678
    mov $0, %eax
    mov %eax, %db6
    mov %db6, %ebx
    equals "DR6 has bits that are always set", %ebx, $DR6_CLEAR
    mov $0, %eax
    mov %eax, %db7
    mov %db7, %ebx
    equals "DR7 has bit 10 always set", %ebx, $0x400
    mov $DR6_CLEAR|1, %eax
    mov %eax, %db6
    .byte 0x0f, 0x21, 0xe3 # MOV EBX, DR4
    equals "without CR4.DE DR4 is DR6", %ebx, $DR6_CLEAR|1
    mov %cr4, %eax
    or $CR4_DE, %eax
    mov %eax, %cr4
    begin
at  .byte 0x0f, 0x21, 0xe3
    faulted "with CR4.DE DR4 is #UD", UD
    begin
at  .byte 0x0f, 0x23, 0xeb # MOV DR5, EBX
    faulted "with CR4.DE DR5 is #UD", UD
    mov %cr4, %eax
    and $~CR4_DE, %eax
    mov %eax, %cr4

    breakpoint 0, $1f, WHEN_EXECUTED
    begin
    nop
1:
at  mov $5, %ebx
    raised DB
    read_dr6
    expect32 saved_dr6, $DR6_CLEAR|1, "DR6"
    expect_bit seen_flags, FLAG_RF, 0, "RF in the saved flags"
    check "an instruction breakpoint is #DB before the instruction"
    breakpoint 3, $1f, WHEN_EXECUTED
    begin
    nop
1:
at  mov $5, %ebx
    raised DB
    read_dr6
    expect32 saved_dr6, $DR6_CLEAR|8, "DR6"
    check "breakpoint 3 has its own bit"
    no_breakpoints
    begin
    nop
1:  mov $5, %ebx
    completed "a breakpoint that is not enabled does nothing"
    breakpoint 0, $1f+1, WHEN_EXECUTED
    begin
    nop
1:  mov $5, %ebx
    completed "an instruction breakpoint in the middle of an instruction does nothing"
    no_breakpoints

    breakpoint 1, $buffer+4, WHEN_WRITTEN, 3
    begin
    movl $7, buffer + 4
    here
    raised DB
    read_dr6
    expect32 saved_dr6, $DR6_CLEAR|2, "DR6"
    expect32 buffer+4, $7, "memory"
    check "a write breakpoint is #DB behind the store"
    begin
    mov buffer + 4, %eax
    movl $1, buffer
    movl $1, buffer + 8
    completed "a write breakpoint minds neither reads nor neighbours"
    begin
    movb $1, buffer + 7
    here
    raised DB
    read_dr6
    check "a byte within the four of a breakpoint hits it"
    begin
    movl $1, buffer + 1
    here
    raised DB
    read_dr6
    check "an unaligned store that reaches into a breakpoint hits it"
    begin
    push %ebp
    mov $buffer + 8, %ebp
    mov %esp, %edx
    mov %ebp, %esp
    push %eax
    here
    raised DB
    read_dr6
    check "PUSH hits a write breakpoint"
    begin
    lock incl buffer + 4
    here
    raised DB
    read_dr6
    check "a read-modify-write hits a write breakpoint"
    begin
    mov $buffer, %edi
    mov $4, %ecx
    rep stosl
    raised DB
    read_dr6
    expect seen_cx, $2, "ECX"
    expect seen_di, $buffer+8, "EDI"
    check "REP STOSD is interrupted behind the iteration that hits"
    no_breakpoints
    breakpoint 2, $buffer+2, WHEN_ACCESSED, 1
    begin
    movzwl buffer + 2, %eax
    here
    raised DB
    read_dr6
    expect32 saved_dr6, $DR6_CLEAR|4, "DR6"
    check "an access breakpoint is #DB behind a read"
    begin
    user
    movb buffer + 3, %al
    here
    raised DB
    read_dr6
    expect seen_cs, $CODE3, "CS"
    check "an access breakpoint hits at CPL 3"
    no_breakpoints

    # MOV to SS from memory that has a breakpoint: its trap waits for the next instruction.
    movl $DATA0, buffer
    breakpoint 0, $buffer, WHEN_ACCESSED, 1
    begin
    movw buffer, %ss
    nop
    here
    nop
    raised DB
    read_dr6
    expect32 saved_dr6, $DR6_CLEAR|1, "DR6"
    check "a breakpoint hit by MOV to SS is #DB behind the next instruction"
    no_breakpoints

    mov %cr4, %eax
    or $CR4_DE, %eax
    mov %eax, %cr4
    breakpoint 0, $0x80, WHEN_PORT
    begin
    out %al, $0x80
    here
    raised DB
    read_dr6
    expect32 saved_dr6, $DR6_CLEAR|1, "DR6"
    check "with CR4.DE a breakpoint at a port is #DB behind OUT"
    no_breakpoints
    mov %cr4, %eax
    and $~CR4_DE, %eax
    mov %eax, %cr4

    mov $0x400|DR7_GD, %eax
    mov %eax, %db7
    begin
at  mov %db0, %eax
    raised DB
    read_dr6
    expect32 saved_dr6, $DR6_CLEAR|DR6_BD, "DR6"
    mov %db7, %eax
    expect_bit %eax, DR7_GD, 0, "DR7.GD in the handler"
    check "DR7.GD makes access to the debug registers #DB, once"
    no_breakpoints

    topic "single step"
    step_through
    nop
    mov $1, %eax
    nop
    push $2
    popf
1:  nop
    raised DONE
    expect32 steps, $5, "number of traps"
    expect32 step_ips+16, $1b, "IP behind POPF"
    mov %db6, %eax
    expect %eax, $DR6_CLEAR|DR6_BS, "DR6"
    expect_bit handler_flags, FLAG_TF, 0, "TF in the handler"
    check "with TF each instruction is followed by #DB with DR6.BS, up to the POPF that clears TF"

    step_through
1:  nop
2:  nop
    raised DONE
    expect32 step_ips, $2b, "first IP"
    check "the first trap comes behind the instruction that follows POPF"

    movl $0, buffer
    step_through
    mov $buffer, %edi
    xor %eax, %eax
    mov $3, %ecx
1:  rep stosb
2:  raised DONE
    # MOV, XOR, MOV, three iterations, and INT does not count
    expect32 steps, $6, "number of traps"
    expect32 step_ips+12, $1b, "IP behind the first iteration"
    expect32 step_ips+20, $2b, "IP behind the last iteration"
    check "a REP instruction is stepped by iterations"

    step_through
    mov %ss, %eax
    mov %eax, %ss
1:  nop
2:  nop
    raised DONE
    expect32 steps, $3, "number of traps"
    expect32 step_ips+4, $2b, "IP behind MOV SS"
    check "there is no trap behind MOV to SS, only behind the next instruction"

    unhook DB
    begin
    user FLAG_TF|2
    nop
    here
    raised DB
    expect seen_cs, $CODE3, "CS"
    expect_bit seen_flags, FLAG_TF, 1, "TF in the saved flags"
    check "IRET that sets TF is followed by one instruction"
    read_dr6

    hook DB, note_step
    movl $0, steps
    interrupt_gate 0x41, CODE0, $stepped_gate
    begin
    pushf
    orl $FLAG_TF, (%esp)
    popf
    int $0x41
1:  nop
2:  raised DONE
    expect32 steps, $1, "number of traps"
    expect32 step_ips, $2b, "IP"
    check "INT clears TF for its handler, and the instruction behind its IRET is stepped"
    interrupt_gate 0x41, CODE0, $trap_entries+0x41*16
    unhook DB

    topic "RF"
    hook DB, pass_breakpoint
    movl $0, steps
    breakpoint 0, $1f, WHEN_EXECUTED
    begin
1:  mov $5, %ebx
    raised DONE
    expect32 steps, $1, "number of hits"
    expect seen_bx, $5, "EBX"
    check "RF set by IRET lets the instruction pass its breakpoint"
    movl $0, steps
    mov $2f, %eax
    mov %eax, %db0
    begin
    mov $3, %ecx
2:  dec %ecx
    jnz 2b
    raised DONE
    expect32 steps, $3, "number of hits"
    check "RF lasts for one instruction, so that a loop hits each time"
    no_breakpoints
    unhook DB
    begin
    pushf
    orl $FLAG_RF, (%esp)
    popf
    pushf
    pop %ebx
    raised DONE
    expect_bit seen_bx, FLAG_RF, 0
    check "POPF does not set RF, and PUSHF does not show it"
    breakpoint 0, $1f, WHEN_EXECUTED
    begin
    pushl $FLAG_RF|2
    push $CODE0
    push $1f
    iret
1:  mov $6, %ebx
    completed "IRET with RF goes on at a breakpoint"
    no_breakpoints

    topic "ICEBP"
    read_dr6
    begin
    .byte 0xf1
    here
    raised DB
    read_dr6
    expect32 saved_dr6, $DR6_CLEAR, "DR6"
    expect_bit seen_flags, FLAG_RF, 0, "RF"
    check "INT1 is #DB behind the instruction and leaves DR6 alone"
    begin
    user
    .byte 0xf1
    here
    raised DB
    expect seen_cs, $CODE3, "CS"
    check "INT1 at CPL 3 does not mind the gate's DPL"
    begin
    user
at  int $1
    faulted "INT 1 at CPL 3 through a gate of DPL 0 is #GP with the vector", GP, DB*8+2
    ret

stepped_gate:
    nop
    nop
    iret

.include "end.s"
