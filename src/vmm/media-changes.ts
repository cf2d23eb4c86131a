/**
 * Media that are changed while a VM runs: files are opened before anything is taken out, what has been taken out is flushed
 * and closed, and of several changes one follows the other.
 */

import { err, ok } from "../base/index.ts";
import type { OperatorError, Result } from "../base/index.ts";
import type { BlockDevice } from "../block/index.ts";
import type { RemovableDrive } from "../machine/index.ts";
import type { DriveDefinition } from "./drive-settings.ts";
import type { DrivesInUse } from "./drives-in-use.ts";

/** What goes into a drive. */
export interface MediumDefinition {
  readonly file: string;
  /** The guest cannot write. */
  readonly isReadOnly: boolean;
  /** What the guest writes stays in memory. */
  readonly isTemporary: boolean;
}

export type MediumChange =
  | { readonly kind: "insert"; readonly medium: MediumDefinition }
  /** `isForced` is the pin in a CD-ROM drive's emergency hole. */
  | { readonly kind: "eject"; readonly isForced: boolean };

export interface RemovableDriveName {
  /** "cdrom0", "floppy1": in the order in which they were defined. */
  readonly name: string;
  /** Among all drives. */
  readonly index: number;
  readonly definition: DriveDefinition;
}

export function removableDriveNames(definitions: readonly DriveDefinition[]): readonly RemovableDriveName[] {
  const counts = { cdrom: 0, floppy: 0 };
  return definitions.flatMap((definition, index) => {
    const { medium } = definition;
    return medium === "disk" ? [] : [{ name: `${medium}${counts[medium]++}`, index, definition }];
  });
}

/** The drive of that name; "cdrom" and "floppy" are the first ones. */
export function findRemovableDrive(
  definitions: readonly DriveDefinition[],
  name: string,
): Result<RemovableDriveName, OperatorError<"no-drive">> {
  const drives = removableDriveNames(definitions);
  const found = drives.find((drive) => drive.name === name || drive.name === `${name}0`);
  if (found !== undefined) return ok(found);
  const names = drives.map((drive) => drive.name).join(", ");
  const others = names === "" ? "it has none whose medium can be changed" : `it has ${names}`;
  return err("no-drive", `The VM has no drive "${name}"; ${others}.`);
}

/** The files of media, as the host has them. */
export interface MediaFiles {
  /** Opens a medium for a drive. */
  open(definition: DriveDefinition): Promise<Result<BlockDevice>>;
  /** Whether both paths lead to one file. */
  isSame(path: string, other: string): Promise<boolean>;
}

export interface MediaChangesParts {
  readonly definitions: readonly DriveDefinition[];
  readonly drives: DrivesInUse;
  /** The board's, by the place in `definitions`. */
  readonly removable: readonly (RemovableDrive | undefined)[];
  readonly files: MediaFiles;
  readonly isEnded: () => boolean;
}

interface Change {
  readonly name: string;
  readonly index: number;
  readonly drive: RemovableDrive;
}

export class MediaChanges {
  readonly #parts: MediaChangesParts;
  /** The file in each drive, by its place. */
  readonly #files: (string | undefined)[];
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: MediaChangesParts) {
    this.#parts = parts;
    this.#files = parts.definitions.map(({ file }) => file);
  }

  /** Resolves when the change is made; an error says what was not, and leaves the medium that was there. */
  async change(name: string, change: MediumChange): Promise<Result<void>> {
    const earlier = this.#last;
    const result = earlier.then(() => this.#change(name, change));
    this.#last = result;
    return await result;
  }

  async #change(name: string, change: MediumChange): Promise<Result<void>> {
    const found = findRemovableDrive(this.#parts.definitions, name);
    if (!found.ok) return found;
    const { index, definition } = found.value;
    const drive = this.#parts.removable[index];
    if (drive === undefined) return err("no-drive", `The medium of ${name} cannot be changed.`);
    const what = { name: found.value.name, index, drive };
    if (change.kind === "eject") return await this.#eject(what, change.isForced);
    return await this.#insert(what, { ...definition, ...change.medium });
  }

  async #eject({ name, index, drive }: Change, isForced: boolean): Promise<Result<void>> {
    if (this.#parts.isEnded()) return ENDED;
    if (!drive.eject(isForced)) return locked(name);
    this.#files[index] = undefined;
    return await put(this.#parts.drives.replace(index, undefined));
  }

  async #insert(what: Change, definition: DriveDefinition): Promise<Result<void>> {
    const { index, drive, name } = what;
    const { drives, files, isEnded } = this.#parts;
    const before = this.#files[index];
    // The same image again: nobody else may have it open, and neither may this drive.
    if (before !== undefined && (await files.isSame(before, definition.file))) {
      const ejected = await this.#eject(what, false);
      if (!ejected.ok) return ejected;
    }
    const opened = await files.open(definition);
    if (!opened.ok) return opened;
    const device = drives.watch(opened.value);
    const refuse = async (refusal: Result<void>): Promise<Result<void>> => {
      await device.close();
      return refusal;
    };
    if (isEnded()) return await refuse(ENDED);
    if (!drive.eject(false)) return await refuse(locked(name));
    const inserted = drive.insert(device);
    if (!inserted.ok) {
      const medium = drives.current(index);
      if (medium !== undefined) drive.insert(medium);
      return await refuse(inserted);
    }
    this.#files[index] = definition.file;
    return await put(drives.replace(index, device));
  }
}

const ENDED = err("wrong-state", "The VM has ended.");

const locked = (name: string): Result<never> =>
  err(
    "medium-locked",
    `The guest has locked the tray of ${name} and was asked to open it: try again when it has, or force it.`,
  );

/** Away with a medium that was taken out; what was written last may be lost. */
async function put(device: BlockDevice | undefined): Promise<Result<void>> {
  if (device === undefined) return ok(undefined);
  const flushed = await device.flush();
  await device.close();
  return flushed;
}
