# Control registers and model-specific registers: reserved bits, what may not be combined, what operating systems probe.
# SDM 3A 2.5, 11.11, 11.12, 17.17; SDM 3B 15, 19; SDM 4.
.set WIDTH, 64
.include "guest.s"

.set FEATURES_UNKNOWN, 0x12345678
.set IA32_PERFEVTSEL0, 0x186
.set IA32_PERF_GLOBAL_CTRL, 0x38f
.set IA32_MTRR_PHYSBASE0, 0x200
.set IA32_MTRR_FIX64K, 0x250
.set IA32_MC0_CTL, 0x400
.set IA32_MC0_STATUS, 0x401
.set IA32_PLATFORM_ID, 0x17
.set IA32_BIOS_SIGN_ID, 0x8b
.set IA32_SPEC_CTRL, 0x48
.set IA32_PRED_CMD, 0x49
.set IA32_ARCH_CAPABILITIES, 0x10a

.macro write_faults name, index, low, high=0
    begin
    mov $\index, %ecx
    mov $\low, %eax
    mov $\high, %edx
at  wrmsr
    faulted "\name", GP
.endm

.macro read_faults name, index
    begin
    mov $\index, %ecx
at  rdmsr
    faulted "\name", GP
.endm

# Written and read back; then what it was.
.macro keeps name, index, low, high=0
    read_msr \index
    mov %eax, %esi
    mov %edx, %edi
    write_msr \index, $\low, $\high
    read_msr \index
    mov %eax, %ebx
    mov %edx, %ebp
    mov %esi, %eax
    mov %edi, %edx
    wrmsr
    mov %ebx, first
    mov %ebp, second
    expect32 first, $\low, "low half"
    expect32 second, $\high, "high half"
    check "\name"
.endm

.macro cr_faults name, register, set, clear=0
    begin
    mov %\register, %rax
    mov $\set, %rbx
    or %rbx, %rax
    mov $\clear, %rbx
    not %rbx
    and %rbx, %rax
at  mov %rax, %\register
    faulted "\name", GP
.endm

.data
.balign 8
first: .quad 0
second: .quad 0

.text
main:
    topic "MTRR"
    when_cpuid 1, edx, 12, "MTRR"
    begin
    read_msr IA32_MTRRCAP
    mov %eax, %ebx
    raised DONE
    mov seen_bx, %eax
    and $0xff, %eax
    cmp $1, %eax
    setae %al
    movzbl %al, %eax
    expect %rax, $1
    check "MTRRCAP reports variable ranges"
    write_faults "MTRRCAP cannot be written", IA32_MTRRCAP, 0
    write_faults "MTRR_DEF_TYPE refuses a memory type that does not exist", IA32_MTRR_DEF_TYPE, 2
    write_faults "MTRR_DEF_TYPE refuses reserved bits", IA32_MTRR_DEF_TYPE, 0x1006
    write_faults "a fixed range refuses a memory type that does not exist", IA32_MTRR_FIX64K, 0x06060602, 0x06060606
    write_faults "a variable range refuses a memory type that does not exist", IA32_MTRR_PHYSBASE0, 0x3
    write_faults "a variable range refuses an address beyond MAXPHYADDR", IA32_MTRR_PHYSBASE0, 6, 0x80000000
    write_faults "a mask refuses reserved bits", IA32_MTRR_PHYSBASE0+1, 0x400
    keeps "MTRR_DEF_TYPE keeps what is written", IA32_MTRR_DEF_TYPE, 0xc06
    keeps "a fixed range keeps what is written", IA32_MTRR_FIX64K, 0x06050401, 0x00010406
    keeps "a variable range keeps its base", IA32_MTRR_PHYSBASE0, 0x80000006
    keeps "a variable range keeps its mask", IA32_MTRR_PHYSBASE0+1, 0xf0000800, 0xf
    end_when

    topic "PAT"
    when_cpuid 1, edx, 16, "PAT"
    begin
    read_msr IA32_PAT
    mov %eax, %ebx
    mov %edx, %esi
    raised DONE
    expect32 seen_bx, $0x00070406, "low half"
    expect32 seen_si, $0x00070406, "high half"
    check "PAT has its reset value"
    write_faults "PAT refuses a memory type that does not exist", IA32_PAT, 0x00070402, 0x00070406
    write_faults "PAT refuses reserved bits", IA32_PAT, 0x00070486, 0x00070406
    keeps "PAT keeps what is written", IA32_PAT, 0x00010406, 0x05070406
    end_when

    topic "TSC and TSC deadline"
    begin
    rdtsc
    mov %eax, %ebx
    mov %edx, %esi
    mov $1000, %ecx
