import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { fetchGuest, fetchGuests, listGuests } from "./guest-fetcher.ts";
import type { FetchOptions } from "./guest-fetcher.ts";
import type { GuestProgressEvent } from "./guest-progress.ts";
import {
  DOUBLE_BUSYBOX,
  DOUBLE_KERNEL,
  DOUBLE_MACH,
  doublePackages,
  MirrorDouble,
} from "./testing/debian-doubles.ts";
import type { DoublePackage } from "./testing/debian-doubles.ts";

let packages: DoublePackage[];
let folder: string;
let count = 0;
let cacheFolder: string;

before(async () => {
  packages = await doublePackages();
  folder = await mkdtemp(join(tmpdir(), "typevisor-guests-"));
});
after(() => rm(folder, { recursive: true }));
beforeEach(() => {
  count += 1;
  cacheFolder = join(folder, `cache-${count}`);
});

/** Of a mirror that needs no signature, because no keyring is offered. */
function from(mirror: MirrorDouble, more: FetchOptions = {}): FetchOptions {
  return { cacheFolder, mirror: mirror.url, keyrings: [], ...more };
}

test("a Linux guest is a kernel and an initramfs around busybox, with how to start it", async () => {
  await using mirror = await MirrorDouble.start(packages);

  const result = await fetchGuest("linux-amd64", from(mirror));

  assert(result.ok);
  const guest = result.value;
  assert.deepEqual(await readFile(guest.kernelPath), DOUBLE_KERNEL);
  const initramfs = await readFile(guest.initrdPath ?? "");
  assert(initramfs.includes(DOUBLE_BUSYBOX));
  assert(initramfs.includes(guest.mark.text));
  assert.equal(guest.boot, "bzimage");
  assert.match(guest.commandLine, /console=ttyS0/);
  const versions = guest.manifest.packages.map(({ name, version }) => `${name} ${version}`);
  assert.deepEqual(versions, ["linux-image-6.1.0-9-cloud-amd64 6.1-2", "busybox-static 1:1.35"]);
  assert.deepEqual(guest.manifest.origin, {
    kind: "mirror",
    url: mirror.url,
    suite: "bookworm",
    signature: "not verified",
  });
});

test("a multiboot guest is its decompressed kernel alone", async () => {
  await using mirror = await MirrorDouble.start(packages);

  const result = await fetchGuest("gnumach", from(mirror));

  assert(result.ok);
  assert.deepEqual(await readFile(result.value.kernelPath), DOUBLE_MACH);
  assert.equal(result.value.initrdPath, undefined);
  assert.equal(result.value.boot, "multiboot");
});

test("a fetched guest is listed, and is given from the cache without a network", async () => {
  const mirror = await MirrorDouble.start(packages);
  const options = from(mirror);
  const fetched = await fetchGuest("gnumach", options);
  await mirror[Symbol.asyncDispose]();

  const again = await fetchGuest("gnumach", options);
  const listings = await listGuests({ cacheFolder });

  assert.deepEqual(again, fetched);
  const inCache = listings.filter(({ fetched: manifest }) => manifest !== undefined);
  assert.deepEqual(
    inCache.map(({ entry }) => entry.name),
    ["gnumach"],
  );
  assert.equal(listings.length, 5);
});

test("nothing but the guests stays in the cache folder", async () => {
  await using mirror = await MirrorDouble.start(packages);

  const result = await fetchGuests(["linux-amd64", "gnumach"], from(mirror));

  assert(result.ok);
  assert.deepEqual((await readdir(cacheFolder)).toSorted(), ["gnumach", "linux-amd64"]);
  assert.deepEqual(mirror.requests.filter((path) => path.endsWith("InRelease")).length, 1);
});

test("a damaged file in the cache is fetched again", async () => {
  await using mirror = await MirrorDouble.start(packages);
  const first = await fetchGuest("gnumach", from(mirror));
  assert(first.ok);
  await writeFile(first.value.kernelPath, "bit rot");

  const second = await fetchGuest("gnumach", from(mirror));

  assert(second.ok);
  assert.deepEqual(await readFile(second.value.kernelPath), DOUBLE_MACH);
});

test("refresh fetches a cached guest again, and the files given before stay where they are", async () => {
  await using mirror = await MirrorDouble.start(packages);
  const first = await fetchGuest("gnumach", from(mirror));
  const second = await fetchGuest("gnumach", from(mirror, { refresh: true }));
  const third = await fetchGuest("gnumach", from(mirror, { refresh: true }));

  assert(first.ok && second.ok && third.ok);
  assert.notEqual(second.value.kernelPath, third.value.kernelPath);
  assert((await stat(second.value.kernelPath)).isFile());
  await assert.rejects(stat(dirname(first.value.kernelPath)), { code: "ENOENT" });
});

test("fetches of the same guest at the same time download it once, and all get it", async () => {
  await using mirror = await MirrorDouble.start(packages);

  const results = await Promise.all([1, 2, 3].map(() => fetchGuest("gnumach", from(mirror))));

  assert(results.every((result) => result.ok));
  assert.equal(mirror.requests.filter((path) => path.endsWith(".deb")).length, 1);
  assert.deepEqual(await readdir(cacheFolder), ["gnumach"]);
});

