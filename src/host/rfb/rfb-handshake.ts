/**
 * How an RFB client comes in (RFC 6143, sections 7.1 and 7.2): the version, the security type, the password, and whether it
 * wants to be alone. Versions 3.3, 3.7 and 3.8; the types None and VNC Authentication.
 */

import type { ByteReader } from "./byte-reader.ts";
import { ascii, counted } from "./rfb-bytes.ts";

/** How clients show that they may connect. */
export type RfbSecurity =
  | { readonly kind: "none" }
  | {
      readonly kind: "password";
      /** Encrypts the 16 bytes of a challenge with the password. */
      readonly encrypt: (challenge: Uint8Array) => Uint8Array;
    };

export interface RfbHandshakeParts {
  readonly security: RfbSecurity;
  readonly entropy: (byteCount: number) => Uint8Array;
  readonly send: (bytes: Uint8Array) => void;
  /** The password was wrong. */
  readonly denied: () => void;
}

/** What came of a message: it goes on, it is over, or there is no whole message yet. */
export type HandshakeStep =
  | "next"
  | "more"
  | { readonly kind: "joined"; readonly isExclusive: boolean }
  | { readonly kind: "failed"; readonly reason: string };

const VERSION_BYTES = 12;
const CHALLENGE_BYTES = 16;
const SECURITY = { none: 1, password: 2 } as const;
const SECURITY_OK = new Uint8Array(4);
const SECURITY_FAILED = Uint8Array.of(0, 0, 0, 1);

export class RfbHandshake {
  readonly #parts: RfbHandshakeParts;
  readonly #reader: ByteReader;
  #phase: "version" | "security" | "authentication" | "init" = "version";
  /** The last digit of 3.3, 3.7 or 3.8. */
  #version: 3 | 7 | 8 = 8;
  #challenge: Uint8Array = new Uint8Array(0);

  constructor(parts: RfbHandshakeParts, reader: ByteReader) {
    this.#parts = parts;
    this.#reader = reader;
    parts.send(ascii("RFB 003.008\n"));
  }

  /** Reads one message and answers it. */
  step(): HandshakeStep {
    switch (this.#phase) {
      case "version":
        return this.#readVersion();
      case "security":
        return this.#readSecurity();
      case "authentication":
        return this.#readResponse();
      case "init":
        return this.#readInit();
    }
  }

  #readVersion(): HandshakeStep {
    const bytes = this.#reader.take(VERSION_BYTES);
    if (bytes === undefined) return "more";
    const match = /^RFB 003\.(\d{3})\n$/.exec(String.fromCharCode(...bytes));
    if (match === null) return failed("it speaks no RFB of version 3");
    const minor = Number(match[1]);
    this.#version = minor >= 8 ? 8 : minor === 7 ? 7 : 3;
    const { security, send } = this.#parts;
    const type = SECURITY[security.kind];
    if (this.#version === 3) {
      send(Uint8Array.of(0, 0, 0, type));
      this.#begin(type);
    } else {
      send(Uint8Array.of(1, type));
      this.#phase = "security";
    }
    return "next";
  }

  #readSecurity(): HandshakeStep {
    const bytes = this.#reader.take(1);
    if (bytes === undefined) return "more";
    const [chosen] = bytes;
    if (chosen !== SECURITY[this.#parts.security.kind])
      return failed(`it chose security type ${chosen}, which was not offered`);
    this.#begin(chosen);
    return "next";
  }

  #begin(type: number): void {
    if (type === SECURITY.none) {
      if (this.#version === 8) this.#parts.send(SECURITY_OK);
      this.#phase = "init";
      return;
    }
    this.#challenge = this.#parts.entropy(CHALLENGE_BYTES);
    this.#parts.send(this.#challenge);
    this.#phase = "authentication";
  }

  #readResponse(): HandshakeStep {
    const response = this.#reader.take(CHALLENGE_BYTES);
    if (response === undefined) return "more";
    const { security, send, denied } = this.#parts;
    const expected = security.kind === "password" ? security.encrypt(this.#challenge) : new Uint8Array(0);
    // Whoever measures times learns nothing: a challenge comes once.
    const isRight =
      expected.length === response.length && expected.every((byte, at) => byte === response[at]);
    if (isRight) {
      send(SECURITY_OK);
      this.#phase = "init";
      return "next";
    }
    const reason = "the password is wrong";
    denied();
    send(SECURITY_FAILED);
    if (this.#version === 8) send(counted(reason));
    return failed(reason);
  }

  /** ClientInit: whether others may look, too. */
  #readInit(): HandshakeStep {
    const bytes = this.#reader.take(1);
    return bytes === undefined ? "more" : { kind: "joined", isExclusive: bytes[0] === 0 };
  }
}

const failed = (reason: string): HandshakeStep => ({ kind: "failed", reason });
