/* Calls through function pointers: quicksort of records with a comparison that the caller gives. */
#include "kernel.h"

#define RECORDS 60000
#define ROUNDS 36
#define SMALL 8

struct record {
  uint32_t key, number;
  uint8_t name[8];
};
typedef int compare_function(const void *a, const void *b);

static struct record records[RECORDS];

static int by_key(const void *a, const void *b) {
  uint32_t x = ((const struct record *)a)->key, y = ((const struct record *)b)->key;
  return (x > y) - (x < y);
}

static int by_number_downwards(const void *a, const void *b) {
  uint32_t x = ((const struct record *)a)->number, y = ((const struct record *)b)->number;
  return (x < y) - (x > y);
}

static int by_name(const void *a, const void *b) {
  const struct record *x = a, *y = b;
  for (int i = 0; i < 8; i++)
    if (x->name[i] != y->name[i]) return x->name[i] - y->name[i];
  return by_number_downwards(a, b);
}

__attribute__((noinline)) static void sort(struct record *first, struct record *end, compare_function *compare) {
  while (end - first > SMALL) {
    struct record pivot = first[(end - first) / 2];
    struct record *low = first, *high = end - 1;
    while (low <= high) {
      while (compare(low, &pivot) < 0) low++;
      while (compare(high, &pivot) > 0) high--;
      if (low > high) break;
      struct record other = *low;
      *low++ = *high;
      *high-- = other;
    }
    /* The smaller half by recursion, which keeps the stack low. */
    if (high + 1 - first < end - low) {
      sort(first, high + 1, compare);
      first = low;
    } else {
      sort(low, end, compare);
      end = high + 1;
    }
  }
  for (struct record *i = first + 1; i < end; i++)
    for (struct record *j = i; j > first && compare(j - 1, j) > 0; j--) {
      struct record other = *j;
      *j = j[-1];
      j[-1] = other;
    }
}

uint64_t kernel_sort(void) {
  compare_function *const orders[] = {by_key, by_name, by_number_downwards};
  uint32_t random = 99;
  for (uint32_t i = 0; i < RECORDS; i++) {
    records[i].key = next_random(&random);
    records[i].number = i;
    for (int at = 0; at < 8; at++) records[i].name[at] = 'a' + next_random(&random) % 3;
  }
  uint64_t sum = CHECKSUM_START;
  for (uint32_t round = 0; round < ROUNDS; round++) {
    sort(records, records + RECORDS, orders[round % 3]);
    for (uint32_t i = 0; i < RECORDS; i += 97) sum = mix(sum, records[i].key);
  }
  return sum;
}
