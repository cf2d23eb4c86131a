# Segments in protected mode: limits, types, loading, conforming code, null selectors, and the instructions that look at
# descriptors. SDM 3A 3.4, 5.2–5.8, SDM 2.
.set WIDTH, 32
.include "guest.s"

.set DATA, SPARE
.set USER_DATA, SPARE + 8 + 3
.set CODE, SPARE + 16
.set OTHER, SPARE + 24
.set LDT, SPARE + 32
.set TASK, SPARE + 40

.bss
.balign 4096
before_buffer: .skip 4096
buffer: .skip 0x11000
ldt: .skip 64

.text
main:
    call limits
    call expand_down
    call conforming
    call null_selectors
    call loading
    call ldt_and_tr
    call looking
    call ltr_null
    ret

limits:
    topic "segment limits"
    segment DATA, $buffer, $0xfff, ACCESS_DATA, SIZE32
    movb $0x5a, buffer + 0xfff
    begin
    mov $DATA, %eax
    mov %eax, %fs
    movzbl %fs:0xfff, %ebx
    raised DONE
    expect seen_bx, $0x5a
    check "the last byte within a limit can be read"

    begin
    mov $DATA, %eax
    mov %eax, %fs
at  movb %fs:0x1000, %al
    faulted "a byte behind the limit is #GP(0)", GP

    begin
    mov $DATA, %eax
    mov %eax, %fs
at  movl %fs:0xffd, %eax
    faulted "a doubleword that reaches over the limit is #GP(0)", GP

    movl $0, buffer + 0xffc
    begin
    mov $DATA, %eax
    mov %eax, %fs
at  movl $-1, %fs:0xffd
    raised GP
    expect32 buffer + 0xffc, $0
    check "a store that reaches over the limit is #GP(0) and stores nothing"

    segment DATA, $buffer, $0, ACCESS_DATA, SIZE32|GRANULAR
    begin
    mov $DATA, %eax
    mov %eax, %fs
    movb %fs:0xfff, %al
    completed "a limit of 0 pages is 4 KiB"

    begin
    mov $DATA, %eax
    mov %eax, %fs
at  movb %fs:0x1000, %al
    faulted "the first byte behind a limit of 0 pages is #GP(0)", GP

    segment USER_DATA, $buffer, $0xfff, ACCESS_DATA|ACCESS_DPL3, SIZE32
    begin
    user
    mov $USER_DATA, %eax
    mov %eax, %ss
    xor %ebp, %ebp
at  movl 0x1000(%ebp), %eax
    faulted "a stack access behind the limit is #SS(0)", SS

    begin
    user
    mov $USER_DATA, %eax
    mov %eax, %ss
    mov $0x1002, %esp
at  pop %eax
    faulted "a POP behind the limit is #SS(0)", SS

    segment DATA, $buffer, $0xfff, ACCESS_DATA, SIZE32
    movl $0, buffer + 0xffc
    begin
    mov $DATA, %eax
    mov %eax, %es
    mov $0xffe, %edi
    mov $4, %ecx
    mov $0x77, %eax
at  rep stosb
    raised GP
    expect seen_cx, $2, "count"
    expect seen_di, $0x1000, "EDI"
    expect32 buffer + 0xffc, $0x77770000, "memory"
    check "REP STOSB stops at the limit with its progress in the registers"

    segment DATA, $buffer, $0xfff, ACCESS_DATA_READ_ONLY, SIZE32
    begin
    mov $DATA, %eax
    mov %eax, %fs
    movl %fs:0, %eax
    completed "a read-only segment can be read"

    begin
    mov $DATA, %eax
    mov %eax, %fs
at  movl %eax, %fs:0
    faulted "a store to a read-only segment is #GP(0)", GP

    begin
at  movl %eax, %cs:buffer
    faulted "a store to a code segment is #GP(0)", GP

    segment CODE, $0, $0xfffff, ACCESS_CODE_EXECUTE_ONLY, SIZE32|GRANULAR
    begin
    ljmp $CODE, $1f
1:
at  movl %cs:buffer, %eax
    faulted "a read from an execute-only segment is #GP(0)", GP

    # Code segments whose limit ends where the label says, with code in a section of its own.
    .pushsection .text.limited, "ax"
limited_base:
    .popsection
    segment CODE, $limited_base, $limited_end-limited_base-1, ACCESS_CODE, SIZE32
    begin
    ljmp $CODE, $limited-limited_base
    .pushsection .text.limited, "ax"
limited:
    nop
    nop
