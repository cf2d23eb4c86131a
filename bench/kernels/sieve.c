/* Strided byte stores and a scan: the sieve of Eratosthenes. */
#include "kernel.h"

#define LIMIT 2000000
#define ROUNDS 60

static uint8_t is_composite[LIMIT];

uint64_t kernel_sieve(void) {
  uint64_t sum = CHECKSUM_START;
  for (uint32_t round = 0; round < ROUNDS; round++) {
    for (uint32_t i = 0; i < LIMIT; i++) is_composite[i] = 0;
    for (uint32_t i = 2; i * i < LIMIT; i++)
      if (!is_composite[i])
        for (uint32_t j = i * i; j < LIMIT; j += i) is_composite[j] = 1;
    uint32_t primes = 0;
    for (uint32_t i = 2; i < LIMIT - round; i++) primes += !is_composite[i];
    sum = mix(sum, primes);
  }
  return sum;
}
