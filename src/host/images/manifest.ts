/**
 * manifest.json of a fetched guest: which packages it came from, how they were verified, and the files made from
 * them with their checksums. It names a folder beside it; replacing the manifest is what publishes a new fetch.
 *
 * Command line, memory and mark are not in it: they belong to the catalogue, and change without a new fetch.
 */
import type { CatalogueEntry } from "./catalogue.ts";
import { packagedFiles } from "./catalogue.ts";
import type { Digest } from "./checksum.ts";
import { initScript } from "./linux-initramfs.ts";

export const MANIFEST_FORMAT = 1;
/** A manifest is a few KiB; anything much larger is not ours and is not read. */
export const MAX_MANIFEST_BYTES = 64 * 1024;

export type PackageOrigin =
  | { readonly kind: "apt" }
  | {
      readonly kind: "mirror";
      readonly url: string;
      readonly suite: string;
      /** Whether gpgv accepted the suite's Release file against the Debian keyring. */
      readonly signature: "verified" | "not verified";
    };

export interface ManifestPackage extends Digest {
  readonly name: string;
  readonly architecture: string;
  readonly version: string;
}

export type GuestFileRole = "kernel" | "initrd";

export interface ManifestFile extends Digest {
  readonly role: GuestFileRole;
  /** File name inside the manifest's folder. */
  readonly name: string;
}

export interface GuestManifest {
  readonly format: typeof MANIFEST_FORMAT;
  readonly name: string;
  /** SHA-256 of {@link guestRecipe}: a guest made by another recipe is fetched again. */
  readonly recipeSha256: string;
  readonly fetchedAt: string;
  readonly origin: PackageOrigin;
  readonly packages: readonly ManifestPackage[];
  readonly folder: string;
  readonly files: readonly ManifestFile[];
}

/** Everything about how the files of a guest are made that is not in its packages, as text to be hashed. */
export function guestRecipe(entry: CatalogueEntry): string {
  const files = packagedFiles(entry).map((file) => ({ ...file, path: file.path.source }));
  return JSON.stringify({ files, init: entry.busybox === undefined ? "" : initScript(entry.mark.text) });
}

/** The manifest in `text`, or undefined when it is damaged or of another format: such a guest is fetched again. */
export function parseManifest(text: string): GuestManifest | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isManifest(value) ? value : undefined;
}

function isManifest(value: unknown): value is GuestManifest {
  return (
    isRecord(value) &&
    value["format"] === MANIFEST_FORMAT &&
    isText(value["name"]) &&
    isText(value["recipeSha256"]) &&
    isText(value["fetchedAt"]) &&
    isOrigin(value["origin"]) &&
    isFileName(value["folder"]) &&
    isListOf(value["packages"], isManifestPackage) &&
    isListOf(value["files"], isManifestFile)
  );
}

function isOrigin(value: unknown): value is PackageOrigin {
  if (!isRecord(value)) return false;
  if (value["kind"] === "apt") return true;
  const { kind, url, suite, signature } = value;
  return (
    kind === "mirror" &&
    isText(url) &&
    isText(suite) &&
    (signature === "verified" || signature === "not verified")
  );
}

function isManifestPackage(value: unknown): value is ManifestPackage {
  return (
    isDigest(value) && isText(value["name"]) && isText(value["architecture"]) && isText(value["version"])
  );
}

function isManifestFile(value: unknown): value is ManifestFile {
  return (
    isDigest(value) && (value["role"] === "kernel" || value["role"] === "initrd") && isFileName(value["name"])
  );
}

function isDigest(value: unknown): value is Record<string, unknown> & Digest {
  return (
    isRecord(value) &&
    Number.isSafeInteger(value["sizeBytes"]) &&
    isText(value["sha256"]) &&
    /^[0-9a-f]{64}$/.test(value["sha256"])
  );
}

/** A name that cannot lead out of the folder it is joined to. */
function isFileName(value: unknown): value is string {
  return isText(value) && /^[\w+-][\w.+-]*$/.test(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isListOf<T>(value: unknown, isItem: (item: unknown) => item is T): value is readonly T[] {
  return Array.isArray(value) && value.every(isItem);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
