/** iPXE with its own drivers of the network cards: an address by DHCP, and a script from a web server of the host's. */

import { unwrap } from "../../../src/base/index.ts";
import { NETWORK_CARD_MODELS } from "../../../src/machine/index.ts";
import type { NetworkCardModel } from "../../../src/machine/index.ts";
import { chordInputs, textInput } from "../../../src/vmm/index.ts";
import { webServer } from "../guest-network.ts";
import { filesOfPackage } from "../package-files.ts";
import type { GuestRow } from "./row.ts";

const ISO = "usr/lib/ipxe/ipxe.iso";
// IPv6 has nobody to answer it, which iPXE would wait for.
const COMMANDS = (port: number): string => `ifconf -c dhcp && chain http://10.0.2.2:${port}/\n`;
const SCRIPT = "#!ipxe\necho fetched over ${net0/bustype} as ${net0/ip}\nshell\n";

const httpRow = (card: NetworkCardModel): GuestRow => ({
  id: `ipxe-http-${card}`,
  ...{ guest: `iPXE, ${card}`, packages: ["ipxe"], path: "CD", bus: "IDE", firmware: "built-in BIOS" },
  mark: { where: "screen", text: "fetched over PCI as 10.0.2.15" },
  also: "said by a script that it fetches over HTTP",
  ...{ limitSeconds: 60, isShort: card === "e1000" },
  async run(bench) {
    const cdrom = (await filesOfPackage("ipxe", [ISO]))("ipxe.iso");
    const { server, port } = await webServer(new TextEncoder().encode(SCRIPT));
    try {
      const vm = await bench.start({ cdrom, memory: "64M", net: `nat,card=${card},host=allow` });
      await vm.waitForScreen("Press Ctrl-B for the iPXE command line", bench.patience);
      vm.typeKeys(unwrap(chordInputs("ControlLeft+KeyB")));
      await vm.waitForScreen("iPXE>", bench.patience);
      vm.typeKeys([unwrap(textInput(COMMANDS(port)))]);
      await bench.reachMark(vm);
    } finally {
      server.close();
    }
  },
});

export const NETWORK_ROWS: readonly GuestRow[] = NETWORK_CARD_MODELS.map(httpRow);
