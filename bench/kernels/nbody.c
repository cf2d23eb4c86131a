/* Scalar doubles in memory, with divisions and square roots: bodies that attract each other. */
#include "kernel.h"

#define BODIES 6
#define STEPS 400000
#define STEP 0.001

static struct body {
  double position[3], velocity[3], mass;
} bodies[BODIES];

static void advance(void) {
  for (int i = 0; i < BODIES; i++)
    for (int j = i + 1; j < BODIES; j++) {
      struct body *one = &bodies[i], *other = &bodies[j];
      double d[3], square = 0.01;
      for (int k = 0; k < 3; k++) {
        d[k] = one->position[k] - other->position[k];
        square += d[k] * d[k];
      }
      double force = STEP / (square * __builtin_sqrt(square));
      for (int k = 0; k < 3; k++) {
        one->velocity[k] -= d[k] * other->mass * force;
        other->velocity[k] += d[k] * one->mass * force;
      }
    }
  for (int i = 0; i < BODIES; i++)
    for (int k = 0; k < 3; k++) bodies[i].position[k] += STEP * bodies[i].velocity[k];
}

uint64_t kernel_nbody(void) {
  uint32_t random = 17;
  for (int i = 0; i < BODIES; i++) {
    for (int k = 0; k < 3; k++) {
      bodies[i].position[k] = (double)(next_random(&random) % 2000) / 100 - 10;
      bodies[i].velocity[k] = (double)(next_random(&random) % 200) / 100 - 1;
    }
    bodies[i].mass = 1 + i;
  }
  for (int step = 0; step < STEPS; step++) advance();
  uint64_t sum = CHECKSUM_START;
  for (int i = 0; i < BODIES; i++)
    for (int k = 0; k < 3; k++) sum = mix(sum, bits_of(bodies[i].position[k]));
  return sum;
}
