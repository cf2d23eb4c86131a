/*
 * The CPU kernels: small programs that stress one thing each. They use no C library and no address that differs from
 * run to run, so that one checksum holds for every emulator, for 32 and 64 bits and for the processor itself.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <stddef.h>
#include <stdint.h>

/* Returns a checksum of what was computed; sized to take a second or two in QEMU's TCG. */
typedef uint64_t kernel_function(void);

kernel_function kernel_fib, kernel_sieve, kernel_sha256, kernel_hash, kernel_bytecode, kernel_sort, kernel_strings,
    kernel_matrix, kernel_mandelbrot, kernel_nbody, kernel_copy, kernel_rep, kernel_muldiv, kernel_parser;

/* Runs the kernel of that name between two marks on the output; 0 when there is none. */
int run_kernel(const char *name);

/* Whether two strings are the same. */
int equal(const char *a, const char *b);

/* The platform's: writes text and returns when it is out, so that a mark is not late. */
void write_out(const char *text, size_t size);

/* A step of Marsaglia's xorshift generator with 32 bits of state, which must not be 0. */
static inline uint32_t next_random(uint32_t *state) {
  uint32_t x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}

/* Takes a value into a checksum: FNV-1a, 64 bits at a time. */
static inline uint64_t mix(uint64_t sum, uint64_t value) {
  return (sum ^ value) * 0x100000001b3u;
}

#define CHECKSUM_START 0xcbf29ce484222325u

/* The bits of a double; equal results have equal bits, since all compute by IEEE 754 in SSE2. */
static inline uint64_t bits_of(double value) {
  union {
    double number;
    uint64_t bits;
  } both = {value};
  return both.bits;
}

#endif
