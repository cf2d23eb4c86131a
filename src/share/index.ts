/** Folders of the host that guests share: the contract between the device that serves one and what reaches its files. */

export { ERRNO, FILE_NAME_BYTES_MAX, isFileName, LINK_TARGET_BYTES_MAX } from "./shared-folder.ts";
export type {
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
  TimeChange,
} from "./shared-folder.ts";
