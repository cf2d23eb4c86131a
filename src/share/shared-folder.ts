/**
 * The contract between a device that shares a folder with its guest and what holds the folder's files.
 *
 * A node is one file, folder or symbolic link, whatever becomes of its name; who was given one releases it. Nothing that a
 * node is asked for leaves the folder: names are single names, and a symbolic link is never followed, only read. What may
 * take long is asynchronous; requests run side by side, and one that was under way when its node or file was released ends
 * properly. Errors are numbers as Linux has them, since they are the guest's to read.
 *
 * Missing on purpose: extended attributes, and device files, pipes and sockets, which are seen and neither opened nor made.
 */

/** Numbers of Linux (include/uapi/asm-generic/errno*.h). */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  EEXIST: 17,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EFBIG: 27,
  EROFS: 30,
  ENOTEMPTY: 39,
  ELOOP: 40,
  EPROTO: 71,
  EMSGSIZE: 90,
  EOPNOTSUPP: 95,
  ESTALE: 116,
} as const;

export type ShareResult<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly errno: number };

/** NAME_MAX and PATH_MAX of Linux. */
export const FILE_NAME_BYTES_MAX = 255;
export const LINK_TARGET_BYTES_MAX = 4095;

const SLASH = 0x2f;
const DOT = 0x2e;

/** Whether these bytes name something in a folder: neither the folder itself nor anything outside. */
export function isFileName(name: Uint8Array): boolean {
  if (name.length === 0 || name.length > FILE_NAME_BYTES_MAX) return false;
  if (name.includes(0) || name.includes(SLASH)) return false;
  return !(name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT)));
}

export type NodeKind = "file" | "folder" | "link" | "other";

/** As Linux's struct stat. */
export interface NodeAttributes {
  /** Names the node among all of the folder, also among its mounts. */
  readonly id: bigint;
  /** Type and permissions. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly linkCount: bigint;
  readonly deviceNumber: bigint;
  readonly sizeBytes: bigint;
  readonly blockBytes: bigint;
  /** Of 512 bytes. */
  readonly blocks: bigint;
  /** Since 1970. */
  readonly accessedNs: bigint;
  readonly modifiedNs: bigint;
  readonly changedNs: bigint;
}

export type TimeChange = "now" | { readonly seconds: number; readonly nanoseconds: number };

export interface AttributeChanges {
  /** Permissions; set-user-ID and set-group-ID bits are never set on the host. */
  readonly mode?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly sizeBytes?: number | undefined;
  readonly accessed?: TimeChange | undefined;
  readonly modified?: TimeChange | undefined;
}

export interface FileAccess {
  readonly reads: boolean;
  readonly writes: boolean;
  readonly appends: boolean;
  readonly truncates: boolean;
  /** Each write is on stable storage when it resolves. */
  readonly isSynchronous: boolean;
}

/** Of the file system that the folder is in. */
export interface FolderSpace {
  readonly type: bigint;
  readonly blockBytes: bigint;
  readonly blocks: bigint;
  readonly freeBlocks: bigint;
  readonly availableBlocks: bigint;
  readonly files: bigint;
  readonly freeFiles: bigint;
}

/** Positions and lengths together stay below 2^53. */
export interface OpenFile {
  /** Bytes that there were; fewer than asked for only at the end of the file. */
  read(position: number, target: Uint8Array): Promise<ShareResult<number>>;
  /** Bytes that were written: not all of them where there is no room; `source` must not change until this resolves. */
  write(position: number, source: Uint8Array): Promise<ShareResult<number>>;
  sync(isDataOnly: boolean): Promise<ShareResult<void>>;
  release(): void;
}

export interface FolderEntry {
  readonly name: Uint8Array;
  readonly id: bigint;
  readonly mode: number;
  readonly modifiedNs: bigint;
  readonly sizeBytes: bigint;
}

/** What is in a folder, read once from its start to its end; without "." and "..". */
export interface OpenFolder {
  /** At most `maxCount` further entries; none at the end. */
  read(maxCount: number): Promise<ShareResult<readonly FolderEntry[]>>;
  sync(): Promise<ShareResult<void>>;
  release(): void;
}

export interface FolderNode {
  readonly kind: NodeKind;
  /** What a symbolic link says, at most LINK_TARGET_BYTES_MAX; empty for others. */
  readonly linkTarget: Uint8Array;
  /** The same node for another owner. */
  share(): FolderNode;
  /** The folder that this was found in, for another owner; the shared folder itself is the end of the way up. */
  above(): FolderNode;
  /** Once is enough: a second time has no effect. */
  release(): void;

  attributes(): Promise<ShareResult<NodeAttributes>>;
  setAttributes(changes: AttributeChanges): Promise<ShareResult<void>>;
  space(): Promise<ShareResult<FolderSpace>>;
  /** Only a file; nothing else of the host is opened for bytes. */
  openFile(access: FileAccess): Promise<ShareResult<OpenFile>>;
  /** Only a folder. */
  openFolder(): Promise<ShareResult<OpenFolder>>;
  /** Removes it from where it was found, if it is still there. */
  removeSelf(): Promise<ShareResult<void>>;
  /** Moves it from where it was found, if it is still there. */
  moveSelf(folder: FolderNode, name: Uint8Array): Promise<ShareResult<void>>;

  // Of a folder. Each `name` is one that isFileName() says is one.

  find(name: Uint8Array): Promise<ShareResult<FolderNode>>;
  /** A new file; one that exists is opened instead, unless it must be new. */
  createFile(
    name: Uint8Array,
    options: { readonly access: FileAccess; readonly mode: number; readonly mustBeNew: boolean },
  ): Promise<ShareResult<{ readonly node: FolderNode; readonly file: OpenFile }>>;
  createFolder(name: Uint8Array, mode: number): Promise<ShareResult<FolderNode>>;
  createLink(name: Uint8Array, target: Uint8Array): Promise<ShareResult<FolderNode>>;
  /** Another name for a file that is not a folder. */
  addName(name: Uint8Array, file: FolderNode): Promise<ShareResult<void>>;
  rename(oldName: Uint8Array, folder: FolderNode, newName: Uint8Array): Promise<ShareResult<void>>;
  remove(name: Uint8Array, kind: "folder" | "other"): Promise<ShareResult<void>>;
}

export interface SharedFolder {
  /** The guest can change nothing: everything that would is refused with EROFS. */
  readonly isReadOnly: boolean;
  /** Shared with who asks. */
  root(): FolderNode;
  /** Waits for what is under way and gives everything back. */
  close(): Promise<void>;
}
