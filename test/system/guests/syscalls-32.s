# SYSENTER and SYSEXIT in 32-bit protected mode, and from virtual-8086 mode; SYSCALL, which an Intel processor has in
# 64-bit mode only. SDM 2 under each.
.set WIDTH, 32
.include "guest.s"

# Code and data of CPL 0, code and data of CPL 3, in the order that SYSENTER and SYSEXIT count on.
.set KERNEL, SPARE

.text
entered:
    pushf
    pop %esi
    mov %esp, %edi
    int $DONE
left:
    int $DONE

.macro set_msr index, value
    mov $\index, %ecx
    mov $\value, %eax
    xor %edx, %edx
    wrmsr
.endm

main:
    # What SYSENTER takes for granted about its segments is also what they are, for the exceptions that follow.
    segment KERNEL, $0, $0xfffff, ACCESS_CODE, SIZE32|GRANULAR
    segment KERNEL+8, $0, $0xfffff, ACCESS_DATA, SIZE32|GRANULAR
    segment KERNEL+16, $0, $0xfffff, ACCESS_CODE|ACCESS_DPL3, SIZE32|GRANULAR
    segment KERNEL+24, $0, $0xfffff, ACCESS_DATA|ACCESS_DPL3, SIZE32|GRANULAR

    topic "SYSENTER and SYSEXIT"
    set_msr IA32_SYSENTER_CS, 0
    begin
    user
at  sysenter
    faulted "SYSENTER with a null SYSENTER_CS is #GP(0)", GP
    begin
at  sysexit
    faulted "SYSEXIT with a null SYSENTER_CS is #GP(0)", GP

    set_msr IA32_SYSENTER_CS, KERNEL
    set_msr IA32_SYSENTER_ESP, spare_stack_top
    set_msr IA32_SYSENTER_EIP, entered
    begin
    user FLAG_IF|2
    sysenter
    raised DONE
    expect seen_ip, $entered+6, "EIP"
    expect seen_cs, $KERNEL, "CS"
    expect seen_ss, $KERNEL+8, "SS"
    expect seen_di, $spare_stack_top, "ESP"
    expect_bit seen_si, FLAG_IF, 0, "IF"
    check "SYSENTER leads from 32-bit CPL 3 to CPL 0 with interrupts off"

    begin
    push $0
    push $0
    push $0
    push $0
    push $0x2000
    push $0x1000
    push $FLAG_VM|2
    push $0x1000
    push $0
    movl $0x340f, 0x10000 # SYSENTER
    iret
    raised DONE
    expect seen_cs, $KERNEL, "CS"
    expect_bit seen_si, FLAG_VM, 0, "VM"
    expect_bit seen_flags, FLAG_VM, 0, "VM in the saved flags"
    check "SYSENTER leaves virtual-8086 mode"

    begin
    mov $left, %edx
    mov $user_stack_top, %ecx
    sysexit
    raised DONE
    expect seen_ip, $left+2, "EIP"
    expect seen_cs, $(KERNEL+16)|3, "CS"
    expect seen_ss, $(KERNEL+24)|3, "SS"
    expect seen_sp, $user_stack_top, "ESP"
    check "SYSEXIT leads to CPL 3"
    begin
    user
at  sysexit
    faulted "SYSEXIT at CPL 3 is #GP(0)", GP

    topic "SYSCALL and SYSRET"
    mov $IA32_EFER, %ecx
    rdmsr
    or $EFER_SCE, %eax
    wrmsr
    begin
    user
at  .byte 0x0f, 0x05
    faulted "SYSCALL in 32-bit protected mode is #UD", UD
    begin
at  .byte 0x0f, 0x07
    faulted "SYSRET in 32-bit protected mode is #UD", UD
    ret

.include "end.s"
