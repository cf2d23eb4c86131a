# Virtual-8086 mode: what an 8086 program sees, what traps into its monitor, and how a monitor plays interrupts back to
# it. SDM 3A 20.
.set WIDTH, 32
.include "guest.s"

# The 8086 program lies at PARAGRAPH:0, its stack at STACK:0.
.set PARAGRAPH, 0x1000
.set BASE, PARAGRAPH << 4
.set STACK, 0x2000
.set DATA, 0x3000
.set APIC_EOI, 0xfee000b0
.set APIC_SVR, 0xfee000f0
.set APIC_ICR, 0xfee00300

.data
.balign 4
played: .long 0
reflected: .long 0

.section .text.program, "ax"
.code16
program:
    nop

# Code of the program until end_part; `offset_of` gives an address within it as the program knows it.
.macro part name
    .section .text.program, "ax"
    .code16
\name:
.endm

.macro end_part
    int $DONE
    .text
    .code32
.endm

.text
.code32

# Runs a part of the program; flags with VM and an IOPL.
.macro run_8086 name, iopl=3, flags=2
    push $0 # GS
    push $0 # FS
    push $DATA # DS
    push $DATA # ES
    push $STACK # SS
    push $0x1000 # ESP
    push $(\flags)|FLAG_VM|((\iopl)<<12)
    push $PARAGRAPH
    push $\name-program
    iret
.endm

# Where the saved IP has to be: a label within the program.
.macro expect_at label
    expect seen_ip, $\label-program, "saved IP"
.endm

main:
    # The program's place, its data, and an interrupt table of its own.
    mov $program, %esi
    mov $BASE, %edi
    mov $program_end - program, %ecx
    rep movsb
    movl $0x12345678, DATA * 16 + 0x10
    # INT n may be used by the program where IOPL allows it.
    .irp vector, 0x21, 0x41
    interrupt_gate \vector, CODE0, $trap_entries+\vector*16, ACCESS_INTERRUPT_GATE|ACCESS_DPL3
    .endr

    topic "virtual-8086 mode"
    part addresses
    mov %cs, %bx
    mov %ds, %cx
    mov 0x10, %edx
    end_part
    begin
    run_8086 addresses
    raised DONE
    expect_bit seen_flags, FLAG_VM, 1, "VM in the saved flags"
    mov seen_bx, %eax
    and $0xffff, %eax
    expect %eax, $PARAGRAPH, "CS"
    expect seen_dx, $0x12345678, "memory by DS"
    expect seen_cs, $PARAGRAPH, "saved CS"
    expect seen_ss, $STACK, "saved SS"
    check "segment registers are paragraphs"
    expect seen_ds, $0, "DS in the handler"
    expect seen_gs, $0, "GS in the handler"
    mov seen_frame, %eax
    expect32 20(%eax), $DATA, "saved ES"
    check "an interrupt saves the data segments and nulls them"
    mov seen_frame, %eax
    add $36, %eax
    expect %eax, $trap_stack_top
    check "the frame of nine words is on the stack of CPL 0"

    part load_segment
    mov $0x2ffe, %ax
    mov %ax, %fs
    mov %fs:0x30, %ebx
    mov %fs, %cx
    end_part
    begin
    run_8086 load_segment
    raised DONE
    expect seen_bx, $0x12345678, "memory by FS"
    movzwl seen_cx, %eax
    expect %eax, $0x2ffe, "FS"
    check "loading a segment register looks at no descriptor"

    part far_calls
    mov %sp, %cx
    lcall $PARAGRAPH, $far_target - program
    mov %sp, %dx
    end_part
    .section .text.program, "ax"
    .code16
far_target:
    mov $0x77, %bx
    lret
    .text
    .code32
    begin
    run_8086 far_calls
    raised DONE
    movzbl seen_bx, %eax
    expect %eax, $0x77, "BX"
    movzwl seen_dx, %eax
    movzwl seen_cx, %ecx
    expect %eax, %ecx, "SP behind"
    check "far calls and returns are those of an 8086"

    part over_limit
    mov $0xffff, %bx
over_limit_at:
    mov (%bx), %ax
    end_part
    begin
    run_8086 over_limit
    raised GP
    expect_at over_limit_at
    check "a word at FFFFH is #GP(0)"

    part stack_limit
    mov $0xffff, %bp
