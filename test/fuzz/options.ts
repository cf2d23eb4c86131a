/** The command line of the fuzz. */
import { parseArgs } from "node:util";

export const partNames = [
  "cpu",
  "board",
  "engine",
  "virtio",
  "nvme",
  "ide",
  "nic",
  "nat",
  "bios",
  "p9",
  "floppy",
] as const;
export type PartName = (typeof partNames)[number];
const isPartName = (name: string): name is PartName => partNames.some((part) => part === name);

export interface FuzzOptions {
  readonly parts: readonly PartName[];
  /** For each part. */
  readonly seconds: number;
  readonly seed: number;
  readonly jobs: number;
  /** A sequence of the CPU part to run again. */
  readonly only: number | undefined;
  readonly format: "text" | "json";
}

const JOBS_MAX = 64;
const SEED_MAX = 2 ** 32 - 1;

export const usage = `npm run fuzz -- [cpu] [board] [engine] [virtio] [nvme] [ide] [nic] [nat] [bios] [p9] [floppy] [--seconds N] [--seed S] [--jobs J] [--case N] [--format text|json]

  cpu       random instruction sequences on the real CPU and in both tiers of the engine, compared bit for bit
  board     random accesses to the PC's devices, each of which must not take more and more of the host's memory
  engine    random guests at CPL 0 in every mode and tier
  virtio    drivers that break the rules of virtio's queues and registers
  nvme      a driver that breaks the rules of NVMe's queues, commands and registers
  ide       drivers that break the rules of ATA, ATAPI and the bus master
  nic       drivers that break the rules of network cards' registers and descriptors
  nat       guests that break the rules of the protocols that a NAT speaks
  bios      programs that call the built-in BIOS with anything
  p9        clients that break the rules of shared folders
  floppy    commands, transfers and diskettes that come and go, at random
  --seconds how long each part runs (60); without a part, all run
  --seed    which sequences, boards and guests (1)
  --jobs    threads of the cpu part (1)
  --case    runs one sequence of the cpu part again, with the others of its program
  --format  text, or json: one object on standard output
`;

/** A complaint of one sentence for the operator. */
export class UsageError extends Error {}

function integer(name: string, text: string, max: number, min = 0): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > max || value < min)
    throw new UsageError(
      `--${name} takes a whole number from ${String(min)} to ${String(max)}, not "${text}".`,
    );
  return value;
}

function parse(given: readonly string[]) {
  try {
    return parseArgs({
      args: [...given],
      allowPositionals: true,
      options: {
        seconds: { type: "string", default: "60" },
        seed: { type: "string", default: "1" },
        jobs: { type: "string", default: "1" },
        case: { type: "string" },
        format: { type: "string", default: "text" },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

export function parseFuzzOptions(given: readonly string[]): FuzzOptions {
  const { values, positionals } = parse(given);
  const unknown = positionals.find((name) => !isPartName(name));
  if (unknown !== undefined)
    throw new UsageError(`There is no part "${unknown}": the parts are ${partNames.join(", ")}.`);
  const seconds = Number(values.seconds);
  if (!(seconds > 0) || !Number.isFinite(seconds))
    throw new UsageError(`--seconds takes a number above 0, not "${values.seconds}".`);
  const { format } = values;
  if (format !== "text" && format !== "json")
    throw new UsageError(`--format is text or json, not "${format}".`);
  const only = values.case === undefined ? undefined : integer("case", values.case, Number.MAX_SAFE_INTEGER);
  const named = partNames.filter((name) => positionals.includes(name));
  if (only !== undefined && named.some((name) => name !== "cpu"))
    throw new UsageError("--case is for the cpu part alone.");
  return {
    parts: only !== undefined ? ["cpu"] : named.length === 0 ? partNames : named,
    seconds,
    seed: integer("seed", values.seed, SEED_MAX),
    jobs: integer("jobs", values.jobs, JOBS_MAX, 1),
    only,
    format,
  };
}
