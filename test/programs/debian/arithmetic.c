/* Integer, float, double and long double arithmetic; every result is printed with all its digits. */
#include <fenv.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t state = 88172645463325252u;

/* xorshift64 (Marsaglia) */
static uint64_t next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static double next_double(void) {
  return (double)(int64_t)next() / (double)(1u << (next() % 31)) / 1e9;
}

static void integers(void) {
  uint64_t hash = 14695981039346656037u;
  for (int i = 0; i < 200000; i++) {
    int64_t a = (int64_t)next() >> (next() % 63);
    int64_t b = (int64_t)next() >> (next() % 63);
    if (b == 0 || b == -1) b = 3;
    uint64_t parts[] = {
        (uint64_t)(a / b), (uint64_t)(a % b), (uint64_t)a * (uint64_t)b,
        (uint64_t)(((__int128)a * b) >> 64), (uint64_t)__builtin_popcountll((uint64_t)a),
        (uint64_t)((int32_t)a / ((int32_t)b | 1)), (uint64_t)((int16_t)a * (int8_t)b),
        __builtin_bswap64((uint64_t)a), (uint64_t)a << (b & 63), (uint64_t)(a >> (b & 63)),
    };
    for (size_t part = 0; part < COUNT(parts); part++) hash = (hash ^ parts[part]) * 1099511628211u;
  }
  printf("integers %016" PRIx64 "\n", hash);
}

static void functions(void) {
  static const struct {
    const char *name;
    double (*call)(double);
  } table[] = {{"sin", sin},     {"cos", cos},   {"tan", tan},     {"atan", atan},   {"exp", exp},
               {"expm1", expm1}, {"cbrt", cbrt}, {"asinh", asinh}, {"tanh", tanh},   {"erf", erf},
               {"lgamma", lgamma}, {"rint", rint}, {"trunc", trunc}, {"log1p", log1p}, {"fabs", fabs}};
  for (size_t i = 0; i < COUNT(table); i++) {
    double sum = 0;
    for (int k = 0; k < 400; k++) {
      double x = fabs(next_double());
      x = x > 600 ? fmod(x, 600) : x;
      double result = table[i].call(x);
      sum += result / (1 + fabs(result));
      if (k % 100 == 0) printf("%s(%.17g) = %.17g %a\n", table[i].name, x, result, result);
    }
    printf("%s: %.17g\n", table[i].name, sum);
  }
}

static void long_doubles(void) {
  long double sum = 0, product = 1;
  for (int i = 1; i <= 2000; i++) {
    sum += 1.0L / ((long double)i * i);
    product *= 1 + 1.0L / ((long double)i * i * i);
  }
  printf("sum %.21Lg %La product %.21Lg %La\n", sum, sum, product, product);
  for (int i = 0; i < 12; i++) {
    long double x = (long double)next_double();
    printf("%.21Lg: sin %.21Lg exp2 %.21Lg log %.21Lg sqrt %.21Lg pow %.21Lg fmod %.21Lg\n", x, sinl(x),
           exp2l(fmodl(x, 300)), logl(fabsl(x)), sqrtl(fabsl(x)), powl(fabsl(x), 0.37L), fmodl(x, 0.77L));
  }
}

static void rounding(void) {
  static const int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
  for (size_t i = 0; i < COUNT(modes); i++) {
    fesetround(modes[i]);
    feclearexcept(FE_ALL_EXCEPT);
    volatile double one = 1, three = 3, huge = DBL_MAX, tiny = DBL_MIN;
    volatile float onef = 1, threef = 3;
    volatile long double onel = 1, threel = 3;
    printf("mode %zu: %a %a %La %a %a %ld %ld\n", i, one / three, (double)(onef / threef), onel / threel, huge * three,
           tiny / three, lrint(2.5), lrint(-2.5));
    printf("flags %x\n", (unsigned)fetestexcept(FE_ALL_EXCEPT));
  }
  fesetround(FE_TONEAREST);
}

static void conversions(void) {
  uint64_t hash = 14695981039346656037u;
  char text[64];
  for (int i = 0; i < 20000; i++) {
    uint64_t bits = next();
    double x, y;
    memcpy(&x, &bits, sizeof x);
    snprintf(text, sizeof text, "%.17g", x);
    if (sscanf(text, "%lf", &y) == 1) hash = (hash ^ (uint64_t)(x == y)) * 1099511628211u;
    float f = (float)x;
    uint32_t single;
    memcpy(&single, &f, sizeof single);
    hash = (hash ^ single ^ (uint64_t)strlen(text)) * 1099511628211u;
    if (fabs(x) < 9e18) hash = (hash ^ (uint64_t)(int64_t)x ^ (uint64_t)llrint(x)) * 1099511628211u;
  }
  printf("conversions %016" PRIx64 "\n", hash);
}

int main(void) {
  integers();
  functions();
  long_doubles();
  rounding();
  conversions();
  return 0;
}