limited_end:
    nop
    .popsection
    raised GP
    expect seen_ip, $limited_end-limited_base, "saved IP"
    check "code that runs beyond the limit of CS is #GP(0) at the first instruction there"

    segment CODE, $limited_base, $limited_end2-limited_base-1, ACCESS_CODE, SIZE32
    begin
    ljmp $CODE, $limited2-limited_base
    .pushsection .text.limited, "ax"
limited2:
    nop
    .byte 0xb8, 0, 0 # MOV EAX, 0, cut off
limited_end2:
    .byte 0, 0
    nop
    .popsection
    raised GP
    expect seen_ip, $limited2-limited_base + 1, "saved IP"
    check "an instruction that reaches over the limit of CS is #GP(0)"

    segment CODE, $limited_base, $limited_end3-limited_base-1, ACCESS_CODE, SIZE32
    begin
    ljmp $CODE, $limited3-limited_base
    .pushsection .text.limited, "ax"
limited3:
    jmp limited_end3
limited_end3:
    nop
    .popsection
    raised GP
    expect seen_ip, $limited3-limited_base, "saved IP"
    check "a near jump beyond the limit of CS is #GP(0) at the jump"

    segment CODE, $limited_base, $limited_end4-limited_base-1, ACCESS_CODE, SIZE32
    begin
    ljmp $CODE, $limited4-limited_base
    .pushsection .text.limited, "ax"
limited4:
    nop
    call limited_end4
limited_end4:
    nop
    .popsection
    raised GP
    expect seen_ip, $limited4-limited_base + 1, "saved IP"
    mov catch_sp, %eax
    expect seen_sp, %eax, "SP"
    check "a near call beyond the limit of CS is #GP(0) at the call, and pushes nothing"

    segment CODE, $limited_base, $limited_end-limited_base-1, ACCESS_CODE, SIZE32
    begin
at  ljmp $CODE, $limited_end-limited_base
    faulted "a far jump beyond the limit of its target is #GP(0)", GP

    segment CODE, $limited_base, $limited_end-limited_base-1, ACCESS_CODE, SIZE32
    begin
    push $CODE
    push $limited_end-limited_base
at  lret
    faulted "a far return beyond the limit of its target is #GP(0)", GP
    ret

expand_down:
    topic "expand-down segments"
    segment DATA, $buffer-0x1000, $0xfff, ACCESS_DATA_DOWN, SIZE32
    movl $0x12345678, buffer
    begin
    mov $DATA, %eax
    mov %eax, %fs
    movl %fs:0x1000, %ebx
    raised DONE
    expect seen_bx, $0x12345678
    check "the first byte above the limit can be read"

    begin
    mov $DATA, %eax
    mov %eax, %fs
at  movb %fs:0xfff, %al
    faulted "the byte at the limit is #GP(0)", GP

    begin
    mov $DATA, %eax
    mov %eax, %fs
at  movl %fs:0xffe, %eax
    faulted "a doubleword that begins below the limit is #GP(0)", GP

    segment DATA, $buffer-0x1000, $0, ACCESS_DATA_DOWN, SIZE32|GRANULAR
    begin
    mov $DATA, %eax
    mov %eax, %fs
    movl %fs:0x1000, %eax
    completed "a limit in pages counts its last page as below"

    begin
    mov $DATA, %eax
    mov %eax, %fs
at  movb %fs:0xfff, %al
    faulted "the last byte of the limit's last page is #GP(0)", GP

    segment DATA, $buffer, $0xfff, ACCESS_DATA_DOWN, SIZE16
    begin
    mov $DATA, %eax
    mov %eax, %fs
    movb %fs:0xffff, %al
    completed "without the B bit a segment reaches to FFFFH"

    begin
    mov $DATA, %eax
    mov %eax, %fs
at  movb %fs:0x10000, %al
    faulted "without the B bit the byte at 10000H is #GP(0)", GP

    segment USER_DATA, $buffer-0x1000, $0xfff, ACCESS_DATA_DOWN|ACCESS_DPL3, SIZE32
    begin
    user
    mov $USER_DATA, %eax
    mov %eax, %ss
    mov $0x1004, %esp
    push %eax
at  push %eax
    raised SS
    expect seen_sp, $0x1000, "SP"
    check "PUSH below the limit of an expand-down stack is #SS(0)"
    ret

conforming:
    topic "conforming segments"
    segment CODE, $0, $0xfffff, ACCESS_CODE_CONFORMING, SIZE32|GRANULAR
    begin
    user
    ljmp $CODE, $1f