stack_limit_at:
    mov (%bp), %ax
    end_part
    begin
    run_8086 stack_limit
    raised SS
    expect_at stack_limit_at
    check "a word at FFFFH of the stack segment is #SS(0)"

    part above_1m
    mov $0xffff, %ax
    mov %ax, %ds
    mov 0x10, %ebx
    end_part
    begin
    run_8086 above_1m
    raised DONE
    mov seen_bx, %eax
    expect %eax, 0x100000, "memory"
    check "the segment FFFFH reaches into the second MiB"

    .macro undefined name, label, instruction:vararg
    part \label
    \instruction
    end_part
    begin
    run_8086 \label
    raised UD
    expect_at \label
    check "\name is #UD"
    .endm
    undefined "ARPL", arpl_8086, arpl %ax, %bx
    undefined "LAR", lar_8086, lar %ax, %bx
    undefined "VERR", verr_8086, verr %ax
    undefined "SLDT", sldt_8086, sldt %ax
    undefined "LTR", ltr_8086, ltr %ax

    .macro privileged_8086 name, label, instruction:vararg
    part \label
    \instruction
    end_part
    begin
    run_8086 \label
    raised GP
    expect_at \label
    check "\name is #GP(0)"
    .endm
    privileged_8086 "HLT", hlt_8086, hlt
    privileged_8086 "MOV from CR0", cr0_8086, mov %cr0, %eax
    privileged_8086 "LGDT", lgdt_8086, lgdt 0
    privileged_8086 "CLTS", clts_8086, clts
    privileged_8086 "WRMSR", wrmsr_8086, wrmsr

    part allowed_3
    pushf
    cli
    pushf
    pop %bx
    sti
    popf
    pushfl
    pop %ecx
    mov $0x21, %dx
    smsw %si
    end_part
    begin
    run_8086 allowed_3, 3, FLAG_IF|2
    raised DONE
    expect_bit seen_bx, FLAG_IF, 0, "IF behind CLI"
    expect_bit seen_cx, FLAG_IF, 1, "IF behind POPF"
    expect_bit seen_cx, FLAG_VM, 0, "VM as PUSHFD shows it"
    expect_bit seen_si, CR0_PE, 1, "PE as SMSW shows it"
    check "with IOPL 3 CLI, STI, PUSHF and POPF are allowed"

    part iret_3
    pushf
    push %cs
    push $iret_3_target - program
    iret
iret_3_target:
    mov $0x55, %bx
    end_part
    begin
    run_8086 iret_3
    raised DONE
    movzbl seen_bx, %eax
    expect %eax, $0x55
    check "with IOPL 3 IRET stays in virtual-8086 mode"

    part stepped
    nop
stepped_end:
    nop
    end_part
    begin
    run_8086 stepped, 3, FLAG_TF|2
    raised DB
    expect_at stepped_end
    expect_bit seen_flags, FLAG_VM, 1, "VM"
    check "single step works"

    # An interrupt of the local APIC, which waits for IF.
    movl $0x1ff, APIC_SVR
    part interrupted_8086
    xor %cx, %cx
1:  loop 1b
    end_part
    movl $0x44041, APIC_ICR
    begin
    run_8086 interrupted_8086, 0, FLAG_IF|2
    raised 0x41
    expect_bit seen_flags, FLAG_VM, 1, "VM"
    expect seen_cs, $PARAGRAPH, "CS"
    check "an external interrupt goes through the IDT, whatever IOPL is"
    movl $0, APIC_EOI

    topic "virtual-8086 monitors"
    .macro sensitive name, label, instruction:vararg
    part \label
    \instruction
    end_part
    begin
    run_8086 \label, 0
    raised GP
    expect_at \label
    check "with IOPL 0 \name is #GP(0)"
    .endm
    sensitive "CLI", cli_0, cli
    sensitive "STI", sti_0, sti
    sensitive "PUSHF", pushf_0, pushf
    sensitive "POPF", popf_0, popf
    sensitive "IRET", iret_0, iret
    sensitive "INT", int_0, int $0x21

    part int3_0
    int3
