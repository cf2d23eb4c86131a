/* Branches that are hard to foresee: a recursive parser that evaluates expressions as it reads them. */
#include "kernel.h"

#define TEXT_SIZE 32768
#define ROUNDS 500
#define DEEPEST 6

static char text[TEXT_SIZE];
static uint32_t text_size;
static const char *at;

static void put(char c) {
  if (text_size < TEXT_SIZE - 1) text[text_size++] = c;
}

static void write_expression(uint32_t *random, int depth) {
  uint32_t r = next_random(random) >> 4;
  if (depth == 0 || r % 5 == 0) {
    if (r % 11 == 0) {
      put('x' + r / 16 % 3);
    } else {
      for (uint32_t digits = 1 + r / 32 % 4; digits > 0; digits--) put('0' + next_random(random) % 10);
    }
    return;
  }
  put('(');
  write_expression(random, depth - 1);
  if (r % 3 == 0) put(' ');
  put("+-*/&|^<>?"[r / 64 % 10]);
  if (r % 3 == 0) put(' ');
  write_expression(random, depth - 1);
  put(')');
}

static void skip_blanks(void) {
  while (*at == ' ' || *at == '\n' || *at == '\t') at++;
}

__attribute__((noinline)) static int32_t expression(void) {
  skip_blanks();
  if (*at == '(') {
    at++;
    int32_t left = expression();
    skip_blanks();
    char operator= *at++;
    int32_t right = expression();
    skip_blanks();
    if (*at == ')') at++;
    switch (operator) {
      case '+': return (int32_t)((uint32_t)left + (uint32_t)right);
      case '-': return (int32_t)((uint32_t)left - (uint32_t)right);
      case '*': return (int32_t)((uint32_t)left * (uint32_t)right);
      case '/': return right == 0 || right == -1 ? left : left / right;
      case '&': return left & right;
      case '|': return left | right;
      case '^': return left ^ right;
      case '<': return left < right;
      case '>': return left > right;
      case '?': return left != 0 ? left : right;
      default: return 0;
    }
  }
  if (*at >= 'x' && *at <= 'z') return *at++ * 1001;
  int32_t number = 0;
  while (*at >= '0' && *at <= '9') number = number * 10 + (*at++ - '0');
  return number;
}

uint64_t kernel_parser(void) {
  uint32_t random = 31;
  uint64_t sum = CHECKSUM_START;
  for (uint32_t round = 0; round < ROUNDS; round++) {
    /* A new text each second round, so that no predictor learns it. */
    if (round % 2 == 0) {
      text_size = 0;
      while (text_size < TEXT_SIZE - 2048) {
        write_expression(&random, DEEPEST);
        put('\n');
      }
      put(0);
    }
    for (at = text; *at != 0; skip_blanks()) sum = mix(sum, (uint32_t)expression());
  }
  return sum;
}
