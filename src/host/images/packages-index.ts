/**
 * Debian package indexes: what a Packages file, or `apt-cache show`, says about a package (deb822(5), Debian
 * Repository Format "Packages Indices"), and how a meta package leads to the versioned package it stands for.
 *
 * Missing on purpose: comparing versions. An index of one suite holds one version of a package, and apt-cache is
 * asked for its candidate only; where a meta package asks for an exact version, that one is taken.
 */
import { err, ok } from "../../base/index.ts";
import type { ImageResult } from "./image-error.ts";
import { parseDigest } from "./checksum.ts";
import type { Digest } from "./checksum.ts";
import { selectStanzas } from "./control-file.ts";
import type { ControlStanza } from "./control-file.ts";

export type DebianArchitecture = "amd64" | "i386";

export interface PackageRecord {
  readonly name: string;
  readonly architecture: string;
  readonly version: string;
  /** Path below the mirror's root, as the index gives it. */
  readonly filename: string;
  readonly digest: Digest;
  readonly depends: readonly Dependency[];
}

export interface Dependency {
  readonly name: string;
  /** The version of an "=" relation; undefined for any other relation or none. */
  readonly exactVersion: string | undefined;
}

/** The record of `name` in an index; `exactVersion` chooses among several, otherwise the first is taken. */
export function findPackage(
  indexText: string,
  name: string,
  exactVersion?: string,
): ImageResult<PackageRecord | undefined> {
  // A Packages file begins every stanza with its Package field, apt-cache does too.
  const stanzas = selectStanzas(indexText, (raw) => raw.trimStart().startsWith(`Package: ${name}\n`));
  const stanza = stanzas.find(
    (fields) => exactVersion === undefined || fields.get("version") === exactVersion,
  );
  return stanza === undefined ? ok(undefined) : parsePackageRecord(stanza);
}

function parsePackageRecord(stanza: ControlStanza): ImageResult<PackageRecord> {
  const name = stanza.get("package");
  const architecture = stanza.get("architecture");
  const version = stanza.get("version");
  const filename = stanza.get("filename");
  if (name === undefined || architecture === undefined || version === undefined || filename === undefined) {
    return err("index-damaged", `the package index entry of ${name ?? "a package"} lacks a required field`);
  }
  if (filename.startsWith("/") || filename.split("/").includes("..")) {
    return err("index-damaged", `the package index names a file outside the mirror for ${name}: ${filename}`);
  }
  const digest = parseDigest(`package ${name}`, stanza.get("size"), stanza.get("sha256"));
  if (!digest.ok) return digest;
  const depends = parseDepends(stanza.get("depends") ?? "");
  return ok({ name, architecture, version, filename, digest: digest.value, depends });
}

/** Of each comma-separated clause its first alternative: "a (= 1) | b, c:any" gives a (exactly 1) and c. */
function parseDepends(field: string): Dependency[] {
  return field.split(",").flatMap((clause) => {
    const [first = ""] = clause.split("|");
    const match = /^\s*([a-z0-9][a-z0-9+.-]+)(?::\w+)?\s*(?:\(\s*(<<|<=|=|>=|>>)\s*([^\s)]+)\s*\))?/.exec(
      first,
    );
    if (match === null) return [];
    const [, name = "", relation, version] = match;
    return [{ name, exactVersion: relation === "=" ? version : undefined }];
  });
}

/** The dependency of a meta package that is the real package: the first whose name begins with `namePrefix`. */
export function realPackageOf(meta: PackageRecord, namePrefix: string): ImageResult<Dependency> {
  const real = meta.depends.find((dependency) => dependency.name.startsWith(namePrefix));
  if (real !== undefined) return ok(real);
  return err(
    "package-not-found",
    `package ${meta.name} ${meta.version} depends on no ${namePrefix}… package`,
  );
}
