/**
 * The RFB server of one VM: its clients, at most so many, and the one picture that they share. Transport is who accepts
 * connections' part.
 */

import { NS_PER_S } from "../../base/index.ts";
import type { InputEvent, Scheduling } from "../../vmm/index.ts";
import type { ScreenFeed } from "../screen-feed.ts";
import { RfbSession } from "./rfb-session.ts";
import type { RfbSecurity } from "./rfb-handshake.ts";
import type { ZlibStream } from "./rfb-session.ts";

export const RFB_CLIENTS_MAX = 8;
/** A client that has not shown by then that it may connect is sent away. */
export const RFB_HANDSHAKE_NS = 15 * NS_PER_S;

/** After so many wrong passwords, without a right one between them, nobody is let in for a while: they are short enough. */
export const RFB_PASSWORD_TRIES = 5;
export const RFB_LOCKED_NS = 10 * NS_PER_S;

/** A client's connection as the server sees it. */
export interface RfbConnection {
  send(bytes: Uint8Array): void;
  backlogBytes(): number;
  /** What was sent still leaves, within reason. */
  close(): void;
}

export interface RfbServerParts {
  readonly name: string;
  readonly security: RfbSecurity;
  readonly feed: ScreenFeed;
  readonly input: (inputs: readonly InputEvent[]) => void;
  readonly entropy: (byteCount: number) => Uint8Array;
  readonly createZlib: () => ZlibStream;
  readonly scheduling: Scheduling;
  /** Why a client went, for whoever keeps a log. */
  readonly closed?: (reason: string) => void;
}

/** One client: what its connection tells the server. */
export interface RfbClient {
  /** How many inputs came of it for the VM: who sends many should be read more slowly. */
  receive(chunk: Uint8Array): number;
  /** What was sent has left. */
  drained(): void;
  disconnected(): void;
}

export class RfbServer {
  readonly #parts: RfbServerParts;
  readonly #sessions = new Set<RfbSession>();
  #wrongPasswords = 0;
  #lockedUntilNs = 0;

  constructor(parts: RfbServerParts) {
    this.#parts = parts;
  }

  /** Undefined, and the connection closed, when there are too many clients or were too many wrong passwords. */
  connect(connection: RfbConnection): RfbClient | undefined {
    if (this.#sessions.size >= RFB_CLIENTS_MAX || this.#parts.scheduling.nowNs() < this.#lockedUntilNs) {
      connection.close();
      return undefined;
    }
    const { name, security, feed, input, entropy, createZlib, scheduling, closed } = this.#parts;
    // The inputs of one chunk travel together.
    let inputs: InputEvent[] = [];
    const flush = (): number => {
      const { length } = inputs;
      if (length > 0) {
        input(inputs);
        feed.hurry();
      }
      inputs = [];
      return length;
    };
    const session: RfbSession = new RfbSession({
      security,
      name,
      entropy,
      createZlib,
      send: (bytes) => connection.send(bytes),
      backlogBytes: () => connection.backlogBytes(),
      input: (event) => void inputs.push(event),
      picture: () => feed.picture,
      denied: () => {
        if (++this.#wrongPasswords < RFB_PASSWORD_TRIES) return;
        this.#wrongPasswords = 0;
        this.#lockedUntilNs = scheduling.nowNs() + RFB_LOCKED_NS;
      },
      joined: (isExclusive) => {
        patience.cancel();
        this.#wrongPasswords = 0;
        if (!isExclusive) return;
        for (const other of [...this.#sessions])
          if (other !== session) other.close("another client wants to be alone");
      },
      look: (isUrgent) => {
        if (isUrgent) feed.hurry();
        feed.wanted();
      },
      close: (reason) => {
        flush();
        patience.cancel();
        viewing.release();
        this.#sessions.delete(session);
        closed?.(reason);
        connection.close();
      },
    });
    const viewing = feed.add(session);
    const patience = scheduling.setTimer(
      RFB_HANDSHAKE_NS,
      () => session.close("its handshake took too long"),
      "listening",
    );
    this.#sessions.add(session);
    return {
      receive(chunk) {
        session.receive(chunk);
        return flush();
      },
      drained: () => session.update(),
      disconnected: () => session.close("it went"),
    };
  }

  close(): void {
    for (const session of [...this.#sessions]) session.close("the VM has ended");
  }
}
