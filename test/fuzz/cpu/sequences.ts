/**
 * What the CPU fuzz runs: programs of one to about a dozen instructions, each in many random states. A pair of program
 * and state is a sequence, and has a number. Programs are made around the rows of the x86 table in turn:
 *
 * - alone: one instruction in any shape that the conformance cases have (addressing, prefixes, segments, faults);
 * - embedded: the same behind instructions that leave their flags lazy and their registers half written, and before
 *   others that take up its results, with branches, loops, calls and stores into code;
 * - free: a program of the conformance tests' generator, without a row of its own.
 *
 * A sequence depends on the table, the seed, its number and the host's features alone.
 */
import { FloatSource } from "../../../src/engine/core/fpu-cases-fixture.ts";
import { STATUS_FLAGS } from "../../../src/engine/ir/flags.ts";
import type { InstructionRow } from "../../../src/engine/x86/row.ts";
import { instructionRows } from "../../../src/engine/x86/spec.ts";
import {
  CaseGenerator,
  codeOf,
  makeAcceptable,
  type ShapeWithBases,
} from "../../conformance/case-generator.ts";
import { type Draft, RSP } from "../../conformance/draft.ts";
import { exclusionOf } from "../../conformance/exclusions.ts";
import { fillFloatState, vectorPool } from "../../conformance/float-state.ts";
import type { FlagEffect } from "../../conformance/flag-effects.ts";
import type { HostCpu } from "../../conformance/host-cpu.ts";
import { reservedRegisters } from "../../conformance/policies.ts";
import { effectOfShape, ProgramShapes } from "../../conformance/program-shapes.ts";
import { programCase } from "../../conformance/programs.ts";
import { ProgramWriter } from "../../conformance/program-writer.ts";
import { DEFAULT_RIP, FLAG, type InstructionCase } from "../../oracle/index.ts";
import { NeedlessPrefixes } from "./needless-prefixes.ts";

/** Random states that each program runs in; numbers of sequences count so many for each program. */
export const STATES_PER_PROGRAM = 64;
/** For so many rows there is one free program: compiling it takes long. */
const ROWS_PER_FREE_PROGRAM = 24;
const DRAFT_ATTEMPTS = 8;
/** One in so many instructions has needless prefixes. */
const PREFIXED_AMONG = 5;
/** So far away from a branch its random targets stay (policies.ts). */
const PROLOGUE_BYTES_MAX = 0x40;

export interface Sequence {
  readonly number: number;
  /** The row it is made around. */
  readonly row: InstructionRow | undefined;
  readonly source: InstructionCase;
  /** Flags that may be anything if it does not come to its end. */
  readonly openFlagsIfFaulting: number;
}

export interface Program {
  readonly number: number;
  /** The row it is made around. */
  readonly row: InstructionRow | undefined;
  /** Linear address of that row's instruction. */
  readonly rowGva: number;
  readonly sequences: readonly Sequence[];
}

/** Rows that user mode cannot complete, or that lead away: nothing that follows them is executed. */
const LEADS_AWAY = /^(j|call|ret|iret|int|loop|sys|ud|hlt|in$|out)/;

const UNKNOWN_READS = STATUS_FLAGS;

const TAKES_SELECTOR = /^(verr|verw|lar|lsl|arpl)$/;

/** Branches into the middle of what stands before them would run anything. */
function leadsInto(shape: ShapeWithBases, start: number, end: number): boolean {
  return shape.row.encoding.immediates.some((token, i) => {
    if (token !== "cb" && token !== "cz") return false;
    const target = Number(shape.immediates[i] ?? 0n);
    return target >= start && target < end;
  });
}

function statesOf<T>(states: number, make: () => T | undefined): T[] {
  return Array.from({ length: states }, make).filter((each) => each !== undefined);
}

/** A state in which only flags are open behind the row's instruction, and none that others may read. */
function embeddedDraft(
  shape: ShapeWithBases,
  floats: FloatSource,
  { undefines }: FlagEffect,
  isPreceded: boolean,
  pool: readonly bigint[],
): Draft | undefined {
  for (let attempt = 0; attempt < DRAFT_ATTEMPTS; attempt++) {
    const draft = makeAcceptable(shape, floats);
    if (draft === undefined) return undefined;
    const { flags = 0, ...others } = draft.undefined;
    if (Object.keys(others).length > 0 || (flags & ~undefines) !== 0) continue;
    fillFloatState(draft, floats, pool);
    // A single step ends before the row's instruction.
    if (isPreceded) draft.flags &= ~FLAG.tf;
    return draft;
  }
  return undefined;
}

function programOf(
  number: number,
  row: InstructionRow | undefined,
  start: number,
  rowOffset: number,
  states: readonly Pick<Sequence, "source" | "openFlagsIfFaulting">[],
): Program {
  return {
    number,
    row,
    rowGva: start + rowOffset,
    sequences: states.map(({ source, openFlagsIfFaulting }, i) => {
      const sequence = number * STATES_PER_PROGRAM + i;
      return {
        number: sequence,
        row,
        source: { ...source, name: `case ${String(sequence)}` },
        openFlagsIfFaulting,
      };
    }),
  };
}

export class SequenceGenerator {
  /** Rows that this host can test. */
  readonly rows: readonly InstructionRow[];
  /** The others, with the reason. */
  readonly exclusions: ReadonlyMap<InstructionRow, string>;
  readonly #cases: CaseGenerator;
  readonly #shapes: ProgramShapes;
  readonly #prefixes: NeedlessPrefixes;
  readonly host: HostCpu;
  readonly #seed: number;
  readonly #states: number;

