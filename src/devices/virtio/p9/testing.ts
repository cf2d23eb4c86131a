/** The client's side of 9P over virtio: puts requests together, sends them through a queue, and takes replies apart. */

import type { SharedFolder } from "../../../share/index.ts";
import { MemoryFolder } from "../../../share/testing.ts";
import type { QueueDriver } from "../queue/testing.ts";
import { bench, ModernDriver, readable, settle, writable } from "../testing.ts";
import type { Bench } from "../testing.ts";
import { MESSAGE, RLERROR } from "./messages.ts";
import { Virtio9p } from "./virtio-9p.ts";

const REQUEST_GPA = 0x10_0000;
const REPLY_GPA = 0x20_0000;
/** Requests and replies of one queue entry each lie this far from the next one's. */
const PLACE_BYTES = 0x8000;
const PLACES = 20;
const QUEUE_SIZE = 64;
/** Long requests take many turns. */
const TURNS_MAX = 100;

export type RequestName = keyof typeof MESSAGE;

/** Bytes of fields: a number has a width, a text its length before it. */
export const u8 = (value: number): Uint8Array => Uint8Array.of(value);
export const u16 = (value: number): Uint8Array => new Uint8Array(Uint16Array.of(value).buffer);
export const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
export const u64 = (value: bigint | number): Uint8Array =>
  new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);
export const raw = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (value: string | Uint8Array): Uint8Array => {
  const bytes = typeof value === "string" ? raw(value) : value;
  return joined(u16(bytes.length), bytes);
};

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export function message(type: number, tag: number, ...fields: readonly Uint8Array[]): Uint8Array {
  const body = joined(...fields);
  return joined(u32(7 + body.length), u8(type), u16(tag), body);
}

/** A reply, read field by field. */
export class Reply {
  readonly type: number;
  readonly tag: number;
  readonly sizeBytes: number;
  readonly #view: DataView;
  #at = 7;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.sizeBytes = this.#view.getUint32(0, true);
    this.type = this.#view.getUint8(4);
    this.tag = this.#view.getUint16(5, true);
  }

  /** Of an Rlerror; 0 for any other reply. */
  get errno(): number {
    return this.type === RLERROR ? this.#view.getUint32(7, true) : 0;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  bytes(count: number): Uint8Array {
    const at = this.#take(count);
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + at, count).slice();
  }

  text(): string {
    return new TextDecoder("latin1").decode(this.bytes(this.u16()));
  }

  qid(): { readonly type: number; readonly version: number; readonly path: bigint } {
    return { type: this.u8(), version: this.u32(), path: this.u64() };
  }

  #take(count: number): number {
    const at = this.#at;
    this.#at += count;
    return at;
  }
}

export class P9Client {
  readonly device: Virtio9p;
  readonly on: Bench;
  readonly driver: ModernDriver;
  queue: QueueDriver;
  /** Requests of the host that have begun and not ended. */
  hostRequests = 0;
  readonly #wait: () => Promise<void>;
  #sentCount = 0;
  readonly #places = new Map<number, number>();

  /** Where the reply to the next request will lie. */
  get replyGpa(): number {
    return REPLY_GPA + (this.#sentCount % PLACES) * PLACE_BYTES;
  }

  /** `wait` lets the host do what it can do meanwhile. */
  constructor(folder: SharedFolder = new MemoryFolder(), mountTag = "shared", wait = settle) {
    this.#wait = wait;
    const requests = { began: () => void this.hostRequests++, ended: () => void this.hostRequests-- };
    this.device = new Virtio9p({ mountTag: raw(mountTag), folder, requests });
    this.on = bench(this.device);
    this.driver = new ModernDriver(this.on);
    this.queue = this.connect();
  }

  /** Resets the device and sets it up anew. */
  connect(): QueueDriver {
    this.driver.negotiate();
    this.queue = this.driver.queue(0, { size: QUEUE_SIZE });
    this.driver.ready();
    return this.queue;
  }

  /** Offers bytes with room for a reply, in the place that is next. */
  offer(bytes: Uint8Array, roomBytes = PLACE_BYTES): void {
    const place = this.#sentCount++ % PLACES;
    this.on.ram.write(REQUEST_GPA + place * PLACE_BYTES, bytes);
    const id = this.queue.offer([
      readable(REQUEST_GPA + place * PLACE_BYTES, bytes.length),
      writable(REPLY_GPA + place * PLACE_BYTES, roomBytes),
    ]);
    this.#places.set(id, place);
    this.driver.notify(0);
  }

  /** What has come back, in its order. */
  replies(): Reply[] {
    return this.queue.takeUsed().map(({ id, writtenBytes }) => {
      const gpa = REPLY_GPA + (this.#places.get(id) ?? 0) * PLACE_BYTES;
      return new Reply(this.on.ram.slice(gpa, writtenBytes));
    });
  }

  /** The reply to bytes sent while nothing else is under way. */
  async exchange(bytes: Uint8Array, roomBytes?: number): Promise<Reply> {
    this.offer(bytes, roomBytes);
    const replies: Reply[] = [];
    for (let turn = 0; turn < TURNS_MAX && replies.length === 0; turn++) {
      await this.#wait();
      replies.push(...this.replies());
    }
    const [reply, ...others] = replies;
    if (reply === undefined || others.length > 0) throw new Error(`${replies.length} replies to one request`);
    return reply;
  }

  async call(name: RequestName, ...fields: readonly Uint8Array[]): Promise<Reply> {
    return await this.exchange(message(MESSAGE[name], 1, ...fields));
  }

  /** Agrees on the version and attaches the folder as `fid`. */
  async attach(fid = 0, messageBytes = 8192): Promise<void> {
    await this.call("version", u32(messageBytes), text("9P2000.L"));
    await this.call("attach", u32(fid), u32(0xffffffff), text("root"), text(""), u32(0));
  }

  async walk(fid: number, newFid: number, ...names: readonly string[]): Promise<Reply> {
    return await this.call("walk", u32(fid), u32(newFid), u16(names.length), ...names.map(text));
  }
}
