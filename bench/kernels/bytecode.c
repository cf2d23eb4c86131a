/* Indirect jumps: an interpreter of a register machine's bytecode, its switch a jump table. */
#include "kernel.h"

#define LONGEST_OF 80000

enum { LOAD, MOVE, ADD, SUB, MUL, AND, SHIFT_RIGHT, XOR, JUMP, JUMP_IF_ZERO, JUMP_IF_LESS, INCREMENT, STORE, FETCH, STOP };

struct instruction {
  uint8_t operation, a, b, c;
  int32_t immediate;
};

/* The longest of the Collatz sequences that begin below the limit; r0 the start, r1 its length, r2 the current one. */
static const struct instruction PROGRAM[] = {
    /*  0 */ {LOAD, 0, 0, 0, 1},
    /*  1 */ {LOAD, 5, 0, 0, 0},
    /*  2 */ {LOAD, 6, 0, 0, 1},
    /*  3 */ {LOAD, 7, 0, 0, 3},
    /*  4 */ {LOAD, 8, 0, 0, LONGEST_OF},
    /*  5 */ {MOVE, 2, 0, 0, 0},
    /*  6 */ {LOAD, 1, 0, 0, 0},
    /*  7 */ {SUB, 3, 2, 6, 0},
    /*  8 */ {JUMP_IF_ZERO, 3, 0, 0, 17},
    /*  9 */ {INCREMENT, 1, 0, 0, 0},
    /* 10 */ {AND, 4, 2, 6, 0},
    /* 11 */ {JUMP_IF_ZERO, 4, 0, 0, 15},
    /* 12 */ {MUL, 2, 2, 7, 0},
    /* 13 */ {ADD, 2, 2, 6, 0},
    /* 14 */ {JUMP, 0, 0, 0, 7},
    /* 15 */ {SHIFT_RIGHT, 2, 2, 6, 0},
    /* 16 */ {JUMP, 0, 0, 0, 7},
    /* 17 */ {STORE, 1, 0, 0, 0},
    /* 18 */ {FETCH, 9, 5, 0, 0},
    /* 19 */ {JUMP_IF_LESS, 1, 9, 0, 21},
    /* 20 */ {MOVE, 5, 0, 0, 0},
    /* 21 */ {XOR, 10, 10, 1, 0},
    /* 22 */ {INCREMENT, 0, 0, 0, 0},
    /* 23 */ {JUMP_IF_LESS, 0, 8, 0, 5},
    /* 24 */ {STOP, 0, 0, 0, 0},
};

static uint32_t lengths[LONGEST_OF];

__attribute__((noinline)) static uint64_t interpret(const struct instruction *program) {
  uint32_t r[16] = {0};
  uint32_t at = 0;
  for (;;) {
    const struct instruction *i = program + at++;
    switch (i->operation) {
      case LOAD: r[i->a] = (uint32_t)i->immediate; break;
      case MOVE: r[i->a] = r[i->b]; break;
      case ADD: r[i->a] = r[i->b] + r[i->c]; break;
      case SUB: r[i->a] = r[i->b] - r[i->c]; break;
      case MUL: r[i->a] = r[i->b] * r[i->c]; break;
      case AND: r[i->a] = r[i->b] & r[i->c]; break;
      case SHIFT_RIGHT: r[i->a] = r[i->b] >> (r[i->c] & 31); break;
      case XOR: r[i->a] = r[i->b] ^ r[i->c]; break;
      case JUMP: at = (uint32_t)i->immediate; break;
      case JUMP_IF_ZERO:
        if (r[i->a] == 0) at = (uint32_t)i->immediate;
        break;
      case JUMP_IF_LESS:
        if (r[i->a] < r[i->b]) at = (uint32_t)i->immediate;
        break;
      case INCREMENT: r[i->a]++; break;
      case STORE: lengths[r[0] % LONGEST_OF] = r[i->a]; break;
      case FETCH: r[i->a] = lengths[r[i->b] % LONGEST_OF]; break;
      case STOP: return (uint64_t)r[5] << 32 | r[10];
    }
  }
}

uint64_t kernel_bytecode(void) {
  return mix(CHECKSUM_START, interpret(PROGRAM));
}
