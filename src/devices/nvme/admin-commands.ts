/**
 * The admin command set (Base Specification 1.4, chapter 5): making and deleting I/O queues, identify, log pages, features,
 * abort and asynchronous event requests. Not offered, and so invalid opcodes: firmware updates, namespace management,
 * format, security, self-tests, directives, virtualization.
 */

import type { Answer, Outcome } from "./command.ts";
import { DONE, done, failed } from "./command.ts";
import type { NvmeCommand } from "./command.ts";
import { identify } from "./identify.ts";
import {
  ADMIN,
  ASYNC_EVENTS_MAX,
  IO_QUEUES_MAX,
  LOG_PAGE,
  QUEUE_ENTRIES_MAX,
  STATUS,
  TRANSFER_BYTES_MAX,
} from "./protocol.ts";
import { scatter, walkPrps } from "./prp.ts";
import { CompletionQueue, SubmissionQueue } from "./queues.ts";
import type { QueuePlace } from "./queues.ts";
import type { CommandUnderWay, NvmeSession } from "./session.ts";

const PHYSICALLY_CONTIGUOUS = 1 << 0;
const INTERRUPTS_ENABLED = 1 << 1;
const RETAIN_EVENT = 1 << 15;
/** In Abort's result: the command was not aborted. */
const NOT_ABORTED = 1;

export class AdminCommands {
  readonly #session: NvmeSession;

  constructor(session: NvmeSession) {
    this.#session = session;
  }

  execute(entry: CommandUnderWay): Answer {
    const { command } = entry;
    if (command.isUnsupported) return failed(STATUS.invalidField);
    switch (command.opcode) {
      case ADMIN.createCompletionQueue:
        return this.#createCompletionQueue(command);
      case ADMIN.createSubmissionQueue:
        return this.#createSubmissionQueue(command);
      case ADMIN.deleteCompletionQueue:
        return this.#deleteCompletionQueue(command);
      case ADMIN.deleteSubmissionQueue:
        return this.#deleteSubmissionQueue(command);
      case ADMIN.identify:
        return this.#identify(command);
      case ADMIN.getLogPage:
        return this.#getLogPage(command);
      case ADMIN.getFeatures:
        return this.#session.features.get(command, this.#vectors);
      case ADMIN.setFeatures:
        return this.#session.features.set(command, this.#vectors, this.#hasIoQueues());
      case ADMIN.abort:
        return this.#abort(command);
      case ADMIN.asyncEventRequest:
        return this.#requestEvent(entry);
      default:
        return failed(STATUS.invalidOpcode);
    }
  }

