# SYSENTER, SYSEXIT, SYSCALL, SYSRET and SWAPGS in 64-bit and compatibility mode. SDM 2 under each; this processor calls
# itself an Intel one, on which SYSCALL exists in 64-bit mode only.
.set WIDTH, 64
.include "guest.s"

# Segments in the order that both pairs count on: code and data of CPL 0, 32-bit code, data and 64-bit code of CPL 3.
.set KERNEL, SPARE

.data
.balign 8
to_compatible: .long compatible, CODE32_3
compatible_target: .long 0

.text
entered:
    pushfq
    pop %rsi
    mov %rsp, %rdi
    int $DONE

left:
    int $DONE

# On to compatibility mode at CPL 3 and there to EBX.
.macro user_32 target
    movl $\target, compatible_target
    user
    ljmp *to_compatible
.endm

.code32
compatible:
    jmp *%ss:compatible_target # DS is null
sysenter_32:
    sysenter
syscall_32:
    .byte 0x0f, 0x05
swapgs_32:
    .byte 0x0f, 0x01, 0xf8
.code64

.macro set_star sysret, syscall
    write_msr IA32_STAR, $0, $((\sysret)<<16|(\syscall))
.endm

main:
    topic "SYSENTER and SYSEXIT"
    write_msr IA32_SYSENTER_CS, $0
    begin
    user
at  sysenter
    faulted "SYSENTER with a null SYSENTER_CS is #GP(0)", GP
    begin
at  sysexitl
    faulted "SYSEXIT with a null SYSENTER_CS is #GP(0)", GP

    write_msr IA32_SYSENTER_CS, $KERNEL
    write_msr IA32_SYSENTER_ESP, $spare_stack_top
    write_msr IA32_SYSENTER_EIP, $entered
    begin
    user FLAG_IF|2
    sysenter
    raised DONE
    expect seen_ip, $entered+7, "RIP"
    expect seen_cs, $KERNEL, "CS"
    expect seen_ss, $KERNEL+8, "SS"
    expect seen_di, $spare_stack_top, "RSP"
    expect_bit seen_si, FLAG_IF, 0, "IF"
    check "SYSENTER leads from 64-bit CPL 3 to CPL 0 with interrupts off"
    begin
    user_32 sysenter_32
    raised DONE
    expect seen_cs, $KERNEL, "CS"
    expect seen_di, $spare_stack_top, "RSP"
    check "SYSENTER leads from compatibility mode to 64-bit code"
    begin
    sysenter
    raised DONE
    expect seen_cs, $KERNEL, "CS"
    check "SYSENTER may be used at CPL 0"

    begin
    user
at  sysexitl
    faulted "SYSEXIT at CPL 3 is #GP(0)", GP
    begin
    mov $left, %edx
    mov $user_stack_top, %ecx
    sysexitq
    raised DONE
    expect seen_ip, $left+2, "RIP"
    expect seen_cs, $(KERNEL+32)|3, "CS"
    expect seen_ss, $(KERNEL+40)|3, "SS"
    expect seen_sp, $user_stack_top, "RSP"
    check "SYSEXIT with REX.W leads to 64-bit code at CPL 3"
    begin
    mov $left, %edx
    mov $user_stack_top, %ecx
    sysexitl
    raised DONE
    expect seen_ip, $left+2, "RIP"
    expect seen_cs, $(KERNEL+16)|3, "CS"
    expect seen_ss, $(KERNEL+24)|3, "SS"
    check "SYSEXIT leads to code of 32 bits at CPL 3"
    begin
    mov $0x0000800000000000, %rdx
    mov $user_stack_top, %ecx
at  sysexitq
    faulted "SYSEXIT to an address that is not canonical is #GP(0)", GP
    begin
    mov $left, %edx
    mov $0x0000800000000000, %rcx
at  sysexitq
    faulted "SYSEXIT with a stack that is not canonical is #GP(0)", GP

    topic "SYSCALL and SYSRET"
    mov $IA32_EFER, %ecx
    rdmsr
    and $~EFER_SCE, %eax
    wrmsr
    begin
    user
at  syscall
    faulted "SYSCALL without EFER.SCE is #UD", UD
    begin
at  sysretq
    faulted "SYSRET without EFER.SCE is #UD", UD
    mov $IA32_EFER, %ecx
    rdmsr
    or $EFER_SCE, %eax
    wrmsr
    set_star (KERNEL+16), KERNEL
    write_msr IA32_LSTAR, $entered
    write_msr IA32_FMASK, $FLAG_IF|FLAG_CF
    begin
    user FLAG_IF|3
    syscall
2:  raised DONE
    expect seen_ip, $entered+7, "RIP"
    expect seen_cs, $KERNEL, "CS"
    expect seen_ss, $KERNEL+8, "SS"
    expect seen_di, $user_stack_top, "RSP"
    mov $2b, %edx
    expect seen_cx, %rdx, "RCX"
    mov seen_si, %rax
    and $FLAG_IF|FLAG_CF, %eax
    expect %rax, $0, "the flags of FMASK"
    check "SYSCALL leads from CPL 3 to LSTAR with the next address in RCX"
    write_msr IA32_LSTAR, $entered_with_flags
    begin
    user FLAG_IF|3
    syscall
    raised DONE
    expect seen_bx, $FLAG_IF|3, "R11"
    check "SYSCALL leaves the flags in R11"
    write_msr IA32_LSTAR, $entered
    begin
    user_32 syscall_32
    raised UD
    expect seen_ip, $syscall_32, "saved IP"
    check "SYSCALL in compatibility mode is #UD"

    begin
    user
at  sysretq
    faulted "SYSRET at CPL 3 is #GP(0)", GP
    begin
    mov $left, %ecx
    mov $FLAG_RF|FLAG_VM|FLAG_IF|FLAG_CF|2, %r11d
    mov $user_stack_top, %esp
    sysretq
    raised DONE
    expect seen_ip, $left+2, "RIP"
    expect seen_cs, $(KERNEL+32)|3, "CS"
    expect seen_ss, $(KERNEL+24)|3, "SS"
    expect seen_sp, $user_stack_top, "RSP"
    expect seen_flags, $FLAG_IF|FLAG_CF|2, "flags"
    check "SYSRET with REX.W leads to 64-bit code at CPL 3, without RF and VM"
    begin
    mov $left, %ecx
    mov $2, %r11d
    sysretl
    raised DONE
    expect seen_ip, $left+2, "RIP"
    expect seen_cs, $(KERNEL+16)|3, "CS"
    expect seen_ss, $(KERNEL+24)|3, "SS"
    check "SYSRET leads to code of 32 bits at CPL 3"
    begin
    mov $0x0000800000000000, %rcx
at  sysretq
    raised GP
    expect seen_cs, $CODE0, "CS"
    check "SYSRET to an address that is not canonical is #GP(0) at CPL 0"

    write_msr IA32_GS_BASE, $0x1111
    write_msr IA32_KERNEL_GS_BASE, $0x2222
    begin
    swapgs
    raised DONE
    read_msr IA32_GS_BASE
    expect %rax, $0x2222, "GS_BASE"
    read_msr IA32_KERNEL_GS_BASE
    expect %rax, $0x1111, "KERNEL_GS_BASE"
    check "SWAPGS exchanges the two bases"
    begin
    user
at  swapgs
    faulted "SWAPGS at CPL 3 is #GP(0)", GP
    begin
    user_32 swapgs_32
    faulted "SWAPGS in compatibility mode is #UD", UD
    ret

entered_with_flags:
    mov %r11, %rbx
    int $DONE

.include "end.s"
