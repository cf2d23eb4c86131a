/* 64-bit multiplications and divisions: a multiplying generator, powers modulo a prime, greatest common divisors. */
#include "kernel.h"

#define ROUNDS 200000
#define GENERATED 400

static uint64_t power(uint64_t base, uint64_t exponent, uint64_t modulus) {
  uint64_t result = 1;
  for (base %= modulus; exponent > 0; exponent >>= 1) {
    if (exponent & 1) result = result * base % modulus;
    base = base * base % modulus;
  }
  return result;
}

static uint64_t common_divisor(uint64_t a, uint64_t b) {
  while (b != 0) {
    uint64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/* A multiplication a step, each waiting for the one before (Vigna's xorshift64*). */
static uint64_t generate(uint64_t state) {
  for (int i = 0; i < GENERATED; i++) {
    state ^= state >> 12;
    state ^= state << 25;
    state = (state ^ state >> 27) * 2685821657736338717u;
  }
  return state;
}

uint64_t kernel_muldiv(void) {
  uint32_t random = 23;
  uint64_t sum = CHECKSUM_START;
  for (uint32_t round = 0; round < ROUNDS; round++) {
    uint64_t a = (uint64_t)next_random(&random) << 32 | next_random(&random);
    uint64_t b = (uint64_t)next_random(&random) << 20 | 1;
    sum = mix(sum, power(a, b & 0xffffff, 4294967291u));
    sum = mix(sum, common_divisor(a, b));
    sum = mix(sum, generate(a));
    sum = mix(sum, a / 10 * 7 + b / ((a >> 40) + 1));
  }
  return sum;
}
