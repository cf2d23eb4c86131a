import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";

import { unwrap } from "../../base/index.ts";
import type { ControlReply, VmHandle } from "../../host/index.ts";
import { parseVmDefinition } from "../../vmm/index.ts";
import { createVmHandle } from "../code-profiles.ts";
import { spawnScriptedVm, testFolder } from "../testing.ts";
import { callVm, listVms } from "./call-vm.ts";
import { claimVmName } from "./publish-vm.ts";
import type { ClaimedName } from "./publish-vm.ts";

const folder = testFolder();
after(() => folder[Symbol.dispose]());
process.env["XDG_RUNTIME_DIR"] = folder.path;
const sockets = join(folder.path, "typevisor", "vms");

/** A VM that waits for input, reachable by its name. */
async function publish(claimed: ClaimedName): Promise<VmHandle> {
  const definition = unwrap(
    parseVmDefinition({ kernel: folder.kernel, append: "shell", profile: "off", name: claimed.name }),
  );
  const vm = unwrap(await createVmHandle({ definition, link: spawnScriptedVm() }));
  await vm.start();
  claimed.serve(vm);
  return vm;
}

const names = async (): Promise<string[]> => unwrap(await listVms()).map(({ name }) => name);
const ask = async (...call: Parameters<typeof callVm>): Promise<ControlReply> =>
  unwrap(await callVm(...call));
const problem = async (...call: Parameters<typeof callVm>): Promise<string> => {
  const called = await callVm(...call);
  return called.ok ? called.value.kind : called.error.message;
};

test("a VM is reached by its name until it has gone", async () => {
  const claimed = unwrap(await claimVmName("worker", true));
  assert.equal(statSync(sockets).mode & 0o777, 0o700);
  const waiting = ask("worker", { command: "describe" });
  const vm = await publish(claimed);
  const description = {
    name: "worker",
    pid: vm.pid,
    guest: "kernel",
    state: "running",
    uptimeSeconds: 0,
    media: [],
  };
  assert.deepEqual(await waiting, { kind: "description", description }, "asked before it was there");

  assert.deepEqual(await ask("worker", { command: "pause" }), { kind: "done" });
  assert.equal(vm.state, "paused");
  const refused = { code: "wrong-state", message: "The VM worker is paused: it cannot be told to pause." };
  assert.deepEqual(await ask("worker", { command: "pause" }), { kind: "error", error: refused });
  const picture = await ask("worker", { command: "screenshot", format: "png" });
  assert.ok(picture.kind === "screenshot");
  assert.deepEqual([...picture.file.subarray(0, 4)], [0x89, 0x50, 0x4e, 0x47]);
  const inputs = [{ kind: "key", key: "Enter" }] as const;
  assert.deepEqual(await ask("worker", { command: "keys", inputs }), { kind: "done" });
  assert.match(await problem("workre", { command: "stop" }), /named "workre"; did you mean worker\?$/);

  assert.deepEqual(await ask("worker", { command: "stop" }), { kind: "done" });
  assert.equal((await vm.ended).outcome.kind, "stopped");
  claimed.release();
  assert.deepEqual(readdirSync(sockets), []);
  assert.match(await problem("worker", { command: "stop" }), /named "worker"; none is running\.$/);
});

test("a name is one VM's; without a fixed one the next free number is taken", async () => {
  const first = unwrap(await claimVmName("vm", false));
  const fixed = await claimVmName("vm", true);
  assert.match(
    fixed.ok ? "" : fixed.error.message,
    /^A VM named vm is running already: choose another --name/,
  );
  const second = unwrap(await claimVmName("vm", false));
  const third = unwrap(await claimVmName("vm", false));
  assert.deepEqual([first.name, second.name, third.name], ["vm", "vm-2", "vm-3"]);
  second.release();
  const again = unwrap(await claimVmName("vm", false));
  assert.equal(again.name, "vm-2");
  for (const claimed of [first, third, again]) claimed.release();
  assert.deepEqual(readdirSync(sockets), []);
});

test("whoever connects to a VM and says nothing, or nonsense, holds nobody up", async () => {
  const claimed = unwrap(await claimVmName("worker", true));
  const vm = await publish(claimed);
  const path = join(sockets, "worker.sock");
  const silent = connect({ path });
  const [nonsense, endless] = [connect({ path }), connect({ path })];
  for (const socket of [silent, nonsense, endless]) socket.on("error", () => undefined);
  const closed = (socket: Socket): Promise<void> =>
    new Promise((resolve) => {
      socket.once("close", () => resolve());
    });
  const endlessClosed = closed(endless);
  const silentClosed = closed(silent);
  nonsense.write("{}\n");
  endless.write(Buffer.alloc(100_000, "x"));
  const said = Buffer.concat((await nonsense.toArray()).map((chunk) => Buffer.from(chunk))).toString();
  assert.match(said, /^\{"kind":"error","error":\{"code":"bad-request"/);
  await endlessClosed;
  assert.deepEqual(await names(), ["worker"]);
  claimed.release();
  await silentClosed;
  await vm.stop();
});

test("what does not answer as a VM does is told apart from one that is not there", async () => {
  const impostor = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end("who is there?\n");
  });
  impostor.listen(join(sockets, "impostor.sock"));
  await once(impostor, "listening");
  assert.match(
    await problem("impostor", { command: "stop" }),
    /impostor runs in another version of Typevisor/,
  );
  assert.deepEqual(unwrap(await listVms()), [{ name: "impostor", description: undefined }]);
  impostor.close();

  const deaf = createServer();
  deaf.listen(join(sockets, "deaf.sock"));
  await once(deaf, "listening");
  assert.equal(await problem("deaf", { command: "stop" }, 50), "The VM deaf does not answer.");
  deaf.close();
});

test("a VM that cannot be reached is told so: a file in the place of the folder, a folder of somebody else's", async () => {
  const file = join(folder.path, "file");
  writeFileSync(file, "");
  chmodSync(file, 0o600);
  process.env["XDG_RUNTIME_DIR"] = file;
  const claimed = await claimVmName("vm", false);
  assert.equal(claimed.ok ? "claimed" : claimed.error.code, "unreachable");
  assert.match(
    claimed.ok ? "" : claimed.error.message,
    /^Other commands cannot reach the VM: The folder .*\.$/,
  );
  process.env["XDG_RUNTIME_DIR"] = "not/absolute";
  process.env["XDG_STATE_HOME"] = folder.path;
  const elsewhere = unwrap(await claimVmName("vm", false));
  assert.deepEqual(readdirSync(sockets), ["vm.sock"]);
  elsewhere.release();
});