  get #vectors(): number {
    return this.#session.parts.vectors();
  }

  #hasIoQueues(): boolean {
    const { submissionQueues, completionQueues } = this.#session;
    return [...submissionQueues, ...completionQueues].some(
      (queue) => queue !== undefined && queue.place.id > 0,
    );
  }

  #createCompletionQueue(command: NvmeCommand): Outcome {
    const { completionQueues } = this.#session;
    const place = this.#placeOf(command, completionQueues);
    if ("status" in place) return place;
    const flags = command.dword(11);
    const vector = flags >>> 16;
    if (vector >= this.#vectors) return failed(STATUS.invalidInterruptVector);
    const isEnabled = (flags & INTERRUPTS_ENABLED) !== 0;
    completionQueues[place.id] = new CompletionQueue(place, { isEnabled, vector });
    return DONE;
  }

  #createSubmissionQueue(command: NvmeCommand): Outcome {
    const { submissionQueues, completionQueues } = this.#session;
    const completionQueueId = command.dword(11) >>> 16;
    if (completionQueueId === 0 || completionQueueId > IO_QUEUES_MAX) return failed(STATUS.invalidQueueId);
    if (completionQueues[completionQueueId] === undefined) return failed(STATUS.completionQueueInvalid);
    const place = this.#placeOf(command, submissionQueues);
    if ("status" in place) return place;
    submissionQueues[place.id] = new SubmissionQueue(place, completionQueueId);
    return DONE;
  }

  /** Where a new queue is, or why it cannot be made. */
  #placeOf(command: NvmeCommand, queues: readonly (object | undefined)[]): QueuePlace | Outcome {
    const id = command.dword(10) & 0xffff;
    const entries = (command.dword(10) >>> 16) + 1;
    if (id === 0 || id > IO_QUEUES_MAX || queues[id] !== undefined) return failed(STATUS.invalidQueueId);
    if (entries < 2 || entries > QUEUE_ENTRIES_MAX) return failed(STATUS.invalidQueueSize);
    if (!this.#session.parts.areEntrySizesRight()) return failed(STATUS.invalidQueueSize);
    if ((command.dword(11) & PHYSICALLY_CONTIGUOUS) === 0) return failed(STATUS.invalidField);
    if (command.prp1 % this.#session.parts.pageBytes !== 0) return failed(STATUS.invalidPrpOffset);
    return { id, gpa: command.prp1, entries };
  }

  #deleteCompletionQueue(command: NvmeCommand): Outcome {
    const { submissionQueues, completionQueues, parts } = this.#session;
    const id = command.dword(10) & 0xffff;
    if (id === 0 || completionQueues[id] === undefined) return failed(STATUS.invalidQueueId);
    if (submissionQueues.some((queue) => queue?.completionQueueId === id))
      return failed(STATUS.invalidQueueDeletion);
    completionQueues[id] = undefined;
    parts.newsChanged();
    return DONE;
  }

  /** What was fetched from the queue ends before it is gone; what was not is lost. */
  async #deleteSubmissionQueue(command: NvmeCommand): Promise<Outcome> {
    const { submissionQueues, completionQueues } = this.#session;
    const id = command.dword(10) & 0xffff;
    const queue = submissionQueues[id];
    if (id === 0 || queue === undefined || queue.isClosing) return failed(STATUS.invalidQueueId);
    queue.isClosing = true;
    await this.#session.idle(id);
    completionQueues[queue.completionQueueId]?.forget(id);
    submissionQueues[id] = undefined;
    return DONE;
  }

  #identify(command: NvmeCommand): Outcome {
    const bytes = identify(command, this.#session.parts);
    return bytes instanceof Uint8Array ? this.#give(command, bytes) : bytes;
  }

  #getLogPage(command: NvmeCommand): Outcome {
    const { log } = this.#session.parts;
    const dwords = (command.dword(10) >>> 16) + ((command.dword(11) & 0xffff) << 16) + 1;
    const offset = command.qword(12);
    const id = command.dword(10) & 0xff;
    const page = log.page(id);
    if (page === undefined) return failed(STATUS.invalidLogPage);
    // What is behind a page's end is reserved and reads as zeros.
    const lengthBytes = 4 * dwords;
    if (lengthBytes <= 0 || lengthBytes > TRANSFER_BYTES_MAX || offset % 4 !== 0 || offset > page.length)
      return failed(STATUS.invalidField);
    const bytes = new Uint8Array(lengthBytes);
    bytes.set(page.subarray(offset, offset + lengthBytes));
    const outcome = this.#give(command, bytes);
    const isRead = outcome.status === 0 && (command.dword(10) & RETAIN_EVENT) === 0;
    if (isRead && id === LOG_PAGE.errors) this.#session.events.acknowledge();
    return outcome;
  }

  /** Best effort: a command that the host works on cannot be called back. */
  #abort(command: NvmeCommand): Outcome {
    const queueId = command.dword(10) & 0xffff;
    const entry = this.#session.underWay(queueId, command.dword(10) >>> 16);
    const isAborted = entry !== undefined && this.#session.events.abort(entry.command);
    return done(isAborted ? 0 : NOT_ABORTED);
  }

  #requestEvent(entry: CommandUnderWay): Answer {
    const { events } = this.#session;
    if (events.heldCount >= ASYNC_EVENTS_MAX) return failed(STATUS.asyncEventLimit);
    const answer = events.request(entry.command);
    entry.isHeld = answer instanceof Promise;
    return answer;
  }

  #give(command: NvmeCommand, bytes: Uint8Array): Outcome {
    const { dma, pageBytes } = this.#session.parts;
    const found = walkPrps(dma, command, bytes.length, pageBytes);
    if ("status" in found) return failed(found.status);
    return scatter(dma, found.segments, bytes) ? DONE : failed(STATUS.dataTransferError);
  }
}
