/**
 * The block device: a disk whose requests lie in virtqueues (Virtual I/O Device 1.2, section 5.2). What the disk does at
 * once is done when the driver's notification returns; other requests are worked on side by side, as many as REQUESTS_UNDER_WAY_MAX, each in pieces of PIECE_BYTES, so that what a guest asks for at
 * one time bounds what the host needs for it. Without a negotiated flush each write is on stable storage before it is
 * reported, as such drivers expect.
 *
 * Missing on purpose: lifetime, secure erase, zones, and SCSI commands and barriers of the legacy interface.
 */

import { MiB } from "../../../base/index.ts";
import { BYTES_NOW_MAX, SECTOR_BYTES } from "../../../block/index.ts";
import type { BlockDevice, TransferBuffers } from "../../../block/index.ts";
import { RegisterFile } from "../../../hw/index.ts";
import type { DeviceState, RegisterHooks } from "../../../hw/index.ts";
import type { DescriptorChain, Virtqueue } from "../queue/index.ts";
import type { VirtioDevice, VirtioHost, VirtioType } from "../virtio-device.ts";
import {
  BLOCK_CONFIG_BYTES,
  BLOCK_FEATURE,
  BLOCK_QUEUE_SIZE,
  blockRegisters,
  CLEARED_SECTORS_MAX,
  CLEARED_SEGMENTS_MAX,
  PIECE_BYTES,
} from "./block-config.ts";
import type { BlockRegisters } from "./block-config.ts";
import { FLAG_UNMAP, readRequest, readSegments, REQUEST_HEADER_BYTES } from "./block-request.ts";
import { REQUEST_STATUS, REQUEST_TYPE } from "./block-request.ts";
import type { BlockRequest } from "./block-request.ts";

/** Requests that the disk is asked for at one time; the others wait in their queues. */
export const REQUESTS_UNDER_WAY_MAX = 64;
/** Bytes of one identification, padded with zeros (section 5.2.6.1). */
const ID_BYTES = 20;
const ZEROS = new Uint8Array(1 * MiB);

export interface VirtioBlkConfig {
  readonly disk: BlockDevice;
  /** Lends the memory for what is on its way between disk and guest; PIECE_BYTES must fit. */
  readonly buffers: TransferBuffers;
  /** What the guest is told as the disk's identification: up to 20 characters of ASCII. */
  readonly serial: string;
  /** 1 unless said otherwise. */
  readonly queues?: number;
}

/** A request under way. */
interface Work {
  readonly queue: Virtqueue;
  readonly index: number;
  readonly chain: DescriptorChain;
  readonly request: BlockRequest;
  /** Bytes of data that the driver has got. */
  writtenBytes: number;
}

export class VirtioBlk implements VirtioDevice, RegisterHooks<BlockRegisters> {
  readonly type: VirtioType = { id: 2, transitionalPciId: 0x1001, baseClass: 0x01, subClass: 0x00 };
  readonly features: readonly number[];
  readonly queueSizes: readonly number[];
  readonly config: RegisterFile<BlockRegisters>;
  readonly configBytes = BLOCK_CONFIG_BYTES;
  readonly #disk: BlockDevice;
  readonly #buffers: TransferBuffers;
  readonly #id: Uint8Array;
  /** Also those whose queue the driver has reset: they cannot be called back. */
  readonly #underWay = new Set<Work>();
  #host: VirtioHost | undefined;

