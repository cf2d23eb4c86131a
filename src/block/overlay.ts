/**
 * A disk in front of another one that is only read: what is written stays in memory, up to a limit, and is gone with the
 * VM. Kept by clusters, each of which knows which of its sectors were written, so that a write never has to read.
 */

import { assert, GiB, KiB, MiB } from "../base/index.ts";
import { BLOCK_OK, SECTOR_BYTES } from "./block-device.ts";
import type { BlockDevice, BlockResult } from "./block-device.ts";

/** What may be written to one disk; beyond it writes fail as on a host without room. */
export const OVERLAY_MAX_BYTES = 1 * GiB;

const CLUSTER_BYTES = 4 * KiB;
const SECTORS_PER_CLUSTER = CLUSTER_BYTES / SECTOR_BYTES;
const ALL_SECTORS = (1 << SECTORS_PER_CLUSTER) - 1;
/** Clusters in a slab, the piece in which memory is taken. */
const SLAB_CLUSTERS = MiB / CLUSTER_BYTES;
/** Clusters in a table, the piece in which places are looked up. */
const TABLE_CLUSTERS = 4096;
/** In a table: the cluster is the base's, or all zeros without memory of its own; others are a slot plus one. */
const IN_BASE = 0;
const ZEROS = -1;

export class OverlayDisk implements BlockDevice {
  readonly isReadOnly = false;
  readonly canDiscard = true;
  readonly #base: BlockDevice;
  readonly #maxClusters: number;
  /** By cluster number over {@link TABLE_CLUSTERS}; "zeros" is a table full of {@link ZEROS}. */
  readonly #tables = new Map<number, Int32Array<ArrayBuffer> | "zeros">();
  readonly #slabs: Uint8Array<ArrayBuffer>[] = [];
  /** A bit for each written sector, by slot. */
  readonly #written: number[] = [];
  readonly #freeSlots: number[] = [];

  constructor(base: BlockDevice, maxBytes = OVERLAY_MAX_BYTES) {
    this.#base = base;
    this.#maxClusters = Math.floor(maxBytes / CLUSTER_BYTES);
  }

  get sizeBytes(): number {
    return this.#base.sizeBytes;
  }

  /** Memory that holds what was written. */
  get occupiedBytes(): number {
    return this.#slabs.length * SLAB_CLUSTERS * CLUSTER_BYTES;
  }

