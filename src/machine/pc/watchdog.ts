/** The board's watchdog: in a PCI slot of its own, its output connected to what the user has chosen. */

import { I6300Esb } from "../../devices/index.ts";
import type { I6300EsbConfig } from "../../devices/index.ts";
import type { PciFunction } from "../../hw/index.ts";
import type { PciBus } from "../pci/index.ts";

/** What happens when a guest that has begun to feed its watchdog feeds it no more. */
export const WATCHDOG_ACTIONS = ["reset", "power-off", "none"] as const;
export type WatchdogAction = (typeof WATCHDOG_ACTIONS)[number];

/** The device number that the chip has given it, where nothing is placed by counting. */
const SLOT = 29;

interface WatchdogSurroundings extends Omit<I6300EsbConfig, "onTimeout"> {
  readonly pci: PciBus;
  readonly events: { powerOff(): void; reset(): void };
}

/** None unless there is an action. */
export function attachWatchdog(
  action: WatchdogAction | undefined,
  { pci, events, ...surroundings }: WatchdogSurroundings,
): readonly PciFunction[] {
  if (action === undefined) return [];
  const outputs: Readonly<Record<WatchdogAction, () => void>> = {
    reset: () => events.reset(),
    "power-off": () => events.powerOff(),
    none: () => undefined,
  };
  const watchdog = new I6300Esb({ ...surroundings, onTimeout: outputs[action] });
  pci.attach(SLOT, 0, watchdog);
  return [watchdog];
}
