/**
 * A Debian suite's Release file (Debian Repository Format, "Release" files): the size and SHA-256 of every index
 * below it. Packages.xz is trusted because Release names its checksum; Release is trusted because gpgv verified it,
 * which is the caller's work.
 *
 * Missing on purpose: the MD5Sum and SHA1 lists, Date and the pinning fields.
 */
import { err, ok } from "../../base/index.ts";
import type { ImageResult } from "./image-error.ts";
import { parseDigest } from "./checksum.ts";
import type { Digest } from "./checksum.ts";
import { parseStanza } from "./control-file.ts";
import type { DebianArchitecture } from "./packages-index.ts";

export interface Release {
  readonly codename: string;
  /** Whether indexes can also be had under their checksum, which a mirror in the midst of an update keeps valid. */
  readonly acquireByHash: boolean;
  /** The text of Valid-Until, an RFC 5322 date, where the suite has one. */
  readonly validUntil: string | undefined;
  readonly digests: ReadonlyMap<string, Digest>;
}

export type IndexCompression = "xz" | "gzip" | "none";

export interface IndexFile {
  /** Path below dists/SUITE/. */
  readonly path: string;
  readonly compression: IndexCompression;
  readonly digest: Digest;
}

/** The signed text of a clear-signed message (RFC 4880 section 7), without verifying anything. */
export function clearSignedText(message: string): string {
  const match =
    /^-----BEGIN PGP SIGNED MESSAGE-----\r?\n(?:[^\r\n]+\r?\n)*\r?\n([\s\S]*?)\r?\n-----BEGIN PGP SIGNATURE-----/.exec(
      message,
    );
  return match === null ? message : (match[1] ?? "").replaceAll(/^- /gm, "");
}

export function parseRelease(text: string): ImageResult<Release> {
  const fields = parseStanza(text);
  const list = fields.get("sha256");
  const codename = fields.get("codename") ?? fields.get("suite");
  if (list === undefined || codename === undefined) {
    return err("index-damaged", "the mirror's Release file has no SHA256 list");
  }
  const digests = new Map<string, Digest>();
  for (const line of list.split("\n")) {
    const [sha256, size, path] = line.trim().split(/\s+/);
    if (path === undefined) continue;
    const digest = parseDigest(path, size, sha256);
    if (!digest.ok) return digest;
    digests.set(path, digest.value);
  }
  const acquireByHash = fields.get("acquire-by-hash") === "yes";
  return ok({ codename, acquireByHash, validUntil: fields.get("valid-until"), digests });
}

/** The smallest form in which the suite has the Packages index of component main. */
export function packagesIndexFile(
  release: Release,
  architecture: DebianArchitecture,
): ImageResult<IndexFile> {
  const base = `main/binary-${architecture}/Packages`;
  const forms = [
    { path: `${base}.xz`, compression: "xz" },
    { path: `${base}.gz`, compression: "gzip" },
    { path: base, compression: "none" },
  ] as const;
  for (const form of forms) {
    const digest = release.digests.get(form.path);
    if (digest !== undefined) return ok({ ...form, digest });
  }
  return err(
    "package-not-found",
    `suite ${release.codename} of the mirror has no packages for ${architecture}`,
  );
}
