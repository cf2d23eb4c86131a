/**
 * The 9P transport: messages of a client in the guest and their replies, each pair in one chain of a virtqueue (Virtual I/O
 * Device 1.2 reserves device ID 9; the device is as Linux's net/9p/trans_virtio.c and its virtio_9p.h have it: the
 * feature MOUNT_TAG, and a tag by which guests name the folder).
 *
 * Missing on purpose: fids in the saved state, since what the host has open cannot be saved: after a restore the guest finds
 * them gone and has to mount the folder again.
 */

import { defineRegisters, RegisterFile } from "../../../hw/index.ts";
import type { DeviceRegisters, DeviceState } from "../../../hw/index.ts";
import type { SharedFolder } from "../../../share/index.ts";
import type { DescriptorChain, Virtqueue } from "../queue/index.ts";
import type { VirtioDevice, VirtioHost, VirtioType } from "../virtio-device.ts";
import { ERROR_REPLY_BYTES, HEADER_BYTES } from "./messages.ts";
import { MSIZE_MAX, P9Session } from "./p9-session.ts";

/** Requests that the host is asked for at one time; the others wait in the queue. */
export const P9_REQUESTS_UNDER_WAY_MAX = 16;
export const MOUNT_TAG_BYTES_MAX = 32;
const FEATURE = { mountTag: 0 } as const;
const QUEUE_SIZE = 128;
const REQUEST_QUEUE = 0;
const TAG_AT = 2;

export interface Virtio9pConfig {
  /** 1 to MOUNT_TAG_BYTES_MAX bytes. */
  readonly mountTag: Uint8Array;
  /** Its owner closes it. */
  readonly folder: SharedFolder;
  /** Told of every request of the host that begins and ends. */
  readonly requests: { began(): void; ended(): void };
}

export class Virtio9p implements VirtioDevice {
  readonly type: VirtioType = { id: 9, transitionalPciId: 0x1009, baseClass: 0x00, subClass: 0xff };
  readonly features: readonly number[] = [FEATURE.mountTag];
  readonly queueSizes: readonly number[] = [QUEUE_SIZE];
  readonly config: DeviceRegisters;
  readonly configBytes: number;
  readonly #session: P9Session;
  readonly #requests: Virtio9pConfig["requests"];
  /** The queues of requests under way, also of those that the driver has reset. */
  readonly #underWay = new Map<DescriptorChain, Virtqueue>();
  #host: VirtioHost | undefined;

  constructor({ mountTag, folder, requests }: Virtio9pConfig) {
    this.#session = new P9Session(folder);
    this.#requests = requests;
    this.configBytes = TAG_AT + mountTag.length;
    this.config = new RegisterFile(tagRegisters(mountTag), {});
  }

  /** What the guest holds open, for whoever looks after it. */
  get fidCount(): number {
    return this.#session.fidCount;
  }

  attach(host: VirtioHost): void {
    this.#host = host;
  }

  featuresAgreed(): void {}

  notified(): void {
    this.#begin();
  }

  reset(): void {
    // What is under way ends by itself and is not reported.
    this.#session.reset();
  }

  save(): DeviceState {
    return {};
  }

  restore(_state: DeviceState, queues: readonly (Virtqueue | undefined)[]): void {
    this.#session.reset();
    const queue = queues[REQUEST_QUEUE];
    for (const chain of [...(queue?.outstanding ?? [])]) if (queue !== undefined) this.#take(queue, chain);
  }

  #begin(): void {
    // What a guest has asked for before a reset must not happen after what it asks for next.
    for (const queue of this.#underWay.values()) if (queue.isRetired) return;
    const queue = this.#host?.queue(REQUEST_QUEUE);
    if (queue === undefined) return;
    let mayNotify = false;
    while (this.#underWay.size < P9_REQUESTS_UNDER_WAY_MAX) {
      const chain = queue.pop();
      if (chain !== undefined) {
        mayNotify = false;
        this.#take(queue, chain);
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

  #take(queue: Virtqueue, chain: DescriptorChain): void {
    const { readable, writable } = chain;
    // Less can neither be understood nor answered.
    if (readable.totalBytes < HEADER_BYTES || writable.totalBytes < ERROR_REPLY_BYTES) {
      queue.break("request");
      return;
    }
    const message = new Uint8Array(Math.min(readable.totalBytes, MSIZE_MAX));
    readable.read(queue.dma, 0, message);
    this.#underWay.set(chain, queue);
    this.#requests.began();
    // What rejects here is our own bug, for whoever looks after those of the whole VM.
    void this.#session
      .serve(message, Math.min(writable.totalBytes, MSIZE_MAX))
      .then((reply) => this.#finish(queue, chain, reply));
  }

  #finish(queue: Virtqueue, chain: DescriptorChain, reply: Uint8Array): void {
    this.#underWay.delete(chain);
    this.#requests.ended();
    if (!queue.isRetired) {
      queue.push(chain, chain.writable.write(queue.dma, 0, reply));
      this.#host?.interrupt(REQUEST_QUEUE);
    }
    this.#begin();
  }
}

function tagRegisters(tag: Uint8Array) {
  const bytes = Array.from(tag, (byte, index) => {
    const register = { at: TAG_AT + index, size: 1, reset: byte, writable: 0 } as const;
    return [`tag${index}`, register] as const;
  });
  return defineRegisters({
    tagLength: { at: 0, size: 2, reset: tag.length, writable: 0 },
    ...Object.fromEntries(bytes),
  });
}