1:  mov %cs, %ebx
    raised DONE
    expect seen_bx, $CODE|3, "CS"
    check "a far jump from CPL 3 to conforming code of DPL 0 keeps CPL 3"

    begin
    user
    lcall $CODE, $1f
1:
at  cli
    raised GP
    expect seen_cs, $CODE|3, "CS"
    check "conforming code called from CPL 3 has no privilege"

    begin
    user
    mov $CODE, %eax
    mov %eax, %fs
    movl %fs:buffer, %eax
    completed "readable conforming code of DPL 0 can be read from CPL 3"

    segment CODE, $0, $0xfffff, ACCESS_CODE_CONFORMING|ACCESS_DPL3, SIZE32|GRANULAR
    begin
at  ljmp $CODE, $1f
1:  faulted "conforming code of DPL 3 cannot be jumped to from CPL 0", GP, CODE

    begin
    user
at  ljmp $CODE0, $1f
1:  faulted "other code of DPL 0 cannot be jumped to from CPL 3", GP, CODE0

    begin
at  ljmp $CODE0|3, $1f
1:  faulted "a selector of RPL 3 for code of DPL 0 is #GP", GP, CODE0

    begin
at  ljmp $CODE3, $1f
1:  faulted "code of DPL 3 cannot be jumped to from CPL 0", GP, CODE3&~3
    ret

null_selectors:
    topic "null selectors"
    begin
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov $3, %eax
    mov %eax, %es
    mov %es, %ebx
    raised DONE
    expect seen_bx, $3
    check "0 to 3 can be loaded into a data segment register"

    begin
    mov $3, %eax
    mov %eax, %fs
at  movl %fs:buffer, %eax
    faulted "a read through a null selector is #GP(0)", GP

    begin
    xor %eax, %eax
    mov %eax, %es
at  movl %eax, %es:buffer
    faulted "a store through a null selector is #GP(0)", GP

    begin
    xor %eax, %eax
    mov %eax, %es
    mov $buffer, %edi
at  stosl
    faulted "a string store through a null selector is #GP(0)", GP

    begin
    xor %eax, %eax
at  mov %eax, %ss
    faulted "a null selector for SS is #GP(0)", GP

    begin
    user
    mov $3, %eax
at  mov %eax, %ss
    faulted "a null selector of RPL 3 for SS is #GP(0)", GP

    begin
at  ljmp $0, $0
    faulted "a far jump through a null selector is #GP(0)", GP

    begin
    push $0
    push $0
at  lret
    faulted "a far return through a null selector is #GP(0)", GP

    begin
    push $2
    push $0
    push $0
at  iret
    faulted "IRET through a null selector is #GP(0)", GP

    begin
    push $DATA3
    push $user_stack_top
    push $2
    push $CODE3
    push $1f
    mov $DATA3, %eax
    mov %eax, %es
    mov $DATA0, %eax
    mov %eax, %ds
    mov %eax, %fs
    iret
1:  mov %ds, %ebx
    mov %fs, %ecx
    mov %es, %edx
    raised DONE
    expect seen_bx, $0, "DS"
    expect seen_cx, $0, "FS"
    expect seen_dx, $DATA3, "ES"
    check "IRET to CPL 3 nulls the segment registers of DPL 0 and no others"
    ret

# Loads that go wrong, from CPL 0.
.macro bad_load name, register, selector, vector
    begin
    mov $\selector, %eax
at  mov %eax, %\register
    faulted "\name", \vector, (\selector)&0xfffc
.endm

loading:
    topic "segment loading"
    bad_load "a selector beyond the limit of the GDT is #GP with it", fs, GDT_BYTES+3, GP
    begin
    mov $GDT_BYTES - 8, %eax
    movl $0xffff, gdt + GDT_BYTES - 8
    movl $ACCESS_DATA << 8, gdt + GDT_BYTES - 4
    mov %eax, %fs
    completed "the last descriptor within the limit of the GDT can be loaded"

    segment DATA, $0, $0xffff, ACCESS_DATA&~ACCESS_P
    bad_load "a data segment that is not present is #NP with its selector", ds, DATA, NP
    bad_load "a stack segment that is not present is #SS with its selector", ss, DATA, SS
    segment CODE, $0, $0xffff, ACCESS_CODE_EXECUTE_ONLY
    bad_load "an execute-only segment in DS is #GP", ds, CODE, GP
    segment CODE, $0, $0xffff, ACCESS_CODE
    bad_load "a code segment in SS is #GP", ss, CODE, GP
    bad_load "a TSS in ES is #GP", es, TSS0, GP
    bad_load "a segment of DPL 0 with a selector of RPL 3 is #GP", fs, DATA0|3, GP
    segment DATA, $0, $0xffff, ACCESS_DATA_READ_ONLY
    bad_load "a read-only segment in SS is #GP", ss, DATA, GP
    bad_load "a stack segment of another DPL is #GP", ss, DATA3&~3, GP
    bad_load "a stack selector of another RPL is #GP", ss, DATA0|1, GP

    begin
    user
    mov $DATA0, %eax
