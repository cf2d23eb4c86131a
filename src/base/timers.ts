/**
 * Timers in guest time: a binary heap ordered by deadline and, among equals, by age, so that the same schedule
 * always runs in the same order. Nothing here waits: the machine loop asks for the next deadline and calls
 * runDue when that time has come.
 */

import { assert, defined } from "./assert.ts";
import { MAX_TIMERS } from "./limits.ts";

export interface Timer {
  /** Takes the timer out of its queue; does nothing once it has run or been cancelled. */
  cancel(): void;
}

export interface Timers {
  /** Runs `callback` once, as soon as guest time has reached `deadlineNs`; never before this call returns. */
  schedule(deadlineNs: number, callback: () => void): Timer;
}

interface Entry extends Timer {
  readonly deadlineNs: number;
  readonly age: number;
  readonly callback: () => void;
  /** Place in the heap, or DUE or GONE. */
  index: number;
}

/** Has run or was cancelled. */
const GONE = -1;
/** Taken out of the heap by the runDue under way, which will run it unless it is cancelled first. */
const DUE = -2;

export class TimerQueue implements Timers {
  readonly #heap: Entry[] = [];
  #age = 0;

  get size(): number {
    return this.#heap.length;
  }

  schedule(deadlineNs: number, callback: () => void): Timer {
    assert(!Number.isNaN(deadlineNs), "a timer's deadline is a number");
    assert(this.#heap.length < MAX_TIMERS, "devices own a bounded number of timers");
    const entry: Entry = {
      deadlineNs,
      age: this.#age++,
      callback,
      index: this.#heap.length,
      cancel: () => this.#remove(entry),
    };
    this.#heap.push(entry);
    this.#siftUp(entry);
    return entry;
  }

  /** The earliest deadline, or undefined when nothing is scheduled for a time that comes. */
  nextDeadlineNs(): number | undefined {
    const deadlineNs = this.#heap[0]?.deadlineNs;
    return deadlineNs === Infinity ? undefined : deadlineNs;
  }

  /**
   * Runs every timer whose deadline is at or before `nowNs`, earliest first, and returns how many ran. Timers
   * scheduled by the callbacks wait for the next call even when they are due, so that this always ends.
   */
  runDue(nowNs: number): number {
    const due: Entry[] = [];
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.deadlineNs > nowNs) break;
      this.#remove(first);
      first.index = DUE;
      due.push(first);
    }
    let ran = 0;
    for (const entry of due) {
      // An earlier callback may have cancelled it.
      if (entry.index !== DUE) continue;
      entry.index = GONE;
      ran++;
      entry.callback();
    }
    return ran;
  }

  #remove(entry: Entry): void {
    if (entry.index < 0) {
      entry.index = GONE;
      return;
    }
    const last = defined(this.#heap.pop(), "a timer with an index is in the heap");
    if (last !== entry) {
      last.index = entry.index;
      this.#heap[last.index] = last;
      this.#siftUp(last);
      this.#siftDown(last);
    }
    entry.index = GONE;
  }

  #siftUp(entry: Entry): void {
    while (entry.index > 0) {
      const parent = this.#at((entry.index - 1) >> 1);
      if (!isBefore(entry, parent)) return;
      this.#swap(entry, parent);
    }
  }

  #siftDown(entry: Entry): void {
    for (;;) {
      const left = this.#heap[2 * entry.index + 1];
      if (left === undefined) return;
      const right = this.#heap[2 * entry.index + 2];
      const child = right !== undefined && isBefore(right, left) ? right : left;
      if (!isBefore(child, entry)) return;
      this.#swap(child, entry);
    }
  }

  #at(index: number): Entry {
    return defined(this.#heap[index], "heap indices stay inside the heap");
  }

  #swap(a: Entry, b: Entry): void {
    const index = a.index;
    a.index = b.index;
    b.index = index;
    this.#heap[a.index] = a;
    this.#heap[b.index] = b;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.deadlineNs < b.deadlineNs || (a.deadlineNs === b.deadlineNs && a.age < b.age);
}
