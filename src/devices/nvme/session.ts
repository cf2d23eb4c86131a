/**
 * The controller from one enabling to the next reset (Base Specification 1.4, section 7.6): its queues, the commands that were
 * fetched and are not completed, features and asynchronous events. Commands are fetched one at a time from each submission
 * queue in turn. When the session is over, what the host still does for it ends unseen.
 */

import type { BlockDevice, TransferBuffers } from "../../block/index.ts";
import type { DeviceState, Dma, StateReader } from "../../hw/index.ts";
import { AdminCommands } from "./admin-commands.ts";
import { AsyncEvents } from "./async-events.ts";
import type { Answer, Outcome } from "./command.ts";
import { NvmeCommand } from "./command.ts";
import { NvmeFeatures } from "./features.ts";
import { IoCommands } from "./io-commands.ts";
import type { NvmeLog } from "./log-pages.ts";
import {
  ADMIN_QUEUE,
  ASYNC_EVENTS_MAX,
  COMMANDS_MAX,
  EVENT,
  IO_QUEUES_MAX,
  SUBMISSION_BYTES,
} from "./protocol.ts";
import { CompletionQueue, SubmissionQueue } from "./queues.ts";

/** A command that was fetched and is not completed. */
export interface CommandUnderWay {
  readonly command: NvmeCommand;
  readonly queueId: number;
  /** An asynchronous event request: waits for an event, maybe for ever. */
  isHeld: boolean;
}

export interface SessionParts {
  readonly dma: Dma;
  readonly disk: BlockDevice;
  readonly serialNumber: string;
  readonly buffers: TransferBuffers;
  readonly log: NvmeLog;
  /** CC.MPS. */
  readonly pageBytes: number;
  /** CC.IOSQES and CC.IOCQES are the sizes that the entries have. */
  readonly areEntrySizesRight: () => boolean;
  /** Vectors that a completion queue may choose from now. */
  readonly vectors: () => number;
  /** Completions were added to a queue. */
  readonly completed: (interrupt: { readonly isEnabled: boolean; readonly vector: number }) => void;
  /** What the guest has yet to see, or what it may be interrupted for, has changed. */
  readonly newsChanged: () => void;
  /** Queues are not in the VM's RAM: nothing can be said to the guest any more. */
  readonly fatal: () => void;
}

export class NvmeSession {
  readonly parts: SessionParts;
  /** By identifier. */
  readonly submissionQueues = noQueues<SubmissionQueue>();
  readonly completionQueues = noQueues<CompletionQueue>();
  readonly features = new NvmeFeatures();
  readonly events = new AsyncEvents();
  readonly #admin: AdminCommands;
  readonly #io: IoCommands;
  readonly #underWay = new Set<CommandUnderWay>();
  #whenIdle: { readonly queueId: number | undefined; readonly resolve: () => void }[] = [];
  #isOver = false;
  #isPumping = false;

