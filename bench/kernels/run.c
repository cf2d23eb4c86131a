/* The kernels by name, and how one is run between its marks. Every platform links this. */
#include "kernel.h"

static const struct {
  const char *name;
  kernel_function *function;
} KERNELS[] = {
    {"fib", kernel_fib},         {"sieve", kernel_sieve},       {"sha256", kernel_sha256},
    {"hash", kernel_hash},       {"bytecode", kernel_bytecode}, {"sort", kernel_sort},
    {"strings", kernel_strings}, {"copy", kernel_copy},         {"rep", kernel_rep},
    {"muldiv", kernel_muldiv},   {"parser", kernel_parser},     {"matrix", kernel_matrix},
    {"mandelbrot", kernel_mandelbrot}, {"nbody", kernel_nbody},
};

int equal(const char *a, const char *b) {
  while (*a != 0 && *a == *b) a++, b++;
  return *a == *b;
}

static size_t append(char *line, size_t size, const char *text) {
  while (*text != 0) line[size++] = *text++;
  return size;
}

int run_kernel(const char *name) {
  for (size_t i = 0; i < sizeof KERNELS / sizeof *KERNELS; i++) {
    if (!equal(name, KERNELS[i].name)) continue;
    char line[64];
    size_t size = append(line, 0, "kernel-begin ");
    size = append(line, size, KERNELS[i].name);
    size = append(line, size, "\n");
    write_out(line, size);
    uint64_t checksum = KERNELS[i].function();
    size = append(line, 0, "kernel-end ");
    size = append(line, size, KERNELS[i].name);
    size = append(line, size, " ");
    for (int shift = 60; shift >= 0; shift -= 4) line[size++] = "0123456789abcdef"[checksum >> shift & 15];
    size = append(line, size, "\n");
    write_out(line, size);
    return 1;
  }
  return 0;
}

/* gcc may call these for copies of structures and for initialisers. */
void *memcpy(void *to, const void *from, size_t size) {
  for (size_t i = 0; i < size; i++) ((char *)to)[i] = ((const char *)from)[i];
  return to;
}

void *memset(void *to, int value, size_t size) {
  for (size_t i = 0; i < size; i++) ((char *)to)[i] = (char)value;
  return to;
}
