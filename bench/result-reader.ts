/**
 * Reads a result from its file. Only what was measured is taken from it; medians, ratios and goals are worked out anew,
 * so that they follow today's goals.
 */

import { CONTESTANTS } from "./contestant.ts";
import { figure, UNITS } from "./figures.ts";
import type { Figure, Samples } from "./figures.ts";
import { groupResults, isGroup } from "./groups.ts";
import { RESULT_FORMAT } from "./result.ts";
import type { BenchResult } from "./result.ts";
import { TOOL_NAMES } from "./tools.ts";

/** Throws a sentence that says what is not as it should be. */
export function readResult(text: string): BenchResult {
  const result = new Fields(JSON.parse(text), "the result");
  if (result.number("format") !== RESULT_FORMAT)
    throw new Error(`the result's format is not ${RESULT_FORMAT}`);
  const host = result.fields("host");
  const tools = host.fields("tools");
  const load = result.fields("load");
  const parts = result.list("parts").map((part) => ({
    name: part.string("name"),
    figures: part.list("figures").map(readFigure),
  }));
  return {
    format: RESULT_FORMAT,
    startedAt: result.string("startedAt"),
    host: {
      processor: host.string("processor"),
      cores: host.number("cores"),
      kernel: host.string("kernel"),
      node: host.string("node"),
      tools: Object.fromEntries(
        TOOL_NAMES.filter((name) => tools.has(name)).map((name) => [name, tools.string(name)]),
      ),
      commit: host.string("commit"),
    },
    rounds: result.number("rounds"),
    clock: result.string("clock") === "processor" ? "processor" : "wall",
    load: { before: load.number("before"), after: load.number("after") },
    leftOut: result.strings("leftOut"),
    failed: result.strings("failed"),
    parts,
    groups: groupResults(parts.flatMap(({ figures }) => figures)),
  };
}

function readFigure(fields: Fields): Figure {
  const unit = UNITS.find((each) => each === fields.string("unit"));
  if (unit === undefined) throw new Error(`${fields.where} has no unit that is known`);
  const recorded = fields.fields("samples");
  const samples: Samples = Object.fromEntries(
    CONTESTANTS.filter((name) => recorded.has(name)).map((name) => [name, recorded.numbers(name)]),
  );
  return figure(fields.string("name"), unit, samples, {
    groups: fields.strings("groups").filter(isGroup),
    ...(fields.has("goal") ? { most: fields.fields("goal").number("most") } : {}),
  });
}

/** An object of the file, whose fields are proven as they are read. */
class Fields {
  readonly #fields: ReadonlyMap<string, unknown>;
  readonly where: string;

  constructor(value: unknown, where: string) {
    if (typeof value !== "object" || value === null) throw new Error(`${where} is no object`);
    this.#fields = new Map(Object.entries(value));
    this.where = where;
  }

  has(name: string): boolean {
    return this.#fields.has(name);
  }

  number(name: string): number {
    return number(this.#fields.get(name), this.#at(name));
  }

  string(name: string): string {
    return string(this.#fields.get(name), this.#at(name));
  }

  fields(name: string): Fields {
    return new Fields(this.#fields.get(name), this.#at(name));
  }

  list(name: string): Fields[] {
    return this.#items(name).map((item, index) => new Fields(item, `${this.#at(name)}[${index}]`));
  }

  numbers(name: string): number[] {
    return this.#items(name).map((item) => number(item, this.#at(name)));
  }

  strings(name: string): string[] {
    return this.#items(name).map((item) => string(item, this.#at(name)));
  }

  #items(name: string): readonly unknown[] {
    const value = this.#fields.get(name);
    if (!Array.isArray(value)) throw new Error(`${this.#at(name)} is no list`);
    return value;
  }

  #at(name: string): string {
    return `${this.where}.${name}`;
  }
}

function number(value: unknown, where: string): number {
  if (typeof value !== "number") throw new Error(`${where} is no number`);
  return value;
}

function string(value: unknown, where: string): string {
  if (typeof value !== "string") throw new Error(`${where} is no string`);
  return value;
}