  constructor(parts: SessionParts) {
    this.parts = parts;
    this.#admin = new AdminCommands(this);
    this.#io = new IoCommands(this);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Nothing is fetched or completed from now on. */
  end(): void {
    this.#isOver = true;
  }

  /** Whether a completion queue that interrupts by `vector` has something that the guest has not seen. */
  hasNewsFor(vector: number): boolean {
    return this.completionQueues.some(
      (queue) =>
        queue !== undefined &&
        queue.interrupt.isEnabled &&
        queue.interrupt.vector === vector &&
        queue.hasNews,
    );
  }

  // Doorbells.

  ringSubmission(queueId: number, tail: number): void {
    const queue = this.submissionQueues[queueId];
    if (queue === undefined) this.#protocolError(EVENT.invalidDoorbellRegister);
    else if (!queue.ring(tail)) this.#protocolError(EVENT.invalidDoorbellValue);
    else this.#pump();
  }

  ringCompletion(queueId: number, head: number): void {
    const queue = this.completionQueues[queueId];
    if (queue === undefined) this.#protocolError(EVENT.invalidDoorbellRegister);
    else if (!queue.ring(head)) this.#protocolError(EVENT.invalidDoorbellValue);
    else {
      this.#post(queue);
      this.#pump();
    }
  }

  // For the commands.

  /** Commands under way that the guest may name. */
  underWay(queueId: number, commandId: number): CommandUnderWay | undefined {
    return [...this.#underWay].find((entry) => entry.queueId === queueId && entry.command.id === commandId);
  }

  /** Whether the host does nothing for the session. */
  get isIdle(): boolean {
    return !this.#isWorking(undefined);
  }

  /** Resolves when the host does nothing for the session any more, or for one of its submission queues. */
  async idle(queueId?: number): Promise<void> {
    while (this.#isWorking(queueId)) {
      await new Promise<void>((resolve) => {
        this.#whenIdle.push({ queueId, resolve });
      });
    }
  }

  complete(entry: CommandUnderWay, { status, result }: Outcome): void {
    this.#underWay.delete(entry);
    if (status !== 0) this.parts.log.commandFailed(entry, status);
    const submission = this.submissionQueues[entry.queueId];
    const queue = submission === undefined ? undefined : this.completionQueues[submission.completionQueueId];
    if (submission !== undefined && queue !== undefined && !this.#isOver) {
      const { id } = submission.place;
      queue.add({
        submissionQueueId: id,
        submissionHead: submission.head,
        commandId: entry.command.id,
        status,
        result,
      });
      this.#post(queue);
    }
    this.#tellIdle();
  }

  save(): DeviceState {
    return {
      features: this.features.save(),
      events: this.events.save(),
      submissionQueues: this.submissionQueues.flatMap((queue) => queue?.save() ?? []),
      completionQueues: this.completionQueues.flatMap((queue) => queue?.save() ?? []),
      // Not completed, so it can be done again: the guest sees its effect once.
      underWay: [...this.#underWay].map(({ queueId, command }) => ({ queueId, bytes: command.bytes })),
    };
  }

  static restored(parts: SessionParts, reader: StateReader): NvmeSession {
    const session = new NvmeSession(parts);
    session.features.restore(reader.child("features"));
    session.events.restore(reader.child("events"));
    for (const one of reader.childrenUpTo("completionQueues", 1 + IO_QUEUES_MAX)) {
      const queue = CompletionQueue.restored(one);
      session.completionQueues[queue.place.id] = queue;
    }
    for (const one of reader.childrenUpTo("submissionQueues", 1 + IO_QUEUES_MAX)) {
      const queue = SubmissionQueue.restored(one);
      session.submissionQueues[queue.place.id] = queue;
    }
    for (const one of reader.childrenUpTo("underWay", COMMANDS_MAX + ASYNC_EVENTS_MAX)) {
      const command = new NvmeCommand();
      command.bytes.set(one.bytes("bytes", SUBMISSION_BYTES));
      session.#execute({ command, queueId: one.integer("queueId", IO_QUEUES_MAX), isHeld: false });
    }
    return session;
  }

  // Workings.

  /** Fetches and begins what the queues hold, as far as the limits allow. */
  #pump(): void {
    // A command that is answered at once comes back here.
    if (this.#isPumping) return;
    this.#isPumping = true;
    for (let hasFetched = true; hasFetched;) {
      hasFetched = false;
      for (const queue of this.submissionQueues) {
        if (queue === undefined || !this.#mayFetch(queue)) continue;
        const command = queue.fetch(this.parts.dma);
        if (command === undefined) this.#fail();
        else this.#execute({ command, queueId: queue.place.id, isHeld: false });
        hasFetched = true;
      }
    }
    this.#isPumping = false;
  }

  #mayFetch(queue: SubmissionQueue): boolean {
    if (this.#isOver || queue.isEmpty || queue.isClosing || this.submissionQueues[queue.place.id] !== queue)
      return false;
    if (this.#underWay.size >= COMMANDS_MAX + this.events.heldCount) return false;
    // Nobody could be told that the command has ended.
    return this.completionQueues[queue.completionQueueId]?.isBehind === false;
  }

  #execute(entry: CommandUnderWay): void {
    this.#underWay.add(entry);
    const answer = this.#answer(entry);
    if (answer instanceof Promise) {
      // A rejection is a bug of ours, and the process hears of it.
      void answer.then((outcome) => {
        this.complete(entry, outcome);
        if (!this.#isOver) this.#pump();
      });
    } else this.complete(entry, answer);
  }

  #answer(entry: CommandUnderWay): Answer {
    return entry.queueId === ADMIN_QUEUE ? this.#admin.execute(entry) : this.#io.execute(entry.command);
  }

  #post(queue: CompletionQueue): void {
    const count = this.#isOver ? 0 : queue.post(this.parts.dma);
    if (count === undefined) {
      this.#fail();
      return;
    }
    this.parts.newsChanged();
    if (count > 0) this.parts.completed(queue.interrupt);
  }

  #fail(): void {
    this.end();
    this.parts.fatal();
  }

  #protocolError(event: number): void {
    this.parts.log.protocolError();
    this.events.raise(event);
  }

  #isWorking(queueId: number | undefined): boolean {
    for (const entry of this.#underWay) {
      if (!entry.isHeld && (queueId === undefined || entry.queueId === queueId)) return true;
    }
    return false;
  }

  #tellIdle(): void {
    if (this.#whenIdle.length === 0) return;
    const waiting = this.#whenIdle;
    this.#whenIdle = [];
    for (const one of waiting) {
      if (this.#isWorking(one.queueId)) this.#whenIdle.push(one);
      else one.resolve();
    }
  }
}

/** A place for each identifier. */
function noQueues<Queue>(): (Queue | undefined)[] {
  return Array.from({ length: 1 + IO_QUEUES_MAX });
}
