/**
 * Packages from a Debian mirror that the user names, for machines without apt (Debian Repository Format):
 * dists/SUITE/InRelease gives the checksums of the Packages indexes, those give the checksums of the packages.
 * Everything below InRelease is always verified. InRelease itself is verified when this machine has gpgv and the
 * Debian archive keyring; without them a warning says so, and the manifest records it.
 *
 * Missing on purpose: Packages of several suites at once (security updates), detached Release.gpg signatures,
 * proxies other than those of Node's own fetch.
 */
import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { defined, MiB } from "../../../base/index.ts";
import {
  clearSignedText,
  findPackage,
  packagesIndexFile,
  parseRelease,
  verifyDigest,
} from "../../../host/index.ts";
import type {
  DebianArchitecture,
  ImageResult,
  PackageOrigin,
  PackageRecord,
  Release,
} from "../../../host/index.ts";
import { readAll } from "./byte-stream.ts";
import { decompressed } from "./decompress.ts";
import { digestOfBytes, downloadBytes, downloadFile } from "./download.ts";
import { ImageFault, orThrow } from "./host-error.ts";
import type { PackageSource, SourceOptions } from "./package-source.ts";
import { runProgram } from "./run-program.ts";

export const DEFAULT_SUITE = "bookworm";

/** Where Debian and its derivatives install the archive's public keys. */
export const DEBIAN_KEYRINGS = [
  "/usr/share/keyrings/debian-archive-keyring.gpg",
  "/usr/share/keyrings/debian-archive-keyring.pgp",
] as const;

const MAX_RELEASE_BYTES = 8 * MiB;
const MAX_PACKAGES_INDEX_BYTES = 256 * MiB;

export interface MirrorOptions extends SourceOptions {
  /** From {@link parseMirrorUrl}. */
  readonly url: string;
  readonly suite: string;
  /** Candidates for the keyring, first found is used. */
  readonly keyrings: readonly string[];
}

/** The mirror's address without a trailing slash. */
export function parseMirrorUrl(text: string): ImageResult<string> {
  const url = URL.parse(text);
  if (url !== null && (url.protocol === "http:" || url.protocol === "https:") && url.search === "") {
    return { ok: true, value: url.href.replace(/\/+$/, "") };
  }
  const message = `"${text}" is no address of a mirror; one begins with http:// or https:// and holds dists/ and pool/`;
  return { ok: false, error: { code: "bad-option", message } };
}

export class MirrorSource implements PackageSource {
  readonly #options: MirrorOptions;
  readonly #indexes = new Map<DebianArchitecture, Promise<string>>();
  #signature: "verified" | "not verified" = "not verified";
  #release: Release | undefined;

  constructor(options: MirrorOptions) {
    this.#options = options;
  }

