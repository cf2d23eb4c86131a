/* Scalar doubles in registers: iterations of the Mandelbrot set. */
#include "kernel.h"

#define WIDTH 480
#define HEIGHT 360
#define MOST_ITERATIONS 600

uint64_t kernel_mandelbrot(void) {
  uint64_t sum = CHECKSUM_START;
  for (int row = 0; row < HEIGHT; row++)
    for (int column = 0; column < WIDTH; column++) {
      double cr = 3.0 * column / WIDTH - 2.25, ci = 2.5 * row / HEIGHT - 1.25;
      double zr = 0, zi = 0;
      uint32_t iterations = 0;
      while (iterations < MOST_ITERATIONS && zr * zr + zi * zi < 4) {
        double next = zr * zr - zi * zi + cr;
        zi = 2 * zr * zi + ci;
        zr = next;
        iterations++;
      }
      sum = mix(sum, iterations);
    }
  return sum;
}