  /** With fewer `states` than usual a program has the first of its sequences alone. */
  constructor(host: HostCpu, seed: number, states = STATES_PER_PROGRAM) {
    this.#states = states;
    this.host = host;
    this.#seed = seed;
    this.#cases = new CaseGenerator(host, seed);
    this.#shapes = new ProgramShapes(host);
    this.#prefixes = new NeedlessPrefixes(host);
    const reasons = instructionRows.map((row) => [row, exclusionOf(row, host)] as const);
    this.rows = reasons.flatMap(([row, reason]) => (reason === undefined ? [row] : []));
    this.exclusions = new Map(
      reasons.flatMap(([row, why]) => (why === undefined ? [] : [[row, why] as const])),
    );
  }

  /** Programs in which each row has its turn once. */
  get programsPerRound(): number {
    return this.rows.length + Math.ceil(this.rows.length / ROWS_PER_FREE_PROGRAM);
  }

  /** The program of this number; undefined where the row has no shape that fits the choices. */
  program(number: number): Program | undefined {
    const round = Math.floor(number / this.programsPerRound);
    const place = number % this.programsPerRound;
    // Numbers next to each other give seeds far apart.
    const seed = BigInt(this.#seed) * 0x1_0000_0001n + BigInt(number) * 0x9e37_79b9_7f4a_7c15n;
    const floats = new FloatSource(Number(BigInt.asUintN(48, seed ^ (seed >> 29n))));
    const row = this.rows[place];
    if (row === undefined) return this.#free(number, floats);
    const shape = this.#cases.shape(row, round, floats.random);
    if (shape === undefined) return undefined;
    const isAlone = round % 3 === 0 || row.traits.has("cpl0");
    return (
      (isAlone ? undefined : this.#embedded(number, shape, floats)) ?? this.#alone(number, shape, floats)
    );
  }

  /** The instruction, now and then behind prefixes that change nothing. */
  #codeOf(shape: ShapeWithBases, { random }: FloatSource): Uint8Array {
    if (random.below(PREFIXED_AMONG) > 0) return codeOf(shape);
    const prefixes = this.#prefixes.choose(shape, random);
    const behind = { ...shape, codeGva: shape.codeGva + prefixes.length };
    return Uint8Array.from([...prefixes, ...codeOf(behind)]);
  }

  #alone(number: number, shape: ShapeWithBases, floats: FloatSource): Program | undefined {
    const code = this.#codeOf(shape, floats);
    const drafts = statesOf(this.#states, () => makeAcceptable(shape, floats));
    return programOf(
      number,
      shape.row,
      shape.codeGva,
      0,
      drafts.map((draft) => ({
        source: draft.finish("", code),
        openFlagsIfFaulting: draft.undefined.flags ?? 0,
      })),
    );
  }

  /** Undefined if the row's result is open in more than flags, or the shape does not fit into other code. */
  #embedded(number: number, shape: ShapeWithBases, floats: FloatSource): Program | undefined {
    const { random } = floats;
    const { row, memory, mode } = shape;
    // What it does to an x87 stack differs between processors (float-state.ts).
    if (row.mnemonic === "cvtpi2ps" && memory !== undefined) return undefined;
    const known = effectOfShape(shape);
    const effect: FlagEffect = known ?? { reads: UNKNOWN_READS, defines: 0, undefines: row.undefinedFlags };
    const reserved = new Set([...reservedRegisters(row), memory?.base ?? RSP, memory?.index ?? RSP, RSP]);
    // Selectors are those of the cases: the host's descriptor table has more that user mode may load.
    if (TAKES_SELECTOR.test(row.mnemonic) || row.operands[0]?.file === "sreg") reserved.add(shape.rm);
    let start = 0;
    const writer = new ProgramWriter(mode, random, this.#shapes, () => start);
    writer.writePlain(random.below(4), reserved);
    writer.closeFlags(effect.reads);
    const before = writer.length;
    start = shape.codeGva - before;
    if (before >= PROLOGUE_BYTES_MAX || leadsInto(shape, start, shape.codeGva)) return undefined;
    writer.writeCode(this.#codeOf(shape, floats), effect);
    if (!LEADS_AWAY.test(row.mnemonic)) {
      const usesMemory = random.below(4) > 0;
      if (usesMemory) writer.pointToData();
      writer.writeBody(1 + random.below(6), usesMemory);
    }
    const code = writer.finish();
    const pool = vectorPool(floats);
    const drafts = statesOf(this.#states, () => embeddedDraft(shape, floats, effect, before > 0, pool));
    if (drafts.length === 0) return undefined;
    return programOf(
      number,
      row,
      start,
      before,
      drafts.map((draft) => {
        const source = draft.finish("", code);
        return {
          source: {
            ...source,
            initial: { ...source.initial, codeGva: start },
            undefined: { flags: writer.openFlags },
          },
          openFlagsIfFaulting: writer.everOpenFlags,
        };
      }),
    );
  }

  #free(number: number, floats: FloatSource): Program {
    const { random } = floats;
    const mode = random.pick(this.host.modes);
    const writer = new ProgramWriter(mode, random, this.#shapes, () => DEFAULT_RIP);
    writer.writeProgram(3 + random.below(12), 1 + random.below(8));
    const flags = writer.openFlags;
    const code = writer.finish();
    const sources = Array.from({ length: this.#states }, () => ({
      source: { ...programCase("", mode, code, floats), undefined: { flags } },
      openFlagsIfFaulting: writer.everOpenFlags,
    }));
    return programOf(number, undefined, DEFAULT_RIP, 0, sources);
  }
}
