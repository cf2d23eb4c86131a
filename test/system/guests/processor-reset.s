# The processor alone is reset and the BIOS goes on where the shutdown status in CMOS memory (0FH) and the address at
# 0040:0067 say, as programs for the 80286 leave protected mode. IBM PC AT Technical Reference, BIOS listing; INIT: SDM 3A
# 9.1, table 9-1; ports 64H, 92H and CF9H: 82371SB (PIIX3) data sheet.
.set WIDTH, 32
.include "guest.s"

# What real mode reaches with segments of base 0.
.set LOW, 0x8000
.set GDT_POINTER, 0x9000
.set FRAME, 0x9100
.set SEEN, 0x9200
.set SEEN_SP, SEEN
.set SEEN_SS, SEEN + 2
.set SEEN_DS, SEEN + 4
.set SEEN_ES, SEEN + 6
.set SEEN_FLAGS, SEEN + 8
.set SEEN_CS, SEEN + 10
.set SEEN_CR0, SEEN + 12
.set SEEN_CR4, SEEN + 16
.set SEEN_GPR, SEEN + 20 # AX, BX, CX, DX, SI, DI, BP
.set BIOS_ADDRESS, 0x467
.set PATTERN, 0x5ca1ab1e
.set ODD_MIB, 0x500800
.set EVEN_MIB, ODD_MIB & ~(1 << 20)

.set JUMP_WITH_EOI, 0x05
.set BLOCK_MOVE_RETURN, 0x09
.set JUMP, 0x0a
.set INTERRUPT_RETURN, 0x0b
.set FAR_RETURN, 0x0c

.bss
.balign 8
saved_sp: .skip 4
irq0_count: .skip 4
tsc_before: .skip 8
vector: .skip 16
x87: .skip 8
no_idt: .skip 8

.text
# Where the BIOS goes on, in real mode at 0000:8000. Copied there; it notes what it finds and goes back to protected mode.
low_code:
.code16
    mov %ax, %cs:SEEN_GPR
    mov %bx, %cs:SEEN_GPR + 2
    mov %cx, %cs:SEEN_GPR + 4
    mov %dx, %cs:SEEN_GPR + 6
    mov %si, %cs:SEEN_GPR + 8
    mov %di, %cs:SEEN_GPR + 10
    mov %bp, %cs:SEEN_GPR + 12
    mov %sp, %cs:SEEN_SP
    mov %ss, %cs:SEEN_SS
    mov %ds, %cs:SEEN_DS
    mov %es, %cs:SEEN_ES
    mov %cs, %cs:SEEN_CS
    pushf
    pop %ax
    mov %ax, %cs:SEEN_FLAGS
    mov %cr0, %eax
    mov %eax, %cs:SEEN_CR0
    mov %cr4, %ebx
    mov %ebx, %cs:SEEN_CR4
    cli
    lgdtl %cs:GDT_POINTER
    or $CR0_PE, %al
    mov %eax, %cr0
    ljmpl $CODE32, $back
low_code_end:
.code32
back:
    mov $DATA0, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov %eax, %ss
    mov saved_sp, %esp
    lidt idt_pointer
    andb $~2, gdt + TSS0 + 5 # not busy
    mov $TSS0, %eax
    ltr %ax
    mov %cr0, %eax
    or $CR0_NE | CR0_MP, %eax
    mov %eax, %cr0
    mov %cr4, %eax
    or $CR4_OSFXSR | CR4_OSXMMEXCPT, %eax
    mov %eax, %cr4
    popa
    ret

# Noted as the way to go on: the status, and the address.
.macro go_on_by status, segment, offset
    movw $\offset, BIOS_ADDRESS
    movw $\segment, BIOS_ADDRESS + 2
    mov $0x0f, %al
    out %al, $0x70
    mov $\status, %al
    out %al, $0x71
.endm

# These come back through low_code, with all general registers as they were.
reset_by_8042:
    pusha
    mov %esp, saved_sp
1:  in $0x64, %al
    test $2, %al
    jnz 1b
    mov $0xfe, %al
    out %al, $0x64
2:  hlt
    jmp 2b
reset_by_port_92:
    pusha
    mov %esp, saved_sp
    in $0x92, %al
    and $~1, %al
    out %al, $0x92
    or $1, %al
    out %al, $0x92
2:  hlt
    jmp 2b
reset_by_port_cf9:
    pusha
    mov %esp, saved_sp
    mov $0xcf9, %dx
    mov $0, %al
    out %al, %dx
    mov $4, %al
    out %al, %dx
2:  hlt
    jmp 2b
reset_by_triple_fault:
    pusha
    mov %esp, saved_sp
    lidt no_idt
    ud2

# Its interrupt stays in service.
on_irq0:
    incl irq0_count
    mov $0xff, %al
    out %al, $0x21
    jmp trap_return

.macro expect_in_service bits
    mov $0x0b, %al # OCW3: the in-service register is read
    out %al, $0x20
    in $0x20, %al
    movzbl %al, %ebx
    expect32 %ebx, $\bits, "interrupts in service"
.endm

.macro expect_word place, value, what
    movzwl \place, %ebx
    expect32 %ebx, $\value, "\what"
.endm

