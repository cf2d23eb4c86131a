/* FUNCTIONS distinct functions of a few basic blocks each, all called through pointers, over and over: code that grows
 * without a loop's comfort. The argument is the number of passes over all of them. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT(x) #x
#define NUMBER(x) TEXT(x)

/* One every 64 bytes; constants, shifts and branches differ. */
__asm__(".text\n"
	".balign 64\n"
	".globl functions\n"
	"functions:\n"
	".set i, 0\n"
	".rept " NUMBER(FUNCTIONS) "\n"
	".balign 64\n"
	"	lea i * 3 + 1(%rdi), %rax\n"
	"	imul $(i * 40503 + 12345) & 0x7fffffff | 1, %rax, %rax\n"
	"	mov %rax, %rdx\n"
	"	shr $(i & 15) + 1, %rdx\n"
	"	test $1 << (i & 7), %edx\n"
	"	jz 1f\n"
	"	xor $i * 7919 & 0x7fffffff, %rax\n"
	"	jmp 2f\n"
	"1:	add $i * 104729 & 0x7fffffff, %rax\n"
	"2:	add %rdx, %rax\n"
	"	ret\n"
	".set i, i + 1\n"
	".endr\n");

extern const unsigned char functions[];

int main(int count, char **words) {
	long passes = count > 1 ? atol(words[1]) : 1;
	uint64_t value = 1;
	for (long pass = 0; pass < passes; pass++) {
		for (long index = 0; index < FUNCTIONS; index++) {
			value = ((uint64_t (*)(uint64_t))(uintptr_t)(functions + 64 * index))(value);
		}
	}
	printf("%ld calls, %016llx\n", passes * FUNCTIONS, (unsigned long long)value);
	return 0;
}
