/**
 * Locals for the values of one op: the next op may use them again, so that a function has few.
 */
import type { ValueType } from "../ir/expr.ts";
import type { FunctionEncoder } from "./function.ts";

/** Locals of one type that ops borrow for their own values. */
export class LocalPool {
  readonly #type: ValueType;
  readonly #locals: number[] = [];
  #used = 0;

  constructor(type: ValueType) {
    this.#type = type;
  }

  /** For another function, which has none of these locals. */
  forget(): void {
    this.#locals.length = 0;
    this.#used = 0;
  }

  /** All that is borrowed is no longer needed. */
  release(): void {
    this.#used = 0;
  }

  borrow(f: FunctionEncoder): number {
    const known = this.#locals[this.#used];
    const local = known ?? f.local(this.#type);
    if (known === undefined) this.#locals.push(local);
    this.#used++;
    return local;
  }
}
