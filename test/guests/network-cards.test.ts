/**
 * Linux with its own driver of each network card that is a chip, all of them in one PC: an address by DHCP, and files from
 * and to a web server of the host's, with checksums and segments as the driver leaves them to the card.
 */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { Unavailable } from "../programs/run-tool.ts";
import { configure, run, sha256, webServer } from "./guest-network.ts";
import { guestOptions, LIMIT, linuxShell } from "./guests.ts";
import { kernelWithModules } from "./kernel-modules.ts";

const NAME = "linux-amd64";
const CONTENT_BYTES = 512 * 1024;
const ETHERNET = "drivers/net/ethernet";
/** Modules in the order in which they are loaded, and what the driver says of the card. */
const CARDS = [
  { card: "e1000", driver: "e1000", modules: ["e1000"], said: "Intel(R) PRO/1000 Network Connection" },
  { card: "ne2000", driver: "ne2k-pci", modules: ["8390", "ne2k-pci"], said: "RealTek RTL-8029" },
  { card: "rtl8139", driver: "8139too", modules: ["mii", "8139too"], said: "RealTek RTL8139 at" },
] as const;
const MODULE_PATHS = [
  "drivers/net/mii.ko",
  ...["intel/e1000/e1000.ko", "8390/8390.ko", "8390/ne2k-pci.ko", "realtek/8139too.ko"].map(
    (path) => `${ETHERNET}/${path}`,
  ),
];

const macAddress = (index: number): string => `52:54:00:12:34:5${index}`;

test("Linux uses every network card", LIMIT, async (t) => {
  const options = await guestOptions(t, NAME);
  if (options === undefined) return;
  await using folder = await mkdtempDisposable(join(tmpdir(), "typevisor-cards-"));
  const initrd = join(folder.path, "initrd");
  let kernel: string;
  try {
    const full = await kernelWithModules(MODULE_PATHS);
    ({ kernel } = full);
    await writeFile(initrd, Buffer.concat([await readFile(String(options.initrd)), full.modules]));
  } catch (thrown) {
    if (!(thrown instanceof Unavailable)) throw thrown;
    t.skip(thrown.message);
    return;
  }
  const content = randomBytes(CONTENT_BYTES);
  const net = CARDS.map(({ card }, index) => `nat,card=${card},host=allow,mac=${macAddress(index)}`);
  await using shell = await linuxShell({ ...options, kernel, initrd, name: "cards", net }, NAME);
  const ask = (command: string): Promise<string> => run(shell, command);
  // Text, as busybox posts no others.
  await ask(`dd if=/dev/urandom bs=64k count=4 2>/dev/null | hexdump -ve '1/1 "%02x"' >/up`);

  for (const [index, { card, driver, modules, said }] of CARDS.entries()) {
    await t.test(card, async () => {
      for (const module of modules) assert.equal(await ask(`insmod /modules/${module}.ko`), "");
      const place = `/sys/class/net/eth${index}`;
      assert.equal(await ask(`readlink ${place}/device/driver | sed s,.*/,,`), driver);
      assert.equal(await ask(`cat ${place}/address`), macAddress(index));
      assert.ok((await ask("dmesg")).includes(said));
      assert.match(await configure(shell, `eth${index}`), /^bound 10\.0\.2\.15\/24 10\.0\.2\.2/);

      const { server, port, posted } = await webServer(content);
      try {
        await ask(`wget -q -O /down --post-file=/up http://10.0.2.2:${port}/`);
        assert.equal(await ask("sha256sum </down"), `${sha256(content)}  -`);
        assert.equal(await ask("sha256sum </up"), `${await posted}  -`);
      } finally {
        server.close();
      }
      // No frame was lost or wrong; all cards have the same address on networks of their own.
      const troubles = ["rx_errors", "rx_dropped", "tx_errors", "tx_dropped"];
      const statistics = troubles.map((name) => `${place}/statistics/${name}`).join(" ");
      assert.equal(await ask(`cat ${statistics} | sort -u`), "0");
      await ask(`ip addr flush dev eth${index}; ip link set eth${index} down`);
    });
  }
});
