# Output on COM1, in the manner of TAP: `ok NAME`, `not ok NAME: WHAT expected X, got Y`, `skip NAME: REASON`, at the
# end `1..N`. Guests run through more than once, so that code that was translated and compiled in the first round runs
# again; only the last round prints, except for failures.
.set COM1, 0x3f8

.data
.balign 8
compare_got: .quad 0
compare_want: .quad 0
miss_got: .quad 0
miss_want: .quad 0
miss_what: .long 0
want_vector: .long 0
want_error: .long 0
want_ip: .long 0
rounds_left: .long ROUNDS

.section .rodata
text_ok: .asciz "ok "
text_not_ok: .asciz "not ok "
text_skip: .asciz "skip "
text_colon: .asciz ": "
text_expected: .asciz " expected "
text_got: .asciz ", got "
text_round: .asciz "# an earlier round: not ok "
text_seen: .asciz "# the exception seen last: vector "
text_error: .asciz " error "
text_ip: .asciz " IP "
text_cs: .asciz " CS "
text_flags: .asciz " flags "
text_cr2: .asciz " CR2 "
text_plan: .asciz "1.."
text_bail: .asciz "Bail out! an exception that nobody asked for\n"
text_earlier: .asciz "in an earlier round, see above"
what_vector: .asciz "vector"
what_error: .asciz "error code"
what_ip: .asciz "saved IP"

.text

start_serial:
    mov $COM1 + 3, %dx
    mov $0x80, %al
    out %al, %dx
    mov $COM1, %dx
    mov $1, %al # 115200 baud
    out %al, %dx
    inc %dx
    mov $0, %al
    out %al, %dx
    mov $COM1 + 3, %dx
    mov $3, %al # 8N1
    out %al, %dx
    dec %dx
    mov $1, %al # FIFOs
    out %al, %dx
    ret

# AL
put_char:
    push rDX
    mov %al, %ah
    mov $COM1 + 5, %dx
1:  in %dx, %al
    test $0x20, %al
    jz 1b
    mov $COM1, %dx
    mov %ah, %al
    out %al, %dx
    pop rDX
    ret

# The text at EAX
put_text:
    push rSI
    mov %eax, %esi
1:  mov (rSI), %al
    test %al, %al
    jz 2f
    call put_char
    inc rSI
    jmp 1b
2:  pop rSI
    ret

# The number in rAX
put_hex:
    push rBX
    push rCX
    mov rAX, rBX
    mov $'0', %al
    call put_char
    mov $'x', %al
    call put_char
    mov $WORD * 8 - 4, %ecx
1:  mov rBX, rAX # leading zeros
    shr %cl, rAX
    jnz 2f
    sub $4, %ecx
    jg 1b
    xor %ecx, %ecx
2:  mov rBX, rAX
    shr %cl, rAX
    and $15, %eax
    cmp $10, %al
    jb 3f
    add $'a' - '0' - 10, %al
3:  add $'0', %al
    call put_char
    sub $4, %ecx
    jns 2b
    pop rCX
    pop rBX
    ret

# The number in EAX
put_decimal:
    push rDX
    push rCX
    mov $10, %ecx
    xor %edx, %edx
    div %ecx
    test %eax, %eax
    jz 1f
    push rDX
    call put_decimal
    pop rDX
1:  lea '0'(rDX), %eax
    call put_char
    pop rCX
    pop rDX
    ret

put_plan:
    mov $text_plan, %eax
    call put_text
    mov $planned_checks, %eax
    call put_decimal
    jmp new_line

put_topic:
    cmpl $1, rounds_left
    je put_text
    ret

new_line:
    mov $'\n', %al
    jmp put_char

# compare_got, compare_want; EAX names what they are. The first difference counts.
compare:
    mov compare_got, rDX
    cmp compare_want, rDX
    je 1f
    cmpl $0, miss_what
    jne 1f
    mov %eax, miss_what
    mov rDX, miss_got
    mov compare_want, rDX
    mov rDX, miss_want
1:  ret

check_raised:
    movl $0, catching
    mov seen_vector, rAX
    mov rAX, compare_got
    mov want_vector, %eax
    mov rAX, compare_want
    mov $what_vector, %eax
    call compare
    mov seen_error, rAX
    mov rAX, compare_got
    mov want_error, %eax
    mov rAX, compare_want
    mov $what_error, %eax
    call compare
    mov want_ip, %eax
    test %eax, %eax
    jz 1f
    mov rAX, compare_want
    mov seen_ip, rAX
    mov rAX, compare_got
    mov $what_ip, %eax
    call compare
1:  ret

# EAX: the check's record, whether it failed before and its name
conclude:
    mov %eax, %ebx
    cmpl $0, miss_what
    jne 1f
    cmpl $1, rounds_left
    jne 9f
    cmpb $0, (rBX)
    jne 3f
    mov $text_ok, %eax
    call put_text
    lea 1(rBX), %eax
    call put_text
    call new_line
    ret
1:  movb $1, (rBX)
    mov $text_not_ok, %eax
    cmpl $1, rounds_left
    je 2f
    mov $text_round, %eax
2:  call put_text
    lea 1(rBX), %eax
    call put_text
    mov $text_colon, %eax
    call put_text
    mov miss_what, %eax
    call put_text
    mov $text_expected, %eax
    call put_text
    mov miss_want, rAX
    call put_hex
    mov $text_got, %eax
    call put_text
    mov miss_got, rAX
    call put_hex
    call new_line
    call put_seen
    movl $0, miss_what
    ret
3:  mov $text_not_ok, %eax
    call put_text
    lea 1(rBX), %eax
    call put_text
    mov $text_colon, %eax
    call put_text
    mov $text_earlier, %eax
    call put_text
    call new_line
9:  ret

put_seen:
    mov $text_seen, %eax
    call put_text
    mov seen_vector, rAX
    call put_hex
    mov $text_error, %eax
    call put_text
    mov seen_error, rAX
    call put_hex
    mov $text_ip, %eax
    call put_text
    mov seen_ip, rAX
    call put_hex
    mov $text_cs, %eax
    call put_text
    mov seen_cs, rAX
    call put_hex
    mov $text_flags, %eax
    call put_text
    mov seen_flags, rAX
    call put_hex
    mov $text_cr2, %eax
    call put_text
    mov seen_cr2, rAX
    call put_hex
    jmp new_line

# The names of the records from EAX to EDX, for the reason ECX
skip_names:
    mov %eax, %ebx
    mov %edx, %edi
    mov %ecx, %ebp
    cmpl $1, rounds_left
    jne 3f
1:  cmp %edi, %ebx
    jae 3f
    mov $text_skip, %eax
    call put_text
    lea 1(rBX), %eax
    call put_text
    mov $text_colon, %eax
    call put_text
    mov %ebp, %eax
    call put_text
    call new_line
    inc %ebx
2:  cmpb $0, (rBX) # to the end of the name
    lea 1(rBX), %ebx
    jne 2b
    jmp 1b
3:  ret
