/**
 * Asynchronous events (Base Specification 1.4, section 5.2): the guest leaves requests with the controller, each of which is
 * completed by the next event. After one its type stays silent until the guest has read the event's log page. Only errors
 * of the guest itself are reported: nothing else happens to this controller.
 */

import type { DeviceState, StateReader } from "../../hw/index.ts";
import { done, failed } from "./command.ts";
import type { Answer, NvmeCommand, Outcome } from "./command.ts";
import { STATUS } from "./protocol.ts";

interface Request {
  readonly command: NvmeCommand;
  readonly complete: (outcome: Outcome) => void;
}

export class AsyncEvents {
  readonly #requests: Request[] = [];
  /** Happened without a request there. */
  #pending: number | undefined;
  #isSilent = false;

  /** Requests that wait. */
  get heldCount(): number {
    return this.#requests.length;
  }

  request(command: NvmeCommand): Answer {
    const event = this.#pending;
    if (event !== undefined && !this.#isSilent) {
      this.#pending = undefined;
      this.#isSilent = true;
      return done(event);
    }
    return new Promise((complete) => {
      this.#requests.push({ command, complete });
    });
  }

  raise(event: number): void {
    const request = this.#isSilent ? undefined : this.#requests.shift();
    if (request === undefined) {
      this.#pending ??= event;
      return;
    }
    this.#isSilent = true;
    request.complete(done(event));
  }

  /** The log page of the events was read. */
  acknowledge(): void {
    this.#isSilent = false;
    this.#pending = undefined;
  }

  /** Whether `command` was a request that waited; it is completed as aborted. */
  abort(command: NvmeCommand): boolean {
    const at = this.#requests.findIndex((request) => request.command === command);
    const [request] = at < 0 ? [] : this.#requests.splice(at, 1);
    request?.complete(failed(STATUS.abortRequested));
    return request !== undefined;
  }

  save(): DeviceState {
    return { pending: this.#pending ?? null, isSilent: this.#isSilent };
  }

  restore(reader: StateReader): void {
    this.#pending = reader.isNull("pending") ? undefined : reader.u32("pending");
    this.#isSilent = reader.boolean("isSilent");
  }
}
