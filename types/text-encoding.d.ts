/**
 * UTF-8 and Latin-1 conversion (WHATWG "Encoding"), for the core world only: the same globals exist in Node and in
 * browsers, but their declarations come with lib "DOM" or with @types/node. Streams are missing on purpose.
 */
interface TextEncoder {
  readonly encoding: "utf-8";
  encode(input?: string): Uint8Array<ArrayBuffer>;
  encodeInto(source: string, destination: Uint8Array): { read: number; written: number };
}
declare const TextEncoder: new () => TextEncoder;

interface TextDecoder {
  readonly encoding: string;
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  decode(input?: ArrayBuffer | SharedArrayBuffer | ArrayBufferView, options?: { stream?: boolean }): string;
}
declare const TextDecoder: new (
  label?: "utf-8" | "latin1" | "utf-16le",
  options?: { fatal?: boolean; ignoreBOM?: boolean },
) => TextDecoder;
