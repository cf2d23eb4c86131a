/** A submission queue entry (Base Specification 1.4, section 4.2) and what comes of it. */

import { SUBMISSION_BYTES } from "./protocol.ts";

const FUSED_MASK = 0x03;
const SGL_MASK = 0xc0;

export class NvmeCommand {
  /** A copy: the guest may change its own. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;

  constructor(bytes: Uint8Array<ArrayBuffer> = new Uint8Array(SUBMISSION_BYTES)) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, SUBMISSION_BYTES);
  }

  get opcode(): number {
    return this.#view.getUint8(0);
  }

  /** Part of a fused operation, or its data described by SGLs: neither is offered. */
  get isUnsupported(): boolean {
    return (this.#view.getUint8(1) & (FUSED_MASK | SGL_MASK)) !== 0;
  }

  /** CID: the guest's name for it. */
  get id(): number {
    return this.#view.getUint16(2, true);
  }

  get namespaceId(): number {
    return this.dword(1);
  }

  get prp1(): number {
    return this.qword(6);
  }

  get prp2(): number {
    return this.qword(8);
  }

  /** CDWn. */
  dword(index: number): number {
    return this.#view.getUint32(4 * index, true);
  }

  /** CDWn and the one above, rounded where it is beyond 2^53, which is beyond all memory and all disks. */
  qword(index: number): number {
    return this.dword(index) + 2 ** 32 * this.dword(index + 1);
  }
}

/** What a completion says: a status of protocol.ts and the command's own dword. */
export interface Outcome {
  readonly status: number;
  readonly result: number;
}

/** At once, or when the host has done its part. */
export type Answer = Outcome | Promise<Outcome>;

export const DONE: Outcome = { status: 0, result: 0 };

export const done = (result: number): Outcome => ({ status: 0, result });
export const failed = (status: number): Outcome => ({ status, result: 0 });
