/**
 * A VM's screen as VNC viewers of others see it: Debian's gvnccapture (gtk-vnc) takes pictures, Net::VNC of Perl types keys and
 * moves the mouse. What they show is kept in build/screenshots.
 */

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { promisify } from "node:util";

import { startVm } from "../../src/apps/embed/index.ts";
import type { Vm } from "../../src/apps/embed/index.ts";
import { BOOT_TIMEOUT_MS, guestOptions, LIMIT } from "./guests.ts";
import { decodePng } from "./png-file.ts";
import { keepScreenshot, picturePath } from "./screenshots.ts";

const FIRST_PORT = 5900;
const CLIENT_TIMEOUT_MS = 60_000;
const run = promisify(execFile);

/** Why there is no such client here; undefined when there is one. */
function missing(command: string, ...args: readonly string[]): string | undefined {
  const { status } = spawnSync(command, args, { stdio: "ignore" });
  return status === 0 ? undefined : `${[command, ...args].join(" ")} fails: the package is not installed`;
}

/** What gvnccapture sees of a VM that stands still. */
async function capture(vm: Vm, port: number, name: string): Promise<void> {
  const shown = decodePng(await keepScreenshot(vm, name));
  const path = picturePath(`${name}-vnc`);
  await run("gvnccapture", [`127.0.0.1:${port - FIRST_PORT}`, path], { timeout: CLIENT_TIMEOUT_MS });
  const seen = decodePng(readFileSync(path));
  assert.deepEqual([seen.width, seen.height], [shown.width, shown.height]);
  assert.ok(seen.rgb.equals(shown.rgb), `${path} differs from the screenshot beside it`);
  assert.ok(new Set(seen.rgb).size > 1, "it is not of one colour");
}

const PERL_CLIENT = `
use Net::VNC;
my ($port, $keys, $password) = @ARGV;
my $vnc = Net::VNC->new({hostname => "127.0.0.1", port => $port, password => $password});
$vnc->login;
$vnc->send_key_event(hex) for split / /, $keys;
$vnc->capture;
print $vnc->name, "\\n";
`;

/** Types by Net::VNC, which reads the whole screen afterwards, and so does not leave before its keys were read. */
async function type(port: number, keysyms: readonly number[], password = ""): Promise<string> {
  const keys = keysyms.map((keysym) => keysym.toString(16)).join(" ");
  const { stdout } = await run("perl", ["-e", PERL_CLIENT, String(port), keys, password], {
    timeout: CLIENT_TIMEOUT_MS,
  });
  return stdout.trim();
}

test("Memtest86+ as VNC viewers see and use it", LIMIT, async (t) => {
  const without = missing("gvnccapture", "--help") ?? missing("perl", "-MNet::VNC", "-e", "1");
  if (without !== undefined) return t.skip(without);
  const options = await guestOptions(t, "memtest86plus");
  if (options === undefined) return undefined;
  await using vm = await startVm({ ...options, profile: "off" });
  const { target } = await vm.vnc();
  assert.ok(target.kind === "tcp");
  await vm.waitForScreen("Press <F1> to configure", { timeoutMs: BOOT_TIMEOUT_MS });
  await vm.pause();
  await capture(vm, target.port, "memtest86plus");
  await vm.resume();

  const F1 = 0xffbe;
  assert.equal(await type(target.port, [F1]), "memtest86plus");
  await vm.waitForScreen("Settings:", { timeoutMs: BOOT_TIMEOUT_MS });
  await vm.pause();
  await capture(vm, target.port, "memtest86plus-settings");

  const locked = await vm.vnc({ password: "sesame" });
  assert.ok(locked.target.kind === "tcp" && locked.target.port !== target.port);
  const { port } = locked.target;
  assert.equal(await type(port, [], "sesame"), "memtest86plus");
  await assert.rejects(type(port, [], "Sesame"), /login failed|password is wrong|authentication/i);
  return undefined;
});
