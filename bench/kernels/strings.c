/* Loops over bytes: lengths, comparisons, searches, upper case and reversal of words in a text. */
#include "kernel.h"

#define TEXT_SIZE 65536
#define ROUNDS 400

static char text[TEXT_SIZE], word[64];

static uint32_t length_of(const char *s) {
  uint32_t length = 0;
  while (s[length] != 0) length++;
  return length;
}

static int compare(const char *a, const char *b) {
  while (*a != 0 && *a == *b) a++, b++;
  return (uint8_t)*a - (uint8_t)*b;
}

static const char *find(const char *in, const char *wanted) {
  for (; *in != 0; in++) {
    const char *a = in, *b = wanted;
    while (*b != 0 && *a == *b) a++, b++;
    if (*b == 0) return in;
  }
  return NULL;
}

uint64_t kernel_strings(void) {
  uint32_t random = 5;
  uint64_t sum = CHECKSUM_START;
  for (uint32_t round = 0; round < ROUNDS; round++) {
    for (uint32_t i = 0; i < TEXT_SIZE - 1; i++) {
      uint32_t r = next_random(&random) >> 8;
      text[i] = r % 7 == 0 ? ' ' : (char)('a' + r % 26);
    }
    text[TEXT_SIZE - 1] = 0;
    uint32_t occurrences = 0;
    for (const char *at = text; (at = find(at, "ab")) != NULL; at++) occurrences++;
    uint32_t size = 0, largest = 0, ascending = 0;
    char previous[64] = "";
    for (char *at = text;; at++) {
      if (*at != ' ' && *at != 0) {
        if (size < sizeof word - 1) word[size++] = (char)(*at - 'a' + 'A');
        continue;
      }
      word[size] = 0;
      if (length_of(word) > largest) largest = length_of(word);
      ascending += compare(previous, word) < 0;
      for (uint32_t i = 0; i < size; i++) previous[i] = word[size - 1 - i];
      previous[size] = 0;
      size = 0;
      if (*at == 0) break;
    }
    sum = mix(sum, (uint64_t)occurrences << 32 | largest << 16 | ascending);
  }
  return sum;
}
