/**
 * Prefixes that change nothing: repeated ones, segment overrides that another one or 64-bit mode makes void, F2 and F3
 * where they mean nothing, REX in front of other prefixes. SDM 2, 2.1.1 and 2.2.1. Whether they really change nothing is
 * asked of the decoder here and of the real CPU by the fuzz.
 */
import { DECODED, Decoder } from "../../../src/engine/x86/decode.ts";
import { instructionRows } from "../../../src/engine/x86/spec.ts";
import type { HostCpu } from "../../conformance/host-cpu.ts";
import { encodeShape, type Shape } from "../../conformance/shape.ts";
import type { Random } from "../../oracle/index.ts";

const SEGMENTS = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65] as const;
/** Those that 64-bit mode ignores. */
const VOID_IN_64 = [0x26, 0x2e, 0x36, 0x3e] as const;
const OTHERS = [0x66, 0x67, 0xf2, 0xf3] as const;
const PREFIXES_MAX = 3;

export class NeedlessPrefixes {
  readonly #decoder: Decoder;

  constructor(host: HostCpu) {
    this.#decoder = new Decoder(instructionRows, host.features);
  }

  /** A few prefixes for a shape, or none if those that were tried mean something. */
  choose(shape: Shape, random: Random): readonly number[] {
    const isLong = shape.mode === "long64";
    const candidates =
      shape.segment !== undefined
        ? [...SEGMENTS, ...OTHERS]
        : isLong
          ? [...VOID_IN_64, ...OTHERS, 0x40 + random.below(16)]
          : OTHERS;
    // On AMD processors 66 makes near branches ones of 16 bits in 64-bit mode too, and F2 and F3 say for which ZF LOOPE
    // and LOOPNE branch.
    const isBranch = shape.row.traits.has("f64");
    const usable = candidates.filter((prefix) => !isBranch || SEGMENTS.some((segment) => segment === prefix));
    if (usable.length === 0) return [];
    const prefixes = Array.from({ length: 1 + random.below(PREFIXES_MAX) }, () => random.pick(usable));
    const code = encodeShape(shape);
    const plain = this.#meaning(shape, code);
    const prefixed = this.#meaning(shape, Uint8Array.from([...prefixes, ...code]));
    return plain !== undefined && plain === prefixed ? prefixes : [];
  }

  /** What the decoder makes of code, its length apart; undefined if it is not one instruction. */
  #meaning({ mode, row }: Shape, code: Uint8Array): string | undefined {
    const d = this.#decoder;
    const codeSize = mode === "long64" ? 2 : mode === "compat32" ? 1 : 0;
    if (d.decode(code, 0, code.length, codeSize) !== DECODED) return undefined;
    if (d.row !== row || d.length !== code.length) return undefined;
    const isString = row.traits.has("rep") || row.traits.has("repz");
    const segment = mode === "long64" && d.segment < 4 ? 0 : d.segment;
    return [d.operandSize, d.addressSize, segment, d.lock, isString ? d.rep : 0, d.rex, d.reg, d.rm].join();
  }
}
