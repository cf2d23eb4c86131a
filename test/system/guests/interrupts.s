# Interrupts from the 8259s and the local APIC: when they are taken, in which order, what holds them back. NMI. SDM 3A
# 6.7–6.8, 10.5–10.8, 17.17.4; MOV SS and STI in SDM 2.
.set WIDTH, 32
.include "guest.s"

.set APIC, 0xfee00000
.set APIC_ID, APIC + 0x20
.set TPR, APIC + 0x80
.set PPR, APIC + 0xa0
.set EOI, APIC + 0xb0
.set SVR, APIC + 0xf0
.set ISR, APIC + 0x100
.set IRR, APIC + 0x200
.set ICR_LOW, APIC + 0x300
.set ICR_HIGH, APIC + 0x310
.set LVT_TIMER, APIC + 0x320
.set TIMER_INITIAL, APIC + 0x380
.set TIMER_CURRENT, APIC + 0x390
.set TIMER_DIVIDE, APIC + 0x3e0
.set TO_SELF, 0x44000
.set NMI_TO_ID, 0x4400

.set LOW, 0x50
.set HIGH, 0x61
.set TIMER, 0x71

.bss
tries: .skip 4
count: .skip 4
order: .skip 16
within: .skip 4
irq0_count: .skip 4
nmi_count: .skip 4
nmi_within: .skip 4

.text
.macro send_self vector
    movl $TO_SELF|(\vector), ICR_LOW
.endm

.macro send_nmi
    movl APIC_ID, %eax
    mov %eax, ICR_HIGH
    movl $NMI_TO_ID, ICR_LOW
.endm

# Time for an interrupt to come that something has just let through: when it does is not specified.
.macro wait_a_little
    mov $1000, %ecx
1:  loop 1b
.endm

# As `raised`, where a host that has no time for its guest can make a timer early: then from `start` again. `early`
# says when, by comparing.
.macro raised_unless_early start, vector, early:vararg
    int $DONE
77: movl $0, catching
    movl $0, EOI
    \early
    je 1f
    decl tries
    jnz \start
1:  movl $\vector, want_vector
    movl $0, want_error
    movl $0, want_ip
    call check_raised
.endm

# The interrupt that the code under test is to be left by; its handler has not said EOI.
.macro interrupted name, vector
    raised \vector
    check "\name"
    movl $0, EOI
.endm

note_order:
    mov count, %ecx
    mov FRAME_VECTOR(%esp), %eax
    mov %al, order(%ecx)
    incl count
    movl $0, EOI
    jmp trap_return

# Sends the lower vector from within the higher one's handler, with interrupts on.
nest:
    call note_vector
    send_self LOW
    sti
    wait_a_little
    mov count, %eax
    mov %eax, within
    cli
    movl $0, EOI
    jmp trap_return

note_vector:
    mov count, %ecx
    mov FRAME_VECTOR+4(%esp), %eax
    mov %al, order(%ecx)
    incl count
    ret

on_irq0:
    incl irq0_count
    mov $0x20, %al
    out %al, $0x20
    mov $0xff, %al
    out %al, $0x21
    jmp trap_return

# The first NMI sends another one, which has to wait for IRET.
on_nmi:
    incl nmi_count
    cmpl $1, nmi_count
    jne trap_return
    send_nmi
    mov $100, %ecx
1:  loop 1b
    mov nmi_count, %eax
    mov %eax, nmi_within
    jmp trap_return

main:
    movl $100, tries
    movl $0x1ff, SVR
    movl $0, TPR
    movl $0x10000, LVT_TIMER

    topic "interrupts"
    begin
    send_self LOW
    nop
    nop
    completed "with IF clear an interrupt waits"
    mov IRR + 0x20, %eax
    expect %eax, $1<<((LOW-0x40)&31), "IRR"
    check "an interrupt that waits has its bit in IRR"
    begin
    sti
    nop
    here
    nop
    raised LOW
    expect_bit seen_flags, FLAG_IF, 1, "IF in the saved flags"
    mov ISR + 0x20, %eax
    expect %eax, $1<<((LOW-0x40)&31), "ISR"
    check "with IF set it is taken, and has its bit in ISR"
    movl $0, EOI
    mov ISR + 0x20, %eax
    equals "EOI clears the bit in ISR", %eax, $0

    send_self LOW
    begin
    user FLAG_IF|2
    here
    nop
    raised LOW
    expect seen_cs, $CODE3, "CS"
    expect seen_ss, $DATA3, "SS"
    check "IRET to CPL 3 with IF is interrupted at the first instruction"
    movl $0, EOI

    movl $0, count
    hook LOW, note_order
    hook HIGH, note_order
    send_self LOW
    send_self HIGH
    begin
    sti
    wait_a_little
    raised DONE
    expect32 count, $2, "number"
    expect32 order, $HIGH|(LOW<<8), "order"
    check "of two interrupts the one with the higher vector comes first"

    movl $0, count
    movl $0, order
    hook HIGH, nest
    send_self HIGH
    begin
    sti
    wait_a_little
    raised DONE
    expect32 within, $1, "number within the first handler"
    expect32 count, $2, "number"
    check "an interrupt of a lower class waits for the EOI of the one in service"
    unhook HIGH
    unhook LOW

    movl $0x50, TPR
    send_self LOW
    begin
    sti
    nop
    nop
    completed "an interrupt of the task priority's class is held back"
    mov PPR, %eax
    equals "the processor priority is the task priority", %eax, $0x50
    begin
    sti
    nop
    movl $0x40, TPR
    wait_a_little
    interrupted "lowering the task priority lets it through", LOW
    movl $0, TPR

    begin
    sti
    nop
    send_self LOW
    wait_a_little
    interrupted "an interrupt sent with IF set is taken", LOW

    # HLT.
    movl $TIMER, LVT_TIMER
    movl $0xb, TIMER_DIVIDE
