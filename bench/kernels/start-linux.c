/* A Linux program of 32 or 64 bits without a C library: runs the kernels that its arguments name;
   the argument "wait" waits for the end of the standard input, or for a signal. */
#include "kernel.h"

#ifdef __x86_64__
__asm__(".globl _start\n"
        "_start: mov %rsp, %rdi\n"
        "        and $-16, %rsp\n"
        "        call start\n");
enum { IOCTL = 16, READ = 0, WRITE = 1, EXIT = 60 };

static long system_call(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}
#else
__asm__(".globl _start\n"
        "_start: mov %esp, %eax\n"
        "        and $-16, %esp\n"
        "        sub $12, %esp\n"
        "        push %eax\n"
        "        call start\n");
enum { IOCTL = 54, READ = 3, WRITE = 4, EXIT = 1 };

static long system_call(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
  return result;
}
#endif

#define STANDARD_INPUT 0
#define STANDARD_OUTPUT 1
/* tcdrain(3): waits until the terminal has sent everything; on a pipe it fails and changes nothing. */
#define TCSBRK 0x5409
#define UNKNOWN_NAME 2

void write_out(const char *text, size_t size) {
  system_call(WRITE, STANDARD_OUTPUT, (long)text, (long)size);
  system_call(IOCTL, STANDARD_OUTPUT, TCSBRK, 1);
}

static void wait(void) {
  char byte;
  while (system_call(READ, STANDARD_INPUT, (long)&byte, 1) > 0) continue;
}

/* At the process's entry the stack holds argc and then argv. */
__attribute__((noreturn)) void start(long *stack) {
  char **arguments = (char **)(stack + 1);
  long status = 0;
  for (long i = 1; i < stack[0]; i++) {
    if (equal(arguments[i], "wait"))
      wait();
    else if (!run_kernel(arguments[i]))
      status = UNKNOWN_NAME;
  }
  for (;;) system_call(EXIT, status, 0, 0);
}
