/** Whether the host has requests of a VM's guest under way, for its disks and shared folders together. */

export interface HostRequestListener {
  /** The first request is under way, from within a slice or between slices. */
  readonly requested: () => void;
  /** No request is under way any more. */
  readonly idle: () => void;
}

export class HostRequests {
  readonly #listener: HostRequestListener;
  #pendingCount = 0;
  #whenIdle: (() => void)[] = [];

  constructor(listener: HostRequestListener) {
    this.#listener = listener;
  }

  began(): void {
    if (this.#pendingCount++ === 0) this.#listener.requested();
  }

  ended(): void {
    if (--this.#pendingCount > 0) return;
    this.#listener.idle();
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** Resolves when no request is under way. */
  async idle(): Promise<void> {
    while (this.#pendingCount > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle.push(resolve);
      });
    }
  }
}
