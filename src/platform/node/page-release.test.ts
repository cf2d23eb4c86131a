import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { KiB, MiB } from "../../base/index.ts";
import { loadHostPages, PageRelease } from "./page-release.ts";
import type { HostPages, SharedBytes } from "./page-release.ts";

const SIZE_BYTES = 16 * MiB;
const ADDRESS = 0x7f00_1234_5000n;

function sharedBytes(sizeBytes: number): SharedBytes {
  const pages = sizeBytes / (64 * KiB);
  const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  assert.ok(buffer instanceof SharedArrayBuffer);
  return new Uint8Array(buffer);
}

/** A host whose pages have this size, and what it is asked to free, relative to where the memory lies. */
function recorded(pageBytes: number, doesFree = true) {
  const freed: (readonly [bigint, bigint])[] = [];
  const host: HostPages = {
    pageBytes,
    addressOf: () => ADDRESS,
    free: (address, lengthBytes) => {
      freed.push([address - ADDRESS, lengthBytes]);
      return doesFree;
    },
  };
  return { freed, release: new PageRelease(sharedBytes(128 * KiB), host) };
}

test("whole pages are freed, from the first to the last of the memory", () => {
  const { freed, release } = recorded(4096);
  assert.deepEqual([release.release(0, 4096), release.release(28 * 4096, 4 * 4096)], [4096, 4 * 4096]);
  assert.equal(release.release(0, 128 * KiB), 128 * KiB);
  const runs = [
    [0n, 4096n],
    [28n * 4096n, 4n * 4096n],
    [0n, 131_072n],
  ];
  assert.deepEqual(freed, runs);
});

test("parts of pages are kept, whichever size the host's pages have", () => {
  const small = recorded(4096);
  assert.equal(small.release.release(1, 8191), 4096);
  assert.equal(small.release.release(1, 4096), 0);
  assert.equal(small.release.release(4096, 0), 0);
  assert.deepEqual(small.freed, [[4096n, 4096n]]);
  // The memory begins 5000h bytes into a page of 64 KiB of this host: the first whole one is B000h behind it.
  const large = recorded(64 * KiB);
  assert.equal(large.release.release(0, 64 * KiB), 0);
  assert.equal(large.release.release(0, 128 * KiB), 64 * KiB);
  assert.deepEqual(large.freed, [[0xb000n, 65_536n]]);
});

test("what the host refuses to free does not count", () => {
  assert.equal(recorded(4096, false).release.release(0, 8192), 0);
});

const OUTSIDE: readonly (readonly [at: number, lengthBytes: number])[] = [
  [-4096, 4096],
  [-4096, 8192],
  [0, 128 * KiB + 1],
  [128 * KiB, 4096],
  [4096, 128 * KiB],
  [0, -4096],
  [8192, -4096],
  [2 ** 32, 4096],
  [2 ** 52, 2 ** 52],
  [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  [NaN, 4096],
  [0, NaN],
  [0, Infinity],
  [0.5, 8192],
];
for (const [at, lengthBytes] of OUTSIDE) {
  test(`${lengthBytes} bytes at ${at} are a bug, and nothing is freed`, () => {
    const { freed, release } = recorded(4096);
    assert.throws(() => release.release(at, lengthBytes));
    assert.deepEqual(freed, []);
  });
}

const residentBytes = (): number =>
  KiB * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);

test("the process gets smaller by what is released, reads zeros there and grows again when it is written", async (t) => {
  const pages = await loadHostPages();
  if (pages === undefined) {
    t.skip(`this host (${process.platform}, Node.js ${process.version}) gives no pages back`);
    return;
  }
  const all = sharedBytes(SIZE_BYTES + 2 * MiB);
  const bytes = all.subarray(MiB, MiB + SIZE_BYTES);
  all.fill(7);
  const full = residentBytes();
  assert.equal(new PageRelease(bytes, pages).release(0, SIZE_BYTES), SIZE_BYTES);
  const freed = residentBytes();
  assert.ok(freed < full - 0.9 * SIZE_BYTES, `${full} bytes were resident, then ${freed}`);
  assert.ok(bytes.every((byte) => byte === 0));
  assert.ok(all.subarray(0, MiB).every((byte) => byte === 7));
  assert.ok(all.subarray(MiB + SIZE_BYTES).every((byte) => byte === 7));
  bytes.fill(9);
  assert.ok(residentBytes() > full - 0.1 * SIZE_BYTES);
});

test("a Node.js whose foreign function interface is off gives nothing back and says nothing", () => {
  const module = fileURLToPath(new URL("page-release.ts", import.meta.url));
  const script = `import { loadHostPages } from ${JSON.stringify(module)}; console.log(await loadHostPages());`;
  // An older Node.js does not know the option, and has no interface either.
  const off = process.allowedNodeEnvironmentFlags.has("--experimental-ffi") ? ["--no-experimental-ffi"] : [];
  const said = execFileSync(process.execPath, [...off, "--input-type=module", "--eval", script], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  assert.equal(said, "undefined\n");
});
