/** Modules as both versions of multiboot pass them: page-aligned behind the kernel, each with a string. */

import { BootFailure } from "./boot-error.ts";
import type { BootModule } from "./boot-request.ts";
import type { BootLayout } from "./layout.ts";

/** As many as anybody boots (the Hurd passes about 10); each string takes low memory. */
export const MAX_MODULES = 64;

export interface PlacedModule {
  readonly startGpa: number;
  readonly endGpa: number;
  readonly text: string;
}

export function placeModules(
  layout: BootLayout,
  modules: readonly BootModule[],
  fromGpa: number,
): PlacedModule[] {
  if (modules.length > MAX_MODULES) {
    throw new BootFailure(
      "unusable-module",
      `${modules.length} modules were given; the limit is ${MAX_MODULES}.`,
    );
  }
  return modules.map((module) => {
    const startGpa = layout.allocateAbove(module.name, module.bytes.length, fromGpa);
    layout.ram.write(startGpa, module.bytes);
    return {
      startGpa,
      endGpa: startGpa + module.bytes.length,
      text: module.commandLine ?? module.name,
    };
  });
}
