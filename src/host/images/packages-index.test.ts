import assert from "node:assert/strict";
import { test } from "node:test";
import { findPackage, realPackageOf } from "./packages-index.ts";

const SHA256 = "ab".repeat(32);

function stanza(name: string, version: string, ...more: string[]): string {
  return [
    `Package: ${name}`,
    `Version: ${version}`,
    "Architecture: amd64",
    "Description: one line",
    " Package: trap",
    ` .`,
    ...more,
    `Filename: pool/main/${name}_${version}.deb`,
    "Size: 1500",
    `SHA256: ${SHA256}`,
  ].join("\n");
}

const INDEX = [
  stanza("busybox", "1.0"),
  stanza("busybox-static", "1:1.35.0-4"),
  stanza(
    "linux-image-cloud-amd64",
    "6.1-1",
    "Depends: init:any (>= 2) | other, linux-image-6.1.0-50-cloud-amd64 (= 6.1-1)",
  ),
  stanza("linux-image-6.1.0-50-cloud-amd64", "6.0-9"),
  stanza("linux-image-6.1.0-50-cloud-amd64", "6.1-1"),
].join("\n\n");

test("a package is found by its whole name, with its digest", () => {
  const result = findPackage(INDEX, "busybox-static");

  assert(result.ok);
  assert.deepEqual(result.value, {
    name: "busybox-static",
    architecture: "amd64",
    version: "1:1.35.0-4",
    filename: "pool/main/busybox-static_1:1.35.0-4.deb",
    digest: { sizeBytes: 1500, sha256: SHA256 },
    depends: [],
  });
});

test("continuation lines are not taken for fields, and an unknown package is undefined", () => {
  assert.deepEqual(findPackage(INDEX, "trap"), { ok: true, value: undefined });
});

test("a meta package leads to the exact version of the package it depends on", () => {
  const meta = findPackage(INDEX, "linux-image-cloud-amd64");
  assert(meta.ok && meta.value !== undefined);
  assert.deepEqual(meta.value.depends, [
    { name: "init", exactVersion: undefined },
    { name: "linux-image-6.1.0-50-cloud-amd64", exactVersion: "6.1-1" },
  ]);

  const real = realPackageOf(meta.value, "linux-image-");
  assert(real.ok);
  const found = findPackage(INDEX, real.value.name, real.value.exactVersion);

  assert(found.ok);
  assert.equal(found.value?.version, "6.1-1");
});

test("a meta package without such a dependency says so", () => {
  const meta = findPackage(INDEX, "busybox");
  assert(meta.ok && meta.value !== undefined);

  const real = realPackageOf(meta.value, "linux-image-");

  assert(!real.ok);
  assert.equal(real.error.code, "package-not-found");
});

test("an entry with only a weak checksum, or with a path out of the mirror, is refused", () => {
  const weak = findPackage(INDEX.replaceAll("SHA256:", "MD5sum:"), "busybox");
  const outside = findPackage(INDEX.replace("pool/main/busybox_", "pool/../../busybox_"), "busybox");

  assert(!weak.ok && !outside.ok);
  assert.match(weak.error.message, /no SHA-256 checksum for package busybox/);
  assert.match(outside.error.message, /outside the mirror/);
});
