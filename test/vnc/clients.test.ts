/** Passwords and unix sockets of the VNC server, as clients of others use them. The VM has a screen of two pixels. */
import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";

import { createVmHandle } from "../../src/apps/code-profiles.ts";
import { spawnScriptedVm, testFolder } from "../../src/apps/testing.ts";
import { startVncServer } from "../../src/apps/vnc/vnc-server.ts";
import { unwrap } from "../../src/base/index.ts";
import type { VmHandle } from "../../src/host/index.ts";
import { parseVmDefinition } from "../../src/vmm/index.ts";
import { decodePng } from "../guests/png-file.ts";
import { capture, missingGvnccapture, missingNetVnc, useNetVnc } from "./clients.ts";

const folder = testFolder();
after(() => folder[Symbol.dispose]());

const PIXELS = [
  [0, 0],
  [1, 0],
] as const;
/** The VM's name, a red pixel and a blue one. */
const SEEN = ["vm", "255,0,0", "0,0,255"];
const RED_AND_BLUE = [255, 0, 0, 0, 0, 255];

async function startVm(): Promise<VmHandle> {
  const definition = unwrap(parseVmDefinition({ kernel: folder.kernel, append: "shell", profile: "off" }));
  const vm = unwrap(await createVmHandle({ definition, link: spawnScriptedVm() }));
  await vm.start();
  return vm;
}

async function listenAtPort(vm: VmHandle, password: string | undefined): Promise<number> {
  const { target } = unwrap(
    await startVncServer(vm, { kind: "tcp", address: "127.0.0.1", port: 0 }, password),
  );
  assert.ok(target.kind === "tcp" && target.port !== undefined);
  return target.port;
}

async function listenAtSocket(vm: VmHandle, password: string | undefined): Promise<string> {
  const path = join(folder.path, `${password ?? "open"}.sock`);
  unwrap(await startVncServer(vm, { kind: "unix", path }, password));
  return path;
}

/** A port of the loopback that leads to a unix socket, for clients that know TCP only. */
async function portOf(path: string): Promise<{ readonly port: number; readonly close: () => void }> {
  const server = createServer((client) => {
    const socket = connect({ path });
    client.pipe(socket).pipe(client);
    for (const end of [client, socket])
      end.on("error", () => [client, socket].forEach((one) => one.destroy()));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return { port: address.port, close: () => void server.close() };
}

async function captured(port: number, password?: string): Promise<number[]> {
  const path = join(folder.path, "captured.png");
  rmSync(path, { force: true });
  await capture(port, path, password);
  const { width, height, rgb } = decodePng(readFileSync(path));
  assert.deepEqual([width, height], [2, 1]);
  return [...rgb];
}

test("Net::VNC sees the screen by TCP with the password, and with another one is refused", async (t) => {
  const without = missingNetVnc();
  if (without !== undefined) return t.skip(without);
  const vm = await startVm();
  const port = await listenAtPort(vm, "sesame");
  assert.deepEqual(await useNetVnc(port, { password: "sesame", pixels: PIXELS }), SEEN);
  await assert.rejects(useNetVnc(port, { password: "Sesame" }), /login failed/);
  await vm.stop();
  return undefined;
});

test("Net::VNC sees the screen by a unix socket, and with the wrong password is refused there", async (t) => {
  const without = missingNetVnc();
  if (without !== undefined) return t.skip(without);
  const vm = await startVm();
  assert.deepEqual(await useNetVnc(await listenAtSocket(vm, undefined), { pixels: PIXELS }), SEEN);
  const path = await listenAtSocket(vm, "sesame");
  assert.deepEqual(await useNetVnc(path, { password: "sesame", pixels: PIXELS }), SEEN);
  await assert.rejects(useNetVnc(path, { password: "sesam" }), /login failed/);
  await vm.stop();
  return undefined;
});

test("gvnccapture takes the screen's picture with the password, and with another one is refused", async (t) => {
  const without = missingGvnccapture();
  if (without !== undefined) return t.skip(without);
  const vm = await startVm();
  const port = await listenAtPort(vm, "sesame");
  assert.deepEqual(await captured(port, "sesame"), RED_AND_BLUE);
  await assert.rejects(captured(port, "Sesame"), /Unable to connect/);
  await vm.stop();
  return undefined;
});

test("gvnccapture takes the same picture from a unix socket, by a port that leads there", async (t) => {
  const without = missingGvnccapture();
  if (without !== undefined) return t.skip(without);
  const vm = await startVm();
  const locked = await portOf(await listenAtSocket(vm, "sesame"));
  assert.deepEqual(await captured(locked.port, "sesame"), RED_AND_BLUE);
  await assert.rejects(captured(locked.port, ""), /Unable to connect/);
  const open = await portOf(await listenAtSocket(vm, undefined));
  assert.deepEqual(await captured(open.port), RED_AND_BLUE);
  for (const { close } of [locked, open]) close();
  await vm.stop();
  return undefined;
});
