/* memcpy and memset as REP MOVS and REP STOS, by bytes and by words of four and, in 64-bit code, eight bytes. */
#include "kernel.h"

#define BUFFER_SIZE 262144
#define ROUNDS 1000000

static uint8_t from[BUFFER_SIZE], to[BUFFER_SIZE];

static inline void copy_bytes(uint8_t *target, const uint8_t *source, size_t size) {
  __asm__ volatile("rep movsb" : "+D"(target), "+S"(source), "+c"(size) : : "memory");
}

static inline void copy_words(uint8_t *target, const uint8_t *source, size_t words) {
#ifdef __x86_64__
  words /= 2;
  __asm__ volatile("rep movsq" : "+D"(target), "+S"(source), "+c"(words) : : "memory");
#else
  words = words / 2 * 2;
  __asm__ volatile("rep movsl" : "+D"(target), "+S"(source), "+c"(words) : : "memory");
#endif
}

static inline void fill_bytes(uint8_t *target, uint8_t value, size_t size) {
  __asm__ volatile("rep stosb" : "+D"(target), "+c"(size) : "a"(value) : "memory");
}

static inline void fill_words(uint8_t *target, uint32_t value, size_t words) {
  __asm__ volatile("rep stosl" : "+D"(target), "+c"(words) : "a"(value) : "memory");
}

uint64_t kernel_rep(void) {
  uint32_t random = 13;
  uint64_t sum = CHECKSUM_START;
  for (uint32_t i = 0; i < BUFFER_SIZE; i++) from[i] = (uint8_t)next_random(&random);
  for (uint32_t round = 0; round < ROUNDS; round++) {
    uint32_t r = next_random(&random);
    uint32_t size = 8 + (r >> 8) % (round % 16 == 0 ? 32768 : 512);
    uint32_t source = next_random(&random) % (BUFFER_SIZE - 40000);
    uint32_t target = next_random(&random) % (BUFFER_SIZE - 40000);
    if (round % 2 == 0) {
      copy_words(to + target, from + source, size / 4);
      fill_words(to + source, r, size / 8);
    } else {
      copy_bytes(to + target, from + source, size);
      fill_bytes(to + source, (uint8_t)r, size / 2);
    }
    sum = mix(sum, to[target + size / 2]);
  }
  for (uint32_t i = 0; i < BUFFER_SIZE; i += 61) sum = mix(sum, to[i]);
  return sum;
}
