/**
 * Makes a failing sequence small: leaves out instructions, then sets registers, flags, memory and floating-point state
 * to zero or to their defaults, and keeps what still fails. Each attempt is run on the real CPU and in the tier.
 *
 * An attempt counts as failing only if it differs in something that the original differs in. Which flags it leaves open
 * is found anew, because what closed them may be gone; one whose result depends on open flags is none.
 */
import { Decoder, DecoderOptions } from "iced-x86";
import {
  DATA,
  GPR_NAMES,
  type InitialState,
  type InstructionCase,
  type NativeOracle,
  parseCode,
  resolveCase,
} from "../../oracle/index.ts";
import type { HostCpu } from "../../conformance/host-cpu.ts";
import { differencesIn, type Failure, type SequenceExecutor, type TierFailure } from "./judge.ts";
import { openFlagsOf } from "./open-flags.ts";
import type { Sequence } from "./sequences.ts";

const BITS = { long64: 64, compat32: 32, protected16: 16 } as const;
const NOP = 0x90;
/** Rounds over all parts; each finds what the one before made possible. */
const ROUNDS_MAX = 4;

export interface Reduced {
  readonly sequence: Sequence;
  readonly tiers: readonly TierFailure[];
  /** "alone", or behind which sequences it fails: then it has been left as it is; undefined if it failed only once. */
  readonly fails: "alone" | readonly Sequence[] | undefined;
}

/** Offsets and lengths of the instructions. */
function instructionsOf(code: Uint8Array, mode: InstructionCase["mode"]): { at: number; length: number }[] {
  const decoder = new Decoder(BITS[mode], code, DecoderOptions.None);
  const found: { at: number; length: number }[] = [];
  try {
    while (decoder.canDecode) {
      const at = decoder.position;
      decoder.decode().free();
      found.push({ at, length: decoder.position - at });
    }
  } finally {
    decoder.free();
  }
  return found;
}

export class Reducer {
  readonly #host: HostCpu;
  readonly #oracle: NativeOracle;
  readonly #tiers: readonly SequenceExecutor[];

  constructor(host: HostCpu, oracle: NativeOracle, tiers: readonly SequenceExecutor[]) {
    this.#host = host;
    this.#oracle = oracle;
    this.#tiers = tiers;
  }

  async reduce(failure: Failure): Promise<Reduced> {
    const { sequence, tiers } = failure;
    const wanted = new Set(tiers.flatMap(kindsOf));
    const fails = async (source: InstructionCase): Promise<boolean> => {
      const attempt = source === sequence.source ? sequence : withOpenFlags({ ...sequence, source });
      if (attempt === undefined) return false;
      const found = await this.failuresOf(attempt);
      return found.flatMap(kindsOf).some((kind) => wanted.has(kind));
    };
    await this.#forget(sequence);
    if (!(await fails(sequence.source)))
      return { sequence, tiers, fails: await this.#behind(failure, fails) };
    let { source } = sequence;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const before = source;
      source = await reduceCode(source, fails);
      for (const simpler of simplifications(source)) {
        const candidate = simpler(source);
        if (candidate !== undefined && (await fails(candidate))) source = candidate;
      }
      if (source === before) break;
    }
    const reduced =
      source === sequence.source ? sequence : (withOpenFlags({ ...sequence, source }) ?? sequence);
    return { sequence: reduced, tiers: await this.failuresOf(reduced), fails: "alone" };
  }

  /** Other code makes the tiers forget what they have made of this. */
  async #forget(sequence: Sequence): Promise<void> {
    await this.failuresOf({ ...sequence, source: { ...sequence.source, code: Uint8Array.of(NOP) } });
  }

  /** The sequences before one that it needs to fail: one of them if that is enough, or all. */
  async #behind({ sequence, before }: Failure, fails: Fails): Promise<readonly Sequence[] | undefined> {
    for (const needed of [...before.map((each) => [each]), before]) {
      await this.#forget(sequence);
      for (const each of needed) await this.failuresOf(each);
      if (await fails(sequence.source)) return needed;
    }
    return undefined;
  }

  /** What a sequence comes to in each tier that differs from the real CPU. */
  async failuresOf(sequence: Sequence): Promise<TierFailure[]> {
    const resolved = resolveCase(sequence.source);
    const [expected] = await this.#oracle.runRecords([resolved.state]);
    if (expected === undefined) return [];
    return this.#tiers
      .map((tier) => ({
        tier: tier.name,
        differences: differencesIn(this.#host, sequence, resolved, expected, tier),
      }))
      .filter(({ differences }) => differences.length > 0);
  }
}

