/**
 * An NVMe controller with one namespace of 512-byte blocks (NVM Express Base Specification 1.4): registers, doorbells and
 * interrupts, by MSI-X, MSI or the pin. What happens between an enabling and a reset is the session's part; a new one begins only
 * when the host does nothing for the old one any more, which CSTS.RDY tells.
 *
 * Missing on purpose: controller memory buffers, subsystem reset, boot partitions, doorbell strides and shadow doorbells,
 * SGLs, metadata and end-to-end protection, several namespaces, multi-path, sanitize, firmware update.
 */

import type { BlockDevice, TransferBuffers } from "../../block/index.ts";
import {
  BusMasterDma,
  defineRegisters,
  MSIX_BAR_BYTES,
  Msi,
  MsiX,
  PCI_PIN,
  PciConfigSpace,
  RegisterFile,
  reservedBytes,
  StateReader,
} from "../../hw/index.ts";
import type {
  AccessSize,
  DeviceState,
  Dma,
  IrqLine,
  MmioHandler,
  PciBuses,
  PciFunction,
  RegisterHooks,
  SendMessage,
} from "../../hw/index.ts";
import { NVME_IDENTITY, NVME_VERSION } from "./identify.ts";
import { NvmeLog } from "./log-pages.ts";
import {
  ADMIN_QUEUE,
  CC,
  COMPLETION_SHIFT,
  CSTS,
  IO_QUEUES_MAX,
  PAGE_SHIFT_MAX,
  QUEUE_ENTRIES_MAX,
  SUBMISSION_SHIFT,
} from "./protocol.ts";
import { CompletionQueue, SubmissionQueue } from "./queues.ts";
import { NvmeSession } from "./session.ts";

const REGISTERS_BYTES = 0x40;
const DOORBELLS_OFFSET = 0x1000;
/** A page of registers and one of doorbells. */
const BAR_BYTES = 0x2000;
const MSIX_BAR = 4;
/** One for each completion queue. */
const VECTORS = 1 + IO_QUEUES_MAX;
/** Mass storage, non-volatile memory, NVM Express I/O controller. */
const PCI_CLASS = { baseClass: 0x01, subClass: 0x08, progIf: 0x02 } as const;

/** CAP: physically contiguous queues are required; resets take 10 s at most (in units of 500 ms). */
const CAP_LOW = (QUEUE_ENTRIES_MAX - 1) | (1 << 16) | (20 << 24);
/** The NVM command set; pages from 4 KiB on. */
const CAP_HIGH = (1 << 5) | (PAGE_SHIFT_MAX << 20);
const CC_WRITABLE = 0x00ff_fff1;
const MIN_PAGE_BYTES = 4096;

const NVME_REGISTERS = defineRegisters({
  capLow: { at: 0x00, size: 4, reset: CAP_LOW, writable: 0 },
  capHigh: { at: 0x04, size: 4, reset: CAP_HIGH, writable: 0 },
  version: { at: 0x08, size: 4, reset: NVME_VERSION, writable: 0 },
  interruptMaskSet: { at: 0x0c, size: 4, read: "readInterruptMask", write: "setInterruptMask" },
  interruptMaskClear: { at: 0x10, size: 4, read: "readInterruptMask", write: "clearInterruptMask" },
  configuration: { at: 0x14, size: 4, reset: 0, writable: CC_WRITABLE, write: "configurationWritten" },
  status: { at: 0x1c, size: 4, reset: 0, writable: 0 },
  adminQueueAttributes: { at: 0x24, size: 4, reset: 0, writable: 0x0fff_0fff },
  adminSubmissionLow: { at: 0x28, size: 4, reset: 0, writable: 0xffff_f000 },
  adminSubmissionHigh: { at: 0x2c, size: 4, reset: 0 },
  adminCompletionLow: { at: 0x30, size: 4, reset: 0, writable: 0xffff_f000 },
  adminCompletionHigh: { at: 0x34, size: 4, reset: 0 },
});
const REGISTERS = { ...NVME_REGISTERS, ...reservedBytes(NVME_REGISTERS, 0, REGISTERS_BYTES) };

export interface NvmeControllerParts {
  /** Unique on its board. */
  readonly name: string;
  readonly disk: BlockDevice;
  readonly serialNumber: string;
  readonly dma: Dma;
  readonly buses: PciBuses;
  readonly buffers: TransferBuffers;
  readonly sendMessage: SendMessage;
  /** What INTA# is connected to. */
  readonly pin: IrqLine;
}

export class NvmeController implements PciFunction, MmioHandler, RegisterHooks<typeof REGISTERS> {
  readonly name: string;
  readonly #parts: NvmeControllerParts;
  readonly #config: PciConfigSpace;
  readonly #registers = new RegisterFile(REGISTERS, this);
  readonly #msix: MsiX;
  readonly #msi: Msi;
  readonly #pin: IrqLine;
  readonly #dma: Dma;
  readonly #log = new NvmeLog();
  #interruptMask = 0;
  #session: NvmeSession | undefined;

