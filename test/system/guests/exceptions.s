# Exceptions that instructions raise, gates of the IDT, and what may be done at which privilege level. SDM 3A 5.9, 6.
.set WIDTH, 32
.include "guest.s"

.set VECTOR, 0x41
.set CODE, SPARE
.set STACK, SPARE + 8

.bss
.balign 16
buffer: .skip 512
iret_frame: .skip 32

.text
# An instruction that may be executed at CPL 0 only.
.macro privileged name, instruction:vararg
    begin
    user
    xor %eax, %eax
    xor %ecx, %ecx
    xor %edx, %edx
at  \instruction
    faulted "\name at CPL 3 is #GP(0)", GP
.endm

# What INT VECTOR does through a gate with these fields.
.macro through_gate name, selector, access, vector, error, level=0
    interrupt_gate VECTOR, \selector, $trap_entries+VECTOR*16, \access
    begin
    .if \level == 3
    user
    .endif
at  int $VECTOR
    faulted "\name", \vector, \error
.endm

main:
    call instructions
    call gates
    call privileges
    call priorities
    ret

instructions:
    topic "exceptions and error codes"
    begin
at  ud2
    raised UD
    expect_bit seen_flags, FLAG_RF, 1, "RF"
    check "UD2 is #UD at the instruction, with RF in the saved flags"

    begin
    xor %ecx, %ecx
at  div %ecx
    faulted "DIV by zero is #DE at the instruction", DE

    begin
    mov $2, %edx
    mov $1, %ecx
at  div %ecx
    faulted "DIV whose quotient does not fit is #DE", DE

    begin
    mov $0x80, %eax
    neg %al
    mov $-1, %ecx
    mov $0xff80, %eax
at  idiv %cl
    raised DE
    expect seen_ax, $0xff80, "EAX"
    check "IDIV of -128 by -1 is #DE and changes nothing"

    begin
    int3
    here
    raised BP
    expect_bit seen_flags, FLAG_RF, 0, "RF"
    check "INT3 is #BP behind the instruction"

    begin
    mov $0x7fffffff, %eax
    add $1, %eax
    into
    here
    faulted "INTO with OF is #OF behind the instruction", OF

    begin
    xor %eax, %eax
    into
    completed "INTO without OF does nothing"

    movl $10, buffer
    movl $20, buffer + 4
    begin
    mov $9, %eax
at  bound %eax, buffer
    faulted "BOUND below its lower bound is #BR at the instruction", BR

    begin
    mov $20, %eax
    bound %eax, buffer
    completed "BOUND at its upper bound does nothing"

    begin
at  .byte 0xf0, 0x90 # LOCK NOP
    faulted "LOCK before an instruction that cannot have it is #UD", UD

    begin
at  .byte 0xf0, 0x01, 0xc0 # LOCK ADD EAX, EAX
    faulted "LOCK with a register as destination is #UD", UD

    begin
at  .byte 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x90
    faulted "an instruction of 16 bytes is #GP(0)", GP

    begin
    .byte 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x90
    completed "an instruction of 15 bytes is none"

    mov %cr0, %eax
    or $CR0_TS, %eax
    mov %eax, %cr0
    begin
at  fld1
    faulted "an x87 instruction with CR0.TS is #NM", NM
    begin
at  addps %xmm0, %xmm0
    faulted "an SSE instruction with CR0.TS is #NM", NM
    begin
at  wait
    faulted "WAIT with CR0.TS and CR0.MP is #NM", NM
    clts
    mov %cr0, %eax
    or $CR0_EM, %eax
    mov %eax, %cr0
    begin
at  fld1
    faulted "an x87 instruction with CR0.EM is #NM", NM
    begin
at  addps %xmm0, %xmm0
    faulted "an SSE instruction with CR0.EM is #UD", UD
    mov %cr0, %eax
    and $~CR0_EM, %eax
    mov %eax, %cr0

    mov %cr4, %eax
    and $~CR4_OSFXSR, %eax
    mov %eax, %cr4
    begin
at  addps %xmm0, %xmm0
    faulted "an SSE instruction without CR4.OSFXSR is #UD", UD
    mov %cr4, %eax
    or $CR4_OSFXSR, %eax
    mov %eax, %cr4

    begin
    fninit
    movw $0x37b, buffer # zero divide is not masked
    fldcw buffer
    fld1
    fldz
    fdivrp
    nop
