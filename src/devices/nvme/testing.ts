/**
 * The driver's side of an NVMe controller for tests: places its BARs, sets its queues up in guest memory, sends commands and
 * takes their completions, as an operating system does.
 */

import { MiB, unwrap } from "../../base/index.ts";
import { TransferBuffers } from "../../block/index.ts";
import type { BlockDevice } from "../../block/index.ts";
import { MmioBus, PCI_COMMAND, PortBus, RamDma, RecordedLine } from "../../hw/index.ts";
import { createGuestRam } from "../../memory/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import { NvmeController } from "./nvme-controller.ts";
import { ADMIN, COMPLETION_BYTES, SUBMISSION_BYTES } from "./protocol.ts";

const BAR_GPA = 0xe000_0000;
const MSIX_GPA = 0xe001_0000;
const RAM_BYTES = 8 * MiB;
const BAR0 = 0x10;
const BAR4 = 0x20;
const MSIX_CONTROL = 0x42;
const MSI = 0x4c;

/** Registers, as the specification names them. */
export const REG = {
  cap: 0x00,
  vs: 0x08,
  intms: 0x0c,
  intmc: 0x10,
  cc: 0x14,
  csts: 0x1c,
  aqa: 0x24,
  asq: 0x28,
  acq: 0x30,
} as const;
export const CC_ENABLE = 0x0046_0001;

/** Where things are in guest memory, I/O queues 1 and 2 among them; what is free begins at `data`. */
export const MEMORY = {
  adminQueues: 0x1_0000,
  ioQueues: 0x4_0000,
  prpLists: 0x8_0000,
  data: 0x10_0000,
} as const;
/** Turns of the microtask queue: enough for many requests, each of which waits for the one before it. */
const SETTLING_TURNS = 2000;
const QUEUE_BYTES = 0x1_0000;

export interface Completion {
  readonly queueId: number;
  readonly commandId: number;
  readonly result: number;
  /** With Do Not Retry in bit 14. */
  readonly status: number;
  readonly head: number;
}

export interface Fields {
  readonly opcode: number;
  readonly flags?: number;
  readonly namespaceId?: number;
  readonly prp1?: number;
  readonly prp2?: number;
  /** CDW10 to CDW15. */
  readonly dwords?: readonly number[];
}

interface Queue {
  readonly submissionGpa: number;
  readonly completionGpa: number;
  readonly entries: number;
  tail: number;
  head: number;
  phase: number;
}

export interface DriverOptions {
  readonly bufferBytes?: number;
  readonly serialNumber?: string;
}

export class NvmeDriver {
  readonly ram: GuestRam;
  readonly mmio = new MmioBus();
  readonly controller: NvmeController;
  readonly line = new RecordedLine();
  /** "address=data" of each message. */
  readonly messages: string[] = [];
  readonly #queues = new Map<number, Queue>();
  #lastCommandId = 0;

  constructor(disk: BlockDevice, { bufferBytes = MiB, serialNumber = "TEST1" }: DriverOptions = {}) {
    this.ram = unwrap(createGuestRam({ sizeBytes: RAM_BYTES, reservedPrefixBytes: 0 }));
    this.controller = new NvmeController({
      name: "nvme0",
      disk,
      serialNumber,
      dma: new RamDma(this.ram, () => undefined),
      buses: { ports: new PortBus(), mmio: this.mmio },
      buffers: new TransferBuffers(bufferBytes),
      sendMessage: (address, data) => this.messages.push(`${address.toString(16)}=${data.toString(16)}`),
      pin: this.line,
    });
    this.controller.reset();
    this.placeBars();
  }

  /** As firmware does after a reset. */
  placeBars(): void {
    this.controller.writeConfig(BAR0, 4, BAR_GPA);
    this.controller.writeConfig(BAR4, 4, MSIX_GPA);
    this.controller.writeConfig(4, 2, PCI_COMMAND.memory | PCI_COMMAND.busMaster);
  }

  read(register: number): number {
    return this.mmio.readMmio(BAR_GPA + register, 4);
  }

  write(register: number, value: number): void {
    this.mmio.writeMmio(BAR_GPA + register, 4, value);
  }

  ringDoorbell(index: number, value: number): void {
    this.write(0x1000 + 4 * index, value);
  }

  /** Sets the admin queues up and enables the controller. */
  enable({ entries = 16, configuration = CC_ENABLE } = {}): void {
    this.#queues.clear();
    this.#addQueue(0, MEMORY.adminQueues, entries);
    this.write(REG.aqa, ((entries - 1) << 16) | (entries - 1));
    this.write(REG.asq, MEMORY.adminQueues);
    this.write(REG.asq + 4, 0);
    this.write(REG.acq, MEMORY.adminQueues + QUEUE_BYTES);
    this.write(REG.acq + 4, 0);
    this.write(REG.cc, configuration);
  }

