/**
 * Linux behind the NAT with its own drivers: it gets its address by DHCP, finds names, fetches from a web server of the host's
 * and sends to it, pings the gateway, and is reached by a forwarded port.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { Unavailable } from "../programs/run-tool.ts";
import { configure, run, sha256, webServer } from "./guest-network.ts";
import { guestOptions, LIMIT, linuxShell } from "./guests.ts";
import type { LinuxShell } from "./guests.ts";
import { modularLinux, NETWORK_MODULES } from "./modular-linux.ts";

const NAME = "linux-amd64";
/** Feature bits as sysfs shows them: a digit each. */
const VERSION_1 = 32;
const RING_PACKED = 34;
const DOWNLOAD_BYTES = 2 * 1024 * 1024;

/** Files for a VM whose initramfs has the modules. */
async function prepare(t: TestContext, folder: string) {
  const options = await guestOptions(t, NAME);
  if (options === undefined) return undefined;
  try {
    const { kernelPath, modulesPath } = await modularLinux(NETWORK_MODULES);
    const initrd = join(folder, "initrd");
    const shell = await readFile(String(options.initrd));
    await writeFile(initrd, Buffer.concat([shell, await readFile(modulesPath)]));
    return { ...options, kernel: kernelPath, initrd };
  } catch (thrown) {
    if (!(thrown instanceof Unavailable)) throw thrown;
    t.skip(thrown.message);
    return undefined;
  }
}

const loadAll = (shell: LinuxShell): Promise<string> =>
  run(shell, "for m in /modules/*; do insmod $m || echo failed $m; done");

test("Linux uses its network by virtio", LIMIT, async (t) => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "typevisor-net-"));
  const options = await prepare(t, folder.path);
  if (options === undefined) return;
  const content = randomBytes(DOWNLOAD_BYTES);
  const { server, port } = await webServer(content);
  t.after(() => server.close());
  await using shell = await linuxShell(
    { ...options, name: "netguest", net: `nat,host=allow,forward=tcp:127.0.0.1:${FORWARDED}:7` },
    NAME,
  );
  assert.equal(await loadAll(shell), "");
  assert.equal(await configure(shell), "bound 10.0.2.15/24 10.0.2.2 10.0.2.3 netguest 86400");
  assert.match(await run(shell, "ping -c 1 10.0.2.2"), /1 packets received/);
  assert.match(await run(shell, "nslookup host.typevisor"), /Address( 1)?: 10\.0\.2\.2/);
  const fetched = await run(shell, `wget -q -O - http://host.typevisor:${port}/ | sha256sum`);
  assert.equal(fetched, `${sha256(content)}  -`);
  await run(shell, "(while true; do nc -l -p 7 -e cat; done) >/dev/null 2>&1 & true");
  await run(shell, "until netstat -ltn | grep -q :7; do sleep 0.1; done");
  assert.equal(await echoed("through the forward"), "through the forward");
  assert.match(await run(shell, "wget -O - http://10.0.2.2:1/ 2>&1"), /refused/);
});

test(
  "virtio: the legacy interface, then packed queues after the drivers were taken away",
  LIMIT,
  async (t) => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "typevisor-net-"));
    const options = await prepare(t, folder.path);
    if (options === undefined) return;
    const content = randomBytes(DOWNLOAD_BYTES);
    await using shell = await linuxShell(
      { ...options, net: "nat,host=allow", "virtio-ring": "packed", name: "rings" },
      NAME,
    );
    const load = (pciOptions: string): Promise<string> =>
      run(
        shell,
        `for m in /modules/*; do case $m in *virtio_pci.ko) o=${pciOptions};; *) o=;; esac; insmod $m $o || echo failed $m; done`,
      );
    const featuresOf = (): Promise<string> => run(shell, "cat /sys/class/net/eth0/device/features");
    // Text, as busybox posts no others.
    await run(shell, `dd if=/dev/urandom bs=64k count=8 2>/dev/null | hexdump -ve '1/1 "%02x"' >/up`);
    for (const [pciOptions, expected] of [
      ["force_legacy=1", "000"],
      ["", "101"],
    ] as const) {
      assert.equal(await load(pciOptions), "");
      assert.equal((await featuresOf()).slice(VERSION_1, RING_PACKED + 1), expected);
      assert.match(await configure(shell), /^bound 10\.0\.2\.15/);
      const { server, port, posted } = await webServer(content);
      await run(shell, `wget -q -O /down --post-file=/up http://10.0.2.2:${port}/`);
      server.close();
      assert.equal(await run(shell, "sha256sum </down"), `${sha256(content)}  -`);
      assert.equal(await run(shell, "sha256sum </up"), `${await posted}  -`);
      const unload =
        "for m in virtio_net net_failover failover virtio_pci virtio_pci_modern_dev virtio_pci_legacy_dev virtio virtio_ring";
      assert.equal(await run(shell, `${unload}; do rmmod $m; done`), "");
    }
  },
);

const FORWARDED = 40_022;

/** What the guest's echo server says to `line`. */
function echoed(line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(FORWARDED, "127.0.0.1", () => socket.end(line));
    let answer = "";
    socket.on("data", (chunk) => (answer += String(chunk)));
    socket.on("end", () => resolve(answer));
    socket.on("error", reject);
  });
}