  /** Runs of sectors that only the base has are read from it in one request each, all at once. */
  async read(offset: number, target: Uint8Array): Promise<BlockResult> {
    this.#assertRange(offset, target.length);
    const requests: Promise<BlockResult>[] = [];
    let runStart = 0;
    const endRun = (at: number): void => {
      if (at > runStart) requests.push(this.#base.read(offset + runStart, target.subarray(runStart, at)));
    };
    for (let at = 0; at < target.length; at += SECTOR_BYTES) {
      const source = this.#sector(offset + at);
      if (source === IN_BASE) continue;
      endRun(at);
      runStart = at + SECTOR_BYTES;
      const sector = target.subarray(at, runStart);
      if (source === ZEROS) sector.fill(0);
      else sector.set(source);
    }
    endRun(target.length);
    for (const result of await Promise.all(requests)) if (!result.ok) return result;
    return BLOCK_OK;
  }

  write(offset: number, source: Uint8Array): Promise<BlockResult> {
    this.#assertRange(offset, source.length);
    for (let at = 0; at < source.length;) {
      const inside = (offset + at) % CLUSTER_BYTES;
      const lengthBytes = Math.min(source.length - at, CLUSTER_BYTES - inside);
      const slot = this.#slotToWrite(Math.floor((offset + at) / CLUSTER_BYTES));
      if (slot === undefined) return Promise.resolve(this.#full());
      this.#bytesOf(slot).set(source.subarray(at, at + lengthBytes), inside);
      this.#written[slot] = (this.#written[slot] ?? 0) | sectorBits(inside, lengthBytes);
      at += lengthBytes;
    }
    return Promise.resolve(BLOCK_OK);
  }

  flush(): Promise<BlockResult> {
    return Promise.resolve(BLOCK_OK);
  }

  discard(offset: number, lengthBytes: number): Promise<BlockResult> {
    this.#assertRange(offset, lengthBytes);
    const end = offset + lengthBytes;
    for (let at = offset; at < end;) {
      const inside = at % CLUSTER_BYTES;
      const cluster = Math.floor(at / CLUSTER_BYTES);
      const tableBytes = TABLE_CLUSTERS * CLUSTER_BYTES;
      if (at % tableBytes === 0 && end - at >= tableBytes) {
        this.#zeroTable(cluster / TABLE_CLUSTERS);
        at += tableBytes;
        continue;
      }
      const pieceBytes = Math.min(end - at, CLUSTER_BYTES - inside);
      if (pieceBytes === CLUSTER_BYTES) this.#zeroCluster(cluster);
      else if (!this.#zeroSectors(cluster, inside, pieceBytes)) return Promise.resolve(this.#full());
      at += pieceBytes;
    }
    return Promise.resolve(BLOCK_OK);
  }

  close(): Promise<void> {
    return this.#base.close();
  }

  // Workings.

  /** The bytes of the sector at `offset`, or where else it is. */
  #sector(offset: number): Uint8Array | typeof IN_BASE | typeof ZEROS {
    const place = this.#place(Math.floor(offset / CLUSTER_BYTES));
    if (place === IN_BASE || place === ZEROS) return place;
    const slot = place - 1;
    const inside = offset % CLUSTER_BYTES;
    if (((this.#written[slot] ?? 0) & (1 << (inside / SECTOR_BYTES))) === 0) return IN_BASE;
    return this.#bytesOf(slot).subarray(inside, inside + SECTOR_BYTES);
  }

  #place(cluster: number): number {
    const table = this.#tables.get(Math.floor(cluster / TABLE_CLUSTERS));
    if (table === "zeros") return ZEROS;
    return table?.[cluster % TABLE_CLUSTERS] ?? IN_BASE;
  }

  #setPlace(cluster: number, place: number): void {
    const index = Math.floor(cluster / TABLE_CLUSTERS);
    let table = this.#tables.get(index);
    if (table === undefined || table === "zeros") {
      table = new Int32Array(TABLE_CLUSTERS).fill(table === "zeros" ? ZEROS : IN_BASE);
      this.#tables.set(index, table);
    }
    table[cluster % TABLE_CLUSTERS] = place;
  }

  /** The cluster's slot, a new one if it has none; undefined when the limit is reached. */
  #slotToWrite(cluster: number): number | undefined {
    const place = this.#place(cluster);
    if (place > 0) return place - 1;
    const slot = this.#freeSlots.pop() ?? this.#written.length;
    if (slot >= this.#maxClusters) return undefined;
    if (slot >= this.#slabs.length * SLAB_CLUSTERS)
      this.#slabs.push(new Uint8Array(SLAB_CLUSTERS * CLUSTER_BYTES));
    this.#written[slot] = place === ZEROS ? ALL_SECTORS : 0;
    if (place === ZEROS) this.#bytesOf(slot).fill(0);
    this.#setPlace(cluster, slot + 1);
    return slot;
  }

  #zeroSectors(cluster: number, inside: number, lengthBytes: number): boolean {
    if (this.#place(cluster) === ZEROS) return true;
    const slot = this.#slotToWrite(cluster);
    if (slot === undefined) return false;
    this.#bytesOf(slot).fill(0, inside, inside + lengthBytes);
    this.#written[slot] = (this.#written[slot] ?? 0) | sectorBits(inside, lengthBytes);
    return true;
  }

  #zeroCluster(cluster: number): void {
    const place = this.#place(cluster);
    if (place === ZEROS) return;
    if (place > 0) this.#freeSlots.push(place - 1);
    this.#setPlace(cluster, ZEROS);
  }

  #zeroTable(index: number): void {
    const table = this.#tables.get(index);
    if (table === "zeros") return;
    for (const place of table ?? []) if (place > 0) this.#freeSlots.push(place - 1);
    this.#tables.set(index, "zeros");
  }

  #bytesOf(slot: number): Uint8Array<ArrayBuffer> {
    const slab = this.#slabs[Math.floor(slot / SLAB_CLUSTERS)];
    assert(slab !== undefined, "every slot lies in a slab");
    const at = (slot % SLAB_CLUSTERS) * CLUSTER_BYTES;
    return slab.subarray(at, at + CLUSTER_BYTES);
  }

  #full(): BlockResult {
    const limitMiB = (this.#maxClusters * CLUSTER_BYTES) / MiB;
    return {
      ok: false,
      error: { code: "disk-full", message: `A temporary disk keeps at most ${limitMiB} MiB of changes.` },
    };
  }

  #assertRange(offset: number, lengthBytes: number): void {
    const isWhole = offset >= 0 && offset % SECTOR_BYTES === 0 && lengthBytes % SECTOR_BYTES === 0;
    assert(isWhole, "disks are accessed by whole sectors");
    assert(offset + lengthBytes <= this.sizeBytes, "the range is on the disk");
  }
}

function sectorBits(inside: number, lengthBytes: number): number {
  return ((1 << (lengthBytes / SECTOR_BYTES)) - 1) << (inside / SECTOR_BYTES);
}