test("a lock and a work folder of a process that is gone are cleared away", async () => {
  await using mirror = await MirrorDouble.start(packages);
  // No process has this id: Linux gives none above 2^22.
  const pid = 2 ** 22 + 1;
  const work = join(cacheFolder, `.work-${hostname()}-${pid}-00000000-0000-0000-0000-000000000000`);
  await mkdir(work, { recursive: true });
  await writeFile(join(cacheFolder, ".lock"), JSON.stringify({ host: hostname(), pid, id: "x" }));

  const result = await fetchGuest("gnumach", from(mirror));

  assert(result.ok);
  assert.deepEqual(await readdir(cacheFolder), ["gnumach"]);
});

test("a cancelled fetch leaves the cache as it was", async () => {
  await using mirror = await MirrorDouble.start(packages);
  const controller = new AbortController();
  mirror.onRequest = (path) => {
    if (path.endsWith(".deb")) controller.abort();
  };

  const result = await fetchGuest("gnumach", from(mirror, { signal: controller.signal }));

  assert.deepEqual(result, { ok: false, error: { code: "aborted", message: "the fetch was cancelled" } });
  assert.deepEqual(await readdir(cacheFolder), []);
});

test("a package that is not what its index says is refused, whether longer, shorter or changed", async () => {
  await using mirror = await MirrorDouble.start(packages);
  const path = "pool/main/gnumach-image-1.8-486-dbg_1.8_i386.deb";
  const deb = Buffer.from(mirror.files.get(path) ?? "");
  const changed = Buffer.from(deb);
  changed.writeUInt8(deb.readUInt8(200) ^ 1, 200);

  for (const wrong of [changed, deb.subarray(1), Buffer.concat([deb, Buffer.from("x")])]) {
    mirror.files.set(path, wrong);
    const result = await fetchGuest("gnumach", from(mirror));
    assert(!result.ok);
    assert.equal(result.error.code, "checksum-mismatch");
  }
  assert.deepEqual(await readdir(cacheFolder), []);
});

test("a package list that is not what Release says is refused", async () => {
  await using mirror = await MirrorDouble.start(packages);
  const path = "dists/bookworm/main/binary-i386/Packages.gz";
  const changed = Buffer.from(mirror.files.get(path) ?? "");
  changed.writeUInt8(changed.readUInt8(30) ^ 1, 30);
  mirror.files.set(path, changed);

  const result = await fetchGuest("gnumach", from(mirror));

  assert(!result.ok);
  assert.equal(result.error.code, "checksum-mismatch");
});

test("what cannot be had is said in one sentence that names it", async () => {
  await using mirror = await MirrorDouble.start(packages);
  const stopped = await MirrorDouble.start([]);
  const stoppedUrl = stopped.url;
  await stopped[Symbol.asyncDispose]();
  const cases = [
    ["gnumak", {}, "unknown-guest", /did you mean gnumach/],
    ["grub-invaders", {}, "package-not-found", /suite bookworm of .* has no package grub-invaders:amd64/],
    ["gnumach", { suite: "sid" }, "no-package-source", /is no Debian mirror with suite sid/],
    ["gnumach", { suite: "../.." }, "bad-option", /"..\/.." is no suite name/],
    ["gnumach", { mirror: "ftp://mirror.example" }, "bad-option", /is no address of a mirror/],
    ["gnumach", { mirror: stoppedUrl }, "network", /127\.0\.0\.1:\d+ refused the connection/],
    ["gnumach", { mirror: "http://nowhere.invalid" }, "network", /nowhere\.invalid/],
    ["gnumach", { cacheFolder: "/dev/null/cache" }, "cache-unusable", /\/dev\/null\/cache cannot be written/],
  ] as const;

  for (const [name, options, code, message] of cases) {
    const result = await fetchGuest(name, from(mirror, options));
    assert(!result.ok);
    assert.equal(result.error.code, code);
    assert.match(result.error.message, message);
  }
});

test("progress names each step, and says when nothing vouches for the mirror", async () => {
  await using mirror = await MirrorDouble.start(packages);
  const events: GuestProgressEvent[] = [];

  await fetchGuest("gnumach", from(mirror, { onProgress: (event) => events.push(event) }));

  const texts = events.flatMap((event) => (event.kind === "transfer" ? [] : [`${event.kind} ${event.text}`]));
  assert.deepEqual(texts.slice(0, -1), [
    `step reading suite bookworm of ${mirror.url}`,
    `warning the signature of ${mirror.url} was not verified, because this machine lacks the Debian archive keyring; ` +
      "checksums only show that its files belong together",
    "step downloading the i386 package list",
    "step downloading gnumach-image-1.8-486-dbg 2:1.8 (i386)",
    "step unpacking gnumach-image-1.8-486-dbg 2:1.8 (i386)",
    "step writing its files",
  ]);
  assert.match(texts.at(-1) ?? "", /^done fetched to /);
  assert(events.some((event) => event.kind === "transfer" && event.receivedBytes === event.totalBytes));
});
