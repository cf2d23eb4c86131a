/**
 * The NVM command set (Base Specification 1.4, chapter 6) on the one namespace: read, write, flush, compare, write zeroes and,
 * where the disk can, dataset management. What the host cannot do becomes a media error, or the status that says what is
 * missing; only where trying again cannot help is the guest told not to retry.
 */

import { BYTES_NOW_MAX, PIECES_NOW_MAX, SECTOR_BYTES } from "../../block/index.ts";
import type { BlockError, BlockResult } from "../../block/index.ts";
import type { Answer, NvmeCommand, Outcome } from "./command.ts";
import { DONE, failed } from "./command.ts";
import { ALL_NAMESPACES, NAMESPACE, NVM, STATUS, TRANSFER_BYTES_MAX } from "./protocol.ts";
import { gather, scatter, viewsOf, walkPrps } from "./prp.ts";
import type { Segment } from "./prp.ts";
import type { NvmeSession } from "./session.ts";

const FORCE_UNIT_ACCESS = 1 << 30;
const DEALLOCATE = 1 << 2;
const RANGE_BYTES = 16;

/** Where on the disk, in bytes. */
interface DiskRange {
  readonly offset: number;
  readonly lengthBytes: number;
}

export class IoCommands {
  readonly #session: NvmeSession;

  constructor(session: NvmeSession) {
    this.#session = session;
  }

  execute(command: NvmeCommand): Answer {
    const { opcode, namespaceId } = command;
    if (command.isUnsupported) return failed(STATUS.invalidField);
    if (opcode === NVM.flush && namespaceId === ALL_NAMESPACES) return this.#flush();
    if (namespaceId !== NAMESPACE) return failed(STATUS.invalidNamespace);
    switch (opcode) {
      case NVM.flush:
        return this.#flush();
      case NVM.read:
        return this.#transfer(command, (range, segments) => this.#read(range, segments));
      case NVM.write:
        if (this.#disk.isReadOnly) return failed(STATUS.namespaceWriteProtected);
        return this.#transfer(command, (range, segments) => this.#write(command, range, segments));
      case NVM.compare:
        return this.#transfer(command, (range, segments) => this.#compare(range, segments));
      case NVM.writeZeroes:
        return this.#writeZeroes(command);
      case NVM.datasetManagement:
        return this.#disk.canDiscard ? this.#manageDataset(command) : failed(STATUS.invalidOpcode);
      default:
        return failed(STATUS.invalidOpcode);
    }
  }

  get #disk() {
    return this.#session.parts.disk;
  }