/** What differs: of flags each by itself, of memory not where. */
function kindsOf({ differences }: TierFailure): string[] {
  return differences.flatMap(({ what, expected, actual }) => {
    if (what !== "flags") return [what.split(" ")[0] ?? what];
    const [left, right] = [expected.split(" "), actual.split(" ")];
    const only = [
      ...left.filter((flag) => !right.includes(flag)),
      ...right.filter((flag) => !left.includes(flag)),
    ];
    return only.filter((flag) => flag !== "none");
  });
}

/**
 * The sequence with the flags that its code leaves open; undefined if its result depends on such flags. Of code with
 * branches they are those that the whole code may leave open.
 */
function withOpenFlags(sequence: Sequence): Sequence | undefined {
  const { source } = sequence;
  const open = openFlagsOf(parseCode(source.code), source.mode);
  if (open.kind === "dependent") return undefined;
  const flags = open.kind === "known" ? open.flags : (source.undefined?.flags ?? 0);
  return { ...sequence, source: { ...source, undefined: { ...source.undefined, flags } } };
}

type Fails = (source: InstructionCase) => Promise<boolean>;

/** Without the instructions that are not needed: first as NOPs, which moves nothing, then without those as well. */
async function reduceCode(source: InstructionCase, fails: Fails): Promise<InstructionCase> {
  let best = source;
  const original = parseCode(source.code);
  for (const { at, length } of instructionsOf(original, source.mode).reverse()) {
    const code = parseCode(best.code).slice();
    if (code.subarray(at, at + length).every((byte) => byte === NOP)) continue;
    code.fill(NOP, at, at + length);
    const candidate = { ...best, code };
    if (await fails(candidate)) best = candidate;
  }
  for (const { at, length } of instructionsOf(parseCode(best.code), source.mode).reverse()) {
    const code = parseCode(best.code);
    if (length !== 1 || code[at] !== NOP || code.length === 1) continue;
    const shorter = Uint8Array.from([...code.subarray(0, at), ...code.subarray(at + 1)]);
    // What stands behind it stays in its place if the code begins later; what stands before it does if not.
    for (const moved of [1, 0]) {
      const codeGva = resolveCase(best).codeGva + moved;
      const candidate = { ...best, code: shorter, initial: { ...best.initial, codeGva } };
      if (!(await fails(candidate))) continue;
      best = candidate;
      break;
    }
  }
  return best;
}

type Simplification = (source: InstructionCase) => InstructionCase | undefined;

/** Steps towards a plainer state, each of which may turn out to be needless or too much. */
function simplifications(source: InstructionCase): Simplification[] {
  const withInitial =
    (change: (initial: InitialState) => InitialState | undefined): Simplification =>
    (from) => {
      const initial = change(from.initial ?? {});
      return initial === undefined ? undefined : { ...from, initial };
    };
  const steps: Simplification[] = [];
  const { initial = {}, memory = [] } = source;
  for (const key of [
    "st",
    "mm",
    "xmm",
    "ymm",
    "mxcsr",
    "fcw",
    "fsw",
    "segments",
    "fsBase",
    "gsBase",
  ] as const) {
    steps.push(withInitial(({ [key]: present, ...rest }) => (present === undefined ? undefined : rest)));
  }
  for (const number of Object.keys(initial.xmm ?? {}).map(Number)) {
    steps.push(
      withInitial((from) =>
        from.xmm?.[number] === undefined || from.xmm[number] === 0n
          ? undefined
          : { ...from, xmm: { ...from.xmm, [number]: 0n } },
      ),
    );
  }
  for (const key of ["st", "mm"] as const) {
    for (const index of (initial[key] ?? []).keys()) {
      steps.push(
        withInitial((from) =>
          from[key] === undefined || from[key][index] === 0n
            ? undefined
            : { ...from, [key]: from[key].map((value, i) => (i === index ? 0n : value)) },
        ),
      );
    }
  }
  for (const [i] of memory.entries()) {
    const at = memory.length - 1 - i;
    steps.push((from) =>
      from.memory?.[at] === undefined ? undefined : { ...from, memory: from.memory.toSpliced(at, 1) },
    );
  }
  for (const name of GPR_NAMES) {
    for (const value of [0n, BigInt(DATA.gva), 1n]) {
      steps.push(
        withInitial((from) => {
          const now = from.gpr?.[name];
          return now === 0n || now === BigInt(DATA.gva) || now === 1n || name === "rsp"
            ? undefined
            : { ...from, gpr: { ...from.gpr, [name]: value } };
        }),
      );
    }
  }
  for (let bit = 1; bit < 1 << 22; bit <<= 1) {
    steps.push(
      withInitial((from) =>
        ((from.flags ?? 0) & bit) === 0 ? undefined : { ...from, flags: (from.flags ?? 0) & ~bit },
      ),
    );
  }
  return steps;
}