at  fnop
    faulted "an unmasked x87 exception is #MF at the next x87 instruction", MF
    fninit

    begin
    movl $0x1d80, buffer # zero divide is not masked
    ldmxcsr buffer
    xorps %xmm1, %xmm1
    movl $0x3f800000, buffer
    movss buffer, %xmm0
at  divss %xmm1, %xmm0
    faulted "an unmasked SSE exception is #XM at the instruction", XM

    mov %cr4, %eax
    and $~CR4_OSXMMEXCPT, %eax
    mov %eax, %cr4
    begin
    movss buffer, %xmm0
at  divss %xmm1, %xmm0
    faulted "an unmasked SSE exception without CR4.OSXMMEXCPT is #UD", UD
    mov %cr4, %eax
    or $CR4_OSXMMEXCPT, %eax
    mov %eax, %cr4
    movl $0x1f80, buffer
    ldmxcsr buffer

    begin
at  movaps buffer + 4, %xmm0
    faulted "MOVAPS of an unaligned address is #GP(0)", GP

    topic "alignment check"
    mov %cr0, %eax
    or $CR0_AM, %eax
    mov %eax, %cr0
    begin
    user FLAG_AC|2
at  mov buffer + 1, %eax
    faulted "an unaligned read at CPL 3 with AC and CR0.AM is #AC(0)", AC
    begin
    user FLAG_AC|2
at  movw %ax, buffer + 3
    faulted "an unaligned store at CPL 3 with AC and CR0.AM is #AC(0)", AC
    begin
    user FLAG_AC|2
    mov buffer + 4, %eax
    mov buffer + 2, %ax
    mov buffer + 1, %al
    completed "aligned accesses with AC and CR0.AM are fine"
    begin
    user
    mov buffer + 1, %eax
    completed "without AC nothing is checked"
    begin
    pushf
    orl $FLAG_AC, (%esp)
    popf
    mov buffer + 1, %eax
    completed "at CPL 0 nothing is checked"
    mov %cr0, %eax
    and $~CR0_AM, %eax
    mov %eax, %cr0
    begin
    user FLAG_AC|2
    mov buffer + 1, %eax
    completed "without CR0.AM nothing is checked"
    ret

gates:
    topic "exceptions and error codes"
    through_gate "INT through a gate of DPL 0 at CPL 3 is #GP with the vector", CODE0, ACCESS_INTERRUPT_GATE, GP, VECTOR*8+2, 3
    through_gate "INT through a gate that is not present is #NP with the vector", CODE0, (ACCESS_INTERRUPT_GATE&~ACCESS_P), NP, VECTOR*8+2
    through_gate "INT through what is no gate is #GP with the vector", CODE0, ACCESS_LDT, GP, VECTOR*8+2
    through_gate "INT through a gate to a data segment is #GP with that segment", DATA0, ACCESS_INTERRUPT_GATE, GP, DATA0
    through_gate "INT through a gate with a null selector is #GP(0)", 0, ACCESS_INTERRUPT_GATE, GP, 0
    through_gate "INT through a gate to code of CPL 3 is #GP with that code", CODE3&~3, ACCESS_INTERRUPT_GATE, GP, CODE3&~3
    segment CODE, $0, $0xfffff, ACCESS_CODE&~ACCESS_P, SIZE32|GRANULAR
    through_gate "INT through a gate to code that is not present is #NP with that code", CODE, ACCESS_INTERRUPT_GATE, NP, CODE

    movw $VECTOR * 8 - 1, idt_pointer
    lidt idt_pointer
    interrupt_gate VECTOR, CODE0, $trap_entries+VECTOR*16
    begin
at  int $VECTOR
    faulted "INT of a vector beyond the limit of the IDT is #GP with the vector", GP, VECTOR*8+2
    movw $256 * 8 - 1, idt_pointer
    lidt idt_pointer

    interrupt_gate UD, CODE0, $0, (ACCESS_INTERRUPT_GATE&~ACCESS_P)
    begin
at  ud2
    faulted "an exception whose gate is not present is #NP with its vector and EXT", NP, UD*8+3
    interrupt_gate UD, DATA0, $0
    begin
