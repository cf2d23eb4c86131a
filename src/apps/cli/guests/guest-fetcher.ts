/**
 * Gives ready-made guests as files: from the cache where they are whole, otherwise from Debian packages. This is
 * the API for the command line, the demo and the tests.
 */
import { createHash, randomUUID } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { defined } from "../../../base/index.ts";
import {
  buildLinuxInitramfs,
  findGuest,
  GUEST_CATALOGUE,
  guestRecipe,
  MANIFEST_FORMAT,
  packagedFiles,
  verifyDigest,
} from "../../../host/index.ts";
import type {
  CatalogueEntry,
  GuestBoot,
  GuestManifest,
  GuestMark,
  ImageResult,
  ManifestFile,
  ManifestPackage,
  PackagedFile,
} from "../../../host/index.ts";
import { AptSource, hasApt } from "./apt-source.ts";
import { digestOfBytes, digestOfFile } from "./download.ts";
import { defaultGuestCacheFolder, GuestCache } from "./guest-cache.ts";
import type { GuestProgress } from "./guest-progress.ts";
import { ImageFault, imageErrorOf, orThrow } from "./host-error.ts";
import { DEBIAN_KEYRINGS, DEFAULT_SUITE, MirrorSource, parseMirrorUrl } from "./mirror-source.ts";
import { resolvePackage } from "./package-source.ts";
import type { PackageSource, SourceEvent } from "./package-source.ts";
import { unpackDeb } from "./unpack-deb.ts";

export interface FetchOptions {
  /** By default the user's cache folder, {@link defaultGuestCacheFolder}. */
  readonly cacheFolder?: string | undefined;
  /** A Debian mirror to use instead of apt-get. */
  readonly mirror?: string | undefined;
  /** The mirror's suite; "bookworm" by default, the last Debian release with every guest of the catalogue. */
  readonly suite?: string | undefined;
  /** Candidates for the keyring against which a mirror is verified, instead of {@link DEBIAN_KEYRINGS}. */
  readonly keyrings?: readonly string[] | undefined;
  /** Fetch again even if the guest is cached, to get newer packages. */
  readonly refresh?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: GuestProgress | undefined;
}

/** A guest on disk, with everything that is needed to start it. Its files are never changed, only superseded. */
export interface FetchedGuest {
  readonly name: string;
  readonly title: string;
  readonly boot: GuestBoot;
  readonly kernelPath: string;
  readonly initrdPath: string | undefined;
  /** Multiboot modules; no guest of the catalogue has any yet. */
  readonly modulePaths: readonly string[];
  readonly commandLine: string;
  readonly memorySizeBytes: number;
  readonly mark: GuestMark;
  readonly manifest: GuestManifest;
}

export interface GuestListing {
  readonly entry: CatalogueEntry;
  /** What is in the cache; undefined when the guest must be fetched first. */
  readonly fetched: GuestManifest | undefined;
}

/** The catalogue, with what of it is in the cache. Reads manifests only, no network and no package. */
export async function listGuests(options: Pick<FetchOptions, "cacheFolder"> = {}): Promise<GuestListing[]> {
  const cache = new GuestCache(options.cacheFolder ?? defaultGuestCacheFolder());
  return Promise.all(
    GUEST_CATALOGUE.map(async (entry) => {
      const manifest = await cache.readManifest(entry.name).catch(() => undefined);
      return { entry, fetched: isCurrent(entry, manifest) ? manifest : undefined };
    }),
  );
}

/** One guest; see {@link GuestFetcher} for several, which then share the package lists. */
export async function fetchGuest(
  name: string,
  options: FetchOptions = {},
): Promise<ImageResult<FetchedGuest>> {
  await using fetcher = new GuestFetcher(options);
  return await fetcher.fetch(name);
}