main:
    topic "reset of the processor"
    sgdt GDT_POINTER
    mov $low_code, %esi
    mov $LOW, %edi
    mov $low_code_end - low_code, %ecx
    rep movsb

    movl $PATTERN, ODD_MIB
    movl $~PATTERN, EVEN_MIB
    movl $PATTERN, vector
    movups vector, %xmm3
    fldpi
    write_msr IA32_SYSENTER_EIP, $PATTERN
    rdtsc
    mov %eax, tsc_before
    mov %edx, tsc_before + 4
    in $0x21, %al
    mov %al, %bh
    mov $0xa5, %al
    out %al, $0x21
    go_on_by JUMP, 0, LOW
    call reset_by_8042
    expect_word SEEN_CS, 0, "CS"
    expect_bit SEEN_CR0, CR0_PE|CR0_PG, 0, "CR0.PE and PG"
    expect_bit SEEN_FLAGS, FLAG_IF, 0, "IF"
    expect32 SEEN_CR4, $0, "CR4"
    check "with 0AH the BIOS jumps in real mode to the address that it was given"
    mov $0x0f, %al
    out %al, $0x70
    in $0x71, %al
    movzbl %al, %ebx
    equals32 "the shutdown status is for one reset", %ebx, $0
    expect32 ODD_MIB, $PATTERN, "memory"
    expect32 EVEN_MIB, $~PATTERN, "memory below"
    check "memory, also that of odd MiB, is what it was"
    in $0x21, %al
    movzbl %al, %ebx
    equals32 "the mask of the interrupt controller is what it was", %ebx, $0xa5
    mov $0xff, %al
    out %al, $0x21
    movl $0, vector
    movups %xmm3, vector
    expect32 vector, $PATTERN, "XMM3"
    fstpl x87
    expect32 x87+4, $0x400921fb, "pi"
    check "the x87's and the SSE registers are what they were"
    read_msr IA32_SYSENTER_EIP
    equals32 "MSRs are what they were", %eax, $PATTERN
    rdtsc
    sub tsc_before, %eax
    sbb tsc_before + 4, %edx
    setnc %bl
    movzbl %bl, %ebx
    equals32 "the TSC goes on", %ebx, $1

    # IRQ 0 in service, and an answer of the keyboard controller that nobody has read.
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
    sti
    mov $0x4000000, %ecx
1:  cmpl $0, irq0_count
    loopz 1b
    cli
    unhook 0x20
    mov $0x20, %al # read the command byte
    out %al, $0x64
1:  in $0x64, %al
    test $1, %al
    jz 1b
    go_on_by JUMP, 0, LOW
    call reset_by_8042
    expect_in_service 1
    in $0x64, %al
    movzbl %al, %ebx
    expect_bit %ebx, 1, 1, "output buffer full"
    check "with 0AH interrupts stay in service, and the keyboard controller's answer is there"
    go_on_by JUMP_WITH_EOI, 0, LOW
    call reset_by_8042
    expect_in_service 0
    in $0x64, %al
    movzbl %al, %ebx
    expect_bit %ebx, 1, 0, "output buffer full"
    check "with 05H the BIOS ends the interrupt and takes the keyboard controller's answer"

    movw $0x1111, FRAME # ES
    movw $0x2222, FRAME + 2 # DS
    movw $0x3333, FRAME + 4 # DI
    movw $0x4444, FRAME + 6 # SI
    movw $0x5555, FRAME + 8 # BP
    movw $0x6666, FRAME + 10 # SP, which POPA does not take
    movw $0x7777, FRAME + 12 # BX
    movw $0x8888, FRAME + 14 # DX
    movw $0x9999, FRAME + 16 # CX
    movw $0xaaaa, FRAME + 18 # AX
    movw $LOW, FRAME + 20
    movw $0, FRAME + 22
    movw $2 | FLAG_CF | FLAG_ZF, FRAME + 24
    go_on_by BLOCK_MOVE_RETURN, FRAME >> 4, 0
    call reset_by_8042
    expect_word SEEN_ES, 0x1111, "ES"
    expect_word SEEN_DS, 0x2222, "DS"
    expect_word SEEN_GPR+10, 0x3333, "DI"
    expect_word SEEN_GPR+8, 0x4444, "SI"
    expect_word SEEN_GPR+12, 0x5555, "BP"
    expect_word SEEN_GPR+2, 0x7777, "BX"
    expect_word SEEN_GPR+6, 0x8888, "DX"
    expect_word SEEN_GPR+4, 0x9999, "CX"
    expect_word SEEN_GPR, 0xaaaa, "AX"
    expect_word SEEN_FLAGS, (2|FLAG_CF|FLAG_ZF), "flags"
    expect_word SEEN_SS, (FRAME>>4), "SS"
    expect_word SEEN_SP, 26, "SP"
    check "with 09H the BIOS returns as from moving a block, by ES, DS, POPA and IRET"

    movw $LOW, FRAME
    movw $0, FRAME + 2
    movw $2 | FLAG_CF, FRAME + 4
    go_on_by INTERRUPT_RETURN, FRAME >> 4, 0
    call reset_by_8042
    expect_word SEEN_FLAGS, (2|FLAG_CF), "flags"
    expect_word SEEN_SP, 6, "SP"
    check "with 0BH the BIOS returns by IRET from the stack at that address"
    go_on_by FAR_RETURN, FRAME >> 4, 0
    call reset_by_8042
    expect_word SEEN_FLAGS, 2, "flags"
    expect_word SEEN_SP, 4, "SP"
    check "with 0CH the BIOS returns by RETF from the stack at that address"

    movw $0x1234, SEEN_CS
    go_on_by JUMP, 0, LOW
    call reset_by_port_92
    expect_word SEEN_CS, 0, "CS"
    check "port 92H resets the processor alone"
    movw $0x1234, SEEN_CS
    go_on_by JUMP, 0, LOW
    call reset_by_port_cf9
    expect_word SEEN_CS, 0, "CS"
    check "port CF9H resets the processor alone, without bit 1"
    movw $0x1234, SEEN_CS
    go_on_by JUMP, 0, LOW
    call reset_by_triple_fault
    expect_word SEEN_CS, 0, "CS"
    check "a triple fault resets the processor alone when the status says where to go on"
    ret

.include "end.s"
