/** A test double: a disk in memory whose requests end when the test says so, and as it says. */

import type { BlockDevice, BlockErrorCode, BlockResult } from "./block-device.ts";
import { BLOCK_OK } from "./block-device.ts";
import { MemoryDisk } from "./memory-disk.ts";

export class HeldDisk implements BlockDevice {
  readonly disk: MemoryDisk;
  canDiscard = true;
  /** The requests so far: "read 0+512", "flush", "close". */
  readonly log: string[] = [];
  /** From now on requests fail with this. */
  failure: BlockErrorCode | undefined;
  #held: (() => void)[] | undefined;

  constructor(sizeBytes: number, options: { readonly isReadOnly?: boolean } = {}) {
    this.disk = new MemoryDisk(new Uint8Array(sizeBytes), options);
  }

  get sizeBytes(): number {
    return this.disk.sizeBytes;
  }

  get isReadOnly(): boolean {
    return this.disk.isReadOnly;
  }

  /** From now on requests stay under way, without effect, until {@link release}. */
  hold(): void {
    this.#held ??= [];
  }

  get heldCount(): number {
    return this.#held?.length ?? 0;
  }

  /** Carries out what is held, and everything that follows, at once. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const goOn of held) goOn();
  }

  read(offset: number, target: Uint8Array): Promise<BlockResult> {
    return this.#request(`read ${offset}+${target.length}`, () => this.disk.read(offset, target));
  }

  write(offset: number, source: Uint8Array): Promise<BlockResult> {
    return this.#request(`write ${offset}+${source.length}`, () => this.disk.write(offset, source));
  }

  flush(): Promise<BlockResult> {
    return this.#request("flush", () => Promise.resolve(BLOCK_OK));
  }

  discard(offset: number, lengthBytes: number): Promise<BlockResult> {
    return this.#request(`discard ${offset}+${lengthBytes}`, () => this.disk.discard(offset, lengthBytes));
  }

  close(): Promise<void> {
    this.log.push("close");
    return Promise.resolve();
  }

  async #request(what: string, carryOut: () => Promise<BlockResult>): Promise<BlockResult> {
    this.log.push(what);
    const held = this.#held;
    if (held !== undefined) {
      await new Promise<void>((resolve) => {
        held.push(resolve);
      });
    }
    const { failure } = this;
    if (failure === undefined) return await carryOut();
    return failed(failure);
  }
}

/** The same, which does what it can at once. */
export class PromptDisk extends HeldDisk {
  /** From now on nothing is done at once. */
  isSlow = false;

  readNow(offset: number, targets: readonly Uint8Array[]): BlockResult | undefined {
    const { bytes } = this.disk;
    return this.#now("read", offset, targets, (target, at) =>
      target.set(bytes.subarray(at, at + target.length)),
    );
  }

  writeNow(offset: number, sources: readonly Uint8Array[]): BlockResult | undefined {
    return this.#now("write", offset, sources, (source, at) => this.disk.bytes.set(source, at));
  }

  #now(
    what: string,
    offset: number,
    pieces: readonly Uint8Array[],
    move: (piece: Uint8Array, at: number) => void,
  ): BlockResult | undefined {
    if (this.isSlow) return undefined;
    this.log.push(`${what} now ${offset}+${pieces.map(({ length }) => length).join("+")}`);
    const { failure } = this;
    if (failure !== undefined) return failed(failure);
    let at = offset;
    for (const piece of pieces) {
      move(piece, at);
      at += piece.length;
    }
    return BLOCK_OK;
  }
}

function failed(code: BlockErrorCode): BlockResult {
  return { ok: false, error: { code, message: `The test's disk fails: ${code}.` } };
}