  enableMsix(vectors: number): void {
    for (let vector = 0; vector < vectors; vector++) {
      [0xfee0_0000, 0, 0x40 + vector, 0].forEach((word, index) =>
        this.mmio.writeMmio(MSIX_GPA + 16 * vector + 4 * index, 4, word),
      );
    }
    this.controller.writeConfig(MSIX_CONTROL, 2, 0x8000);
  }

  /** The one message, 45h. */
  enableMsi(): void {
    this.controller.writeConfig(MSI + 4, 4, 0xfee0_0000);
    this.controller.writeConfig(MSI + 12, 2, 0x45);
    this.controller.writeConfig(MSI + 2, 2, 1);
  }

  /** An I/O queue pair that interrupts by `vector`. */
  async createQueues(id = 1, { entries = 16, vector = 0 } = {}): Promise<void> {
    const gpa = MEMORY.ioQueues + (id - 1) * 2 * QUEUE_BYTES;
    this.#addQueue(id, gpa, entries);
    const size = ((entries - 1) << 16) | id;
    await this.succeed({
      opcode: ADMIN.createCompletionQueue,
      prp1: gpa + QUEUE_BYTES,
      dwords: [size, (vector << 16) | 3],
    });
    await this.succeed({ opcode: ADMIN.createSubmissionQueue, prp1: gpa, dwords: [size, (id << 16) | 1] });
  }

  /** Whether a pair of queues was made since the controller was enabled. */
  has(queueId: number): boolean {
    return this.#queues.has(queueId);
  }

  /** Puts a command into a queue without ringing; returns its identifier. */
  put(queueId: number, fields: Fields): number {
    const queue = this.#queue(queueId);
    const entry = new DataView(new ArrayBuffer(SUBMISSION_BYTES));
    const id = (this.#lastCommandId = (this.#lastCommandId + 1) & 0xffff);
    entry.setUint32(0, fields.opcode | ((fields.flags ?? 0) << 8) | (id << 16), true);
    entry.setUint32(4, fields.namespaceId ?? (queueId === 0 ? 0 : 1), true);
    for (const [at, gpa] of [
      [24, fields.prp1 ?? 0],
      [32, fields.prp2 ?? 0],
    ] as const) {
      entry.setUint32(at, gpa % 2 ** 32, true);
      entry.setUint32(at + 4, gpa / 2 ** 32, true);
    }
    for (const [index, dword] of (fields.dwords ?? []).entries())
      entry.setUint32(40 + 4 * index, dword, true);
    this.ram.write(queue.submissionGpa + queue.tail * SUBMISSION_BYTES, new Uint8Array(entry.buffer));
    queue.tail = (queue.tail + 1) % queue.entries;
    return id;
  }

  ring(queueId: number): void {
    this.ringDoorbell(2 * queueId, this.#queue(queueId).tail);
  }

  /** Completions that have come, taken from the queue; with `isSilent` the controller does not hear of it. */
  take(queueId: number, { isSilent = false } = {}): Completion[] {
    const queue = this.#queue(queueId);
    const taken: Completion[] = [];
    for (;;) {
      const gpa = queue.completionGpa + queue.head * COMPLETION_BYTES;
      const [result, , heads, last] = [0, 4, 8, 12].map((at) => this.ram.readU32(gpa + at));
      if (heads === undefined || last === undefined || ((last >>> 16) & 1) !== queue.phase) break;
      taken.push({
        queueId: heads >>> 16,
        commandId: last & 0xffff,
        result: result ?? 0,
        status: last >>> 17,
        head: heads & 0xffff,
      });
      queue.head = (queue.head + 1) % queue.entries;
      if (queue.head === 0) queue.phase ^= 1;
    }
    if (taken.length > 0 && !isSilent) this.ringDoorbell(2 * queueId + 1, queue.head);
    return taken;
  }

  /** Sends one command and waits for its completion. */
  async send(queueId: number, fields: Fields): Promise<Completion> {
    const id = this.put(queueId, fields);
    this.ring(queueId);
    await settled();
    const found = this.take(queueId).find(({ commandId }) => commandId === id);
    if (found === undefined) throw new Error(`the command ${fields.opcode} was not completed`);
    return found;
  }

  /** An admin command that must succeed; its result. */
  async succeed(fields: Fields): Promise<number> {
    const { status, result } = await this.send(0, fields);
    if (status !== 0) throw new Error(`the admin command ${fields.opcode} failed: ${status.toString(16)}`);
    return result;
  }

  #addQueue(id: number, gpa: number, entries: number): void {
    this.ram.write(gpa, new Uint8Array(2 * QUEUE_BYTES));
    this.#queues.set(id, {
      submissionGpa: gpa,
      completionGpa: gpa + QUEUE_BYTES,
      entries,
      tail: 0,
      head: 0,
      phase: 1,
    });
  }

  #queue(id: number): Queue {
    const queue = this.#queues.get(id);
    if (queue === undefined) throw new Error(`there is no queue ${id}`);
    return queue;
  }
}

/** Lets everything happen that needs nothing but its turn. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < SETTLING_TURNS; turn++) await Promise.resolve();
}