at  mov %eax, %fs
    faulted "a data segment of DPL 0 at CPL 3 is #GP", GP, DATA0

    segment DATA, $0, $0xffff, ACCESS_DATA
    begin
    mov $DATA, %eax
    mov %eax, %fs
    raised DONE
    movzbl gdt + DATA + 5, %eax
    expect %eax, $ACCESS_DATA|1
    check "loading a segment marks its descriptor accessed"

    begin
at  .byte 0x8e, 0xc8 # MOV CS, EAX
    faulted "MOV to CS is #UD", UD

    begin
at  .byte 0x8e, 0xf0 # MOV ?, EAX
    faulted "MOV to segment register 6 is #UD", UD

    begin
at  ljmp $DATA0, $1f
1:  faulted "a far jump to a data segment is #GP with its selector", GP, DATA0

    segment CODE, $0, $0xfffff, ACCESS_CODE&~ACCESS_P, SIZE32|GRANULAR
    begin
at  ljmp $CODE, $1f
1:  faulted "a far jump to code that is not present is #NP with its selector", NP, CODE

    segment CODE, $0, $0xfffff, ACCESS_CODE, SIZE32|GRANULAR
    begin
    ljmp $CODE, $1f
1:  raised DONE
    movzbl gdt + CODE + 5, %eax
    expect %eax, $ACCESS_CODE|1
    check "a far jump marks the code segment accessed"

    movl $0x87654321, buffer
    movw $DATA0, buffer + 4
    begin
    lfs buffer, %ebx
    mov %fs, %ecx
    raised DONE
    expect seen_bx, $0x87654321, "offset"
    expect seen_cx, $DATA0, "selector"
    check "LFS loads offset and selector"

    segment DATA, $0, $0xffff, ACCESS_DATA&~ACCESS_P
    movw $DATA, buffer + 4
    begin
    mov $0x1111, %ebx
at  lgs buffer, %ebx
    raised NP, DATA
    expect seen_bx, $0x1111, "EBX"
    check "LGS that faults leaves the register alone"
    ret

ldt_and_tr:
    movl $0x00001fff, ldt + 8 # base in the next line
    movl $ACCESS_DATA << 8 | SIZE32 << 20, ldt + 12
    movl $buffer, %eax
    mov %ax, ldt + 10
    shr $16, %eax
    mov %al, ldt + 12
    mov %ah, ldt + 15
    segment LDT, $ldt, $15, ACCESS_LDT
    movl $0xcafe, buffer
    begin
    mov $LDT, %eax
    lldt %ax
    mov $8|4, %eax
    mov %eax, %fs
    movl %fs:0, %ebx
    sldt %cx
    raised DONE
    expect seen_bx, $0xcafe
    mov seen_cx, %eax
    and $0xffff, %eax
    expect %eax, $LDT, "LDTR"
    check "a selector with TI set is of the LDT"

    begin
    mov $16|4|3, %eax
at  mov %eax, %fs
    faulted "a selector beyond the limit of the LDT is #GP with it", GP, 16|4

    begin
    mov $DATA0, %eax
at  lldt %ax
    faulted "LLDT of a data segment is #GP with its selector", GP, DATA0

    segment LDT, $ldt, $15, ACCESS_LDT&~ACCESS_P
    begin
    mov $LDT, %eax
at  lldt %ax
    faulted "LLDT of a table that is not present is #NP with its selector", NP, LDT

    begin
    mov $8|4, %eax
at  lldt %ax
    faulted "LLDT of a selector of the LDT itself is #GP", GP, 8|4

    begin
    xor %eax, %eax
    lldt %ax
    mov $8|4, %eax
at  mov %eax, %fs
    faulted "without an LDT its selectors are #GP", GP, 8|4

    begin
    mov $TSS0, %eax
at  ltr %ax
    faulted "LTR of a busy TSS is #GP with its selector", GP, TSS0

    segment TASK, $tss, $0x67, ACCESS_TSS&~ACCESS_P
    begin
    mov $TASK, %eax
