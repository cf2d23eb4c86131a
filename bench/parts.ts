/** The parts of the benchmark. In each round both emulators take their turn, and who goes first alternates. */

import type { FetchedGuest } from "../src/apps/cli/guests/index.ts";
import { contestants } from "./contestant.ts";
import type { Contestant } from "./contestant.ts";
import { figure } from "./figures.ts";
import type { Figure, Samples } from "./figures.ts";
import { GuestSession } from "./guest-session.ts";
import { measureIdle } from "./idle.ts";
import type { CommandTime } from "./shell-command.ts";
import { nativeLoopSeconds, timeShellLoop } from "./shell-loop.ts";
import { startGuest } from "./start.ts";
import type { Start } from "./start.ts";
import { timeWorkload, WORKLOADS } from "./workloads.ts";
import type { WorkloadName } from "./workloads.ts";

export interface PartParts {
  readonly rounds: number;
  /** Says what is going on. */
  readonly progress: (line: string) => void;
  readonly guest: (name: string) => Promise<FetchedGuest>;
}

const PRIMARY_GUEST = "linux-amd64";

export const PARTS = {
  /** Linux amd64 from process start to its mark, and a loop in its shell. */
  async linux(bench: PartParts): Promise<Figure[]> {
    const guest = await bench.guest(PRIMARY_GUEST);
    const native: number[] = [];
    const rounds = await interleave(bench, async (contestant) => {
      const session = new GuestSession(contestant.command(guest));
      try {
        const start = await startGuest(session, guest);
        return { start, loop: await timeShellLoop(session) };
      } finally {
        await session.stop();
      }
    });
    for (let round = 0; round < bench.rounds; round++) {
      const seconds = nativeLoopSeconds();
      if (seconds !== undefined) native.push(seconds);
    }
    const loop = samplesOf(rounds, (result) => result.loop.wallSeconds);
    return [
      ...startFigures(
        PRIMARY_GUEST,
        rounds.map((round) => pick(round, ({ start }) => start)),
        2.5,
      ),
      figure("shell loop", "s", native.length === 0 ? loop : { ...loop, native }, {
        goal: { of: "ratio", most: 1 },
      }),
      figure(
        "shell loop: processor time",
        "s",
        samplesOf(rounds, (result) => result.loop.processorSeconds),
      ),
    ];
  },

  /** Processor time and memory of an idle Linux guest. */
  async idle(bench: PartParts): Promise<Figure[]> {
    const guest = await bench.guest(PRIMARY_GUEST);
    const rounds = await interleave(bench, (contestant) => measureIdle(contestant, guest));
    const MB = 1e6;
    return [
      figure(
        "idle: processor time",
        "% of a core",
        samplesOf(rounds, (idle) => idle.processorPercent),
        { goal: { of: "typevisor", most: 2 } },
      ),
      figure(
        "idle: memory beyond touched guest RAM",
        "MB",
        samplesOf(rounds, (idle) => idle.memory.overhead / MB),
        { goal: { of: "typevisor", most: 120 } },
      ),
      ...(
        [
          ["  of it without the program's files", (memory) => memory.overhead - memory.parts.programFiles],
          ["  of it unchanged files of the program", (memory) => memory.parts.programFiles],
          ["  of it the engine's prefix", (memory) => memory.parts.enginePrefix],
          ["  of it compiled code", (memory) => memory.parts.compiledCode],
          ["  of it heaps and the rest", (memory) => memory.parts.anonymousRest],
          ["idle: touched guest RAM", (memory) => memory.touchedGuestRam],
          ["idle: resident, all together", (memory) => memory.resident],
        ] satisfies [string, (memory: IdleMemory) => number][]
      ).map(([name, bytesOf]) =>
        figure(
          name,
          "MB",
          samplesOf(rounds, (idle) => bytesOf(idle.memory) / MB),
        ),
      ),
    ];
  },

  /** Commands in the shell of Linux amd64 that have no goal. */
  async workloads(bench: PartParts): Promise<Figure[]> {
    const guest = await bench.guest(PRIMARY_GUEST);
    const names = Object.keys(WORKLOADS).filter(isWorkload);
    const rounds = await interleave(bench, async (contestant) => {
      const session = new GuestSession(contestant.command(guest));
      try {
        await startGuest(session, guest);
        const times = new Map<WorkloadName, CommandTime>();
        for (const name of names) times.set(name, await timeWorkload(session, name));
        return times;
      } finally {
        await session.stop();
      }
    });
    return names.flatMap((name) => [
      figure(
        name,
        "s",
        samplesOf(rounds, (times) => times.get(name)?.wallSeconds ?? NaN),
      ),
      figure(
        "  processor time",
        "s",
        samplesOf(rounds, (times) => times.get(name)?.processorSeconds ?? NaN),
      ),
    ]);
  },

  /** The other guests with a mark on their serial port. */
  async others(bench: PartParts): Promise<Figure[]> {
    const figures: Figure[] = [];
    for (const name of ["linux-i386", "gnumach"]) {
      const guest = await bench.guest(name);
      const rounds = await interleave(bench, async (contestant) => {
        const session = new GuestSession(contestant.command(guest));
        try {
          return await startGuest(session, guest);
        } finally {
          await session.stop();
        }
      });
      figures.push(...startFigures(name, rounds));
    }
    return figures;
  },
};

const isWorkload = (name: string): name is WorkloadName => Object.hasOwn(WORKLOADS, name);

export type PartName = keyof typeof PARTS;
type IdleMemory = Awaited<ReturnType<typeof measureIdle>>["memory"];

/** What both gave in one round. */
interface Round<T> {
  readonly typevisor: T;
  readonly qemuTcg: T;
}

async function interleave<T>(
  { rounds, progress }: PartParts,
  measure: (contestant: Contestant) => Promise<T>,
): Promise<Round<T>[]> {
  const results: Round<T>[] = [];
  for (let round = 0; round < rounds; round++) {
    const run = async (contestant: Contestant): Promise<T> => {
      progress(`round ${round + 1} of ${rounds}: ${contestant.name}`);
      return await measure(contestant);
    };
    const { typevisor, qemuTcg } = contestants;
    if (round % 2 === 0) {
      const ours = await run(typevisor);
      results.push({ typevisor: ours, qemuTcg: await run(qemuTcg) });
    } else {
      const reference = await run(qemuTcg);
      results.push({ typevisor: await run(typevisor), qemuTcg: reference });
    }
  }
  return results;
}

function pick<T, U>(round: Round<T>, of: (result: T) => U): Round<U> {
  return { typevisor: of(round.typevisor), qemuTcg: of(round.qemuTcg) };
}

function samplesOf<T>(rounds: readonly Round<T>[], of: (result: T) => number): Samples {
  return {
    typevisor: rounds.map(({ typevisor }) => of(typevisor)),
    qemuTcg: rounds.map(({ qemuTcg }) => of(qemuTcg)),
  };
}

function startFigures(name: string, rounds: readonly Round<Start>[], mostOfTcg?: number): Figure[] {
  return [
    figure(
      `${name}: process start to mark`,
      "s",
      samplesOf(rounds, (start) => start.wallSeconds),
      mostOfTcg === undefined ? {} : { goal: { of: "ratio", most: mostOfTcg } },
    ),
    figure(
      `${name}: processor time until then`,
      "s",
      samplesOf(rounds, (start) => start.processorSeconds),
    ),
  ];
}
