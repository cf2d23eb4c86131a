/** A VM's serial port or printer as a program sees it: output as a stream, from its recent past on, and input. */

import { SERIAL_HISTORY_BYTES } from "../../host/index.ts";
import type { SerialConsole, VmHandle } from "../../host/index.ts";
import { VmError } from "./vm-error.ts";

export class VmPort {
  readonly #handle: VmHandle;
  readonly #console: SerialConsole;
  #output: ReadableStream<Uint8Array> | undefined;

  constructor(handle: VmHandle, console: SerialConsole) {
    this.#handle = handle;
    this.#console = console;
  }

  /**
   * What the guest sends, beginning with the last 64 KiB of what it sent before this was first asked for; it closes when
   * the VM ends. From the first use on the guest waits while nobody reads: read it, or leave it alone.
   */
  get output(): ReadableStream<Uint8Array> {
    this.#output ??= outputStream(this.#handle, this.#console);
    return this.#output;
  }

  /** Resolves when all of `input` is on its way to the guest; a printer says nothing, so its input is lost. */
  async write(input: string | Uint8Array): Promise<void> {
    if (this.#handle.state === "ended")
      throw new VmError("ended", `The VM ${this.#handle.name} has ended: it takes no input.`);
    await this.#console.write(typeof input === "string" ? new TextEncoder().encode(input) : input);
  }
}

function outputStream({ ended }: VmHandle, console: SerialConsole): ReadableStream<Uint8Array> {
  // One for each chunk that came while the stream was full.
  const waiting: (() => void)[] = [];
  const wantMore = (): void => {
    for (const goOn of waiting.splice(0)) goOn();
  };
  let listening: { release(): void } | undefined;
  let isCancelled = false;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const history = console.history();
        if (history.length > 0) controller.enqueue(history);
        listening = console.listen((chunk) => {
          controller.enqueue(chunk);
          if ((controller.desiredSize ?? 0) > 0) return undefined;
          return new Promise((resolve) => {
            waiting.push(resolve);
          });
        });
        void ended.then(() => {
          listening?.release();
          if (!isCancelled) controller.close();
        });
      },
      pull: wantMore,
      cancel() {
        isCancelled = true;
        listening?.release();
        wantMore();
      },
    },
    { highWaterMark: SERIAL_HISTORY_BYTES, size: (chunk) => chunk?.length ?? 0 },
  );
}
