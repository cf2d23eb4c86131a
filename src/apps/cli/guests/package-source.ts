/** What apt-get and a bare mirror have in common for a fetch: find a package, download it, say where it came from. */
import { realPackageOf } from "../../../host/images/index.ts";
import type { DebianPackage, PackageOrigin, PackageRecord } from "../../../host/images/index.ts";
import type { GuestProgress } from "./guest-progress.ts";
import { orThrow } from "./host-error.ts";

export interface SourceOptions {
  /** An empty folder of this fetch alone; whoever made it removes it. */
  readonly workFolder: string;
  readonly progress: GuestProgress;
  readonly signal: AbortSignal | undefined;
}

export interface PackageSource {
  readonly origin: PackageOrigin;
  /** Gets the indexes ready. Called once, before the others; `guest` is whose step it is shown as. */
  open(guest: string): Promise<void>;
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