/** Several guests, in the given order; stops at the first that fails. What was fetched before stays cached. */
export async function fetchGuests(
  names: readonly string[],
  options: FetchOptions = {},
): Promise<ImageResult<FetchedGuest[]>> {
  await using fetcher = new GuestFetcher(options);
  const guests: FetchedGuest[] = [];
  for (const name of names) {
    const guest = await fetcher.fetch(name);
    if (!guest.ok) return guest;
    guests.push(guest.value);
  }
  return { ok: true, value: guests };
}

/** Fetches guests one after the other. Package lists are got when first needed, and kept until it is disposed. */
export class GuestFetcher implements AsyncDisposable {
  readonly #options: FetchOptions;
  readonly #cache: GuestCache;
  readonly #progress: GuestProgress;
  #workFolder: { readonly path: string; remove(): Promise<void> } | undefined;
  #source: PackageSource | undefined;
  /** Whose packages the source works for, for its progress. */
  #guest = "";

  constructor(options: FetchOptions = {}) {
    this.#options = options;
    this.#cache = new GuestCache(options.cacheFolder ?? defaultGuestCacheFolder());
    this.#progress = options.onProgress ?? (() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#workFolder?.remove();
    this.#workFolder = undefined;
    this.#source = undefined;
  }

  async fetch(name: string): Promise<ImageResult<FetchedGuest>> {
    const entry = findGuest(name);
    if (!entry.ok) return entry;
    try {
      return { ok: true, value: await this.#fetchEntry(entry.value) };
    } catch (thrown) {
      const error = imageErrorOf(thrown, this.#cache.rootFolder);
      if (error === undefined) throw thrown;
      return { ok: false, error };
    }
  }

  async #fetchEntry(entry: CatalogueEntry): Promise<FetchedGuest> {
    const { refresh = false, signal } = this.#options;
    const cached = refresh ? undefined : await this.#cached(entry);
    if (cached !== undefined) return cached;
    const onWait = (): void =>
      this.#progress({ kind: "step", guest: entry.name, text: "waiting for another fetch to end" });
    return await this.#cache.withFetchLock(signal, onWait, async () => {
      const meanwhile = refresh ? undefined : await this.#cached(entry);
      return meanwhile ?? (await this.#fetchPackages(entry));
    });
  }

  async #cached(entry: CatalogueEntry): Promise<FetchedGuest | undefined> {
    const manifest = await this.#cache.readManifest(entry.name);
    if (!isCurrent(entry, manifest) || !(await this.#cache.isIntact(manifest))) return undefined;
    this.#progress({ kind: "done", guest: entry.name, text: "is in the cache" });
    return this.#fetchedGuest(entry, manifest);
  }

  async #fetchPackages(entry: CatalogueEntry): Promise<FetchedGuest> {
    this.#guest = entry.name;
    const source = await this.#openSource();
    const workPath = (await this.#ensureWorkFolder()).path;
    const packages: ManifestPackage[] = [];
    const contents: Uint8Array[] = [];
    for (const wanted of packagedFiles(entry)) {
      const { record, content } = await this.#fetchPackagedFile(source, entry.name, wanted);
      packages.push(record);
      contents.push(content);
    }

    this.#progress({ kind: "step", guest: entry.name, text: "writing its files" });
    const folder = randomUUID();
    const filesFolder = join(workPath, folder);
    await mkdir(filesFolder);
    const [kernel, busybox] = contents;
    const files: ManifestFile[] = [];
    if (kernel !== undefined) files.push(await writeGuestFile(filesFolder, "kernel", kernel));
    if (busybox !== undefined) {
      const initramfs = buildLinuxInitramfs(busybox, entry.mark.text);
      files.push(await writeGuestFile(filesFolder, "initrd", initramfs));
    }
    const manifest: GuestManifest = {
      format: MANIFEST_FORMAT,
      name: entry.name,
      recipeSha256: recipeSha256(entry),
      fetchedAt: new Date().toISOString(),
      origin: source.origin,
      packages,
      folder,
      files,
    };
    this.#options.signal?.throwIfAborted();
    await this.#cache.publish(manifest, filesFolder, workPath);
    this.#progress({ kind: "done", guest: entry.name, text: `fetched to ${this.#cache.folderOf(manifest)}` });
    return this.#fetchedGuest(entry, manifest);
  }

  async #fetchPackagedFile(
    source: PackageSource,
    guest: string,
    wanted: PackagedFile,
  ): Promise<{ record: ManifestPackage; content: Uint8Array }> {
    const record = await resolvePackage(source, wanted.package);
    const title = `${record.name} ${record.version} (${record.architecture})`;
    this.#progress({ kind: "step", guest, text: `downloading ${title}` });
    const path = await source.download(record);
    const digest = orThrow(verifyDigest(`package ${title}`, record.digest, await digestOfFile(path)));
    this.#progress({ kind: "step", guest, text: `unpacking ${title}` });
    const content = await unpackDeb(await readFile(path), wanted);
    await rm(path);
    const { name, architecture, version } = record;
    return { record: { name, architecture, version, ...digest }, content };
  }

