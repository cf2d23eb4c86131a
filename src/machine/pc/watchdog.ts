/** The board's watchdog: in a PCI slot of its own, its output connected to what the user has chosen. */

import { I6300Esb } from "../../devices/watchdog/index.ts";
import type { I6300EsbConfig } from "../../devices/watchdog/index.ts";
import type { PciFunction } from "../../hw/index.ts";
import type { PciBus } from "../pci/index.ts";
import type { WatchdogAction } from "./watchdog-action.ts";

/** The device number that the chip has given it, where nothing is placed by counting. */
const SLOT = 29;

interface WatchdogSurroundings extends Omit<I6300EsbConfig, "onTimeout"> {
  readonly pci: PciBus;
  readonly events: { powerOff(): void; reset(): void };
}

export function attachWatchdog(
  action: WatchdogAction,
  { pci, events, ...surroundings }: WatchdogSurroundings,
): PciFunction {
  const outputs: Readonly<Record<WatchdogAction, () => void>> = {
    reset: () => events.reset(),
    "power-off": () => events.powerOff(),
    none: () => undefined,
  };
  const watchdog = new I6300Esb({ ...surroundings, onTimeout: outputs[action] });
  pci.attach(SLOT, 0, watchdog);
  return watchdog;
}
