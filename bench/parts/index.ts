/** The parts of the benchmark by name, in the order in which they run. */

import type { Part } from "../part.ts";
import { deviceExits } from "./device-exits.ts";
import { disks } from "./disks.ts";
import { growth } from "./growth.ts";
import { idle } from "./idle.ts";
import { kernels } from "./kernels.ts";
import { kernels32 } from "./kernels32.ts";
import { linux } from "./linux.ts";
import { network } from "./network.ts";
import { osWork } from "./os-work.ts";
import { others } from "./others.ts";
import { pauses } from "./pauses.ts";
import { realPrograms } from "./real-programs.ts";
import { workloads } from "./workloads.ts";

export const PARTS = {
  kernels,
  kernels32,
  linux,
  idle,
  workloads,
  "os-work": osWork,
  "real-programs": realPrograms,
  disks,
  network,
  "device-exits": deviceExits,
  pauses,
  growth,
  others,
} as const satisfies Record<string, Part>;

export type PartName = keyof typeof PARTS;

export const isPart = (name: string): name is PartName => Object.hasOwn(PARTS, name);

export const PART_NAMES: readonly PartName[] = Object.keys(PARTS).filter(isPart);

/** The part as every part is seen: with what it may leave out. */
export const partOf = (name: PartName): Part => PARTS[name];
