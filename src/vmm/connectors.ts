/** The connectors of a VM. */

import { PRINTER_CONNECTOR, SERIAL_CONNECTORS } from "../machine/index.ts";
import type { Connector } from "../machine/index.ts";
import type { VmDefinition } from "./vm-definition.ts";

/** Through which bytes flow to and from a VM. */
export function connectorsOf({ serialPorts, devices }: VmDefinition): Connector[] {
  const serial = SERIAL_CONNECTORS.slice(0, serialPorts);
  return devices.includes("isa-parallel") ? [...serial, PRINTER_CONNECTOR] : serial;
}
