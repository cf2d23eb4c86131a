/**
 * CPU models and what people make of them: "v2,+aes,-sha" is a model, then features turned on and off, of which the
 * last word counts. v1 is the x86-64 baseline; v2, the default, is x86-64-v2 and what else is implemented and helps
 * guests. A list that leaves a feature without one that it needs is refused.
 */

import { editDistance, err, ok, type OperatorError, type Result } from "../base/index.ts";
import { cpuidLeaves, type CpuidLeaf } from "./cpuid-leaves.ts";
import {
  featureAliases,
  featureGroups,
  featureNames,
  features,
  isFeature,
  type Feature,
} from "./features.ts";

export interface CpuModel {
  /** As it was asked for. */
  readonly name: string;
  readonly features: ReadonlySet<Feature>;
  cpuid(): readonly CpuidLeaf[];
}

/** The models, smallest first; each has what the ones before it have. */
export const cpuModels = {
  v1: "x86-64 baseline: what every 64-bit processor has, no SSE3 and later",
  v2: "x86-64-v2, and everything else that is implemented and helps guests",
} as const;
export type CpuModelName = keyof typeof cpuModels;
const modelNames: readonly string[] = Object.keys(cpuModels);
export const DEFAULT_CPU_MODEL: CpuModelName = "v2";

/** Whether a feature belongs to the model. */
const isInModel = (model: string, feature: Feature): boolean => {
  const { since } = features[feature];
  return since !== undefined && modelNames.indexOf(since) <= modelNames.indexOf(model);
};

/** The features of a model, in the order of the table. */
export const featuresOfModel = (model: CpuModelName): readonly Feature[] =>
  featureNames.filter((feature) => isInModel(model, feature));

/** The default model, or the one of a text that is known to be right. */
export function cpuModel(text: string = DEFAULT_CPU_MODEL): CpuModel {
  const parsed = parseCpuModel(text);
  if (!parsed.ok) throw new RangeError(`--cpu ${parsed.error.message}`);
  return parsed.value;
}

/**
 * A processor from a list such as "v2,+aes,-sha" or "-popcnt" (of the default model). The error's message follows
 * the name of the option in a sentence, without a full stop.
 */
export function parseCpuModel(text: string): Result<CpuModel, OperatorError<"bad-cpu">> {
  const words = text.split(",");
  const [first = ""] = words;
  const beginsWithModel = !/^[+-]/.test(first);
  const model = beginsWithModel ? first : DEFAULT_CPU_MODEL;
  if (!modelNames.includes(model)) return err("bad-cpu", unknownModel(model));
  const chosen = new Set(featureNames.filter((feature) => isInModel(model, feature)));
  for (const word of words.slice(beginsWithModel ? 1 : 0)) {
    const problem = applyWord(chosen, word);
    if (problem !== undefined) return err("bad-cpu", problem);
  }
  const unmet = unmetNeed(chosen);
  if (unmet !== undefined) return err("bad-cpu", unmet);
  return ok({ name: text, features: chosen, cpuid: () => cpuidLeaves(chosen) });
}

/** Turns the features of "+name" or "-name" on or off; returns what is wrong with the word. */
function applyWord(chosen: Set<Feature>, word: string): string | undefined {
  const sign = word[0];
  const name = word.slice(1).replaceAll(".", "_");
  if (modelNames.includes(word)) return `names the model ${word} behind something else; a model comes first`;
  if (sign !== "+" && sign !== "-") {
    return `must be a model and features with + or - in front, like v2,+aes,-sha; "${word}" is neither`;
  }
  const named = isFeature(name) ? [name] : featureAliases[name];
  if (named === undefined) return unknownFeature(name);
  for (const feature of named) {
    if (sign === "-" && features[feature].always === true)
      return `cannot turn off ${feature}, which every processor has`;
    if (sign === "+") chosen.add(feature);
    else chosen.delete(feature);
  }
  return undefined;
}

/** The first feature that lacks what it needs, as a sentence that names all that do. */
function unmetNeed(chosen: ReadonlySet<Feature>): string | undefined {
  for (const needed of featureNames) {
    if (chosen.has(needed)) continue;
    const without = [...chosen].filter((feature) => features[feature].needs?.includes(needed) === true);
    if (without.length > 0) {
      const verb = without.length === 1 ? "needs" : "need";
      return `leaves ${needed} off, which ${listed(without)} ${verb}: add +${needed}, or ${without.map((name) => `-${name}`).join(",")}`;
    }
  }
  return undefined;
}

const listed = (names: readonly string[]): string =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;

const unknownModel = (name: string): string =>
  isFeature(name) || featureAliases[name] !== undefined
    ? `must name features with + or - in front: +${name}`
    : `does not know the model "${name}"; there are ${listed(modelNames)}`;

const NEAR_NAMES_MAX = 4;

function unknownFeature(name: string): string {
  const near = [...featureNames, ...Object.keys(featureAliases)]
    .map((known) => ({ known, distance: editDistance(known, name) }))
    .filter(
      ({ known, distance }) =>
        distance <= (name.length > 4 ? 2 : 1) || (name.length > 1 && known.startsWith(name)),
    )
    .toSorted((a, b) => a.distance - b.distance)
    .slice(0, NEAR_NAMES_MAX)
    .map(({ known }) => known);
  const hint =
    near.length > 0 ? `near it ${near.length === 1 ? "is" : "are"} ${listed(near)}` : "--cpu help lists them";
  return `does not know the feature "${name}"; ${hint}`;
}

/** What `--cpu help` prints: models, then features by group with the models that have them. */
export function cpuModelHelp(): string {
  const lines = ["Models:"];
  for (const [name, what] of Object.entries(cpuModels)) {
    lines.push(`  ${name}  ${what}${name === DEFAULT_CPU_MODEL ? " (default)" : ""}`);
  }
  lines.push("", "Features, to be turned on with + and off with -, and the first model that has them:");
  const width = Math.max(...featureNames.map((name) => name.length));
  for (const [group, heading] of Object.entries(featureGroups)) {
    const names = featureNames.filter((name) => features[name].group === group);
    if (names.length === 0) continue;
    lines.push("", `${heading}:`);
    for (const name of names) {
      const { what, since = "--", needs = [], always } = features[name];
      const notes = [...needs.map((need) => `needs ${need}`), ...(always === true ? ["always on"] : [])];
      const shownNotes = notes.length === 0 ? "" : ` (${notes.join(", ")})`;
      lines.push(`  ${name.padEnd(width)}  ${since}  ${what}${shownNotes}`);
    }
  }
  const aliases = Object.entries(featureAliases).map(([alias, names]) => `${alias} (${names.join(", ")})`);
  lines.push("", `Other names: ${aliases.join(", ")}.`, "Example: --cpu v2,+smap,-aes", "");
  return lines.join("\n");
}