  constructor(parts: NvmeControllerParts) {
    this.name = parts.name;
    this.#parts = parts;
    this.#msix = new MsiX(VECTORS, MSIX_BAR, (address, data) => {
      if (this.#config.isBusMaster) parts.sendMessage(address, data);
    });
    this.#msi = new Msi((address, data) => {
      if (this.#config.isBusMaster) parts.sendMessage(address, data);
    });
    this.#config = new PciConfigSpace({
      name: parts.name,
      identity: { ...NVME_IDENTITY, ...PCI_CLASS, interruptPin: PCI_PIN.inta },
      buses: parts.buses,
      bars: [
        { kind: "memory", sizeBytes: BAR_BYTES, handler: this },
        undefined,
        undefined,
        undefined,
        { kind: "memory", sizeBytes: MSIX_BAR_BYTES, handler: this.#msix },
      ],
      capabilities: [this.#msix.capability, this.#msi.capability],
    });
    this.#pin = this.#config.connectPin(parts.pin);
    this.#dma = new BusMasterDma(parts.dma, this.#config);
  }

  reset(): void {
    this.#session?.end();
    this.#session = undefined;
    this.#registers.reset();
    this.#interruptMask = 0;
    this.#config.reset();
    this.#pin.set(false);
  }

  save(): DeviceState {
    const session = this.#session;
    return {
      config: this.#config.save(),
      registers: this.#registers.save(),
      interruptMask: this.#interruptMask,
      log: this.#log.save(),
      session: session === undefined || session.isOver ? null : session.save(),
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.reset();
    this.#config.restore(reader.object("config"));
    this.#registers.restore(reader.object("registers"), `${this.name}.registers`);
    this.#interruptMask = reader.u32("interruptMask");
    this.#log.restore(reader.child("log"));
    if (!reader.isNull("session")) {
      this.#session = NvmeSession.restored(this.#sessionParts(), reader.child("session"));
      if (this.#isShuttingDown) void this.#shutDown(this.#session);
    } else if ((this.#registers.values.status & CSTS.fatal) === 0) this.#stopped();
    this.#drivePin();
  }

  // Configuration space.

  readConfig(offset: number, size: AccessSize): number {
    return this.#config.read(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    const wasEnabled = this.#msi.isEnabled;
    this.#config.write(offset, size, value);
    // Messages take the place of the pin, and give it back.
    this.#drivePin();
    if (!wasEnabled && this.#hasNews) this.#sendMessage();
  }

  // Registers and doorbells.

  readMmio(offset: number, size: AccessSize): number {
    return offset < REGISTERS_BYTES ? this.#registers.read(offset, size) : 0;
  }

  writeMmio(offset: number, size: AccessSize, value: number): void {
    if (offset < REGISTERS_BYTES) this.#registers.write(offset, size, value);
    else if (offset >= DOORBELLS_OFFSET && size === 4)
      this.#ringDoorbell((offset - DOORBELLS_OFFSET) / 4, value);
  }

  readReserved(): number {
    return 0;
  }

  readInterruptMask(): number {
    return this.#interruptMask;
  }

  setInterruptMask(written: number): void {
    this.#interruptMask = (this.#interruptMask | written) >>> 0;
    this.#drivePin();
  }

  clearInterruptMask(written: number): void {
    const wasMasked = this.#isMasked;
    this.#interruptMask = (this.#interruptMask & ~written) >>> 0;
    this.#drivePin();
    if (wasMasked && !this.#isMasked && this.#hasNews) this.#sendMessage();
  }

  configurationWritten(_written: number, before: number): void {
    const { configuration } = this.#registers.values;
    const wasEnabled = (before & CC.enable) !== 0;
    const isEnabled = (configuration & CC.enable) !== 0;
    if (isEnabled && !wasEnabled && this.#session === undefined) this.#start();
    if (!isEnabled && wasEnabled) void this.#stop();
    const hasNotice = shutdownNotice(configuration) !== 0 && shutdownNotice(before) === 0;
    if (hasNotice && isEnabled) this.#beginShutdown();
  }

  // Life of a session.

  /** Enables the controller as its registers say, or tells that they make no sense. */
  #start(): void {
    const { values } = this.#registers;
    values.status = 0;
    if (!this.#isConfigurationValid()) {
      values.status = CSTS.fatal;
      return;
    }
    const session = new NvmeSession(this.#sessionParts());
    const sizes = values.adminQueueAttributes;
    const completion = {
      id: ADMIN_QUEUE,
      gpa: values.adminCompletionLow + 2 ** 32 * values.adminCompletionHigh,
      entries: (sizes >>> 16) + 1,
    };
    const submission = {
      id: ADMIN_QUEUE,
      gpa: values.adminSubmissionLow + 2 ** 32 * values.adminSubmissionHigh,
      entries: (sizes & 0xfff) + 1,
    };
    session.completionQueues[ADMIN_QUEUE] = new CompletionQueue(completion, { isEnabled: true, vector: 0 });
    session.submissionQueues[ADMIN_QUEUE] = new SubmissionQueue(submission, ADMIN_QUEUE);
    this.#session = session;
    values.status = CSTS.ready;
  }

  /** 3.1.5: the command set, the page size and the arbitration are those that CAP offers; 3.1.8: queues have two entries. */
  #isConfigurationValid(): boolean {
    const { configuration, adminQueueAttributes } = this.#registers.values;
    const hasQueues = (adminQueueAttributes & 0xfff) > 0 && adminQueueAttributes >>> 16 > 0;
    const isOffered = (configuration & 0x3870) === 0 && pageShift(configuration) <= PAGE_SHIFT_MAX;
    return hasQueues && isOffered;
  }

  /** A controller reset (7.3.2): over when the host does nothing for the session any more. */
  async #stop(): Promise<void> {
    const session = this.#session;
    session?.end();
    this.#interruptMask = 0;
    this.#drivePin();
    if (session?.isIdle === false) await session.idle();
    // A reset of the machine may have come in between.
    if (this.#session === session) this.#stopped();
  }

  #stopped(): void {
    this.#session = undefined;
    this.#registers.values.status = 0;
    // The guest did not wait.
    if ((this.#registers.values.configuration & CC.enable) !== 0) this.#start();
  }

  get #isShuttingDown(): boolean {
    return (this.#registers.values.status & CSTS.shutdownMask) === CSTS.shuttingDown;
  }

  #beginShutdown(): void {
    const { values } = this.#registers;
    values.status = (values.status & ~CSTS.shutdownMask) | CSTS.shuttingDown;
    void this.#shutDown(this.#session);
  }

  /** A shutdown notification (7.6.2): what was written is on stable storage when it is over. */
  async #shutDown(session: NvmeSession | undefined): Promise<void> {
    await session?.idle();
    await this.#parts.disk.flush();
    if (this.#session !== session || !this.#isShuttingDown) return;
    const { values } = this.#registers;
    values.status = (values.status & ~CSTS.shutdownMask) | CSTS.shutDown;
  }

  #sessionParts() {
    const { disk, serialNumber, buffers } = this.#parts;
    return {
      dma: this.#dma,
      disk,
      serialNumber,
      buffers,
      log: this.#log,
      pageBytes: MIN_PAGE_BYTES << pageShift(this.#registers.values.configuration),
      areEntrySizesRight: () => {
        const sizes = (this.#registers.values.configuration >>> 16) & 0xff;
        return sizes === (SUBMISSION_SHIFT | (COMPLETION_SHIFT << 4));
      },
      vectors: () => (this.#msix.isEnabled ? VECTORS : 1),
      completed: ({ isEnabled, vector }: { readonly isEnabled: boolean; readonly vector: number }) => {
        if (!isEnabled) return;
        this.#msix.notify(vector);
        this.#sendMessage();
      },
      newsChanged: () => this.#drivePin(),
      fatal: () => {
        this.#registers.values.status |= CSTS.fatal;
        this.#drivePin();
      },
    };
  }

  #ringDoorbell(index: number, value: number): void {
    const session = this.#session;
    if (session === undefined || session.isOver || !Number.isInteger(index)) return;
    if (index % 2 === 0) session.ringSubmission(index / 2, value & 0xffff);
    else session.ringCompletion((index - 1) / 2, value & 0xffff);
  }

  // Without MSI-X all queues interrupt by vector 0, which is the pin, or the one message of MSI.

  get #isMasked(): boolean {
    return (this.#interruptMask & 1) !== 0;
  }

  /** Completions that the guest has not seen. */
  get #hasNews(): boolean {
    const session = this.#session;
    return session !== undefined && !session.isOver && session.hasNewsFor(0);
  }

  #drivePin(): void {
    const isPinUsed = !this.#msix.isEnabled && !this.#msi.isEnabled;
    this.#pin.set(isPinUsed && this.#hasNews && !this.#isMasked);
  }

  #sendMessage(): void {
    if (!this.#msix.isEnabled && !this.#isMasked) this.#msi.notify();
  }
}

/** CC.SHN. */
function shutdownNotice(configuration: number): number {
  return (configuration >>> CC.shutdownShift) & 3;
}

/** CC.MPS. */
function pageShift(configuration: number): number {
  return (configuration >>> 7) & 0xf;
}
