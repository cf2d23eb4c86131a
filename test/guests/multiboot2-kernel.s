# A multiboot 2 kernel (Multiboot2 Specification 2.0): it walks the information and prints its strings, each module's text
# and where the image lies on the first serial port, and ends the VM through isa-debug-exit. It is linked at 2 MiB and asks
# to lie above 8 MiB: position-independent, as a relocatable image has to be.
.code32
.section .text
.globl _start
.balign 8
header:
    .long 0xe85250d6, 0, header_end - header, -(0xe85250d6 + (header_end - header))
    # Request: command line, loader's name, memory map.
    .word 1, 0
    .long 20, 1, 2, 6
    .balign 8
    # Relocatable: from 8 MiB on, 1 MiB aligned, as low as possible.
    .word 10, 0
    .long 24, 0x800000, 0xffffffff, 0x100000, 1
    # Entry for EFI, of no concern here.
    .word 9, 1
    .long 12, 0
    .balign 8
    .word 0, 0
    .long 8
header_end:

_start:
    mov $0x800, %esp
    cmp $0x36d76289, %eax
    jne end
    call 1f
1:  pop %ebp
    sub $(1b - header), %ebp
    lea 8(%ebx), %esi
tag:
    mov (%esi), %eax
    test %eax, %eax
    jz end
    lea 8(%esi), %edi
    cmp $1, %eax
    je string
    cmp $2, %eax
    je string
    cmp $3, %eax
    je module
    cmp $21, %eax
    je base
next:
    mov 4(%esi), %ecx
    add $7, %ecx
    and $~7, %ecx
    add %ecx, %esi
    jmp tag
string:
    call print
    jmp next
module:
    add $8, %edi
    call print
    mov 8(%esi), %edi
    call print
    jmp next
base:
    cmp %ebp, (%edi)
    jne next
    cmp $0x800000, %ebp
    jb next
    lea (moved - header)(%ebp), %edi
    call print
    jmp next
end:
    mov $0xf4, %dx
    out %al, %dx
1:  hlt
    jmp 1b

# The bytes at EDI, to the first NUL, and an end of line.
print:
    mov $0x3f8, %dx
2:  mov (%edi), %al
    test %al, %al
    jz 3f
    out %al, %dx
    inc %edi
    jmp 2b
3:  mov $10, %al
    out %al, %dx
    ret
moved:
    .asciz "moved"
