import assert from "node:assert/strict";
import { test } from "node:test";
import { clearSignedText, packagesIndexFile, parseRelease } from "./release-index.ts";

const SHA256 = "0123456789abcdef".repeat(4);

const RELEASE = `Origin: Debian
Codename: bookworm
Acquire-By-Hash: yes
Valid-Until: Sun, 22 Nov 2026 12:00:00 UTC
MD5Sum:
 ${"0".repeat(32)} 7 main/binary-i386/Packages.xz
SHA256:
 ${SHA256}   900 main/binary-amd64/Packages
 ${SHA256}    90 main/binary-amd64/Packages.xz
 ${SHA256}    99 main/binary-amd64/Packages.gz
`;

test("the index of an architecture is taken in its smallest form", () => {
  const release = parseRelease(RELEASE);
  assert(release.ok);
  assert.equal(release.value.codename, "bookworm");
  assert.equal(release.value.acquireByHash, true);
  assert.equal(release.value.validUntil, "Sun, 22 Nov 2026 12:00:00 UTC");

  const file = packagesIndexFile(release.value, "amd64");

  assert.deepEqual(file, {
    ok: true,
    value: {
      path: "main/binary-amd64/Packages.xz",
      compression: "xz",
      digest: { sizeBytes: 90, sha256: SHA256 },
    },
  });
});

test("an architecture that has only a weak checksum is not there", () => {
  const release = parseRelease(RELEASE);
  assert(release.ok);

  const file = packagesIndexFile(release.value, "i386");

  assert(!file.ok);
  assert.equal(file.error.code, "package-not-found");
});

test("a file that is no Release is refused", () => {
  const result = parseRelease("<html><body>Not found</body></html>");

  assert(!result.ok);
  assert.equal(result.error.code, "index-damaged");
});

test("the text is taken out of a clear-signed message, and dash escapes are undone", () => {
  const message = `-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

Origin: Debian
- -- dashes
-----BEGIN PGP SIGNATURE-----

abc
-----END PGP SIGNATURE-----
`;

  assert.equal(clearSignedText(message), "Origin: Debian\n-- dashes");
  assert.equal(clearSignedText("Origin: Debian\n"), "Origin: Debian\n");
});
