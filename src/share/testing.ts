/**
 * A shared folder in memory, for tests of what serves one: answers can be held back, and what was given out and not released
 * is counted. Of owners, times and links to several names it keeps only what its users look at.
 */

import { ERRNO } from "./shared-folder.ts";
import type {
  AttributeChanges,
  FileAccess,
  FolderEntry,
  FolderNode,
  FolderSpace,
  NodeAttributes,
  NodeKind,
  OpenFile,
  OpenFolder,
  SharedFolder,
  ShareResult,
} from "./shared-folder.ts";

const MODES: Readonly<Record<NodeKind, number>> = {
  file: 0o100000,
  folder: 0o040000,
  link: 0o120000,
  other: 0o010000,
};
/** Files are not made longer than this. */
const FILE_BYTES_MAX = 1 << 20;

interface Inode {
  readonly id: bigint;
  readonly kind: NodeKind;
  mode: number;
  bytes: Uint8Array;
  readonly target: Uint8Array;
  readonly entries: Map<string, Inode>;
  modifiedNs: bigint;
}

class Refused extends Error {
  readonly errno: number;

  constructor(errno: number) {
    super(`errno ${errno}`);
    this.errno = errno;
  }
}

const keyOf = (name: Uint8Array): string => String.fromCharCode(...name);
const bytesOf = (key: string): Uint8Array => Uint8Array.from(key, (character) => character.charCodeAt(0));

export class MemoryFolder implements SharedFolder {
  isReadOnly = false;
  /** Nodes, open files and open folders that were not released. */
  heldCount = 0;
  #lastId = 0n;
  readonly top = this.inode("folder", 0o755);
  #gate: Promise<void> = Promise.resolve();
  #open: () => void = () => undefined;

  root(): FolderNode {
    return new MemoryNode(this, this.top, undefined, "");
  }

  /** Answers wait until {@link release}. */
  hold(): void {
    this.#gate = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  release(): void {
    this.#open();
  }

  /** Puts a file there, or with `kind` something else, whose contents or target are `text`. */
  put(name: string, text = "", kind: NodeKind = "file", folder = this.top): Inode {
    const inode = this.inode(kind, 0o644, kind === "link" ? bytesOf(text) : new Uint8Array(0));
    inode.bytes = kind === "file" ? bytesOf(text) : inode.bytes;
    folder.entries.set(name, inode);
    return inode;
  }

  /** Names from the top on; undefined where there is nothing. */
  look(...names: readonly string[]): Inode | undefined {
    return names.reduce<Inode | undefined>((inode, name) => inode?.entries.get(name), this.top);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  inode(kind: NodeKind, mode: number, target: Uint8Array = new Uint8Array(0)): Inode {
    this.#lastId++;
    const permissions = mode & 0o777;
    return {
      id: this.#lastId,
      kind,
      mode: MODES[kind] | permissions,
      bytes: new Uint8Array(0),
      target,
      entries: new Map(),
      modifiedNs: 1_500_000_000n,
    };
  }

  async request<T>(attempt: () => T): Promise<ShareResult<T>> {
    await this.#gate;
    try {
      return { ok: true, value: attempt() };
    } catch (thrown) {
      if (!(thrown instanceof Refused)) throw thrown;
      return { ok: false, errno: thrown.errno };
    }
  }

  change<T>(attempt: () => T): Promise<ShareResult<T>> {
    return this.request(() => {
      if (this.isReadOnly) throw new Refused(ERRNO.EROFS);
      return attempt();
    });
  }
}

/** Something that was given out. */
class Held {
  readonly folder: MemoryFolder;
  #isReleased = false;

  constructor(folder: MemoryFolder) {
    this.folder = folder;
    folder.heldCount++;
  }

  release(): void {
    if (!this.#isReleased) this.folder.heldCount--;
    this.#isReleased = true;
  }
}

class MemoryNode extends Held implements FolderNode {
  readonly inode: Inode;
  readonly #parent: MemoryNode | undefined;
  readonly #name: string;

  constructor(folder: MemoryFolder, inode: Inode, parent: MemoryNode | undefined, name: string) {
    super(folder);
    this.inode = inode;
    this.#parent = parent;
    this.#name = name;
  }

  get kind(): NodeKind {
    return this.inode.kind;
  }

