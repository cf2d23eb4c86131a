# From the multiboot entry to `main`: descriptor tables, task state, interrupt controllers, and in 64-bit guests page
# tables and long mode. In 32-bit guests paging is off when main is called. Interrupts are off in both.

.section .multiboot, "a"
.balign 4
    .long 0x1badb002, 0, -0x1badb002

.bss
.balign 4096
.if WIDTH == 64
pml4: .skip 4096
pdpt: .skip 4096
page_directories: .skip 4 * 4096

# 4 KiB pages for the first 4 MiB, so that a guest can change single ones.
page_tables: .skip 2 * 4096
.endif
.skip 4096
boot_stack_top: # main's
.skip 4096
trap_stack_top: # of exceptions that come from an outer privilege level
.skip 4096
user_stack_top: .skip 4096

spare_stack_top:
idt: .skip 256 * 16
gdt: .skip GDT_BYTES
tss: .skip 0x68 + 8192 + 1
.balign 8
segment_bits: .skip 4
gate_bits: .skip 4

.section .rodata
.balign 8
.if WIDTH == 64
.set CODE_FLAGS, GRANULAR | SIZE64
.else
.set CODE_FLAGS, GRANULAR | SIZE32
.endif

.macro flat access, flags
    .long 0x0000ffff, 0x000f0000 | ((\access) << 8) | ((\flags) << 20)
.endm
gdt_template: .quad 0
    flat ACCESS_CODE, CODE_FLAGS
    flat ACCESS_DATA, GRANULAR|SIZE32
    flat ACCESS_CODE|ACCESS_DPL3, CODE_FLAGS
    flat ACCESS_DATA|ACCESS_DPL3, GRANULAR|SIZE32
    .quad 0, 0 # the TSS
    flat ACCESS_CODE, GRANULAR|SIZE32
    flat ACCESS_CODE|ACCESS_DPL3, GRANULAR|SIZE32
    flat ACCESS_CODE|ACCESS_DPL1, CODE_FLAGS
    flat ACCESS_DATA|ACCESS_DPL1, GRANULAR|SIZE32
    flat ACCESS_CODE|ACCESS_DPL2, CODE_FLAGS
    flat ACCESS_DATA|ACCESS_DPL2, GRANULAR|SIZE32
    .long 0x0000ffff, ACCESS_CODE << 8 # CODE16: base 0, 64 KiB
    .long 0x0000ffff, ACCESS_DATA << 8

gdt_template_end:

.data
# The last character of the command line, which chooses among the variants of a guest.
variant: .byte 0
gdt_pointer: .word GDT_BYTES - 1
    .long gdt, 0
idt_pointer: .word 256 * WORD * 2 - 1
    .long idt, 0

.text
.code32
.globl _start

_start:
    cli
    cld
    mov 16(%ebx), %esi # the command line of the multiboot information
1:  mov (%esi), %al
    inc %esi
    test %al, %al
    jz 2f
    mov %al, variant
    jmp 1b
2:
    mov $boot_stack_top, %esp
    mov $gdt_template, %esi
    mov $gdt, %edi
    mov $gdt_template_end - gdt_template, %ecx
    rep movsb
    lgdt gdt_pointer
    ljmp $CODE32, $1f
1:  mov $DATA0, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov %eax, %ss

    # 8259s: vectors from 20h, all masked.
    mov $0x11, %al
    out %al, $0x20
    out %al, $0xa0
    mov $0x20, %al
    out %al, $0x21
    mov $0x28, %al
    out %al, $0xa1
    mov $4, %al
    out %al, $0x21
    mov $2, %al
    out %al, $0xa1
    mov $1, %al
    out %al, $0x21
    out %al, $0xa1
    mov $0xff, %al
    out %al, $0x21
    out %al, $0xa1

    # The x87 unit in its own right, SSE on.
    mov %cr0, %eax
    or $CR0_NE | CR0_MP, %eax
    and $~CR0_EM, %eax
    mov %eax, %cr0
    mov %cr4, %eax
    or $CR4_OSFXSR | CR4_OSXMMEXCPT, %eax
    mov %eax, %cr4
    fninit