at  ud2
    faulted "an exception whose gate leads to data is #GP with that segment and EXT", GP, DATA0+1
    interrupt_gate UD, CODE0, $trap_entries+UD*16

    begin
    user
at  int3
    faulted "INT3 at CPL 3 through a gate of DPL 0 is #GP with the vector", GP, BP*8+2

    interrupt_gate VECTOR, CODE0, $trap_entries+VECTOR*16, ACCESS_INTERRUPT_GATE|ACCESS_DPL3
    begin
    user
    int $VECTOR
    here
    raised VECTOR
    expect seen_cs, $CODE3, "CS"
    expect seen_ss, $DATA3, "SS"
    expect seen_sp, $user_stack_top, "ESP"
    expect seen_frame, $trap_stack_top-20, "place of the frame"
    check "INT at CPL 3 through a gate of DPL 3 comes on the inner stack"

    hook VECTOR, 8f
    begin
    sti
    int $VECTOR
    mov %eax, %ebx
    raised DONE
    expect_bit seen_bx, FLAG_IF, 0, "IF within"
    expect_bit seen_flags, FLAG_IF, 1, "IF behind"
    check "an interrupt gate clears IF, and IRET brings it back"

    interrupt_gate VECTOR, CODE0, $trap_entries+VECTOR*16, ACCESS_TRAP_GATE
    begin
    pushf
    orl $FLAG_NT|FLAG_IF, (%esp)
    popf
    int $VECTOR
    mov %eax, %ebx
    raised DONE
    expect_bit seen_bx, FLAG_IF, 1, "IF within"
    expect_bit seen_bx, FLAG_NT, 0, "NT within"
    expect_bit seen_flags, FLAG_NT, 1, "NT behind"
    check "a trap gate leaves IF and clears NT"
    unhook VECTOR

    # Gates of 16 bits, to code near the base of a segment.
    .pushsection .text.gate16, "ax"
gate_16_base:
    nop
gate_16_target:
    mov %esp, %ebx
    mov (%esp), %ecx
    mov 4(%esp), %edx
    iretw
    .popsection
    segment CODE, $gate_16_base, $0xffff, ACCESS_CODE, SIZE32
    gate_at idt+VECTOR*8, CODE, $gate_16_target-gate_16_base, ACCESS_TRAP_GATE16
    segment STACK, $gate_16_return, $0xffff, ACCESS_CODE, SIZE32
    begin
    ljmp $STACK, $0
gate_16_return:
    int $VECTOR
gate_16_behind:
    ljmp $CODE0, $1f
1:  raised DONE
    mov catch_sp, %eax
    sub $6, %eax
    expect seen_bx, %eax, "ESP within"
    expect seen_cx, $(STACK<<16)|(gate_16_behind-gate_16_return), "IP and CS"
    check "a 16-bit gate pushes words"
    interrupt_gate VECTOR, CODE0, $trap_entries+VECTOR*16

    # The inner stack of an interrupt.
    interrupt_gate VECTOR, CODE1&~3, $trap_entries+VECTOR*16, ACCESS_INTERRUPT_GATE|ACCESS_DPL3
    movl $DATA0, tss + 16
    begin
    user
at  int $VECTOR
    faulted "an inner stack of another level is #TS with its selector", TS, DATA0
    movl $DATA1, tss + 16
    interrupt_gate VECTOR, CODE0, $trap_entries+VECTOR*16

    # IRET.
    begin
    push $0x1234
    push $user_stack_top
    push $2
    push $CODE3
    push $main
at  iret
    faulted "IRET to an outer level with a bad stack selector is #GP with it", GP, 0x1234
    ret

8:  mov FRAME_FLAGS(%esp), %eax
    pushf
    pop %eax
    mov %eax, FRAME_AX(%esp)
    jmp trap_return

