/* memcpy and memset as loops of 16-byte SSE2 loads and stores, of many sizes and alignments. */
#include "kernel.h"
#include <emmintrin.h>

#define BUFFER_SIZE 262144
#define ROUNDS 400000

static uint8_t from[BUFFER_SIZE], to[BUFFER_SIZE];

__attribute__((noinline)) static void copy(uint8_t *target, const uint8_t *source, uint32_t size) {
  for (; size >= 16; size -= 16, target += 16, source += 16)
    _mm_storeu_si128((__m128i *)target, _mm_loadu_si128((const __m128i *)source));
  while (size-- > 0) *target++ = *source++;
}

__attribute__((noinline)) static void fill(uint8_t *target, uint8_t value, uint32_t size) {
  __m128i values = _mm_set1_epi8((char)value);
  for (; size >= 16; size -= 16, target += 16) _mm_storeu_si128((__m128i *)target, values);
  while (size-- > 0) *target++ = value;
}

uint64_t kernel_copy(void) {
  uint32_t random = 11;
  uint64_t sum = CHECKSUM_START;
  for (uint32_t i = 0; i < BUFFER_SIZE; i++) from[i] = (uint8_t)next_random(&random);
  for (uint32_t round = 0; round < ROUNDS; round++) {
    uint32_t r = next_random(&random);
    uint32_t size = 1 + (r >> 8) % (round % 16 == 0 ? 32768 : 512);
    uint32_t source = next_random(&random) % (BUFFER_SIZE - 32768);
    uint32_t target = next_random(&random) % (BUFFER_SIZE - 32768);
    copy(to + target, from + source, size);
    fill(to + source, (uint8_t)r, size / 2);
    sum = mix(sum, to[target + size - 1]);
  }
  for (uint32_t i = 0; i < BUFFER_SIZE; i += 61) sum = mix(sum, to[i]);
  return sum;
}
