/** A file, folder or symbolic link of a shared folder, for one of those who hold it. */

import { constants } from "node:fs";
import {
  chmod,
  chown,
  lchown,
  link,
  lstat,
  lutimes,
  mkdir,
  opendir,
  rename,
  rmdir,
  statfs,
  symlink,
  truncate,
  unlink,
  utimes,
} from "node:fs/promises";
import { assert } from "../../../base/index.ts";
import { ERRNO } from "../../../share/index.ts";
import type {
  AttributeChanges,
  FileAccess,
  FolderNode,
  FolderSpace,
  NodeAttributes,
  NodeKind,
  OpenFile,
  OpenFolder,
  ShareResult,
  TimeChange,
} from "../../../share/index.ts";
import { entryPath, openDescriptor, pathOf, Refusal, statOf } from "./descriptors.ts";
import { HostEntries, HostFile, openFlags } from "./opened.ts";
import { isSameFile } from "./places.ts";
import type { Place, Places } from "./places.ts";

/** Without the set-user-ID and set-group-ID bits. */
const PERMISSIONS = 0o1777;
const NS_PER_SECOND = 1e9;
const UNCHANGED = -1;
const NOT_OPENED: Readonly<Record<Exclude<NodeKind, "file">, number>> = {
  folder: ERRNO.EISDIR,
  link: ERRNO.ELOOP,
  other: ERRNO.ENXIO,
};

export class HostNode implements FolderNode {
  readonly #places: Places;
  readonly #place: Place;
  #isReleased = false;

  /** Takes over one of those that hold the place. */
  constructor(places: Places, place: Place) {
    this.#places = places;
    this.#place = place;
  }

  get kind(): NodeKind {
    return this.#place.kind;
  }

  get linkTarget(): Uint8Array {
    return this.#place.linkTarget;
  }

  share(): FolderNode {
    return this.#shared(this.#place);
  }

  above(): FolderNode {
    return this.#shared(this.#place.parent ?? this.#place);
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#place.held.drop();
  }