halt:
    begin
    movl $5000000, TIMER_INITIAL
    sti
    hlt
    here
    nop
    raised_unless_early halt, TIMER, cmpl $78b, seen_ip
    expect seen_ip, $78b, "saved IP"
    check "the local APIC's timer ends HLT, behind which the saved IP points"
    mov TIMER_CURRENT, %eax
    equals "a timer in one-shot mode stands at 0 afterwards", %eax, $0

    # A string instruction that would take long.
repeat:
    begin
    movl $5000000, TIMER_INITIAL
    mov $0x100000, %esi
    mov $0x2000000, %ecx
    sti
    nop
at  rep lodsb
    raised_unless_early repeat, TIMER, cmpl $78b, seen_ip
    expect seen_ip, $78b, "saved IP"
    mov seen_cx, %eax
    add seen_si, %eax
    expect %eax, $0x2100000, "ECX + ESI"
    check "REP LODSB is interrupted between iterations"
    expect_bit seen_flags, FLAG_RF, 1
    check "an interrupt between iterations has RF in the saved flags"
    movl $0, TIMER_INITIAL

    hook 0x20, on_irq0
    movl $0, irq0_count
    mov $0x30, %al # counter 0, mode 0
    out %al, $0x43
    mov $100, %al
    out %al, $0x40
    mov $0, %al
    out %al, $0x40
    mov $0xfe, %al
    out %al, $0x21
    begin
    sti
    mov $0x4000000, %ecx
1:  cmpl $0, irq0_count
    loopz 1b
    cli
    raised DONE
    expect32 irq0_count, $1
    check "the 8254 interrupts through the 8259"
    unhook 0x20

    topic "interrupt shadows"
    send_self LOW
    begin
    sti
    nop
    here
    nop
    interrupted "behind STI one instruction is executed before an interrupt", LOW
    send_self LOW
    begin
    sti
    cli
    nop
    nop
    completed "STI and CLI let no interrupt in"
    begin
    pushf
    orl $FLAG_IF, (%esp)
    popf
    here
    nop
    interrupted "behind POPF there is no such instruction", LOW
    send_self LOW
    begin
    sti
    hlt
    here
    nop
    interrupted "STI and HLT with an interrupt waiting do not stop", LOW
    send_self LOW
    begin
    sti
    sti
    here
    nop
    interrupted "a second STI does not begin another shadow", LOW

    topic "TSC and TSC deadline"
    when_cpuid 1, ecx, 24, "TSC-Deadline"
    movl $0x40000|TIMER, LVT_TIMER
deadline:
    begin
    rdtsc
    add $20000000, %eax
    adc $0, %edx
    mov $IA32_TSC_DEADLINE, %ecx
    wrmsr
    rdmsr
    mov %eax, %ebx
    sti
    hlt
    here
    nop
    raised_unless_early deadline, TIMER, cmpl $78b, seen_ip
    expect seen_ip, $78b, "saved IP"
    cmpl $0, seen_bx
    setne %al
    movzbl %al, %eax
    expect %eax, $1, "whether the deadline could be read"
    read_msr IA32_TSC_DEADLINE
    expect %eax, $0, "the deadline afterwards"
    check "the timer interrupts at the TSC's deadline, which is 0 then"
disarm:
    begin
    rdtsc
    add $20000000, %eax
    adc $0, %edx
    mov %eax, %esi
    mov %edx, %edi
    mov $IA32_TSC_DEADLINE, %ecx
    wrmsr
    xor %eax, %eax
    xor %edx, %edx
    wrmsr
    sti
1:  rdtsc # until long past the deadline
    sub %esi, %eax
    sbb %edi, %edx
    jc 1b
    cmp $5000000, %eax
    jb 1b
    cli
    raised_unless_early disarm, DONE, cmpl $DONE, seen_vector
    check "a deadline of 0 disarms the timer"
    movl $TIMER, LVT_TIMER
    begin
    mov $1, %eax
    xor %edx, %edx
    mov $IA32_TSC_DEADLINE, %ecx
    wrmsr
    rdmsr
    mov %eax, %ebx
    raised DONE
    expect seen_bx, $0
    check "outside TSC-deadline mode writes to the deadline are ignored"
    end_when
    movl $0x10000, LVT_TIMER

    topic "NMI"
    begin
    send_nmi
    wait_a_little
    raised NMI
    expect_bit seen_flags, FLAG_IF, 0, "IF"
    check "an NMI is taken with IF clear"
    call unblock_nmi
    hook NMI, on_nmi
    movl $0, nmi_count
    begin
    send_nmi
    wait_a_little
    raised DONE
    expect32 nmi_within, $1, "number within the first handler"
    expect32 nmi_count, $2, "number"
    check "an NMI within the handler of one waits for IRET"
    unhook NMI
    begin
    sti
    movl $0, nmi_count
    send_nmi
    wait_a_little
    raised NMI
    expect_bit seen_flags, FLAG_IF, 1, "IF in the saved flags"
    check "an NMI is taken with IF set too"
    call unblock_nmi
    ret

# IRET lets NMIs in again; handlers that are left without one have to make up for it.
unblock_nmi:
    pushf
    push %cs
    push $1f
    iret
1:  ret

.include "end.s"
