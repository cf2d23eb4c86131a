/** apt-get itself is doubled by shell scripts here, which record how they were called; the real one is used by hand. */
import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, afterEach, beforeEach, test } from "node:test";
import { fetchGuest } from "./guest-fetcher.ts";
import type { GuestProgressEvent } from "./guest-progress.ts";
import { DOUBLE_MACH, doublePackages } from "./testing/debian-doubles.ts";
import { digestOfBytes } from "./download.ts";

const realPath = process.env["PATH"] ?? "";
const folders: string[] = [];
let folder: string;
let events: GuestProgressEvent[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "typevisor-apt-"));
  folders.push(folder);
  events = [];
  const mach = (await doublePackages()).find(({ architecture }) => architecture === "i386");
  const deb = mach?.deb ?? new Uint8Array(0);
  const { sizeBytes, sha256 } = digestOfBytes(deb);
  await writeFile(join(folder, "mach.deb"), deb);
  await writeFile(
    join(folder, "stanza"),
    `Package: gnumach-image-1.8-486-dbg\nVersion: 2:1.8\nArchitecture: i386\nFilename: pool/m.deb\n` +
      `Size: ${sizeBytes}\nSHA256: ${sha256}\n`,
  );
  await program("apt-cache", `cat "${folder}/stanza"`);
  await aptGet({
    update: ":",
    download: `echo "dlstatus:1:50.0:half" >&3; cp "${folder}/mach.deb" g_2%3a1.8_i386.deb`,
  });
});
afterEach(() => {
  process.env["PATH"] = realPath;
});
after(() => Promise.all(folders.map((path) => rm(path, { recursive: true }))));

async function program(name: string, script: string): Promise<void> {
  const bin = join(folder, "bin");
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, name), `#!/bin/sh\necho "${name} $*" >>"${folder}/calls"\n${script}\n`);
  await chmod(join(bin, name), 0o755);
  process.env["PATH"] = `${bin}${delimiter}${realPath}`;
}

async function aptGet(commands: { readonly update: string; readonly download: string }): Promise<void> {
  const { update, download } = commands;
  const keepConfig = `[ "$1" = -c ] && cp "$2" "${folder}/apt.conf"`;
  await program(
    "apt-get",
    `${keepConfig}\ncase "$*" in\n*update) ${update} ;;\n*download*) ${download} ;;\nesac`,
  );
}

function fetchMach() {
  return fetchGuest("gnumach", {
    cacheFolder: join(folder, "cache"),
    onProgress: (event) => events.push(event),
  });
}

test("a guest is fetched through apt-get, of its exact version, with private folders only", async () => {
  const result = await fetchMach();

  assert(result.ok);
  assert.deepEqual(await readFile(result.value.kernelPath), DOUBLE_MACH);
  assert.deepEqual(result.value.manifest.origin, { kind: "apt" });
  const calls = await readFile(join(folder, "calls"), "utf8");
  assert.match(
    calls,
    /apt-get -c \S+ -o APT::Status-Fd=3 download gnumach-image-1\.8-486-dbg:i386=2:1\.8\n$/,
  );
  const config = await readFile(join(folder, "apt.conf"), "utf8");
  for (const setting of [
    "Dir::State ",
    "Dir::State::lists",
    "Dir::State::status",
    "Dir::Cache ",
    "Dir::Cache::archives",
  ]) {
    assert.match(config, new RegExp(`^${setting}\\s*"${join(folder, "cache")}/`, "m"));
  }
  assert.match(config, /^APT::Architectures \{ "amd64"; "i386"; \};$/m);
  assert(events.some((event) => event.kind === "transfer" && event.receivedBytes * 2 >= event.totalBytes));
});

test("a list that could not be updated is a warning, when the package is found all the same", async () => {
  await aptGet({
    update: 'echo "E: Failed to fetch http://mirror.example/x  Size mismatch." >&2; exit 100',
    download: `cp "${folder}/mach.deb" m.deb`,
  });

  const result = await fetchMach();

  assert(result.ok);
  const warnings = events.filter((event) => event.kind === "warning").map((event) => event.text);
  assert.deepEqual(warnings, [
    "apt-get could not update every package list (Failed to fetch http://mirror.example/x  Size mismatch)",
  ]);
});

test("a package that the sources lack is an error with what update said, and with the way out", async () => {
  await aptGet({ update: 'echo "E: no network" >&2; exit 100', download: ":" });
  await program("apt-cache", "echo 'E: No packages found' >&2; exit 100");

  const result = await fetchMach();

  assert(!result.ok);
  assert.equal(result.error.code, "package-not-found");
  assert.match(
    result.error.message,
    /no package gnumach-image-1\.8-486-dbg:i386; apt-get update said: no network; --mirror/,
  );
});

test("a download that fails, or that fills the disk, says so", async () => {
  await aptGet({ update: ":", download: 'echo "E: Connection failed" >&2; exit 100' });
  const failed = await fetchMach();
  await aptGet({ update: ":", download: 'echo "E: write (28: No space left on device)" >&2; exit 100' });
  const full = await fetchMach();

  assert(!failed.ok && !full.ok);
  assert.equal(failed.error.code, "network");
  assert.match(
    failed.error.message,
    /could not download gnumach-image-1\.8-486-dbg:i386=2:1\.8: Connection failed/,
  );
  assert.equal(full.error.code, "disk-full");
});

test("a package other than the index describes is refused, whatever apt-get thought", async () => {
  await aptGet({ update: ":", download: `(cat "${folder}/mach.deb"; echo x) > m.deb` });

  const result = await fetchMach();

  assert(!result.ok);
  assert.equal(result.error.code, "checksum-mismatch");
});

test("without apt-get and without a mirror there is one clear sentence", async () => {
  process.env["PATH"] = join(folder, "nowhere");

  const result = await fetchMach();

  assert(!result.ok);
  assert.equal(result.error.code, "no-package-source");
  assert.match(result.error.message, /no apt-get; name a Debian mirror with --mirror URL/);
});
