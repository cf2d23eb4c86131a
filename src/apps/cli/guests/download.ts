/** HTTP downloads with a size limit and a stall limit, and SHA-256 of files and bytes. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import type { Digest } from "../../../host/index.ts";
import { byteChunks } from "./byte-stream.ts";
import { ImageFault, systemCodeOf } from "./host-error.ts";

export interface DownloadOptions {
  readonly maxBytes: number;
  readonly signal: AbortSignal | undefined;
  readonly onBytes?: (receivedBytes: number) => void;
}

/** A server that sends nothing for this long is given up. */
const STALL_TIMEOUT_MS = 60_000;

/** The body at `url`, or undefined when the server says there is none (404, 410). */
export async function downloadBytes(
  url: string,
  options: DownloadOptions,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Uint8Array[] = [];
  const found = await receive(url, options, (chunk) => {
    chunks.push(chunk);
    return Promise.resolve();
  });
  return found ? new Uint8Array(Buffer.concat(chunks)) : undefined;
}

/** Writes the body at `url` to a new file; false when the server says there is none. */
export async function downloadFile(url: string, path: string, options: DownloadOptions): Promise<boolean> {
  await using file = await open(path, "wx");
  return await receive(url, options, async (chunk) => {
    await file.writeFile(chunk);
  });
}

async function receive(
  url: string,
  options: DownloadOptions,
  take: (chunk: Uint8Array) => Promise<void>,
): Promise<boolean> {
  const stall = new AbortController();
  const timer = setTimeout(() => stall.abort(), STALL_TIMEOUT_MS);
  const signals = options.signal === undefined ? [stall.signal] : [stall.signal, options.signal];
  try {
    const response = await fetch(url, { signal: AbortSignal.any(signals) });
    if (response.status === 404 || response.status === 410) {
      await response.body?.cancel();
      return false;
    }
    if (!response.ok || response.body === null) {
      throw new ImageFault("network", `${url} answered ${response.status} ${response.statusText}`.trimEnd());
    }
    let receivedBytes = 0;
    for await (const chunk of byteChunks(response.body)) {
      receivedBytes += chunk.length;
      if (receivedBytes > options.maxBytes) {
        throw new ImageFault("checksum-mismatch", `${url} is larger than its index says; it was not used`);
      }
      await take(chunk);
      timer.refresh();
      options.onBytes?.(receivedBytes);
    }
    return true;
  } catch (error) {
    if (options.signal?.aborted === true) throw options.signal.reason;
    if (stall.signal.aborted) {
      throw new ImageFault("network", `${url} sent nothing for ${STALL_TIMEOUT_MS / 1000} s`);
    }
    throw networkFault(url, error);
  } finally {
    clearTimeout(timer);
  }
}

/** fetch wraps what happened on the network in a TypeError; disk errors and faults pass unchanged. */
function networkFault(url: string, error: unknown): unknown {
  if (!(error instanceof TypeError)) return error;
  const { host } = new URL(url);
  switch (systemCodeOf(error)) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new ImageFault("network", `the host name of ${url} cannot be resolved; is there a network?`);
    case "ECONNREFUSED":
      return new ImageFault("network", `${host} refused the connection`);
    case undefined:
      return new ImageFault("network", `${url} cannot be downloaded: ${reasonOf(error)}`);
    default:
      return new ImageFault("network", `the connection to ${host} failed (${systemCodeOf(error)})`);
  }
}

/** fetch says "fetch failed" and keeps what failed as the cause. */
function reasonOf(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : error.message;
}

export function digestOfBytes(bytes: Uint8Array): Digest {
  return { sizeBytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** Size and SHA-256 of a file, read once. */
export async function digestOfFile(path: string): Promise<Digest> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of byteChunks(createReadStream(path))) {
    hash.update(chunk);
    sizeBytes += chunk.length;
  }
  return { sizeBytes, sha256: hash.digest("hex") };
}
