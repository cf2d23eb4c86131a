/**
 * What commands such as `typevisor stop NAME` say to the process that runs a VM: one request, a line of JSON, and its reply, a
 * line of JSON and, for a screenshot, so many bytes behind it. Both ends believe nothing and bound everything: the other one may
 * be another version, or no Typevisor at all.
 */

import { KiB } from "../../base/index.ts";
import type { OperatorError } from "../../base/index.ts";
import type { CaseButton, KeyInput, MediumChange, VmState } from "../../vmm/index.ts";
import { decodeReplyHeader } from "./decode-control.ts";

/** What is kept of a screen: its picture, or its characters as UTF-8, a line for each row. */
export type ScreenshotFormat = "png" | "text";

export type ControlRequest =
  | { readonly command: "describe" }
  | { readonly command: "pause" | "resume" | "reset" | "stop" }
  | { readonly command: "screenshot"; readonly format: ScreenshotFormat }
  | { readonly command: "press"; readonly button: CaseButton }
  | { readonly command: "keys"; readonly inputs: readonly KeyInput[] }
  /** Paths are absolute: the VM's process runs in a folder of its own. */
  | { readonly command: "media"; readonly drive: string; readonly change: MediumChange };

/** A running VM as a list shows it. */
export interface VmDescription {
  readonly name: string;
  /** Of the VM's process; undefined while there is none. */
  readonly pid: number | undefined;
  /** What it was started with: a kernel, or the drives. */
  readonly guest: string;
  readonly state: VmState;
  readonly uptimeSeconds: number;
  /** Drives whose media can be changed, and what is in them. */
  readonly media: readonly { readonly name: string; readonly file: string | null }[];
}

export type ControlReply =
  | { readonly kind: "done" }
  | { readonly kind: "error"; readonly error: OperatorError }
  | { readonly kind: "description"; readonly description: VmDescription }
  /** A file's contents, in the format that was asked for. */
  | { readonly kind: "screenshot"; readonly file: Uint8Array };

/** The line of a reply. */
export type ReplyHeader =
  Exclude<ControlReply, { kind: "screenshot" }> | { readonly kind: "screenshot"; readonly byteCount: number };

/** A line, its end included. */
export const CONTROL_LINE_MAX_BYTES = 64 * KiB;

const NEWLINE = 0x0a;

export function encodeRequest(request: ControlRequest): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(request)}\n`);
}

/** The reply in pieces, to be sent one after the other. */
export function encodeReply(reply: ControlReply): readonly Uint8Array[] {
  const encoder = new TextEncoder();
  if (reply.kind !== "screenshot") return [encoder.encode(`${JSON.stringify(reply)}\n`)];
  const { kind, file } = reply;
  return [encoder.encode(`${JSON.stringify({ kind, byteCount: file.length })}\n`), file];
}

/** The first line of what arrives in chunks. */
export class LineReader {
  readonly #bytes = new Uint8Array(CONTROL_LINE_MAX_BYTES);
  #count = 0;

  /** The line without its end, and what came behind it; "more" while it is not whole, "too-long" when it never will be. */
  push(chunk: Uint8Array): { readonly line: Uint8Array; readonly rest: Uint8Array } | "more" | "too-long" {
    const end = chunk.indexOf(NEWLINE);
    const part = end === -1 ? chunk : chunk.subarray(0, end);
    if (this.#count + part.length >= CONTROL_LINE_MAX_BYTES) return "too-long";
    this.#bytes.set(part, this.#count);
    this.#count += part.length;
    return end === -1
      ? "more"
      : { line: this.#bytes.subarray(0, this.#count), rest: chunk.subarray(end + 1) };
  }
}

/** Puts a reply together from chunks. */
export class ReplyReader {
  readonly #line = new LineReader();
  #file: Uint8Array | undefined;
  #count = 0;

  /** The reply once it is whole; "more" before, "nonsense" when it is none. */
  push(chunk: Uint8Array): ControlReply | "more" | "nonsense" {
    if (this.#file !== undefined) return this.#fill(this.#file, chunk);
    const found = this.#line.push(chunk);
    if (found === "more") return "more";
    const header = found === "too-long" ? undefined : decodeReplyHeader(found.line);
    if (found === "too-long" || header === undefined) return "nonsense";
    if (header.kind !== "screenshot") return header;
    this.#file = new Uint8Array(header.byteCount);
    return this.#fill(this.#file, found.rest);
  }

  #fill(file: Uint8Array, chunk: Uint8Array): ControlReply | "more" | "nonsense" {
    if (this.#count + chunk.length > file.length) return "nonsense";
    file.set(chunk, this.#count);
    this.#count += chunk.length;
    return this.#count === file.length ? { kind: "screenshot", file } : "more";
  }
}