  async #openSource(): Promise<PackageSource> {
    if (this.#source !== undefined) return this.#source;
    const { mirror, suite = DEFAULT_SUITE, keyrings = DEBIAN_KEYRINGS, signal } = this.#options;
    if (!/^[a-z][\w-]*(?:\/[\w-]+)*$/.test(suite))
      throw new ImageFault("bad-option", `"${suite}" is no suite name`);
    const url = mirror === undefined ? undefined : orThrow(parseMirrorUrl(mirror));
    if (url === undefined && !(await hasApt())) {
      throw new ImageFault(
        "no-package-source",
        `guests are made from Debian packages, and this machine has no apt-get; name a Debian mirror with --mirror URL`,
      );
    }
    const workFolder = (await this.#ensureWorkFolder()).path;
    const report = (event: SourceEvent): void =>
      this.#progress(event.kind === "step" ? { ...event, guest: this.#guest } : event);
    const options = { workFolder, report, signal };
    const source =
      url === undefined ? new AptSource(options) : new MirrorSource({ ...options, url, suite, keyrings });
    await source.open();
    this.#source = source;
    return source;
  }

  async #ensureWorkFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
    this.#workFolder ??= await this.#cache.createWorkFolder();
    return this.#workFolder;
  }

  #fetchedGuest(entry: CatalogueEntry, manifest: GuestManifest): FetchedGuest {
    const pathOf = (role: ManifestFile["role"]): string | undefined => {
      const file = manifest.files.find((candidate) => candidate.role === role);
      return file === undefined ? undefined : join(this.#cache.folderOf(manifest), file.name);
    };
    const { name, title, boot, commandLine, memorySizeBytes, mark } = entry;
    const start = { name, title, boot, commandLine, memorySizeBytes, mark, manifest };
    return {
      ...start,
      kernelPath: defined(pathOf("kernel"), "a current manifest has a kernel"),
      initrdPath: pathOf("initrd"),
      modulePaths: [],
    };
  }
}

/** Whether the manifest is of a guest made the way this version makes it. */
function isCurrent(entry: CatalogueEntry, manifest: GuestManifest | undefined): manifest is GuestManifest {
  const roles = new Set(manifest?.files.map((file) => file.role));
  return (
    manifest?.recipeSha256 === recipeSha256(entry) &&
    roles.has("kernel") &&
    roles.has("initrd") === (entry.busybox !== undefined)
  );
}

function recipeSha256(entry: CatalogueEntry): string {
  return createHash("sha256").update(guestRecipe(entry)).digest("hex");
}

async function writeGuestFile(
  folder: string,
  role: ManifestFile["role"],
  content: Uint8Array,
): Promise<ManifestFile> {
  const name = role === "kernel" ? "kernel" : "initrd.cpio";
  await writeFile(join(folder, name), content, { flush: true });
  return { role, name, ...digestOfBytes(content) };
}