  attributes(): Promise<ShareResult<NodeAttributes>> {
    return this.#request(async ({ fd }) => {
      const found = await statOf(fd);
      return {
        id: this.#places.idOf(found),
        mode: Number(found.mode),
        uid: Number(found.uid),
        gid: Number(found.gid),
        linkCount: found.nlink,
        deviceNumber: found.rdev,
        sizeBytes: found.size,
        blockBytes: found.blksize,
        blocks: found.blocks,
        accessedNs: found.atimeNs,
        modifiedNs: found.mtimeNs,
        changedNs: found.ctimeNs,
      };
    });
  }

  setAttributes(changes: AttributeChanges): Promise<ShareResult<void>> {
    return this.#change(async (place) => {
      const { mode, uid, gid, sizeBytes } = changes;
      const path = pathOf(place.fd);
      const isLink = place.kind === "link";
      if (isLink && mode !== undefined) throw new Refusal(ERRNO.EOPNOTSUPP);
      if (sizeBytes !== undefined) {
        if (place.kind !== "file") throw new Refusal(place.kind === "folder" ? ERRNO.EISDIR : ERRNO.EINVAL);
        await truncate(path, sizeBytes);
      }
      if (uid !== undefined || gid !== undefined) {
        const owner = [ownerOf(uid), ownerOf(gid)] as const;
        await (isLink ? this.#where(place, (own) => lchown(own, ...owner)) : chown(path, ...owner));
      }
      if (mode !== undefined) await chmod(path, mode & PERMISSIONS);
      await this.#setTimes(place, changes);
    });
  }

  space(): Promise<ShareResult<FolderSpace>> {
    return this.#request(async ({ fd }) => {
      const found = await statfs(pathOf(fd), { bigint: true });
      return {
        type: found.type,
        blockBytes: found.bsize,
        blocks: found.blocks,
        freeBlocks: found.bfree,
        availableBlocks: found.bavail,
        files: found.files,
        freeFiles: found.ffree,
      };
    });
  }

  openFile(access: FileAccess): Promise<ShareResult<OpenFile>> {
    const attempt = async ({ fd, kind }: Place): Promise<OpenFile> => {
      if (kind !== "file") throw new Refusal(NOT_OPENED[kind]);
      return new HostFile(this.#places, await openDescriptor(pathOf(fd), openFlags(access)));
    };
    return access.writes || access.truncates ? this.#change(attempt) : this.#request(attempt);
  }

  openFolder(): Promise<ShareResult<OpenFolder>> {
    return this.#request(async (place) => {
      if (place.kind !== "folder") throw new Refusal(ERRNO.ENOTDIR);
      const dir = await opendir(pathOf(place.fd), { encoding: "latin1" });
      return new HostEntries(this.#places, place, dir);
    });
  }

  removeSelf(): Promise<ShareResult<void>> {
    return this.#change((place) =>
      this.#where(place, (path) => (place.kind === "folder" ? rmdir(path) : unlink(path))),
    );
  }

  moveSelf(folder: FolderNode, name: Uint8Array): Promise<ShareResult<void>> {
    return this.#change((place) =>
      this.#where(place, (_, parent, oldName) => this.#rename(parent, oldName, placeOf(folder), name)),
    );
  }

  find(name: Uint8Array): Promise<ShareResult<FolderNode>> {
    return this.#request(async (place) => this.#node(await this.#places.find(place, name)));
  }

  createFile(
    name: Uint8Array,
    options: { readonly access: FileAccess; readonly mode: number; readonly mustBeNew: boolean },
  ): Promise<ShareResult<{ readonly node: FolderNode; readonly file: OpenFile }>> {
    const { access, mode, mustBeNew } = options;
    return this.#change(async (place) => {
      const flags = openFlags(access) | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
      try {
        const fd = await openDescriptor(entryPath(place.fd, name), flags, mode & PERMISSIONS);
        const file = new HostFile(this.#places, fd);
        return { node: await this.#named(fd, file, place, name), file };
      } catch (thrown) {
        if (mustBeNew || !isExisting(thrown)) throw thrown;
      }
      // It may be anything: it is looked at before it is opened.
      const node = this.#node(await this.#places.find(place, name));
      const file = await node.openFile(access);
      if (file.ok) return { node, file: file.value };
      node.release();
      throw new Refusal(file.errno);
    });
  }

  createFolder(name: Uint8Array, mode: number): Promise<ShareResult<FolderNode>> {
    return this.#change(async (place) => {
      await mkdir(entryPath(place.fd, name), { mode: mode & PERMISSIONS });
      return this.#node(await this.#places.find(place, name));
    });
  }

  createLink(name: Uint8Array, target: Uint8Array): Promise<ShareResult<FolderNode>> {
    return this.#change(async (place) => {
      await symlink(Buffer.from(target), entryPath(place.fd, name));
      return this.#node(await this.#places.find(place, name));
    });
  }

  addName(name: Uint8Array, file: FolderNode): Promise<ShareResult<void>> {
    return this.#change(async (place) => {
      if (file.kind === "folder") throw new Refusal(ERRNO.EPERM);
      const other = placeOf(file);
      const linkHere = (path: Buffer): Promise<void> => link(path, entryPath(place.fd, name));
      await this.#using(other, () => this.#where(other, linkHere));
    });
  }

  rename(oldName: Uint8Array, folder: FolderNode, newName: Uint8Array): Promise<ShareResult<void>> {
    return this.#change((place) => this.#rename(place, oldName, placeOf(folder), newName));
  }

  remove(name: Uint8Array, kind: "folder" | "other"): Promise<ShareResult<void>> {
    return this.#change(async ({ fd }) => {
      const path = entryPath(fd, name);
      await (kind === "folder" ? rmdir(path) : unlink(path));
    });
  }

  /** Of a node from here, for the node that is given it. */
  static placeOf(this: void, node: FolderNode): Place {
    assert(node instanceof HostNode, "a folder of the host knows only its own nodes");
    return node.#place;
  }

  async #named(fd: number, file: HostFile, folder: Place, name: Uint8Array): Promise<HostNode> {
    try {
      return this.#node(await this.#places.nameOf(fd, folder, name));
    } catch (thrown) {
      file.release();
      throw thrown;
    }
  }

  #node(place: Place): HostNode {
    return new HostNode(this.#places, place);
  }

  #shared(place: Place): HostNode {
    place.held.retain();
    return this.#node(place);
  }

  async #request<T>(attempt: (place: Place) => Promise<T>): Promise<ShareResult<T>> {
    if (this.#isReleased) return { ok: false, errno: ERRNO.EBADF };
    return await this.#places.request(this.#place.held, () => attempt(this.#place));
  }

  async #change<T>(attempt: (place: Place) => Promise<T>): Promise<ShareResult<T>> {
    return this.#places.isReadOnly ? { ok: false, errno: ERRNO.EROFS } : await this.#request(attempt);
  }

  /** The other folder may be released meanwhile, by a guest that does so on purpose. */
  async #rename(from: Place, oldName: Uint8Array, to: Place, newName: Uint8Array): Promise<void> {
    await this.#using(to, async () => {
      if (to.kind !== "folder") throw new Refusal(ERRNO.ENOTDIR);
      await rename(entryPath(from.fd, oldName), entryPath(to.fd, newName));
      this.#places.moved(from, oldName, to, newName);
    });
  }

  /** A part of a request that uses another place too. */
  async #using<T>(place: Place, attempt: () => Promise<T>): Promise<T> {
    const done = await this.#places.request(place.held, attempt);
    if (!done.ok) throw new Refusal(done.errno);
    return done.value;
  }

  /** With the name by which it was found, if that is still its own; the folder cannot be closed by a rename meanwhile. */
  async #where<T>(
    place: Place,
    attempt: (path: Buffer, parent: Place, name: Uint8Array) => Promise<T>,
  ): Promise<T> {
    const { parent, name } = place;
    if (parent === undefined) throw new Refusal(ERRNO.EPERM);
    return await this.#using(parent, async () => {
      const path = entryPath(parent.fd, name);
      if (!isSameFile(await lstat(path, { bigint: true }), place)) throw new Refusal(ERRNO.ESTALE);
      return await attempt(path, parent, name);
    });
  }

  /** Node.js sets both times, in seconds with fractions: what is kept may change by less than a microsecond. */
  async #setTimes(place: Place, { accessed, modified }: AttributeChanges): Promise<void> {
    if (accessed === undefined && modified === undefined) return;
    const found = await statOf(place.fd);
    const now = Date.now() / 1000;
    const times = [secondsOf(accessed, found.atimeNs, now), secondsOf(modified, found.mtimeNs, now)] as const;
    await (place.kind === "link"
      ? this.#where(place, (own) => lutimes(own, ...times))
      : utimes(pathOf(place.fd), ...times));
  }
}

const { placeOf } = HostNode;

function isExisting(thrown: unknown): boolean {
  return thrown instanceof Error && "errno" in thrown && thrown.errno === -ERRNO.EEXIST;
}

/** -1 leaves an owner as it is, as chown(2) has it; guests write it in 32 bits. */
const ownerOf = (id = UNCHANGED): number => (id === 0xffffffff ? UNCHANGED : id);

function secondsOf(change: TimeChange | undefined, keptNs: bigint, now: number): number {
  if (change === undefined) return Number(keptNs) / NS_PER_SECOND;
  return change === "now" ? now : change.seconds + change.nanoseconds / NS_PER_SECOND;
}
