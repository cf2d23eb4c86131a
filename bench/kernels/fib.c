/* Calls and returns: the naive Fibonacci recursion, kept by the attributes from becoming a loop. */
#include "kernel.h"

#define N 37

__attribute__((noinline, noclone, optimize("no-optimize-sibling-calls"))) static uint32_t fib(uint32_t n) {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

uint64_t kernel_fib(void) {
  volatile uint32_t n = N;
  return mix(CHECKSUM_START, fib(n));
}
