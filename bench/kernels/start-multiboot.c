/*
 * A freestanding kernel of 32 bits, loaded by a multiboot 1 loader: runs the kernels that its command line names, in
 * ring 0 without paging and with interrupts off, prints to the first serial port and halts.
 */
#include "kernel.h"

#define MULTIBOOT_MAGIC 0x1badb002u
#define STACK_SIZE 65536

/* Flags 0: the loader takes addresses from the ELF header. */
__attribute__((section(".multiboot"), used)) static const uint32_t HEADER[] = {MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC};

__attribute__((aligned(16), used)) static char stack[STACK_SIZE];

/* EBX holds the multiboot information. SSE needs CR0.EM clear, CR0.MP and CR4.OSFXSR set (SDM 3A 14.1). */
__asm__(".globl _start\n"
        "_start: cli\n"
        "        mov $stack + 65536, %esp\n"
        "        mov %cr0, %eax\n"
        "        and $~4, %eax\n"
        "        or $2, %eax\n"
        "        mov %eax, %cr0\n"
        "        mov %cr4, %eax\n"
        "        or $0x600, %eax\n"
        "        mov %eax, %cr4\n"
        "        fninit\n"
        "        sub $12, %esp\n"
        "        push %ebx\n"
        "        call start\n");

struct multiboot_info {
  uint32_t flags;
  uint32_t memory[2];
  uint32_t boot_device;
  uint32_t command_line;
};
#define HAS_COMMAND_LINE 4

enum { COM1 = 0x3f8, DATA = 0, DIVISOR_LOW = 0, INTERRUPTS = 1, DIVISOR_HIGH = 1, LINE_CONTROL = 3, LINE_STATUS = 5 };
enum { DIVISOR_LATCH = 0x80, EIGHT_BITS = 3, HOLDING_EMPTY = 0x20, TRANSMITTER_EMPTY = 0x40 };

static void write_port(uint32_t at, uint8_t value) {
  __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"((uint16_t)(COM1 + at)));
}

static void wait_for(uint8_t status) {
  uint8_t value;
  do __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"((uint16_t)(COM1 + LINE_STATUS)));
  while ((value & status) == 0);
}

void write_out(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    wait_for(HOLDING_EMPTY);
    write_port(DATA, (uint8_t)text[i]);
  }
  wait_for(TRANSMITTER_EMPTY);
}

static void open_serial_port(void) {
  write_port(INTERRUPTS, 0);
  write_port(LINE_CONTROL, DIVISOR_LATCH | EIGHT_BITS);
  write_port(DIVISOR_LOW, 1); /* 115200 baud */
  write_port(DIVISOR_HIGH, 0);
  write_port(LINE_CONTROL, EIGHT_BITS);
}

/* Some loaders put their file's name before the command line; it is the name of no kernel. */
__attribute__((noreturn)) void start(const struct multiboot_info *info) {
  open_serial_port();
  char name[32];
  const char *next = (info->flags & HAS_COMMAND_LINE) != 0 ? (const char *)info->command_line : "";
  while (*next != 0) {
    size_t size = 0;
    while (*next == ' ') next++;
    for (; *next != 0 && *next != ' '; next++)
      if (size < sizeof name - 1) name[size++] = *next;
    name[size] = 0;
    run_kernel(name);
  }
  for (;;) __asm__ volatile("cli; hlt");
}
