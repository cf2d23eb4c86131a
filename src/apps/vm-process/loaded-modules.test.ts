import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { smallestKernel } from "../../vmm/testing.ts";
import { startVmIn } from "../embed/vm.ts";
import { spawnVm } from "../spawn-vm.ts";
import { testFolder } from "../testing.ts";

/** In the VM's process: writes down each module that is loaded. */
const RECORDER = `
  import { registerHooks } from "node:module";
  import { appendFileSync } from "node:fs";
  const record = (url) => appendFileSync(process.env.TYPEVISOR_LOADED_MODULES, url + "\\n");
  registerHooks({ load(url, context, next) { record(url); return next(url, context); } });
`;
/** MOV AL, 0; OUT F4h, AL: isa-debug-exit ends the VM. */
const EXIT = Uint8Array.of(0xb0, 0x00, 0xe6, 0xf4);
const SOURCES = new URL("../../", import.meta.url).href;

/** What only some VMs need, or nobody but the managing process: how the paths begin. */
const OPTIONAL = [
  "apps/vm-process/open-drives.ts",
  "apps/vm-process/open-firmware.ts",
  "apps/vm-process/open-shares.ts",
  "devices/e1000/",
  "devices/ethernet/",
  "devices/flash/",
  "devices/floppy/fdc-82077aa.ts",
  "devices/ide/drives.ts",
  "devices/ne2000/",
  "devices/nvme/",
  "devices/rtl8139/",
  "devices/virtio/",
  "devices/watchdog/",
  "host/control/",
  "host/images/",
  "host/rfb/rfb-session.ts",
  "host/vm-handle.ts",
  "machine/fw-cfg/fw-cfg.ts",
  "net/",
  "platform/node/host-sockets.ts",
  "platform/node/raw-disk.ts",
  "platform/node/unix-socket.ts",
  "platform/node/share/",
  "share/",
  "vmm/firmware-in-use.ts",
  "vmm/networks-in-use.ts",
  "vmm/vm-definition.ts",
] as const;

/** How many modules a VM that has only a kernel loads, at most: each takes a quarter of a millisecond and 45 KB. */
const MODULES_MAX = 330;

const folder = testFolder();
const kernel = `${folder.path}/exit.kernel`;
const list = `${folder.path}/loaded`;

before(() => {
  writeFileSync(kernel, smallestKernel(EXIT));
  process.env["TYPEVISOR_LOADED_MODULES"] = list;
  process.env["NODE_OPTIONS"] = `--import=data:text/javascript,${encodeURIComponent(RECORDER)}`;
});
after(() => {
  delete process.env["NODE_OPTIONS"];
  folder[Symbol.dispose]();
});

async function modulesOf(options: object): Promise<readonly string[]> {
  writeFileSync(list, "");
  await using vm = await startVmIn(spawnVm, { kernel, device: ["isa-debug-exit"], ...options });
  assert.equal((await vm.ended).kind, "debug-exit");
  return readFileSync(list, "utf8")
    .split("\n")
    .filter((url) => url.startsWith(SOURCES))
    .map((url) => url.slice(SOURCES.length));
}

test("a VM that has only a kernel loads no module of what it does not have", async () => {
  const loaded = await modulesOf({});
  assert.ok(loaded.includes("machine/pc/board.ts"), "the recorder saw the board");
  const optional = loaded.filter((path) => OPTIONAL.some((begin) => path.startsWith(begin)));
  assert.deepEqual(optional, []);
  assert.ok(loaded.length <= MODULES_MAX, `${loaded.length} modules`);
});

test("a VM loads the modules of what it has", async () => {
  const loaded = await modulesOf({ net: "nat,card=e1000", device: ["isa-debug-exit", "virtio-rng"] });
  const optional = OPTIONAL.filter((begin) => loaded.some((path) => path.startsWith(begin)));
  assert.deepEqual(optional, [
    "devices/e1000/",
    "devices/ethernet/",
    "devices/virtio/",
    "net/",
    "platform/node/host-sockets.ts",
    "vmm/networks-in-use.ts",
  ]);
});
