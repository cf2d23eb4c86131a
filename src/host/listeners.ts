/** A set of listeners to one kind of event. */

import { releasable } from "../base/index.ts";
import type { Releasable } from "../base/index.ts";

export class Listeners<Event> {
  readonly #listeners = new Set<(event: Event) => void>();

  /** Calls `listener` for every event until released. */
  add(listener: (event: Event) => void): Releasable {
    this.#listeners.add(listener);
    return releasable(() => this.#listeners.delete(listener));
  }

  emit(event: Event): void {
    for (const listener of this.#listeners) listener(event);
  }
}