  constructor({ disk, buffers, serial, queues = 1 }: VirtioBlkConfig) {
    this.#disk = disk;
    this.#buffers = buffers;
    this.#id = new Uint8Array(ID_BYTES);
    new TextEncoder().encodeInto(serial, this.#id);
    this.queueSizes = Array.from({ length: queues }, () => BLOCK_QUEUE_SIZE);
    const { sizeMax, segMax, geometry, blockSize, topology, flush } = BLOCK_FEATURE;
    const { multiQueue, readOnly, configWriteback, discard, writeZeroes } = BLOCK_FEATURE;
    this.features = [
      ...[sizeMax, segMax, geometry, blockSize, topology, flush],
      ...(queues > 1 ? [multiQueue] : []),
      ...(disk.isReadOnly ? [readOnly] : [configWriteback, writeZeroes]),
      ...(disk.canDiscard && !disk.isReadOnly ? [discard] : []),
    ];
    this.config = new RegisterFile(blockRegisters(this.#capacitySectors, queues, disk.canDiscard), this);
  }

  attach(host: VirtioHost): void {
    this.#host = host;
  }

  /** A driver that could toggle the cache but not flush it must find it off (section 5.2.5.2). */
  featuresAgreed(): void {
    if (this.#has("configWriteback") && !this.#has("flush")) this.config.values.writeback = 0;
  }

  notified(): void {
    this.#begin();
  }

  reset(): void {
    // The queues are gone with what was in them; work that is under way ends by itself and is not reported.
  }

  save(): DeviceState {
    return {};
  }

  /** What was under way in the saved device is outstanding in its queues and done from the start. */
  restore(_state: DeviceState, queues: readonly (Virtqueue | undefined)[]): void {
    queues.forEach((queue, index) => {
      for (const chain of queue?.outstanding ?? []) if (queue !== undefined) this.#take(queue, index, chain);
    });
  }

  readReserved(): number {
    return 0;
  }

  // Workings.

  get #capacitySectors(): number {
    return this.#disk.sizeBytes / SECTOR_BYTES;
  }

  #has(feature: keyof typeof BLOCK_FEATURE): boolean {
    return this.#host?.hasFeature(BLOCK_FEATURE[feature]) === true;
  }

  get #isWriteback(): boolean {
    return this.#has("configWriteback") ? this.config.values.writeback !== 0 : this.#has("flush");
  }

  /** Takes up waiting requests. */
  #begin(): void {
    // An old write must not come after a new one of the same sectors: first the old ones have to end.
    for (const { queue } of this.#underWay) if (queue.isRetired) return;
    for (let index = 0; index < this.queueSizes.length; index++) {
      const queue = this.#host?.queue(index);
      if (queue !== undefined) this.#beginIn(queue, index);
    }
  }

  #beginIn(queue: Virtqueue, index: number): void {
    let mayNotify = false;
    while (this.#underWay.size < REQUESTS_UNDER_WAY_MAX) {
      const chain = queue.pop();
      if (chain !== undefined) {
        mayNotify = false;
        this.#take(queue, index, chain);
        continue;
      }
      // What came before the driver saw that it should notify again is looked for once more.
      if (mayNotify) return;
      queue.setNotifications(true);
      mayNotify = true;
    }
    // Requests that end look for others.
    queue.setNotifications(false);
  }

