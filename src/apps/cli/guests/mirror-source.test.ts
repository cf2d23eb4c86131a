import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { MirrorSource } from "./mirror-source.ts";
import { MirrorDouble } from "./testing/debian-doubles.ts";

/** Public key of "Typevisor test archive", an Ed25519 key made for this file; its private half is gone. */
const KEYRING = Buffer.from(
  "mDMEZZIAgBYJKwYBBAHaRw8BAQdA0eNkL33sjgU4142uDyDn1S3c0We0KuRvsc0i80xndTq0LVR5cGV2aXNvciB0ZXN0IGFyY2hp" +
    "dmUgPHRlc3RAZXhhbXBsZS5pbnZhbGlkPoiQBBMWCAA4FiEEzCzbpOFRS1M4dSi/q8TuvHsdYlQFAmWSAIACGwMFCwkIBwIGFQoJ" +
    "CAsCBBYCAwECHgECF4AACgkQq8TuvHsdYlT1UwEAx1EaRGpPajZp+79Wbtfble6BTCpKGZkwcY8ZjTDPNP4A/1CyF7fBwjJ2b8/R" +
    "2a0tQUUD/Z1a7QldTWGXoy5ymxMB",
  "base64",
);

const SIGNED_RELEASE = `-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

Origin: Debian
Suite: teststable
Codename: testworm
Acquire-By-Hash: yes
SHA256:
 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 main/binary-amd64/Packages
-----BEGIN PGP SIGNATURE-----

iHUEARYIAB0WIQTMLNuk4VFLUzh1KL+rxO68ex1iVAUCZZIAgAAKCRCrxO68ex1i
VEaRAP9CMpGdDBqvFMLfZAXdZFH8IKSfOj6t9MUiK6yrr1Da4gEAtly+Y55nftT0
Dxxhr+0acLRmlgUEPfSHgskXc6Ogrgw=
=xNm2
-----END PGP SIGNATURE-----
`;

const needsGpgv = { skip: spawnSync("gpgv", ["--version"]).status === 0 ? false : "there is no gpgv here" };

let workFolder: string;
let keyring: string;

before(async () => {
  workFolder = await mkdtemp(join(tmpdir(), "typevisor-mirror-"));
  keyring = join(workFolder, "keyring.gpg");
  await writeFile(keyring, KEYRING);
});
after(() => rm(workFolder, { recursive: true }));

async function openedWith(inRelease: string): Promise<MirrorSource> {
  await using mirror = await MirrorDouble.start([]);
  mirror.files.set("dists/bookworm/InRelease", Buffer.from(inRelease));
  const options = { workFolder, url: mirror.url, suite: "bookworm", keyrings: [keyring], signal: undefined };
  const source = new MirrorSource({ ...options, report: () => undefined });
  await source.open();
  return source;
}

test(
  "a mirror whose Release is signed by a key of the keyring is recorded as verified",
  needsGpgv,
  async () => {
    const source = await openedWith(SIGNED_RELEASE);

    assert(source.origin.kind === "mirror");
    assert.equal(source.origin.signature, "verified");
  },
);

for (const [what, change] of [
  ["changed", (release: string) => release.replace("testworm", "evilworm")],
  ["not signed at all", () => "Codename: bookworm\nSHA256:\n"],
  ["damaged in its signature", (release: string) => release.replace("VEaRAP9C", "VEaRAP9D")],
] as const) {
  test(`with a keyring, a Release that is ${what} is refused`, needsGpgv, async () => {
    await assert.rejects(openedWith(change(SIGNED_RELEASE)), { code: "signature-invalid" });
  });
}

test("text before or after the signed part is not taken for part of it", needsGpgv, async () => {
  const forged = `Codename: evilworm\nSHA256:\n\n${SIGNED_RELEASE}`;

  const source = await openedWith(forged);

  await assert.rejects(source.find("x", "i386"), {
    message: /^suite testworm of the mirror has no packages/,
  });
});

test("a Release that has expired is refused", async () => {
  await using mirror = await MirrorDouble.start([]);
  const expired = "Codename: bookworm\nValid-Until: Sat, 01 Jan 2000 00:00:00 UTC\nSHA256:\n";
  mirror.files.set("dists/bookworm/InRelease", Buffer.from(expired));
  const options = { workFolder, url: mirror.url, suite: "bookworm", keyrings: [], signal: undefined };

  await assert.rejects(new MirrorSource({ ...options, report: () => undefined }).open(), {
    code: "index-expired",
  });
});
