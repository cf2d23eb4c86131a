/**
 * The memory through which disk controllers move data between host and guest: buffers that are lent, up to a limit for
 * all controllers of a VM together, so that no guest can make the host's memory grow by the requests it has under way.
 * Who asks for more than there is waits for his turn.
 */

import { assert, KiB } from "../base/index.ts";

/** Buffers are powers of two from here on, so that they fit the next one who asks. */
const LEAST_BYTES = 4 * KiB;

export class TransferBuffers {
  readonly #maxBytes: number;
  /** Given back and waiting for reuse, by size. */
  readonly #idle = new Map<number, Uint8Array<ArrayBuffer>[]>();
  #lentBytes = 0;
  #idleBytes = 0;
  readonly #waiting: { readonly sizeBytes: number; readonly give: () => void }[] = [];

  constructor(maxBytes: number) {
    assert(Number.isInteger(Math.log2(maxBytes)) && maxBytes >= LEAST_BYTES, "the limit is a power of two");
    this.#maxBytes = maxBytes;
  }

  /** What the buffers occupy now. */
  get occupiedBytes(): number {
    return this.#lentBytes + this.#idleBytes;
  }

  /**
   * A buffer of `lengthBytes`, with any contents, to be returned by {@link giveBack}; undefined when others wait or there is
   * no room. With it a request reaches the host while the guest's slice runs on.
   */
  tryLend(lengthBytes: number): Uint8Array<ArrayBuffer> | undefined {
    const sizeBytes = sizeFor(lengthBytes);
    assert(sizeBytes <= this.#maxBytes, "no request is larger than all buffers together");
    if (this.#waiting.length > 0 || this.#lentBytes + sizeBytes > this.#maxBytes) return undefined;
    this.#lentBytes += sizeBytes;
    return this.#take(sizeBytes).subarray(0, lengthBytes);
  }

  /** The same when it is there. Served in the order of asking. */
  async lend(lengthBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const buffer = this.tryLend(lengthBytes);
    if (buffer !== undefined) return buffer;
    const sizeBytes = sizeFor(lengthBytes);
    await new Promise<void>((give) => {
      this.#waiting.push({ sizeBytes, give });
    });
    return this.#take(sizeBytes).subarray(0, lengthBytes);
  }

  /** `buffer` is what {@link lend} gave; nobody may use it afterwards. */
  giveBack(buffer: Uint8Array<ArrayBuffer>): void {
    const sizeBytes = buffer.buffer.byteLength;
    this.#lentBytes -= sizeBytes;
    this.#idleBytes += sizeBytes;
    const idle = this.#idle.get(sizeBytes) ?? [];
    idle.push(new Uint8Array(buffer.buffer));
    this.#idle.set(sizeBytes, idle);
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined || this.#lentBytes + next.sizeBytes > this.#maxBytes) return;
      this.#waiting.shift();
      this.#lentBytes += next.sizeBytes;
      next.give();
    }
  }

  /** Room for it is there; buffers of other sizes go if they are in its way. */
  #take(sizeBytes: number): Uint8Array<ArrayBuffer> {
    const idle = this.#idle.get(sizeBytes)?.pop();
    if (idle !== undefined) {
      this.#idleBytes -= sizeBytes;
      return idle;
    }
    if (this.#lentBytes + this.#idleBytes > this.#maxBytes) {
      this.#idle.clear();
      this.#idleBytes = 0;
    }
    return new Uint8Array(sizeBytes);
  }
}

function sizeFor(lengthBytes: number): number {
  return Math.max(LEAST_BYTES, 2 ** Math.ceil(Math.log2(lengthBytes)));
}