at  ltr %ax
    faulted "LTR of a TSS that is not present is #NP with its selector", NP, TASK

    segment TASK, $tss, $0x67, ACCESS_TSS
    begin
    mov $TASK, %eax
    ltr %ax
    str %bx
    raised DONE
    movzbl gdt + TASK + 5, %eax
    expect %eax, $ACCESS_TSS_BUSY, "access byte"
    mov seen_bx, %eax
    and $0xffff, %eax
    expect %eax, $TASK, "TR"
    check "LTR marks the TSS busy"
    andb $~2, gdt + TSS0 + 5
    mov $TSS0, %eax
    ltr %ax
    ret

# LAR and the like: EBX gets the result (or keeps 1234H), ECX ZF.
.macro look name, instruction, selector, zf, result=0x1234, level=0
    begin
    .if \level == 3
    user
    .endif
    mov $0x1234, %ebx
    mov $\selector, %eax
    \instruction
    setz %cl
    movzbl %cl, %ecx
    raised DONE
    expect seen_cx, $\zf, "ZF"
    mov seen_bx, %eax
    and $~0xf0000, %eax # undefined in LAR's result
    expect %eax, $\result, "result"
    check "\name"
.endm

looking:
    topic "LAR, LSL, VERR, VERW and ARPL"
    segment DATA, $0, $0x12345, ACCESS_DATA, SIZE32
    segment OTHER, $0, $0x12345, ACCESS_DATA_READ_ONLY|ACCESS_DPL3, GRANULAR
    segment CODE, $0, $0xfffff, ACCESS_CODE_EXECUTE_ONLY|ACCESS_DPL3, SIZE32
    call_gate LDT, CODE0, $0
    look "LAR gives the access rights", "lar %ax, %ebx", DATA, 1, (SIZE32<<20|ACCESS_DATA<<8)
    look "LAR of a null selector clears ZF", "lar %ax, %ebx", 0, 0
    look "LAR beyond the limit of the GDT clears ZF", "lar %ax, %ebx", GDT_BYTES, 0
    look "LAR at CPL 3 of a segment of DPL 0 clears ZF", "lar %ax, %ebx", DATA, 0, 0x1234, 3
    look "LAR with RPL 3 of a segment of DPL 0 clears ZF", "lar %ax, %ebx", DATA|3, 0
    look "LAR of a call gate gives its type", "lar %ax, %ebx", LDT, 1, ACCESS_CALL_GATE<<8
    look "LSL of a call gate clears ZF", "lsl %ax, %ebx", LDT, 0
    begin
    mov $DATA, %eax
    lsl %ax, %ebx
    raised DONE
    expect seen_bx, $0x12345
    check "LSL gives a limit in bytes"
    begin
    mov $OTHER, %eax
    lsl %ax, %ebx
    raised DONE
    expect seen_bx, $0x12345fff
    check "LSL gives a limit in pages as bytes"
    look "LSL of a TSS gives its limit", "lsl %ax, %ebx", TSS0, 1, 0x67
    look "VERR of a data segment sets ZF", "verr %ax", DATA, 1
    look "VERR of an execute-only segment clears ZF", "verr %ax", CODE, 0
    look "VERR at CPL 3 of a segment of DPL 0 clears ZF", "verr %ax", DATA, 0, 0x1234, 3
    look "VERR of a TSS clears ZF", "verr %ax", TSS0, 0
    look "VERW of a data segment sets ZF", "verw %ax", DATA, 1
    look "VERW of a read-only segment clears ZF", "verw %ax", OTHER, 0
    look "VERW of a code segment clears ZF", "verw %ax", CODE0, 0
    segment CODE, $0, $0xfffff, ACCESS_CODE_CONFORMING, SIZE32
    look "VERR at CPL 3 of readable conforming code sets ZF", "verr %ax", CODE, 1, 0x1234, 3

    begin
    mov $0x8, %ebx
    mov $0x3, %ecx
    arpl %cx, %bx
    setz %dl
    movzbl %dl, %edx
    raised DONE
    expect seen_bx, $0xb, "selector"
    expect seen_dx, $1, "ZF"
    check "ARPL raises a lower RPL and sets ZF"

    movl $0xaaaa000b, buffer
    begin
    mov $1, %ecx
    arpl %cx, buffer
    setz %dl
    movzbl %dl, %edx
    raised DONE
    expect32 buffer, $0xaaaa000b, "memory"
    expect seen_dx, $0, "ZF"
    check "ARPL leaves a higher RPL and clears ZF"
    ret

# The last, because some emulators do not survive it.
ltr_null:
    topic "null selectors"
    begin
    xor %eax, %eax
at  ltr %ax
    faulted "LTR of a null selector is #GP(0)", GP
    ret

.include "end.s"
