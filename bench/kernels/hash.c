/* Dependent loads over several megabytes: look-ups in a hash table with chains. */
#include "kernel.h"

#define ENTRIES 262144
#define BUCKETS 131072
#define LOOKUPS 3000000
#define NONE 0xffffffffu

static struct {
  uint32_t key, value, next;
} entries[ENTRIES];
static uint32_t buckets[BUCKETS];

static uint32_t bucket_of(uint32_t key) {
  return key * 2654435761u >> 15;
}

uint64_t kernel_hash(void) {
  uint32_t random = 7;
  for (uint32_t i = 0; i < BUCKETS; i++) buckets[i] = NONE;
  for (uint32_t i = 0; i < ENTRIES; i++) {
    entries[i].key = next_random(&random) & 0xfffff;
    entries[i].value = i;
    entries[i].next = buckets[bucket_of(entries[i].key)];
    buckets[bucket_of(entries[i].key)] = i;
  }
  uint64_t sum = CHECKSUM_START;
  uint32_t found = 0;
  for (uint32_t i = 0; i < LOOKUPS; i++) {
    uint32_t key = (next_random(&random) ^ found) & 0xfffff;
    uint32_t at = buckets[bucket_of(key)];
    while (at != NONE && entries[at].key != key) at = entries[at].next;
    if (at != NONE) {
      found = entries[at].value++;
      sum += found;
    }
  }
  return mix(sum, found);
}
