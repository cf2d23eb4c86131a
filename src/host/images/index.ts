/** Ready-made guests and the Debian formats they come in: the pure half; fetching stands in apps/cli/guests. */

export { MAX_AR_MEMBERS, readArMembers } from "./ar.ts";
export type { ArMember } from "./ar.ts";
export { findGuest, GUEST_CATALOGUE, packagedFiles } from "./catalogue.ts";
export type {
  CatalogueEntry,
  DebianPackage,
  GuestBoot,
  GuestMark,
  GuestName,
  PackagedFile,
} from "./catalogue.ts";
export { parseDigest, verifyDigest } from "./checksum.ts";
export type { Digest } from "./checksum.ts";
export { closestNames } from "./closest-names.ts";
export { buildCpio, MAX_CPIO_PATH_BYTES } from "./cpio.ts";
export type { CpioEntry } from "./cpio.ts";
export { debData } from "./deb.ts";
export type { DebCompression, DebData } from "./deb.ts";
export type { ImageError, ImageErrorCode, ImageResult } from "./image-error.ts";
export { buildLinuxInitramfs } from "./linux-initramfs.ts";
export { guestRecipe, MANIFEST_FORMAT, MAX_MANIFEST_BYTES, parseManifest } from "./manifest.ts";
export type {
  GuestFileRole,
  GuestManifest,
  ManifestFile,
  ManifestPackage,
  PackageOrigin,
} from "./manifest.ts";
export { findPackage, realPackageOf } from "./packages-index.ts";
export type { DebianArchitecture, Dependency, PackageRecord } from "./packages-index.ts";
export { clearSignedText, packagesIndexFile, parseRelease } from "./release-index.ts";
export type { IndexCompression, IndexFile, Release } from "./release-index.ts";