int3_0_end:
    end_part
    begin
    run_8086 int3_0, 0
    faulted "INT3 does not mind IOPL, but the gate's DPL", GP, BP*8+2
    interrupt_gate BP, CODE0, $trap_entries+BP*16, ACCESS_INTERRUPT_GATE|ACCESS_DPL3
    begin
    run_8086 int3_0, 0
    raised BP
    expect_at int3_0_end
    check "INT3 through a gate of DPL 3 is #BP"
    interrupt_gate BP, CODE0, $trap_entries+BP*16

    interrupt_gate 0x41, CODE1&~3, $trap_entries+0x41*16, ACCESS_INTERRUPT_GATE|ACCESS_DPL3
    part int_to_1
    int $0x41
    end_part
    begin
    run_8086 int_to_1
    raised GP, CODE1&~3
    expect_at int_to_1
    check "an interrupt to a handler of CPL 1 is #GP with its code segment"

    # Ports: the permission bitmap decides, whatever IOPL is.
    part ports
    in $0x80, %al
    end_part
    begin
    run_8086 ports, 3
    raised GP
    expect_at ports
    check "IN without a permission bitmap is #GP(0) even with IOPL 3"
    movb $0xfe, tss + 0x68 + 0x10
    movb $0xff, tss + 0x68 + 0x11
    andb $~2, gdt + TSS0 + 5
    segment TSS0, $tss, $0x68+0x11, ACCESS_TSS
    mov $TSS0, %eax
    ltr %ax
    part allowed_port
    in $0x80, %al
allowed_port_end:
    cli
    end_part
    begin
    run_8086 allowed_port, 0
    raised GP
    expect_at allowed_port_end
    check "IN of a port whose bit is clear is allowed even with IOPL 0"
    part denied
    in $0x81, %al
    end_part
    begin
    run_8086 denied, 3
    raised GP
    expect_at denied
    check "IN of a port whose bit is set is #GP(0)"
    andb $~2, gdt + TSS0 + 5
    segment TSS0, $tss, $0x67, ACCESS_TSS
    mov $TSS0, %eax
    ltr %ax

    # A monitor that plays INT, IRET, PUSHF, POPF, CLI and STI.
    movw $handler_8086 - program, 0x21 * 4
    movw $PARAGRAPH, 0x21 * 4 + 2
    part with_monitor
    xor %bx, %bx
    mov %sp, %si
    int $0x21
    inc %bx
    mov %sp, %di
    mov $0x4c, %ah
    int $DONE # ends the program, through the monitor
handler_8086:
    mov $0x100, %bx
    iret
    .text
    .code32
    hook GP, monitor
    movl $0, played
    movl $0, reflected
    begin
    run_8086 with_monitor, 0
    raised DONE
    expect32 reflected, $1, "interrupts played"
    expect32 played, $3, "instructions played"
    movzwl seen_bx, %eax
    expect %eax, $0x101, "BX"
    movzwl seen_si, %eax
    movzwl seen_di, %ecx
    expect %eax, %ecx, "SP"
    check "a monitor plays INT through the 8086 table, and its IRET"
    unhook GP
    ret

# #GP of the program: plays the instruction at CS:IP. INT DONE ends the program as if the monitor had raised it.
monitor:
    movzwl FRAME_CS(%esp), %eax
    shl $4, %eax
    movzwl FRAME_IP(%esp), %ecx
    add %ecx, %eax
    movzwl (%eax), %edx
    incl played
    cmp $0xcf, %dl
    je play_iret
    cmp $0xcd, %dl
    jne not_played
    cmp $DONE, %dh
    je play_done
    # Flags, CS and IP of the program on its own stack, and on to the handler in its table.
    incl reflected
    addl $2, FRAME_IP(%esp)
    subl $6, FRAME_SP(%esp)
    movzwl FRAME_SS(%esp), %eax
    shl $4, %eax
    add FRAME_SP(%esp), %eax
    mov FRAME_IP(%esp), %ecx
    mov %cx, (%eax)
    mov FRAME_CS(%esp), %ecx
    mov %cx, 2(%eax)
    mov FRAME_FLAGS(%esp), %ecx
    mov %cx, 4(%eax)
    movzbl %dh, %edx
    movzwl (,%edx,4), %eax
    mov %eax, FRAME_IP(%esp)
    movzwl 2(,%edx,4), %eax
    mov %eax, FRAME_CS(%esp)
    jmp trap_return
play_iret:
    movzwl FRAME_SS(%esp), %eax
    shl $4, %eax
    add FRAME_SP(%esp), %eax
    movzwl (%eax), %ecx
    mov %ecx, FRAME_IP(%esp)
    movzwl 2(%eax), %ecx
    mov %ecx, FRAME_CS(%esp)
    addl $6, FRAME_SP(%esp)
    jmp trap_return
play_done:
    movl $DONE, seen_vector
    movl $0, seen_error
    mov catch_sp, %esp
    jmp *catch_resume
not_played:
    movl $GP, seen_vector
    mov catch_sp, %esp
    jmp *catch_resume

.section .text.program, "ax"
program_end:

.include "end.s"