  get linkTarget(): Uint8Array {
    return this.inode.target;
  }

  share(): FolderNode {
    return new MemoryNode(this.folder, this.inode, this.#parent, this.#name);
  }

  above(): FolderNode {
    return (this.#parent ?? this).share();
  }

  attributes(): Promise<ShareResult<NodeAttributes>> {
    return this.folder.request(() => ({
      ...{ id: this.inode.id, mode: this.inode.mode, uid: 1, gid: 2, linkCount: 1n, deviceNumber: 0n },
      ...{ sizeBytes: BigInt(this.inode.bytes.length), blockBytes: 4096n, blocks: 8n },
      ...{ accessedNs: -1n, modifiedNs: this.inode.modifiedNs, changedNs: 0n },
    }));
  }

  setAttributes({ mode, sizeBytes, modified }: AttributeChanges): Promise<ShareResult<void>> {
    return this.folder.change(() => {
      const { inode } = this;
      if (mode !== undefined) inode.mode = MODES[inode.kind] | (mode & 0o777);
      if (sizeBytes !== undefined) resize(inode, sizeBytes);
      if (modified === "now") inode.modifiedNs = 1n;
      else if (modified !== undefined)
        inode.modifiedNs = BigInt(modified.seconds) * 1_000_000_000n + BigInt(modified.nanoseconds);
    });
  }

  space(): Promise<ShareResult<FolderSpace>> {
    return this.folder.request(() => ({
      ...{ type: 0x858458f6n, blockBytes: 4096n, blocks: 100n, freeBlocks: 50n, availableBlocks: 40n },
      ...{ files: 30n, freeFiles: 20n },
    }));
  }

  openFile(access: FileAccess): Promise<ShareResult<OpenFile>> {
    const attempt = (): OpenFile => this.#open(this.inode, access);
    return access.writes || access.truncates ? this.folder.change(attempt) : this.folder.request(attempt);
  }

  openFolder(): Promise<ShareResult<OpenFolder>> {
    return this.folder.request(() => new MemoryEntries(this.folder, this.#entries()));
  }

  removeSelf(): Promise<ShareResult<void>> {
    return this.folder.change(() => {
      if (this.#parent === undefined) throw new Refused(ERRNO.EPERM);
      this.#parent.inode.entries.delete(this.#name);
    });
  }

  moveSelf(folder: FolderNode, name: Uint8Array): Promise<ShareResult<void>> {
    return this.folder.change(() => {
      if (this.#parent === undefined) throw new Refused(ERRNO.EPERM);
      this.#parent.inode.entries.delete(this.#name);
      entriesOf(folder).set(keyOf(name), this.inode);
    });
  }

  find(name: Uint8Array): Promise<ShareResult<FolderNode>> {
    return this.folder.request(() => this.#child(keyOf(name)));
  }

  createFile(
    name: Uint8Array,
    { access, mode, mustBeNew }: { access: FileAccess; mode: number; mustBeNew: boolean },
  ): Promise<ShareResult<{ readonly node: FolderNode; readonly file: OpenFile }>> {
    return this.folder.change(() => {
      const entries = this.#entries();
      const there = entries.get(keyOf(name));
      if (there !== undefined && mustBeNew) throw new Refused(ERRNO.EEXIST);
      const inode = there ?? this.folder.inode("file", mode);
      const file = this.#open(inode, access);
      entries.set(keyOf(name), inode);
      return { node: this.#child(keyOf(name)), file };
    });
  }

  createFolder(name: Uint8Array, mode: number): Promise<ShareResult<FolderNode>> {
    return this.#create(name, this.folder.inode("folder", mode));
  }

  createLink(name: Uint8Array, target: Uint8Array): Promise<ShareResult<FolderNode>> {
    return this.#create(name, this.folder.inode("link", 0o777, target.slice()));
  }

  addName(name: Uint8Array, file: FolderNode): Promise<ShareResult<void>> {
    return this.folder.change(() => {
      if (!(file instanceof MemoryNode) || file.kind === "folder") throw new Refused(ERRNO.EPERM);
      this.#entries().set(keyOf(name), file.inode);
    });
  }

  rename(oldName: Uint8Array, folder: FolderNode, newName: Uint8Array): Promise<ShareResult<void>> {
    return this.folder.change(() => {
      const inode = this.#entries().get(keyOf(oldName));
      const target = entriesOf(folder);
      if (inode === undefined) throw new Refused(ERRNO.ENOENT);
      this.#entries().delete(keyOf(oldName));
      target.set(keyOf(newName), inode);
    });
  }

  remove(name: Uint8Array, kind: "folder" | "other"): Promise<ShareResult<void>> {
    return this.folder.change(() => {
      const inode = this.#entries().get(keyOf(name));
      if (inode === undefined) throw new Refused(ERRNO.ENOENT);
      if ((inode.kind === "folder") !== (kind === "folder"))
        throw new Refused(kind === "folder" ? ERRNO.ENOTDIR : ERRNO.EISDIR);
      if (inode.entries.size > 0) throw new Refused(ERRNO.ENOTEMPTY);
      this.#entries().delete(keyOf(name));
    });
  }

  #create(name: Uint8Array, inode: Inode): Promise<ShareResult<FolderNode>> {
    return this.folder.change(() => {
      const entries = this.#entries();
      if (entries.has(keyOf(name))) throw new Refused(ERRNO.EEXIST);
      entries.set(keyOf(name), inode);
      return this.#child(keyOf(name));
    });
  }

  #child(name: string): FolderNode {
    const inode = this.#entries().get(name);
    if (inode === undefined) throw new Refused(ERRNO.ENOENT);
    return new MemoryNode(this.folder, inode, this, name);
  }

  #entries(): Map<string, Inode> {
    return entriesOf(this);
  }

  #open(inode: Inode, access: FileAccess): OpenFile {
    if (inode.kind !== "file") throw new Refused(inode.kind === "folder" ? ERRNO.EISDIR : ERRNO.ELOOP);
    if (access.truncates) resize(inode, 0);
    return new MemoryFile(this.folder, inode, access);
  }
}

function entriesOf(node: FolderNode): Map<string, Inode> {
  if (!(node instanceof MemoryNode) || node.kind !== "folder") throw new Refused(ERRNO.ENOTDIR);
  return node.inode.entries;
}

function resize(inode: Inode, sizeBytes: number): void {
  if (inode.kind !== "file") throw new Refused(ERRNO.EINVAL);
  if (sizeBytes > FILE_BYTES_MAX) throw new Refused(ERRNO.EFBIG);
  const bytes = new Uint8Array(sizeBytes);
  bytes.set(inode.bytes.subarray(0, sizeBytes));
  inode.bytes = bytes;
}

class MemoryFile extends Held implements OpenFile {
  readonly #inode: Inode;
  readonly #access: FileAccess;

  constructor(folder: MemoryFolder, inode: Inode, access: FileAccess) {
    super(folder);
    this.#inode = inode;
    this.#access = access;
  }

  read(position: number, target: Uint8Array): Promise<ShareResult<number>> {
    return this.folder.request(() => {
      if (!this.#access.reads) throw new Refused(ERRNO.EBADF);
      const piece = this.#inode.bytes.subarray(position, position + target.length);
      target.set(piece);
      return piece.length;
    });
  }

  write(position: number, source: Uint8Array): Promise<ShareResult<number>> {
    return this.folder.request(() => {
      if (!this.#access.writes) throw new Refused(ERRNO.EBADF);
      const end = position + source.length;
      if (end > this.#inode.bytes.length) resize(this.#inode, end);
      this.#inode.bytes.set(source, position);
      return source.length;
    });
  }

  sync(): Promise<ShareResult<void>> {
    return this.folder.request(() => undefined);
  }
}

class MemoryEntries extends Held implements OpenFolder {
  readonly #left: [string, Inode][];

  constructor(folder: MemoryFolder, entries: ReadonlyMap<string, Inode>) {
    super(folder);
    this.#left = [...entries];
  }

  read(maxCount: number): Promise<ShareResult<readonly FolderEntry[]>> {
    return this.folder.request(() =>
      this.#left.splice(0, maxCount).map(([name, { id, mode, modifiedNs, bytes }]) => ({
        ...{ name: bytesOf(name), id, mode, modifiedNs },
        sizeBytes: BigInt(bytes.length),
      })),
    );
  }

  sync(): Promise<ShareResult<void>> {
    return this.folder.request(() => undefined);
  }
}
