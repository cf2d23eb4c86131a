/**
 * The saved form of devices: plain objects of named fields, so that a snapshot can be read, compared and carried
 * to a version that knows more fields. StateReader checks what it reads; a snapshot is input from outside, so
 * what is wrong with it is an operator error.
 */

import { OperatorFault } from "../base/index.ts";

export type StateValue =
  | number
  | boolean
  | string
  | null
  | Uint8Array
  | readonly StateValue[]
  | { readonly [field: string]: StateValue };

export interface DeviceState {
  readonly [field: string]: StateValue;
}

/** Reads the named fields of a saved state; throws an OperatorFault "snapshot" where it is not as it should be. */
export class StateReader {
  readonly #path: string;
  readonly #state: DeviceState;

  constructor(path: string, state: DeviceState) {
    this.#path = path;
    this.#state = state;
  }

  has(field: string): boolean {
    return Object.hasOwn(this.#state, field);
  }

  isNull(field: string): boolean {
    return this.#field(field) === null;
  }

  number(field: string): number {
    const value = this.#field(field);
    if (typeof value !== "number") throw this.#wrong(field, "a number");
    return value;
  }

  /** An integer in [0, max]. */
  integer(field: string, max: number): number {
    const value = this.#field(field);
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > max) {
      throw this.#wrong(field, `a whole number from 0 to ${max}`);
    }
    return value;
  }

  u8(field: string): number {
    return this.integer(field, 0xff);
  }

  u16(field: string): number {
    return this.integer(field, 0xffff);
  }

  u32(field: string): number {
    return this.integer(field, 0xffffffff);
  }

  boolean(field: string): boolean {
    const value = this.#field(field);
    if (typeof value !== "boolean") throw this.#wrong(field, "true or false");
    return value;
  }

  string(field: string): string {
    const value = this.#field(field);
    if (typeof value !== "string") throw this.#wrong(field, "a text");
    return value;
  }

  /** One of `choices`. */
  choice<const T extends string>(field: string, choices: readonly T[]): T {
    const value = this.#field(field);
    const chosen = choices.find((choice) => choice === value);
    if (chosen === undefined) throw this.#wrong(field, `one of ${choices.join(", ")}`);
    return chosen;
  }

  /** A copy of at most `maxBytes` bytes. */
  bytes(field: string, maxBytes: number): Uint8Array {
    const value = this.#field(field);
    if (!(value instanceof Uint8Array) || value.length > maxBytes) {
      throw this.#wrong(field, `at most ${maxBytes} bytes`);
    }
    return value.slice();
  }

  /** At most `maxCount` integers in [0, max]. */
  integers(field: string, maxCount: number, max: number): number[] {
    const value = this.#field(field);
    if (!isList(value) || value.length > maxCount) throw this.#wrong(field, `a list of at most ${maxCount}`);
    return value.map((item) => {
      if (typeof item !== "number" || !Number.isInteger(item) || item < 0 || item > max) {
        throw this.#wrong(field, `made of whole numbers from 0 to ${max}`);
      }
      return item;
    });
  }

  child(field: string): StateReader {
    return new StateReader(`${this.#path}.${field}`, this.object(field));
  }

  object(field: string): DeviceState {
    const value = this.#field(field);
    if (!isObject(value)) throw this.#wrong(field, "an object of named fields");
    return value;
  }

  /** One reader for each of exactly `count` objects. */
  children(field: string, count: number): StateReader[] {
    const readers = this.childrenUpTo(field, count);
    if (readers.length !== count) throw this.#wrong(field, `a list of ${count}`);
    return readers;
  }

  /** One reader for each of at most `maxCount` objects. */
  childrenUpTo(field: string, maxCount: number): StateReader[] {
    const value = this.#field(field);
    if (!isList(value) || value.length > maxCount) throw this.#wrong(field, `a list of at most ${maxCount}`);
    return value.map((item, index) => {
      if (!isObject(item)) throw this.#wrong(`${field}[${index}]`, "an object of named fields");
      return new StateReader(`${this.#path}.${field}[${index}]`, item);
    });
  }

  #field(field: string): StateValue {
    const value = this.#state[field];
    if (value === undefined) throw this.#wrong(field, "present");
    return value;
  }

  #wrong(field: string, expected: string): OperatorFault {
    return new OperatorFault(
      "snapshot",
      `The snapshot's field ${this.#path}.${field} should be ${expected}.`,
    );
  }
}

function isObject(value: StateValue): value is DeviceState {
  return typeof value === "object" && value !== null && !isList(value) && !(value instanceof Uint8Array);
}

function isList(value: StateValue): value is readonly StateValue[] {
  return Array.isArray(value);
}
