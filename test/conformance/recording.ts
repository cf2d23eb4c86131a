/**
 * What the real CPU answered to a few cases of each row, as text (Base64) for hosts that are not x86-64. Made by
 * `npm run conformance -- --record`, which has to be run again when rows or the generator change much.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { type Feature, featureNames } from "../../src/cpu/index.ts";
import { instructionRows } from "../../src/engine/x86/spec.ts";
import { type CpuExecutor, type CpuMode, RecordedExecutor, recordVectors } from "../oracle/index.ts";
import { CaseGenerator } from "./case-generator.ts";
import { exclusionOf } from "./exclusions.ts";
import type { HostCpu } from "./host-cpu.ts";

const VECTORS = new URL("./recorded-vectors.txt", import.meta.url);
const HOST = new URL("./recorded-host.json", import.meta.url);
export const RECORDED_CASES_PER_ROW = 6;
export const RECORDED_SEED = 1;
export const RECORDED_BYTES_MAX = 300_000;

export interface Recording {
  readonly vectors: RecordedExecutor;
  /** The processor that was recorded. */
  readonly host: HostCpu;
}

const modes: readonly CpuMode[] = ["long64", "compat32", "protected16"];

function decodeHost(text: string): HostCpu {
  const value: unknown = JSON.parse(text);
  const field = (key: string): unknown =>
    typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
  const names = (key: string): readonly string[] => {
    const list = field(key);
    if (typeof list !== "string") throw new RangeError(`the recorded host has no ${key}`);
    return list.split(" ");
  };
  return {
    modes: modes.filter((mode) => names("modes").includes(mode)),
    features: new Set<Feature>(featureNames.filter((feature) => names("features").includes(feature))),
    isAmd: field("isAmd") === true,
  };
}

/** The recording, or undefined if the checkout has none. */
export function loadRecording(): Recording | undefined {
  if (!existsSync(VECTORS)) return undefined;
  const vectors = new RecordedExecutor(Buffer.from(readFileSync(VECTORS, "latin1"), "base64"));
  return { vectors, host: decodeHost(readFileSync(HOST, "utf8")) };
}

/** Records anew; returns the number of cases and the size of the file. */
export async function record(
  cpu: CpuExecutor,
  cpuName: string,
  host: HostCpu,
): Promise<{ readonly caseCount: number; readonly sizeBytes: number }> {
  const generator = new CaseGenerator(host, RECORDED_SEED);
  const cases = instructionRows
    .filter((row) => exclusionOf(row, host) === undefined)
    .flatMap((row) => generator.casesOf(row, RECORDED_CASES_PER_ROW));
  const vectors = await recordVectors(cpu, cpuName, cases);
  const lines =
    Buffer.from(vectors)
      .toString("base64")
      .match(/.{1,100}/g) ?? [];
  const file = `${lines.join("\n")}\n`;
  if (file.length > RECORDED_BYTES_MAX)
    throw new Error(`a recording of ${String(file.length)} bytes is too large`);
  writeFileSync(VECTORS, file);
  const description = {
    modes: host.modes.join(" "),
    features: [...host.features].join(" "),
    isAmd: host.isAmd,
  };
  writeFileSync(HOST, `${JSON.stringify(description, undefined, 2)}\n`);
  return { caseCount: cases.length, sizeBytes: file.length };
}
