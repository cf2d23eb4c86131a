/**
 * Submission and completion queues (Base Specification 1.4, section 4.1): rings of entries in guest memory with a head and a
 * tail. The guest moves the submission queue's tail and the completion queue's head by doorbells; a phase bit that
 * changes with every round tells it which completions are new.
 */

import type { DeviceState, Dma, StateReader } from "../../hw/index.ts";
import type { Outcome } from "./command.ts";
import { NvmeCommand } from "./command.ts";
import { ASYNC_EVENTS_MAX, COMMANDS_MAX, COMPLETION_BYTES, SUBMISSION_BYTES } from "./protocol.ts";

/** Where a queue is, as the command that creates it says. */
export interface QueuePlace {
  readonly id: number;
  readonly gpa: number;
  readonly entries: number;
}

/** AQA counts entries in 12 bits. */
const ADMIN_ENTRIES_MAX = 4096;
/** Commands that ended while their completion queue was full, and one more that was answered at once. */
const WAITING_MAX = COMMANDS_MAX + ASYNC_EVENTS_MAX + 1;

export class SubmissionQueue {
  readonly place: QueuePlace;
  /** The queue that its completions go to. */
  readonly completionQueueId: number;
  head = 0;
  /** It is being deleted: nothing is fetched any more. */
  isClosing = false;
  #tail = 0;

  constructor(place: QueuePlace, completionQueueId: number) {
    this.place = place;
    this.completionQueueId = completionQueueId;
  }

  get isEmpty(): boolean {
    return this.head === this.#tail;
  }

  /** The doorbell; false for a value that is no entry of the queue. */
  ring(tail: number): boolean {
    if (tail >= this.place.entries) return false;
    this.#tail = tail;
    return true;
  }

  /** The next command; undefined when its memory is not there. */
  fetch(dma: Dma): NvmeCommand | undefined {
    const command = new NvmeCommand();
    if (!dma.read(this.place.gpa + this.head * SUBMISSION_BYTES, command.bytes)) return undefined;
    this.head = (this.head + 1) % this.place.entries;
    return command;
  }

  save(): DeviceState {
    const { completionQueueId, head } = this;
    return { ...this.place, completionQueueId, head, tail: this.#tail };
  }

  static restored(reader: StateReader): SubmissionQueue {
    const queue = new SubmissionQueue(restoredPlace(reader), reader.u16("completionQueueId"));
    queue.head = reader.integer("head", queue.place.entries - 1);
    queue.#tail = reader.integer("tail", queue.place.entries - 1);
    return queue;
  }
}

/** What a completion queue entry says of its command besides the outcome. */
export interface CompletionOf {
  readonly submissionQueueId: number;
  readonly submissionHead: number;
  readonly commandId: number;
}

type Completion = CompletionOf & Outcome;

/** How completions are told. */
export interface CompletionInterrupt {
  readonly isEnabled: boolean;
  readonly vector: number;
}

export class CompletionQueue {
  readonly place: QueuePlace;
  readonly interrupt: CompletionInterrupt;
  #head = 0;
  #tail = 0;
  #phase = 1;
  /** Outcomes that the queue has no room for; bounded, since nothing is fetched meanwhile. */
  #waiting: Completion[] = [];
  readonly #entry = new Uint8Array(COMPLETION_BYTES);
  readonly #view = new DataView(this.#entry.buffer);

  constructor(place: QueuePlace, interrupt: CompletionInterrupt) {
    this.place = place;
    this.interrupt = interrupt;
  }

  /** Whether there is something that the guest has not seen yet. */
  get hasNews(): boolean {
    return this.#head !== this.#tail;
  }

  get isBehind(): boolean {
    return this.#waiting.length > 0;
  }

  /** The doorbell; false for a value that is no entry of the queue. */
  ring(head: number): boolean {
    if (head >= this.place.entries) return false;
    this.#head = head;
    return true;
  }

  add(completion: Completion): void {
    this.#waiting.push(completion);
  }

  /** Commands of a queue that is being deleted need no completion. */
  forget(submissionQueueId: number): void {
    this.#waiting = this.#waiting.filter((completion) => completion.submissionQueueId !== submissionQueueId);
  }

  /** Puts what waits into guest memory as far as there is room: how many, or undefined when the memory is not there. */
  post(dma: Dma): number | undefined {
    let count = 0;
    const { gpa, entries } = this.place;
    while (this.#waiting.length > 0 && (this.#tail + 1) % entries !== this.#head) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#view.setUint32(0, next.result, true);
      this.#view.setUint32(4, 0, true);
      this.#view.setUint32(8, next.submissionHead | (next.submissionQueueId << 16), true);
      this.#view.setUint32(12, next.commandId | (this.#phase << 16) | (next.status << 17), true);
      if (!dma.write(gpa + this.#tail * COMPLETION_BYTES, this.#entry)) return undefined;
      this.#tail = (this.#tail + 1) % entries;
      if (this.#tail === 0) this.#phase ^= 1;
      count++;
    }
    return count;
  }

  save(): DeviceState {
    return {
      ...this.place,
      ...this.interrupt,
      head: this.#head,
      tail: this.#tail,
      phase: this.#phase,
      waiting: this.#waiting.map((completion) => ({ ...completion })),
    };
  }

  static restored(reader: StateReader): CompletionQueue {
    const interrupt = { isEnabled: reader.boolean("isEnabled"), vector: reader.u16("vector") };
    const queue = new CompletionQueue(restoredPlace(reader), interrupt);
    queue.#head = reader.integer("head", queue.place.entries - 1);
    queue.#tail = reader.integer("tail", queue.place.entries - 1);
    queue.#phase = reader.integer("phase", 1);
    queue.#waiting = reader.childrenUpTo("waiting", WAITING_MAX).map((one) => ({
      submissionQueueId: one.u16("submissionQueueId"),
      submissionHead: one.u16("submissionHead"),
      commandId: one.u16("commandId"),
      status: one.u16("status"),
      result: one.u32("result"),
    }));
    return queue;
  }
}

function restoredPlace(reader: StateReader): QueuePlace {
  return {
    id: reader.u16("id"),
    gpa: reader.number("gpa"),
    entries: reader.integer("entries", ADMIN_ENTRIES_MAX),
  };
}
