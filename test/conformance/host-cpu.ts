/** What the processor that gives the expected results can do, in the terms of the x86 table. */
import { readFileSync } from "node:fs";
import { type Feature, featureNames } from "../../src/cpu/index.ts";
import type { CpuMode, OracleSupport } from "../oracle/index.ts";

export interface HostCpu {
  readonly modes: readonly CpuMode[];
  readonly features: ReadonlySet<Feature>;
  /** AMD processors differ from Intel's, which the table follows, in some places: see exclusions.ts. */
  readonly isAmd: boolean;
}

/** Names in /proc/cpuinfo that are not those of the table. */
const cpuInfoNames: Partial<Record<Feature, string>> = {
  clfsh: "clflush",
  sse3: "pni",
  lzcnt: "abm",
  lahf64: "lahf_lm",
  prefetchw: "3dnowprefetch",
  sha: "sha_ni",
};

export function hostCpu(support: OracleSupport & { readonly available: true }): HostCpu {
  const vendor = /^vendor_id\s*: (.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? "";
  const has = (feature: Feature): boolean => support.cpuFlags.has(cpuInfoNames[feature] ?? feature);
  return {
    modes: support.modes,
    features: new Set(featureNames.filter(has)),
    isAmd: vendor === "AuthenticAMD" || vendor === "HygonGenuine",
  };
}