.if WIDTH == 64

    # The first 4 MiB by 4 KiB pages, the rest of 4 GiB by 2 MiB pages; everything for everybody.
    mov $page_tables, %edi
    mov $PTE_P | PTE_W | PTE_U, %eax
    mov $1024, %ecx
2:  mov %eax, (%edi)
    add $0x1000, %eax
    add $8, %edi
    loop 2b
    mov $page_directories, %edi
    mov $PTE_P | PTE_W | PTE_U | PTE_PS, %eax
    mov $2048, %ecx
3:  mov %eax, (%edi)
    add $0x200000, %eax
    add $8, %edi
    loop 3b
    movl $page_tables + 7, page_directories
    movl $page_tables + 0x1000 + 7, page_directories + 8
    movl $page_directories + 7, pdpt
    movl $page_directories + 0x1000 + 7, pdpt + 8
    movl $page_directories + 0x2000 + 7, pdpt + 16
    movl $page_directories + 0x3000 + 7, pdpt + 24
    movl $pdpt + 7, pml4
    mov %cr4, %eax
    or $CR4_PAE, %eax
    mov %eax, %cr4
    mov $pml4, %eax
    mov %eax, %cr3
    mov $IA32_EFER, %ecx
    rdmsr
    or $EFER_LME, %eax
    wrmsr
    mov %cr0, %eax
    or $CR0_PG, %eax
    mov %eax, %cr0
    ljmp $CODE0, $4f
.code64
4:  mov $boot_stack_top, %esp # and clears the upper half
.else
    ljmp $CODE0, $4f
4:
.endif
    mov $trap_entries, %edx
    xor %edi, %edi
5:  push rDX
    mov %edi, %eax
    shl $(WORD / 4 + 2), %eax
    add $idt, %eax
    mov $CODE0, %ecx
    movl $ACCESS_INTERRUPT_GATE << 8, gate_bits
    cmp $DONE, %edi
    jne 6f
    orl $ACCESS_DPL3 << 8, gate_bits
6:  call write_gate
    pop rDX
    add $16, %edx
    inc %edi
    cmp $256, %edi
    jb 5b
    lidt idt_pointer
    movl $trap_stack_top, tss + 4
.if WIDTH == 64
    movw $0x68, tss + 0x66
.else
    movl $DATA0, tss + 8
    movl $spare_stack_top, tss + 12
    movl $DATA1, tss + 16
    movl $spare_stack_top, tss + 20
    movl $DATA2, tss + 24
    movw $0x68, tss + 0x66
.endif

    # No I/O permission bitmap: the limit ends before it.
    segment TSS0, $tss, $0x67, ACCESS_TSS
    mov $TSS0, %eax
    ltr %ax
    call start_serial
7:  call main
    decl rounds_left
    jnz 7b
    call put_plan
    mov $0, %al
    out %al, $0xf4
8:  hlt
    jmp 8b

# EAX: place; EDX: base; ECX: limit; segment_bits: access byte and flags where they stand in the second word
write_segment:
    push rBX
    mov %edx, %ebx
    shl $16, %ebx
    mov %cx, %bx
    mov %ebx, (rAX)
    and $0xf0000, %ecx
    or segment_bits, %ecx
    mov %edx, %ebx
    and $0xff000000, %ebx
    or %ebx, %ecx
    shr $16, %edx
    movzbl %dl, %edx
    or %edx, %ecx
    mov %ecx, 4(rAX)
    pop rBX
    ret

# EAX: place; rDX: target; ECX: selector; gate_bits: the low half of the second word
write_gate:
    push rCX
    shl $16, %ecx
    mov %dx, %cx
    mov %ecx, (rAX)
    mov %edx, %ecx
    mov gate_bits, %cx
    mov %ecx, 4(rAX)
.if WIDTH == 64
    shr $32, %rdx
    mov %edx, 8(%rax)
    movl $0, 12(%rax)
.endif
    pop rCX
    ret
