/**
 * Random programs for the tiers: arithmetic on registers, memory, vectors and the x87 stack, with branches, loops,
 * calls and code that changes itself. What single instructions cannot show is shown here: lazy flags over several
 * instructions, registers kept in locals, faults in the middle of a region, invalidation.
 */
import { STATUS_FLAGS } from "../../src/engine/ir/flags.ts";
import { FloatSource } from "../../src/engine/core/fpu-cases-fixture.ts";
import {
  type CpuMode,
  DATA,
  DEFAULT_RIP,
  GPR_NAMES,
  type InstructionCase,
  integerValues,
} from "../oracle/index.ts";
import type { HostCpu } from "./host-cpu.ts";
import { DATA_POINTER, ProgramShapes } from "./program-shapes.ts";
import { ProgramWriter } from "./program-writer.ts";

/** Iterations after which a block is compiled without help, and some more. */
const HOT_ITERATIONS = 700;

export interface Program {
  readonly source: InstructionCase;
  /** The same, for when it ends by a fault: flags may then be open that later instructions would have defined. */
  readonly sourceIfFaulting: InstructionCase;
}

export class ProgramGenerator {
  readonly #shapes: ProgramShapes;

  constructor(host: HostCpu) {
    this.#shapes = new ProgramShapes(host);
  }

  /** A program; the same for the same number. */
  program(mode: CpuMode, number: number): Program {
    const floats = new FloatSource(number * 4 + ["long64", "compat32", "protected16"].indexOf(mode));
    const { random } = floats;
    const writer = new ProgramWriter(mode, random, this.#shapes, () => DEFAULT_RIP);
    const instructions = 3 + random.below(20);
    const isHot = random.below(5) === 0;
    writer.writeProgram(instructions, isHot ? HOT_ITERATIONS + random.below(200) : 1 + random.below(40));
    const openAtEnd = writer.openFlags;
    const code = writer.finish();
    const source = programCase(`program ${String(number)}`, mode, code, floats);
    return {
      source: { ...source, undefined: { flags: openAtEnd } },
      sourceIfFaulting: { ...source, undefined: { flags: writer.everOpenFlags } },
    };
  }
}

/** A random state for a program. */
export function programCase(
  name: string,
  mode: CpuMode,
  code: Uint8Array,
  floats: FloatSource,
): InstructionCase {
  const { random } = floats;
  const values = integerValues(64);
  const value = (): bigint => (random.below(2) === 0 ? random.pick(values) : random.next64());
  const dataBase = mode === "protected16" ? DATA.gva : 0;
  const registers = GPR_NAMES.filter((register) => register !== "rsp");
  const gpr = Object.fromEntries(registers.map((register) => [register, value()]));
  const vector = (): bigint =>
    random.below(2) === 0 ? floats.vector(random.pick([32, 64])) : random.next64() | (random.next64() << 64n);
  const usesMmx = random.below(2) === 0;
  return {
    name: `${name} (${mode})`,
    mode: mode,
    code: code,
    initial: {
      gpr: { ...gpr, rbx: BigInt(DATA_POINTER - dataBase) },
      flags: Number(random.next64()) & STATUS_FLAGS,
      xmm: Object.fromEntries(Array.from({ length: mode === "long64" ? 16 : 8 }, (_, i) => [i, vector()])),
      ...(usesMmx
        ? { mm: Array.from({ length: 8 }, () => random.next64()) }
        : { st: Array.from({ length: random.below(6) }, () => floats.f80()) }),
    },
  };
}
