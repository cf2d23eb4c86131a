import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { runGuestsFetch, runGuestsList } from "./guests-command.ts";
import type { GuestsFetchOptions } from "./guests-command.ts";
import { doublePackages, MirrorDouble } from "./testing/debian-doubles.ts";

let cacheFolder: string;
let stdout: string;
let stderr: string;
const output = {
  stdout: { write: (text: string) => (stdout += text) },
  stderr: { isTTY: false, write: (text: string) => (stderr += text) },
};

beforeEach(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), "typevisor-command-"));
  stdout = "";
  stderr = "";
});
afterEach(() => rm(cacheFolder, { recursive: true }));

function from(mirror: MirrorDouble, more: Partial<GuestsFetchOptions>): GuestsFetchOptions {
  return { names: [], all: false, format: "table", cacheFolder, mirror: mirror.url, keyrings: [], ...more };
}

test("the table has a line per guest, and tells how to fetch what is missing", async () => {
  assert.equal(await runGuestsList({ cacheFolder, format: "table" }, output), 0);

  const lines = stdout.split("\n");
  assert.match(lines[0] ?? "", /^NAME +MEMORY +FETCHED +WHAT IT IS$/);
  assert.match(lines[1] ?? "", /^linux-amd64 +256 MiB +no +Debian Linux/);
  assert.match(lines[5] ?? "", /^grub-invaders +16 MiB +no +/);
  assert.match(stdout, /typevisor guests fetch NAME/);
});

test("JSON has every field of the catalogue, and null for what is not fetched", async () => {
  assert.equal(await runGuestsList({ cacheFolder, format: "json" }, output), 0);

  const list: unknown = JSON.parse(stdout);
  assert(Array.isArray(list));
  assert.equal(list.length, 5);
  assert.partialDeepStrictEqual(list[2], {
    name: "gnumach",
    boot: "multiboot",
    commandLine: "console=com0",
    memorySizeBytes: 64 * 1024 * 1024,
    mark: { where: "serial", text: "db>" },
    fetched: null,
  });
});

test("a fetched guest shows its kernel package's version in the table and its paths in JSON", async () => {
  await using mirror = await MirrorDouble.start(await doublePackages());

  const status = await runGuestsFetch(
    from(mirror, { names: ["gnumach", "gnumach"], format: "json" }),
    output,
  );

  assert.equal(status, 0);
  const guests: unknown = JSON.parse(stdout);
  assert.partialDeepStrictEqual(guests, [{ name: "gnumach", initrdPath: null, modulePaths: [] }]);
  stdout = "";
  await runGuestsList({ cacheFolder, format: "table" }, output);
  assert.match(stdout, /^gnumach +64 MiB +2:1\.8 /m);
});

test("one guest that cannot be had does not keep the others from being fetched, but fails the command", async () => {
  await using mirror = await MirrorDouble.start(await doublePackages());

  const status = await runGuestsFetch(from(mirror, { all: true }), output);

  assert.equal(status, 1);
  assert.match(stderr, /^error: suite bookworm of .* has no package linux-image-686:i386$/m);
  assert.match(stderr, /^gnumach: fetched to /m);
});

test("no names, or names beside --all, are an error before anything is fetched", async () => {
  await using mirror = await MirrorDouble.start([]);

  assert.equal(await runGuestsFetch(from(mirror, {}), output), 1);
  assert.equal(await runGuestsFetch(from(mirror, { all: true, names: ["gnumach"] }), output), 1);

  assert.equal(stderr, "error: name the guests to fetch, or give --all for every one\n".repeat(2));
  assert.deepEqual(mirror.requests, []);
});

test("an interrupted fetch ends with status 130 and tries no further guest", async () => {
  await using mirror = await MirrorDouble.start(await doublePackages());
  const controller = new AbortController();
  mirror.onRequest = () => controller.abort();
  const options = from(mirror, { names: ["gnumach", "linux-amd64"], signal: controller.signal });

  assert.equal(await runGuestsFetch(options, output), 130);

  assert.equal(stderr.match(/^error: /gm)?.length, 1);
});