  #take(queue: Virtqueue, index: number, chain: DescriptorChain): void {
    const request = readRequest(queue.dma, chain);
    if (request === undefined) {
      queue.break("request");
      return;
    }
    const work: Work = { queue, index, chain, request, writtenBytes: 0 };
    const status = this.#serveNow(work);
    if (status !== undefined) {
      this.#report(work, status);
      return;
    }
    this.#underWay.add(work);
    // What rejects here is our own bug, for whoever looks after those of the whole VM.
    void this.#serve(work).then((status) => this.#finish(work, status));
  }

  #finish(work: Work, status: number): void {
    this.#underWay.delete(work);
    if (!work.queue.isRetired) this.#report(work, status);
    this.#begin();
  }

  #report({ queue, index, chain, request, writtenBytes }: Work, status: number): void {
    chain.writable.write(queue.dma, request.inBytes, Uint8Array.of(status));
    // The status is behind the data: it is part of the run that was written only if all of that was.
    queue.push(chain, writtenBytes + (writtenBytes === request.inBytes ? 1 : 0));
    this.#host?.interrupt(index);
  }

  /** The status of a request that the disk does at once, straight from or to the guest's memory. */
  #serveNow(work: Work): number | undefined {
    const { queue, chain, request } = work;
    const { type, sector, inBytes, outBytes } = request;
    if (type === REQUEST_TYPE.in) {
      if (inBytes > BYTES_NOW_MAX || !this.#isOnDisk(sector, inBytes)) return undefined;
      const targets = chain.writable.views(queue.dma, "writable", 0, inBytes);
      const result = targets && this.#disk.readNow?.(sector * SECTOR_BYTES, targets);
      if (result === undefined) return undefined;
      work.writtenBytes = result.ok ? inBytes : 0;
      return result.ok ? REQUEST_STATUS.ok : REQUEST_STATUS.ioError;
    }
    if (type === REQUEST_TYPE.out && this.#isWriteback) {
      if (outBytes > BYTES_NOW_MAX || !this.#isOnDisk(sector, outBytes)) return undefined;
      const sources = chain.readable.views(queue.dma, "readable", REQUEST_HEADER_BYTES, outBytes);
      const result = sources && this.#disk.writeNow?.(sector * SECTOR_BYTES, sources);
      if (result === undefined) return undefined;
      return result.ok ? REQUEST_STATUS.ok : REQUEST_STATUS.ioError;
    }
    return undefined;
  }

  #serve(work: Work): Promise<number> {
    switch (work.request.type) {
      case REQUEST_TYPE.in:
        return this.#read(work);
      case REQUEST_TYPE.out:
        return this.#write(work);
      case REQUEST_TYPE.flush:
      case REQUEST_TYPE.flushOut:
        return this.#flush();
      case REQUEST_TYPE.getId:
        return this.#identify(work);
      case REQUEST_TYPE.discard:
      case REQUEST_TYPE.writeZeroes:
        return this.#clear(work);
      default:
        return Promise.resolve(REQUEST_STATUS.unsupported);
    }
  }

  /** Whether the range is on the disk and of whole sectors. */
  #isOnDisk(sector: number, lengthBytes: number): boolean {
    return lengthBytes % SECTOR_BYTES === 0 && sector + lengthBytes / SECTOR_BYTES <= this.#capacitySectors;
  }

  async #read(work: Work): Promise<number> {
    const { sector, inBytes } = work.request;
    if (!this.#isOnDisk(sector, inBytes)) return REQUEST_STATUS.ioError;
    for (let done = 0; done < inBytes; done += PIECE_BYTES) {
      const piece = await this.#buffers.lend(Math.min(PIECE_BYTES, inBytes - done));
      const read = await this.#disk.read(sector * SECTOR_BYTES + done, piece);
      const isWanted = read.ok && !work.queue.isRetired;
      if (isWanted) work.writtenBytes += work.chain.writable.write(work.queue.dma, done, piece);
      this.#buffers.giveBack(piece);
      if (!isWanted) return REQUEST_STATUS.ioError;
    }
    return REQUEST_STATUS.ok;
  }

  async #write(work: Work): Promise<number> {
    const { sector, outBytes } = work.request;
    if (this.#disk.isReadOnly || !this.#isOnDisk(sector, outBytes)) return REQUEST_STATUS.ioError;
    for (let done = 0; done < outBytes; done += PIECE_BYTES) {
      const piece = await this.#buffers.lend(Math.min(PIECE_BYTES, outBytes - done));
      // The guest may give the memory other contents after a reset.
      const isWanted = !work.queue.isRetired;
      if (isWanted) work.chain.readable.read(work.queue.dma, REQUEST_HEADER_BYTES + done, piece);
      const isWritten = isWanted && (await this.#disk.write(sector * SECTOR_BYTES + done, piece)).ok;
      this.#buffers.giveBack(piece);
      if (!isWritten) return REQUEST_STATUS.ioError;
    }
    return this.#settle();
  }

  /** Of a change: with a cache that is on it may still be there. */
  #settle(): Promise<number> {
    return this.#isWriteback ? Promise.resolve(REQUEST_STATUS.ok) : this.#flush();
  }

  async #flush(): Promise<number> {
    const flushed = await this.#disk.flush();
    return flushed.ok ? REQUEST_STATUS.ok : REQUEST_STATUS.ioError;
  }

  #identify(work: Work): Promise<number> {
    const id = this.#id.subarray(0, Math.min(ID_BYTES, work.request.inBytes));
    work.writtenBytes += work.chain.writable.write(work.queue.dma, 0, id);
    return Promise.resolve(REQUEST_STATUS.ok);
  }

  /** Every segment is looked at before anything is changed. */
  async #clear(work: Work): Promise<number> {
    const { queue, chain, request } = work;
    const isDiscard = request.type === REQUEST_TYPE.discard;
    if (!this.#has(isDiscard ? "discard" : "writeZeroes")) return REQUEST_STATUS.unsupported;
    const segments = readSegments(queue.dma, chain, CLEARED_SEGMENTS_MAX);
    if (segments === undefined) return REQUEST_STATUS.ioError;
    const flags = isDiscard ? 0 : FLAG_UNMAP;
    if (segments.some((segment) => (segment.flags & ~flags) !== 0)) return REQUEST_STATUS.unsupported;
    const isInRange = segments.every(
      ({ sector, sectors }) => sectors <= CLEARED_SECTORS_MAX && sector + sectors <= this.#capacitySectors,
    );
    if (!isInRange) return REQUEST_STATUS.ioError;
    for (const { sector, sectors, flags: segmentFlags } of segments) {
      const mayUnmap = isDiscard || (this.#disk.canDiscard && (segmentFlags & FLAG_UNMAP) !== 0);
      const offset = sector * SECTOR_BYTES;
      const lengthBytes = sectors * SECTOR_BYTES;
      const isCleared = mayUnmap
        ? (await this.#disk.discard(offset, lengthBytes)).ok
        : await this.#writeZeros(queue, offset, lengthBytes);
      if (!isCleared) return REQUEST_STATUS.ioError;
    }
    return this.#settle();
  }

  async #writeZeros(queue: Virtqueue, offset: number, lengthBytes: number): Promise<boolean> {
    for (let done = 0; done < lengthBytes; done += ZEROS.length) {
      const piece = ZEROS.subarray(0, Math.min(ZEROS.length, lengthBytes - done));
      const written = await this.#disk.write(offset + done, piece);
      if (!written.ok || queue.isRetired) return false;
    }
    return true;
  }
}
