/**
 * Firmware that a user brings, in a running VM: what its board is given of it, and the file in which the firmware's variables
 * are kept.
 */

import { ok } from "../base/index.ts";
import type { Result } from "../base/index.ts";
import { WriteBehind } from "../block/index.ts";
import type { BlockDevice } from "../block/index.ts";
import type { BootSource, FirmwareConfig, FirmwareKernel } from "../machine/index.ts";

/** The contents of its files. */
export interface FirmwareImages {
  /** Of a size that {@link firmwareProblem} has nothing against. */
  readonly image: Uint8Array;
  readonly vgaBios: Uint8Array | undefined;
  /** Which {@link firmwareKernelProblem} has nothing against. */
  readonly kernel?: FirmwareKernel | undefined;
  /** Of its variables, of a size that {@link variablesProblem} has nothing against; the VM closes it when it has ended. */
  readonly variables?: BlockDevice | undefined;
}

interface Variables {
  readonly contents: Uint8Array;
  readonly store: WriteBehind;
}

export class FirmwareInUse {
  readonly #images: FirmwareImages;
  readonly #variables: Variables | undefined;

  /** Reads the variables. */
  static async open(images: FirmwareImages): Promise<Result<FirmwareInUse>> {
    const { variables: disk } = images;
    if (disk === undefined) return ok(new FirmwareInUse(images, undefined));
    const contents = new Uint8Array(disk.sizeBytes);
    const read = await disk.read(0, contents);
    if (!read.ok) return read;
    const store = new WriteBehind(disk, contents.slice());
    return ok(new FirmwareInUse(images, { contents, store }));
  }

  private constructor(images: FirmwareImages, variables: Variables | undefined) {
    this.#images = images;
    this.#variables = variables;
  }

  /** What a board shows of it in memory. */
  get sizeBytes(): number {
    return this.#images.image.length + (this.#variables?.contents.length ?? 0);
  }

  config(bootOrder: readonly BootSource[]): FirmwareConfig {
    const { image, vgaBios, kernel } = this.#images;
    const variables = this.#variables && {
      contents: this.#variables.contents,
      write: (offset: number, bytes: Uint8Array) => this.#variables?.store.write(offset, bytes),
    };
    return { image, vgaBios, kernel, variables, bootOrder };
  }

  /** What the firmware has changed is on stable storage; a failure is told by {@link close}, by when there may be room. */
  async flush(): Promise<void> {
    await this.#variables?.store.flush();
  }

  async close(): Promise<Result<void>> {
    return (await this.#variables?.store.close()) ?? ok(undefined);
  }
}
