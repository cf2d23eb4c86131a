import assert from "node:assert/strict";
import { test } from "node:test";
import { parseManifest } from "./manifest.ts";

const DIGEST = { sizeBytes: 1, sha256: "ab".repeat(32) };
const MANIFEST = {
  format: 1,
  name: "gnumach",
  recipeSha256: "cd".repeat(32),
  fetchedAt: "2026-11-22T12:00:00.000Z",
  origin: { kind: "mirror", url: "http://mirror.example", suite: "bookworm", signature: "verified" },
  packages: [{ name: "gnumach-image", architecture: "i386", version: "2:1.8", ...DIGEST }],
  folder: "0f9a",
  files: [{ role: "kernel", name: "kernel", ...DIGEST }],
};

test("a manifest is read back as it was written", () => {
  assert.deepEqual(parseManifest(JSON.stringify(MANIFEST)), MANIFEST);
  assert.notEqual(parseManifest(JSON.stringify({ ...MANIFEST, origin: { kind: "apt" } })), undefined);
});

for (const [what, change] of [
  ["another format", { format: 2 }],
  ["an unknown origin", { origin: { kind: "magic" } }],
  ["a folder outside the guest's", { folder: "../other" }],
  ["a file outside the folder", { files: [{ role: "kernel", name: "/etc/passwd", ...DIGEST }] }],
  ["a hidden file", { files: [{ role: "kernel", name: "..", ...DIGEST }] }],
  ["an unknown role", { files: [{ role: "firmware", name: "x", ...DIGEST }] }],
  [
    "a short checksum",
    { packages: [{ name: "a", architecture: "i386", version: "1", sizeBytes: 1, sha256: "ab" }] },
  ],
  ["no files", { files: undefined }],
] as const) {
  test(`a manifest with ${what} counts as none`, () => {
    assert.equal(parseManifest(JSON.stringify({ ...MANIFEST, ...change })), undefined);
  });
}

test("text that is no JSON counts as no manifest", () => {
  assert.equal(parseManifest('{"format": 1'), undefined);
  assert.equal(parseManifest("null"), undefined);
});
