/**
 * LZ4 as the Linux build uses it (`lz4 -l`): the legacy frame of the "LZ4 Frame Format" 1.6.1 around blocks of the
 * "LZ4 Block Format". Blocks are decoded by a WebAssembly module (lz4-core/), piece by piece: unpacked data is never in
 * memory as a whole unless its user gathers it. Missing on purpose: the modern frame, dictionaries, compression.
 *
 * A legacy frame is the magic 0x184C2102, then blocks of {u32 compressed size, data}, each unpacking to at most
 * 8 MiB, until the data ends. The frame stores no length; Linux appends its own, which the caller passes in.
 */

import { assert } from "../../base/index.ts";
import { BootFailure } from "./boot-error.ts";

export const LZ4_LEGACY_MAGIC = [0x02, 0x21, 0x4c, 0x18] as const;
const BLOCK_LIMIT_BYTES = 8 << 20;

export interface Lz4Frame {
  /** The file's, for sentences. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** What it must give. The caller has checked that against its limit. */
  readonly unpackedBytes: number;
}

function damaged(name: string, why: string): BootFailure {
  return new BootFailure("corrupt-image", `${name} is damaged: its LZ4 data ${why}.`);
}

/** What lz4-core/index.ts exports, under the same names. */
interface Decoder {
  readonly memory: Uint8Array;
  inputStart(): number;
  inputMaxBytes(): number;
  outputStart(): number;
  outputEnd(): number;
  begin(limitBytes: number): void;
  feed(byteCount: number): void;
  decode(): number;
  state(): number;
}

function instantiate(module: WebAssembly.Module): Decoder {
  const { exports } = new WebAssembly.Instance(module, {});
  const exported = (name: string): WebAssembly.ExportedFunction => {
    const value = exports[name];
    assert(typeof value === "function", `the LZ4 decoder exports ${name}`);
    return value;
  };
  const { memory } = exports;
  assert(memory !== undefined && "buffer" in memory, "the LZ4 decoder exports its memory");
  return {
    memory: new Uint8Array(memory.buffer),
    inputStart: exported("inputStart"),
    inputMaxBytes: exported("inputMaxBytes"),
    outputStart: exported("outputStart"),
    outputEnd: exported("outputEnd"),
    begin: exported("begin"),
    feed: exported("feed"),
    decode: exported("decode"),
    state: exported("state"),
  };
}

/** Results of decode() other than that it needs input. */
const WINDOW_IS_FULL = 2;
const GIVES_TOO_MUCH = 3;
const REFERS_TOO_FAR = 4;

/** Where a block may end: its last sequence has literals only. */
const EXPECTS_DISTANCE = 3;
/** What is wrong when a block ends elsewhere, by state(). */
const ENDS = [
  "without a last run of literals",
  "inside a literal length",
  "inside a run of literals",
  undefined,
  "inside a match offset",
  "inside a match length",
] as const;

/**
 * Unpacks a legacy frame. Each piece is valid until the next is taken; what is wrong with the frame is thrown when that is
 * met, or at the end. `inputBytes` is how much of a block is decoded at once, at most.
 */
export function* decodeLz4Legacy(
  module: WebAssembly.Module,
  { name, bytes, unpackedBytes }: Lz4Frame,
  inputBytes = Number.MAX_SAFE_INTEGER,
): Generator<Uint8Array, void, void> {
  if (!LZ4_LEGACY_MAGIC.every((byte, index) => bytes[index] === byte))
    throw damaged(name, "has no frame header");
  const decoder = instantiate(module);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let from = LZ4_LEGACY_MAGIC.length;
  let sizeBytes = 0;
  while (from < bytes.length) {
    if (from + 4 > bytes.length) throw damaged(name, "ends inside a block length");
    const blockBytes = view.getUint32(from, true);
    from += 4;
    if (blockBytes === 0 || from + blockBytes > bytes.length)
      throw damaged(name, "has a block that leaves the file");
    decoder.begin(Math.min(unpackedBytes - sizeBytes, BLOCK_LIMIT_BYTES));
    for (const piece of decodeBlock(decoder, name, bytes.subarray(from, from + blockBytes), inputBytes)) {
      sizeBytes += piece.length;
      yield piece;
    }
    from += blockBytes;
  }
  if (sizeBytes !== unpackedBytes)
    throw damaged(name, `unpacks to ${sizeBytes} bytes instead of ${unpackedBytes}`);
}

function* decodeBlock(
  decoder: Decoder,
  name: string,
  block: Uint8Array,
  inputBytes: number,
): Generator<Uint8Array, void, void> {
  const { memory } = decoder;
  const pieceBytes = Math.min(decoder.inputMaxBytes(), inputBytes);
  for (let from = 0; from < block.length; from += pieceBytes) {
    const input = block.subarray(from, from + pieceBytes);
    memory.set(input, decoder.inputStart());
    decoder.feed(input.length);
    let result: number;
    do {
      result = decoder.decode();
      if (result === GIVES_TOO_MUCH) throw damaged(name, "unpacks to more than it declares");
      if (result === REFERS_TOO_FAR) throw damaged(name, "refers to bytes before its beginning");
      yield memory.subarray(decoder.outputStart(), decoder.outputEnd());
    } while (result === WINDOW_IS_FULL);
  }
  const state = decoder.state();
  if (state !== EXPECTS_DISTANCE) throw damaged(name, `ends ${ENDS[state] ?? "too early"}`);
}
