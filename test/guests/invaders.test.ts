/** GRUB Invaders played: what the keys do is read from the text screen. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { startVm } from "../../src/apps/embed/index.ts";
import { BOOT_TIMEOUT_MS, guestOptions, LIMIT } from "./guests.ts";
import { keepScreenshot } from "./screenshots.ts";

const WAIT = { timeoutMs: BOOT_TIMEOUT_MS } as const;
/** All that come. */
const ALIENS = 40;
const SHOTS = 12;
const LOOKS = 20;
/** The ship's lower half, and what is left of it. */
const SHIP = /^( *)\/ \\ *$/m;
const EVERYTHING = /[^]+/;

test("GRUB Invaders: the ship moves while an arrow is held, and its shots hit aliens", LIMIT, async (t) => {
  const options = await guestOptions(t, "grub-invaders");
  if (options === undefined) return;
  await using vm = await startVm({ ...options, profile: "off" });
  const alienCount = (text: string): number => text.split("-*-").length - 1;

  const whole = await vm.waitForScreen(new RegExp(`^(?:[^*]*\\*){${ALIENS}}[^]*`), WAIT);
  const start = SHIP.exec(whole)?.[1]?.length ?? 0;
  assert.ok(start > 10, `the ship stands at column ${start}`);

  vm.typeKeys([{ kind: "press", key: "ArrowLeft" }]);
  await vm.waitForScreen(new RegExp(`^ {0,${start - 3}}/ \\\\ *$`, "m"), WAIT);
  vm.typeKeys([
    { kind: "release", key: "ArrowLeft" },
    { kind: "press", key: "ArrowRight" },
  ]);
  await vm.waitForScreen(new RegExp(`^ {${start + 3},}/ \\\\ *$`, "m"), WAIT);
  vm.typeKeys([{ kind: "release", key: "ArrowRight" }]);

  for (let shot = 0; shot < SHOTS; shot++) {
    vm.typeKeys([{ kind: "key", key: "Space" }]);
    await vm.waitForScreen("|", WAIT);
  }
  await keepScreenshot(vm, "grub-invaders");
  // They are drawn anew all the time: the most that are seen at once count.
  const counts: number[] = [];
  for (let look = 0; look < LOOKS; look++) counts.push(alienCount(await vm.waitForScreen(EVERYTHING, WAIT)));
  assert.ok(Math.max(...counts) < ALIENS, `${counts.join(" ")} aliens seen`);
});
