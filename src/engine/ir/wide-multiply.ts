/** The high half of a product of two 64-bit values, which WebAssembly has no instruction for: four products of halves. */
import * as x from "./expr.ts";
import type { Expr, Statement } from "./expr.ts";

const HALF = 32;
const LOW_HALF = 0xffffffff;

const i64 = (name: string): Expr => x.local(name, "i64");
const lowHalf = (e: Expr): Expr => x.binary("i64.and", e, x.i64(LOW_HALF));
const highHalf = (e: Expr): Expr => x.binary("i64.shr_u", e, x.i64(HALF));
const times = (left: Expr, right: Expr): Expr => x.binary("i64.mul", left, right);
const plus = (left: Expr, right: Expr): Expr => x.binary("i64.add", left, right);

/** What is taken from the unsigned product's high half if the first value is negative. */
const correction = (value: Expr, other: Expr): Expr =>
  x.binary("i64.and", x.binary("i64.shr_s", value, x.i64(63)), other);

/** Lets the local `high` be the high half of left * right; leaves both in the locals `left` and `right`. */
export function letHighProduct(left: Expr, right: Expr, signed: boolean): readonly Statement[] {
  const [a, b] = [i64("left"), i64("right")];
  // None of these sums overflows; the lowest product, which is there last, goes through as few of them as can be.
  const carrying = plus(
    plus(highHalf(times(lowHalf(a), lowHalf(b))), lowHalf(i64("middle"))),
    times(lowHalf(a), highHalf(b)),
  );
  const unsigned = plus(plus(times(highHalf(a), highHalf(b)), highHalf(i64("middle"))), highHalf(carrying));
  const high = signed
    ? x.binary("i64.sub", x.binary("i64.sub", unsigned, correction(a, b)), correction(b, a))
    : unsigned;
  return [
    x.letLocal("left", left),
    x.letLocal("right", right),
    x.letLocal("middle", times(highHalf(a), lowHalf(b))),
    x.letLocal("high", high),
  ];
}