  /** Checks a command's blocks and finds its data before the host is asked. */
  #transfer(
    command: NvmeCommand,
    carryOut: (range: DiskRange, segments: readonly Segment[]) => Answer,
  ): Answer {
    const range = this.#rangeOf(command);
    if (range.lengthBytes > TRANSFER_BYTES_MAX) return failed(STATUS.invalidField);
    if (!this.#isOnDisk(range)) return failed(STATUS.lbaOutOfRange);
    const { dma, pageBytes } = this.#session.parts;
    const found = walkPrps(dma, command, range.lengthBytes, pageBytes);
    return "status" in found ? failed(found.status) : carryOut(range, found.segments);
  }

  #read(range: DiskRange, segments: readonly Segment[]): Answer {
    const { dma, log } = this.#session.parts;
    if (!mayBeNow(range, segments)) return this.#readLater(range, segments);
    const targets = viewsOf(dma, segments, "writable");
    if (targets === undefined) return failed(STATUS.dataTransferError);
    const result = this.#disk.readNow?.(range.offset, targets);
    if (result === undefined) return this.#readLater(range, segments);
    if (!result.ok) return failed(STATUS.unrecoveredRead);
    log.countRead(range.lengthBytes / SECTOR_BYTES);
    return DONE;
  }

  async #readLater({ offset, lengthBytes }: DiskRange, segments: readonly Segment[]): Promise<Outcome> {
    const { buffers, dma, log } = this.#session.parts;
    const buffer = buffers.tryLend(lengthBytes) ?? (await buffers.lend(lengthBytes));
    const result = await this.#disk.read(offset, buffer);
    const isWelcome = result.ok && !this.#session.isOver;
    const isDelivered = isWelcome && scatter(dma, segments, buffer);
    buffers.giveBack(buffer);
    if (!result.ok) return failed(STATUS.unrecoveredRead);
    log.countRead(lengthBytes / SECTOR_BYTES);
    return isDelivered ? DONE : failed(STATUS.dataTransferError);
  }

  #write(command: NvmeCommand, range: DiskRange, segments: readonly Segment[]): Answer {
    const { dma, log } = this.#session.parts;
    if (!mayBeNow(range, segments)) return this.#writeLater(command, range, segments);
    const sources = viewsOf(dma, segments, "readable");
    if (sources === undefined) return failed(STATUS.dataTransferError);
    const result = this.#disk.writeNow?.(range.offset, sources);
    if (result === undefined) return this.#writeLater(command, range, segments);
    if (!result.ok) return failed(writeStatus(result.error));
    log.countWrite(range.lengthBytes / SECTOR_BYTES);
    return this.#mustFlush(command) ? this.#flush() : DONE;
  }

  async #writeLater(
    command: NvmeCommand,
    { offset, lengthBytes }: DiskRange,
    segments: readonly Segment[],
  ): Promise<Outcome> {
    const { buffers, dma, log } = this.#session.parts;
    const buffer = buffers.tryLend(lengthBytes) ?? (await buffers.lend(lengthBytes));
    try {
      // A guest that has reset the controller meanwhile may use this memory for something else.
      if (this.#session.isOver) return failed(STATUS.abortRequested);
      if (!gather(dma, segments, buffer)) return failed(STATUS.dataTransferError);
      const result = await this.#disk.write(offset, buffer);
      if (!result.ok) return failed(writeStatus(result.error));
    } finally {
      buffers.giveBack(buffer);
    }
    log.countWrite(lengthBytes / SECTOR_BYTES);
    return await this.#settle(command);
  }

  async #compare({ offset, lengthBytes }: DiskRange, segments: readonly Segment[]): Promise<Outcome> {
    const { buffers, dma } = this.#session.parts;
    const ours = buffers.tryLend(lengthBytes) ?? (await buffers.lend(lengthBytes));
    try {
      const result = await this.#disk.read(offset, ours);
      if (!result.ok) return failed(STATUS.unrecoveredRead);
      const theirs = new Uint8Array(lengthBytes);
      if (!gather(dma, segments, theirs)) return failed(STATUS.dataTransferError);
      return ours.every((byte, at) => byte === theirs[at]) ? DONE : failed(STATUS.compareFailure);
    } finally {
      buffers.giveBack(ours);
    }
  }

  #writeZeroes(command: NvmeCommand): Answer {
    const range = this.#rangeOf(command);
    if (this.#disk.isReadOnly) return failed(STATUS.namespaceWriteProtected);
    if (!this.#isOnDisk(range)) return failed(STATUS.lbaOutOfRange);
    return this.#zero(command, range);
  }

  async #zero(command: NvmeCommand, { offset, lengthBytes }: DiskRange): Promise<Outcome> {
    const result = await this.#disk.discard(offset, lengthBytes);
    return result.ok ? await this.#settle(command) : failed(writeStatus(result.error));
  }

  /** Deallocates the ranges, one after the other; the other attributes are hints that mean nothing here. */
  #manageDataset(command: NvmeCommand): Answer {
    if ((command.dword(11) & DEALLOCATE) === 0) return DONE;
    if (this.#disk.isReadOnly) return failed(STATUS.namespaceWriteProtected);
    const { dma, pageBytes } = this.#session.parts;
    const list = new Uint8Array(((command.dword(10) & 0xff) + 1) * RANGE_BYTES);
    const found = walkPrps(dma, command, list.length, pageBytes);
    if ("status" in found) return failed(found.status);
    if (!gather(dma, found.segments, list)) return failed(STATUS.dataTransferError);
    const view = new DataView(list.buffer);
    const ranges = Array.from({ length: list.length / RANGE_BYTES }, (_, index) => {
      const at = index * RANGE_BYTES;
      const first = view.getUint32(at + 8, true) + 2 ** 32 * view.getUint32(at + 12, true);
      return { offset: first * SECTOR_BYTES, lengthBytes: view.getUint32(at + 4, true) * SECTOR_BYTES };
    });
    if (!ranges.every((range) => this.#isOnDisk(range))) return failed(STATUS.lbaOutOfRange);
    return this.#discardAll(ranges);
  }

  async #discardAll(ranges: readonly DiskRange[]): Promise<Outcome> {
    for (const { offset, lengthBytes } of ranges) {
      // Not into the life of the next session.
      if (this.#session.isOver) return failed(STATUS.abortRequested);
      if (lengthBytes === 0) continue;
      const result = await this.#disk.discard(offset, lengthBytes);
      if (!result.ok) return failed(writeStatus(result.error));
    }
    return DONE;
  }

  async #flush(): Promise<Outcome> {
    return flushOutcome(await this.#disk.flush());
  }

  /** What was written goes to stable storage if the command or the guest's setting of the cache wants it. */
  async #settle(command: NvmeCommand): Promise<Outcome> {
    return this.#mustFlush(command) ? await this.#flush() : DONE;
  }

  #mustFlush(command: NvmeCommand): boolean {
    const isForced = (command.dword(12) & FORCE_UNIT_ACCESS) !== 0;
    return isForced || !this.#session.features.isWriteCacheEnabled;
  }

  #rangeOf(command: NvmeCommand): DiskRange {
    return {
      offset: command.qword(10) * SECTOR_BYTES,
      lengthBytes: ((command.dword(12) & 0xffff) + 1) * SECTOR_BYTES,
    };
  }

  #isOnDisk({ offset, lengthBytes }: DiskRange): boolean {
    return offset + lengthBytes <= this.#disk.sizeBytes;
  }
}

/** Whether it is small enough for a disk that does it while the guest waits. */
function mayBeNow({ lengthBytes }: DiskRange, segments: readonly Segment[]): boolean {
  return lengthBytes <= BYTES_NOW_MAX && segments.length <= PIECES_NOW_MAX;
}

function flushOutcome(result: BlockResult): Outcome {
  return result.ok ? DONE : failed(STATUS.internalError);
}

function writeStatus({ code }: BlockError): number {
  switch (code) {
    case "disk-io":
      return STATUS.writeFault;
    case "disk-full":
      return STATUS.capacityExceeded;
    case "disk-read-only":
      return STATUS.namespaceWriteProtected;
  }
}