1:  loop 1b
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    shl $32, %rsi
    or %rsi, %rbx
    sub %rbx, %rax
    setg %bl
    movzbl %bl, %ebx
    raised DONE
    expect seen_bx, $1
    check "the TSC goes on"
    begin
    write_msr IA32_TSC, $0, $0x100
    rdtsc
    mov %edx, %ebx
    raised DONE
    expect seen_bx, $0x100
    check "the TSC can be written"
    when_cpuid 0x80000001, edx, 27, "RDTSCP"
    begin
    write_msr IA32_TSC_AUX, $0x5a
    rdtscp
    mov %ecx, %ebx
    raised DONE
    expect seen_bx, $0x5a
    check "RDTSCP reads TSC_AUX"
    write_faults "TSC_AUX refuses bits of its upper half", IA32_TSC_AUX, 0, 1
    end_when

    topic "machine-check MSRs"
    when_cpuid 1, edx, 14, "MCA"
    begin
    read_msr IA32_MCG_CAP
    mov %eax, %ebx
    read_msr IA32_MCG_STATUS
    mov %eax, %esi
    raised DONE
    expect32 seen_si, $0, "status"
    check "MCG_CAP and MCG_STATUS can be read, and nothing is the matter"
    begin
    read_msr IA32_MC0_STATUS
    mov %eax, %ebx
    write_msr IA32_MC0_STATUS, $0
    raised DONE
    expect32 seen_bx, $0
    check "the status of the first bank is clear and can be cleared"
    write_faults "the status of a bank refuses anything but 0", IA32_MC0_STATUS, 1
    keeps "the control of the first bank keeps all ones", IA32_MC0_CTL, 0xffffffff, 0xffffffff
    # The banks end where MCG_CAP says.
    begin
    read_msr IA32_MCG_CAP
    movzbl %al, %ecx
    shl $2, %ecx
    add $IA32_MC0_CTL, %ecx
at  rdmsr
    faulted "the control of a bank that does not exist is #GP(0)", GP
    end_when

    topic "performance MSRs"
    begin
    mov $0x7fffffff, %ecx
at  rdpmc
    faulted "RDPMC of a counter that does not exist is #GP(0)", GP
    begin
    mov $10, %eax
    xor %ecx, %ecx
    cpuid
    movzbl %ah, %ebx # general-purpose counters
    mov $IA32_PERFEVTSEL0, %ecx
    add %ebx, %ecx
at  rdmsr
    faulted "the event selector behind the last counter of CPUID is #GP(0)", GP
    begin
    read_msr IA32_MISC_ENABLE
    read_msr IA32_PLATFORM_ID
    read_msr IA32_BIOS_SIGN_ID
    read_msr IA32_DEBUGCTL
    completed "what operating systems read without asking can be read"

    topic "speculation controls"
    when_cpuid 7, edx, 26, "IBRS"
    keeps "SPEC_CTRL keeps IBRS and STIBP", IA32_SPEC_CTRL, 3
    write_faults "SPEC_CTRL refuses reserved bits", IA32_SPEC_CTRL, 0x800
    begin
    write_msr IA32_PRED_CMD, $1
    completed "PRED_CMD takes the command IBPB"
    write_faults "PRED_CMD refuses reserved bits", IA32_PRED_CMD, 0x80
    read_faults "PRED_CMD cannot be read", IA32_PRED_CMD
    end_when
    when_cpuid 7, edx, 29, "ARCH_CAPABILITIES"
    write_faults "ARCH_CAPABILITIES cannot be written", IA32_ARCH_CAPABILITIES, 0
    end_when

    topic "unknown MSRs"
    read_faults "RDMSR of an MSR that does not exist is #GP(0)", FEATURES_UNKNOWN
    write_faults "WRMSR of an MSR that does not exist is #GP(0)", FEATURES_UNKNOWN, 0
    read_faults "RDMSR of another processor's MSR is #GP(0)", 0xc0010112
    write_faults "WRMSR of an MSR that can only be read is #GP(0)", IA32_PLATFORM_ID, 0
    begin
    mov $FEATURES_UNKNOWN, %ecx
    mov $0x11111111, %eax
    mov $0x22222222, %edx
