/* Packed doubles: matrix multiplication in the order that gcc turns into MULPD and ADDPD. */
#include "kernel.h"

#define N 128
#define ROUNDS 40

static double a[N][N], b[N][N], c[N][N];

uint64_t kernel_matrix(void) {
  uint32_t random = 3;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      a[i][j] = (double)(next_random(&random) % 1000) / 1000 - 0.5;
      b[i][j] = (double)(next_random(&random) % 1000) / 1000 - 0.5;
    }
  for (int round = 0; round < ROUNDS; round++) {
    for (int i = 0; i < N; i++) {
      for (int j = 0; j < N; j++) c[i][j] = 0;
      for (int k = 0; k < N; k++)
        for (int j = 0; j < N; j++) c[i][j] += a[i][k] * b[k][j];
    }
    /* A part of the product, so that the next one needs it. */
    for (int i = 0; i < N; i++)
      for (int j = 0; j < N; j++) a[i][j] = a[i][j] * 0.5 + c[i][j] * 0.0625;
  }
  uint64_t sum = CHECKSUM_START;
  for (int i = 0; i < N; i++) sum = mix(sum, bits_of(c[i][N - 1 - i]));
  return sum;
}