  get origin(): PackageOrigin {
    const { url, suite } = this.#options;
    return { kind: "mirror", url, suite, signature: this.#signature };
  }

  async open(): Promise<void> {
    const { url, suite, signal, report } = this.#options;
    report({ kind: "step", text: `reading suite ${suite} of ${url}` });
    const releaseUrl = `${url}/dists/${suite}/InRelease`;
    const message = await downloadBytes(releaseUrl, { maxBytes: MAX_RELEASE_BYTES, signal });
    if (message === undefined) {
      throw new ImageFault(
        "no-package-source",
        `${url} is no Debian mirror with suite ${suite} (no ${releaseUrl})`,
      );
    }
    this.#release = orThrow(parseRelease(await this.#signedText(message)));
    const { validUntil } = this.#release;
    if (validUntil !== undefined && Date.parse(validUntil) < Date.now()) {
      throw new ImageFault(
        "index-expired",
        `suite ${suite} of ${url} was valid until ${validUntil}; use another mirror`,
      );
    }
  }

  async find(name: string, architecture: DebianArchitecture, exactVersion?: string): Promise<PackageRecord> {
    const pending = this.#indexes.get(architecture) ?? this.#readIndex(architecture);
    this.#indexes.set(architecture, pending);
    const record = orThrow(findPackage(await pending, name, exactVersion));
    if (record !== undefined) return record;
    const { url, suite } = this.#options;
    const version = exactVersion === undefined ? "" : ` ${exactVersion}`;
    throw new ImageFault(
      "package-not-found",
      `suite ${suite} of ${url} has no package ${name}:${architecture}${version}`,
    );
  }

  async download(record: PackageRecord): Promise<string> {
    const { url, workFolder, signal, report } = this.#options;
    const folder = join(workFolder, "debs");
    await mkdir(folder, { recursive: true });
    const path = join(folder, `${record.name}_${record.architecture}.deb`);
    const totalBytes = record.digest.sizeBytes;
    const found = await downloadFile(`${url}/${encodeURI(record.filename)}`, path, {
      maxBytes: totalBytes,
      signal,
      onBytes: (receivedBytes) => report({ kind: "transfer", receivedBytes, totalBytes }),
    });
    if (found) return path;
    throw new ImageFault(
      "network",
      `${url} lists ${record.filename} but does not have it; try another mirror`,
    );
  }

  /** What gpgv says was signed; without gpgv or a keyring the unverified text, with a warning. */
  async #signedText(message: Uint8Array): Promise<string> {
    const { url, workFolder, signal, report } = this.#options;
    const keyring = await firstExisting(this.#options.keyrings);
    const messagePath = join(workFolder, "InRelease");
    const textPath = join(workFolder, "Release");
    await writeFile(messagePath, message);
    const verified =
      keyring === undefined
        ? undefined
        : await runProgram(
            "gpgv",
            ["--status-fd", "1", "--keyring", keyring, "--output", textPath, messagePath],
            { signal },
          );
    if (verified === undefined) {
      const missing = keyring === undefined ? "the Debian archive keyring" : "gpgv";
      const text = `the signature of ${url} was not verified, because this machine lacks ${missing}`;
      report({ kind: "warning", text: `${text}; checksums only show that its files belong together` });
      return clearSignedText(Buffer.from(message).toString("utf8"));
    }
    // gpgv also fails for an unknown key beside a known one, and releases are signed with old and new keys.
    const isSigned = /^\[GNUPG:\] GOODSIG /m.test(verified.stdout);
    if (!isSigned || /^\[GNUPG:\] BADSIG /m.test(verified.stdout)) {
      throw new ImageFault(
        "signature-invalid",
        `${url} is not signed by Debian (gpgv against ${keyring}); not used`,
      );
    }
    this.#signature = "verified";
    return await readFile(textPath, "utf8");
  }

  async #readIndex(architecture: DebianArchitecture): Promise<string> {
    const { url, suite, signal, report } = this.#options;
    const release = defined(this.#release, "a mirror is opened before it is searched");
    const file = orThrow(packagesIndexFile(release, architecture));
    const totalBytes = file.digest.sizeBytes;
    report({ kind: "step", text: `downloading the ${architecture} package list` });
    const options = {
      maxBytes: totalBytes,
      signal,
      onBytes: (receivedBytes: number) => report({ kind: "transfer", receivedBytes, totalBytes }),
    };
    const base = `${url}/dists/${suite}`;
    const byHash = `${base}/${file.path.replace(/[^/]*$/, "")}by-hash/SHA256/${file.digest.sha256}`;
    const bytes =
      (release.acquireByHash ? await downloadBytes(byHash, options) : undefined) ??
      (await downloadBytes(`${base}/${file.path}`, options));
    if (bytes === undefined) {
      throw new ImageFault("network", `${base} lists ${file.path} but does not have it; try another mirror`);
    }
    orThrow(verifyDigest(`${base}/${file.path}`, file.digest, digestOfBytes(bytes)));
    const text = await readAll(decompressed(file.compression, bytes), MAX_PACKAGES_INDEX_BYTES);
    if (text !== undefined) return new TextDecoder().decode(text);
    throw new ImageFault(
      "index-damaged",
      `a package index is larger than ${MAX_PACKAGES_INDEX_BYTES / MiB} MiB`,
    );
  }
}

async function firstExisting(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const exists = await access(path).then(
      () => true,
      () => false,
    );
    if (exists) return path;
  }
  return undefined;
}
