/** The virtual processor's features and models: what gates instructions, what CPUID says, what `--cpu` takes. */

export {
  cpuModel,
  cpuModelHelp,
  cpuModels,
  DEFAULT_CPU_MODEL,
  featuresOfModel,
  parseCpuModel,
} from "./cpu-model.ts";
export type { CpuModel, CpuModelName } from "./cpu-model.ts";
export type { CpuidLeaf } from "./cpuid-leaves.ts";
export { featureAliases, featureGroups, featureNames, features, isFeature } from "./features.ts";
export type { CpuidPlace, CpuidRegister, Feature, FeatureGroup } from "./features.ts";
