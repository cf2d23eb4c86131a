/**
 * iPXE with its own drivers of the network cards: an address by DHCP, a script from a web server of the host's, and Linux
 * from there.
 */

import { readFile } from "node:fs/promises";

import { unwrap } from "../../../src/base/index.ts";
import { NETWORK_CARD_MODELS } from "../../../src/machine/index.ts";
import type { NetworkCardModel } from "../../../src/machine/index.ts";
import { chordInputs, textInput } from "../../../src/vmm/index.ts";
import { webServer } from "../guest-network.ts";
import { filesOfPackage } from "../package-files.ts";
import { bothBioses } from "./row.ts";
import type { GuestRow, RowBench } from "./row.ts";
import { linuxFiles, markOf } from "./systems.ts";

const ISO = "usr/lib/ipxe/ipxe.iso";
// IPv6 has nobody to answer it, which iPXE would wait for.
const COMMANDS = (port: number): string => `ifconf -c dhcp && chain http://10.0.2.2:${port}/\n`;
const SCRIPT = "#!ipxe\necho fetched over ${net0/bustype} as ${net0/ip}\nshell\n";

/** Relative to where the script is from. */
const LINUX_SCRIPT = "#!ipxe\nkernel vmlinuz console=ttyS0\ninitrd initrd\nboot\n";

async function chain(
  bench: RowBench,
  card: NetworkCardModel,
  memory: string,
  script: string,
  files: Readonly<Record<string, Uint8Array>> = {},
): Promise<void> {
  const cdrom = (await filesOfPackage("ipxe", [ISO]))("ipxe.iso");
  const { server, port } = await webServer(new TextEncoder().encode(script), files);
  try {
    const vm = await bench.start({ cdrom, memory, net: `nat,card=${card},host=allow` });
    await vm.waitForScreen("Press Ctrl-B for the iPXE command line", bench.patience);
    vm.typeKeys(unwrap(chordInputs("ControlLeft+KeyB")));
    await vm.waitForScreen("iPXE>", bench.patience);
    vm.typeKeys([unwrap(textInput(COMMANDS(port)))]);
    await bench.reachMark(vm);
  } finally {
    server.close();
  }
}

const httpRow = (card: NetworkCardModel): Omit<GuestRow, "firmware"> => ({
  id: `ipxe-http-${card}`,
  ...{ guest: `iPXE, ${card}`, packages: ["ipxe"], path: "CD", bus: "IDE" },
  mark: { where: "screen", text: "fetched over PCI as 10.0.2.15" },
  also: "said by a script that it fetches over HTTP",
  ...{ limitSeconds: 180, isShort: card === "e1000" },
  run: (bench) => chain(bench, card, "64M", SCRIPT),
});

export const NETWORK_ROWS: readonly GuestRow[] = [
  ...NETWORK_CARD_MODELS.flatMap((card) => bothBioses(httpRow(card))),
  ...bothBioses({
    id: "linux-amd64-network",
    guest: "Debian Linux amd64",
    packages: ["ipxe", "linux-image-cloud-amd64", "busybox-static"],
    ...{ path: "network, iPXE", mark: markOf("linux-amd64"), limitSeconds: 180 },
    async run(bench) {
      const { kernel, initrd } = await linuxFiles("linux-amd64");
      const files = { "/vmlinuz": await readFile(kernel), "/initrd": await readFile(initrd) };
      await chain(bench, "virtio", "256M", LINUX_SCRIPT, files);
    },
  }),
];