at  rdmsr
    raised GP
    expect seen_ax, $0x11111111, "EAX"
    expect seen_dx, $0x22222222, "EDX"
    check "RDMSR that faults leaves EAX and EDX alone"
    begin
    mov $0xffffffff00000010, %rcx
    rdmsr
    completed "RDMSR looks at ECX only"

    topic "control registers"
    cr_faults "CR0 with NW and without CD is #GP(0)", cr0, CR0_NW, CR0_CD
    cr_faults "CR0 with PG and without PE is #GP(0)", cr0, 0, CR0_PE
    cr_faults "CR0 with a bit of its upper half is #GP(0)", cr0, (1<<32)
    cr_faults "CR4 without PAE in long mode is #GP(0)", cr4, 0, CR4_PAE
    cr_faults "CR4 with a reserved bit is #GP(0)", cr4, (1<<31)
    cr_faults "CR4 with a bit of its upper half is #GP(0)", cr4, (1<<40)
    cr_faults "CR3 with an address bit beyond MAXPHYADDR is #GP(0)", cr3, (1<<51)
    cr_faults "CR8 above 15 is #GP(0)", cr8, 16
    begin
    mov $5, %eax
    mov %rax, %cr8
    mov %cr8, %rbx
    xor %eax, %eax
    mov %rax, %cr8
    raised DONE
    expect seen_bx, $5
    check "CR8 keeps the task priority"
    mov $0xfee00080, %ebx
    mov $6, %eax
    mov %rax, %cr8
    mov (%rbx), %ecx
    movl $0x70, (%rbx)
    mov %cr8, %rdx
    movl $0, (%rbx)
    shl $8, %edx
    or %edx, %ecx
    equals "CR8 and the task priority of the local APIC are one", %rcx, $0x760
    begin
at  .byte 0x0f, 0x20, 0xc8 # MOV RAX, CR1
    faulted "CR1 is #UD", UD
    begin
at  .byte 0x0f, 0x22, 0xe8 # MOV CR5, RAX
    faulted "CR5 is #UD", UD
    begin
at  .byte 0x44, 0x0f, 0x20, 0xc8 # MOV RAX, CR9
    faulted "CR9 is #UD", UD
    begin
    smsw %ebx
    mov %ebx, %eax
    and $~1, %eax
    lmsw %ax
    smsw %ecx
    raised DONE
    expect_bit seen_cx, CR0_PE, 1
    check "LMSW cannot clear PE"
    begin
    mov $IA32_EFER, %ecx
    rdmsr
    and $~EFER_LME, %eax
at  wrmsr
    faulted "EFER.LME cannot change while paging is on", GP
    begin
    mov $IA32_EFER, %ecx
    rdmsr
    or $1 << 9, %eax
at  wrmsr
    faulted "EFER with a reserved bit is #GP(0)", GP
    begin
    mov $IA32_EFER, %ecx
    rdmsr
    and $~EFER_LMA, %eax
    wrmsr
    rdmsr
    mov %eax, %ebx
    raised DONE
    expect_bit seen_bx, EFER_LMA, 1
    check "EFER.LMA ignores what is written to it"
    ret

.include "end.s"