privileges:
    topic "privileged instructions"
    privileged "HLT", hlt
    privileged "CLI", cli
    privileged "STI", sti
    privileged "IN", in $0x80, %al
    privileged "OUT", out %al, $0x80
    privileged "INSB", insb
    privileged "OUTSB", outsb
    privileged "LGDT", lgdt buffer
    privileged "LIDT", lidt buffer
    privileged "LLDT", lldt %ax
    privileged "LTR", ltr %ax
    privileged "LMSW", lmsw %ax
    privileged "CLTS", clts
    privileged "MOV to CR0", mov %eax, %cr0
    privileged "MOV from CR0", mov %cr0, %eax
    privileged "MOV from CR2", mov %cr2, %eax
    privileged "MOV from CR3", mov %cr3, %eax
    privileged "MOV to CR4", mov %eax, %cr4
    privileged "MOV from DR0", mov %db0, %eax
    privileged "MOV to DR7", mov %eax, %db7
    privileged "RDMSR", rdmsr
    privileged "WRMSR", wrmsr
    privileged "INVD", invd
    privileged "WBINVD", wbinvd
    privileged "INVLPG", invlpg buffer
    privileged "RDPMC without CR4.PCE", rdpmc

    mov %cr4, %eax
    or $CR4_TSD, %eax
    mov %eax, %cr4
    privileged "RDTSC with CR4.TSD", rdtsc
    begin
    rdtsc
    completed "RDTSC with CR4.TSD at CPL 0 is allowed"
    mov %cr4, %eax
    and $~CR4_TSD, %eax
    mov %eax, %cr4
    begin
    user
    rdtsc
    completed "RDTSC at CPL 3 without CR4.TSD is allowed"

    begin
    user FLAG_IOPL3|2
    cli
    in $0x80, %al
    out %al, $0x80
    completed "with IOPL 3 CLI, IN and OUT are allowed at CPL 3"

    begin
    user
    pushf
    orl $FLAG_IF|FLAG_IOPL3, (%esp)
    popf
    pushf
    pop %ebx
    raised DONE
    mov seen_bx, %eax
    and $FLAG_IF|FLAG_IOPL3, %eax
    expect %eax, $0
    check "POPF at CPL 3 leaves IF and IOPL alone"

    # A permission bitmap for ports 80H and 81H.
    movl $0xffffffff, tss + 0x68 + 0x10
    movb $0xfc, tss + 0x68 + 0x10
    andb $~2, gdt + TSS0 + 5
    segment TSS0, $tss, $0x68+0x11, ACCESS_TSS
    mov $TSS0, %eax
    ltr %ax
    begin
    user
    in $0x80, %al
    in $0x80, %ax
    completed "IN is allowed where the bits of all its ports are clear"
    begin
    user
at  in $0x81, %ax
    faulted "IN is #GP(0) where one of its ports has its bit set", GP
    begin
    user
    mov $0x88, %edx
at  in %dx, %al
    faulted "IN is #GP(0) where the bitmap ends before its second byte", GP
    andb $~2, gdt + TSS0 + 5
    segment TSS0, $tss, $0x67, ACCESS_TSS
    mov $TSS0, %eax
    ltr %ax
    ret

priorities:
    topic "priorities of exceptions"
    begin
    user
at  .byte 0xf0, 0xf4 # LOCK HLT
    faulted "#UD comes before the #GP of a privileged instruction", UD

    mov %cr0, %eax
    or $CR0_TS|CR0_EM, %eax
    mov %eax, %cr0
    begin
at  addps %xmm0, %xmm0
    faulted "#UD of CR0.EM comes before #NM of CR0.TS", UD
    mov %cr0, %eax
    and $~CR0_EM, %eax
    mov %eax, %cr0
    begin
    xor %eax, %eax
    mov %eax, %fs
at  fldl %fs:0
    faulted "#NM comes before the fault of the memory operand", NM
    clts

    begin
    xor %eax, %eax
    mov %eax, %fs
    xor %ecx, %ecx
at  divl %fs:0
    faulted "the fault of DIV's memory operand comes before #DE", GP

    # A trap of the instruction before comes before the fault of the next one.
    hook DB, 9f
    movl $0, buffer
    begin
    pushf
    orl $FLAG_TF, (%esp)
    popf
    nop
at  ud2
    raised UD
    expect32 buffer, $ud_at
    check "the single-step trap behind an instruction comes before the next one's fault"
    unhook DB
    .set ud_at, 78b
    ret

9:  mov FRAME_IP(%esp), %eax
    mov %eax, buffer
    jmp trap_return

.include "end.s"
