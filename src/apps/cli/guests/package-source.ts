/** What apt-get and a bare mirror have in common for a fetch: find a package, download it, say where it came from. */
import { realPackageOf } from "../../../host/index.ts";
import type { DebianPackage, PackageOrigin, PackageRecord } from "../../../host/index.ts";
import type { GuestProgressEvent } from "./guest-progress.ts";
import { orThrow } from "./host-error.ts";

/** Progress as a source sees it: it does not know for which guest it works. */
export type SourceEvent =
  | { readonly kind: "step"; readonly text: string }
  | Extract<GuestProgressEvent, { kind: "transfer" | "warning" }>;

export interface SourceOptions {
  /** An empty folder of this fetch alone; whoever made it removes it. */
  readonly workFolder: string;
  readonly report: (event: SourceEvent) => void;
  readonly signal: AbortSignal | undefined;
}

export interface PackageSource {
  readonly origin: PackageOrigin;
  /** Gets the indexes ready. Called once, before the others. */
  open(): Promise<void>;
  /** The record of a package in the verified index. */
  find(
    name: string,
    architecture: DebianPackage["architecture"],
    exactVersion?: string,
  ): Promise<PackageRecord>;
  /** The path of the downloaded .deb below the work folder; its checksum is still to be verified. */
  download(record: PackageRecord): Promise<string>;
}

/** The record of the package to unpack: of the package itself, or of the one that a meta package leads to. */
export async function resolvePackage(source: PackageSource, wanted: DebianPackage): Promise<PackageRecord> {
  const record = await source.find(wanted.name, wanted.architecture);
  if (wanted.kind === "plain") return record;
  const real = orThrow(realPackageOf(record, wanted.realNamePrefix));
  return source.find(real.name, wanted.architecture, real.exactVersion);
}
