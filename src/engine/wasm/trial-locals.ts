/**
 * Locals of one type that stand for numbered things, and what is written to them on trial: while a trial lasts writes go to
 * other locals, so that what was there before is still there if it is given up. To V8, which knows values and not
 * locals, the copies are free.
 */
import type { ValueType } from "../ir/expr.ts";
import type { FunctionEncoder } from "./function.ts";

const NO_LOCAL = -1;

export class TrialLocals {
  readonly #type: ValueType;
  /** The locals that are read now; during a trial those of `trial` where something has been written. */
  readonly #current: Int32Array;
  readonly #lasting: Int32Array;
  readonly #trial: Int32Array;
  readonly #written: number[] = [];
  #isTrial = false;
  #f: FunctionEncoder;

  constructor(type: ValueType, count: number, f: FunctionEncoder) {
    this.#type = type;
    this.#current = new Int32Array(count);
    this.#lasting = new Int32Array(count);
    this.#trial = new Int32Array(count);
    this.#f = f;
  }

  /** Before the first op of a function. */
  begin(f: FunctionEncoder): void {
    this.#f = f;
    this.#current.fill(NO_LOCAL);
    this.#lasting.fill(NO_LOCAL);
    this.#trial.fill(NO_LOCAL);
    this.#written.length = 0;
    this.#isTrial = false;
  }

  /** The local to read. */
  at(index: number): number {
    const known = this.#current[index] ?? NO_LOCAL;
    if (known !== NO_LOCAL) return known;
    const local = this.#f.local(this.#type);
    this.#current[index] = local;
    this.#lasting[index] = local;
    return local;
  }

  /** The local to write; what is read to make up its value is read before. */
  toWrite(index: number): number {
    const current = this.at(index);
    if (!this.#isTrial || current !== this.#lasting[index]) return current;
    const known = this.#trial[index] ?? NO_LOCAL;
    const local = known !== NO_LOCAL ? known : this.#f.local(this.#type);
    this.#trial[index] = local;
    this.#current[index] = local;
    this.#written.push(index);
    return local;
  }

  startTrial(): void {
    this.#isTrial = true;
  }

  /** Ends a trial with code that makes what it has written last; code that does not come there has the old values. */
  keepTrial(): void {
    for (const index of this.#written) {
      const lasting = this.#lasting[index] ?? NO_LOCAL;
      this.#f.localGet(this.at(index));
      this.#f.localSet(lasting);
      this.#current[index] = lasting;
    }
    this.#written.length = 0;
    this.#isTrial = false;
  }
}
