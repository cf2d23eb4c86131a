# Exits to a device and back: a multiboot kernel that runs a loop of COUNT iterations for each letter it gets on COM1
# and then says so. e: nothing; i: reads the UART's scratch register, a port; o: writes it; m: reads the local APIC's ID
# register, which is memory-mapped, with paging on as in any operating system.
.set COUNT, 2000000
.set COM1, 0x3f8
.set LINE_STATUS, COM1 + 5
.set SCRATCH, COM1 + 7
.set APIC_ID, 0xfee00020
.set CR0_PG, 1 << 31
.set CR4_PSE, 1 << 4
# Present, writable, 4 MiB.
.set LARGE_PAGE, 0x83

.text
.balign 4
    .long 0x1badb002, 0, -0x1badb002
.globl _start
_start:
    cli
    mov $stack_top, %esp
    movl $LARGE_PAGE, page_directory
    movl $(APIC_ID & 0xffc00000) + LARGE_PAGE, page_directory + (APIC_ID >> 22) * 4
    mov %cr4, %eax
    or $CR4_PSE, %eax
    mov %eax, %cr4
    mov $page_directory, %eax
    mov %eax, %cr3
    mov %cr0, %eax
    or $CR0_PG, %eax
    mov %eax, %cr0

    mov $text_ready, %esi
    call put
next:
    mov $LINE_STATUS, %dx
1:  in %dx, %al
    test $1, %al
    jz 1b
    mov $COM1, %dx
    in %dx, %al
    mov $COUNT, %ecx
    cmp $'e', %al
    je empty
    cmp $'i', %al
    je port_reads
    cmp $'o', %al
    je port_writes
    cmp $'m', %al
    je mmio_reads
    jmp next

empty:
1:  dec %ecx
    jnz 1b
    jmp done
port_reads:
    mov $SCRATCH, %dx
1:  in %dx, %al
    dec %ecx
    jnz 1b
    jmp done
port_writes:
    mov $SCRATCH, %dx
1:  out %al, %dx
    dec %ecx
    jnz 1b
    jmp done
mmio_reads:
1:  mov APIC_ID, %eax
    dec %ecx
    jnz 1b
done:
    mov $text_done, %esi
    call put
    jmp next

# The text at ESI
put:
    mov $LINE_STATUS, %dx
1:  in %dx, %al
    test $0x20, %al
    jz 1b
    mov $COM1, %dx
    lodsb
    test %al, %al
    jz 2f
    out %al, %dx
    jmp put
2:  ret

text_ready: .asciz "@ready\n"
text_done: .asciz "@done\n"

.bss
.balign 4096
page_directory: .skip 4096
    .skip 4096
stack_top:
