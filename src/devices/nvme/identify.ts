/**
 * The data structures of Identify (Base Specification 1.4, section 5.15.2): the controller, the one namespace, the lists of
 * namespaces and the namespace's identifiers. What is not set is zero, which means "not supported" or "not reported".
 */

import { SECTOR_BYTES } from "../../block/index.ts";
import type { BlockDevice } from "../../block/index.ts";
import { failed } from "./command.ts";
import type { NvmeCommand, Outcome } from "./command.ts";
import {
  ALL_NAMESPACES,
  ASYNC_EVENTS_MAX,
  COMPLETION_SHIFT,
  ERROR_ENTRIES_MAX,
  NAMESPACE,
  STATUS,
  SUBMISSION_SHIFT,
  TRANSFER_SHIFT,
} from "./protocol.ts";

/** Not given to anybody: drivers know the controller by its class. */
export const NVME_IDENTITY = { vendorId: 0x1234, deviceId: 0x5456 } as const;
/** 1.4.0. */
export const NVME_VERSION = 0x0001_0400;

const PAGE_BYTES = 4096;
/** CNS. */
const STRUCTURE = { namespace: 0, controller: 1, activeNamespaces: 2, namespaceIds: 3 } as const;

const MODEL = "Typevisor NVMe disk";
const FIRMWARE = "1.0";
const QUALIFIED_NAME = "nqn.2014-08.org.nvmexpress:uuid:";
/** Kelvin. */
const WARNING_TEMPERATURE = 343;
const CRITICAL_TEMPERATURE = 373;
/** Optional NVM commands. */
const ONCS = { compare: 1 << 0, datasetManagement: 1 << 2, writeZeroes: 1 << 3 } as const;
/** Present, and flushes of all namespaces are taken. */
const WRITE_CACHE = 0b111;
/** Namespaces have SMART data, log pages have offsets. */
const LOG_ATTRIBUTES = 0b101;
/** Deallocated blocks read as zeros, and write zeroes may deallocate. */
const READS_ZEROS = 0b1001;
const WRITE_PROTECTED = 1;
const UUID_DESCRIPTOR = 3;

interface Identified {
  readonly disk: BlockDevice;
  readonly serialNumber: string;
}

/** The 4096 bytes that `command` asks for, or how it fails. */
export function identify(command: NvmeCommand, parts: Identified): Uint8Array<ArrayBuffer> | Outcome {
  const structure = command.dword(10) & 0xff;
  const { namespaceId } = command;
  const isNamespace = namespaceId === NAMESPACE;
  switch (structure) {
    case STRUCTURE.controller:
      return identifyController(parts);
    case STRUCTURE.namespace:
      // "All namespaces" asks for what they have in common.
      return isNamespace || namespaceId === ALL_NAMESPACES
        ? identifyNamespace(parts.disk)
        : failed(STATUS.invalidNamespace);
    case STRUCTURE.activeNamespaces:
      return namespaceId >= ALL_NAMESPACES - 1
        ? failed(STATUS.invalidNamespace)
        : activeNamespaces(namespaceId);
    case STRUCTURE.namespaceIds:
      return isNamespace ? namespaceIds(parts.serialNumber) : failed(STATUS.invalidNamespace);
    default:
      return failed(STATUS.invalidField);
  }
}

function identifyController({ disk, serialNumber }: Identified): Uint8Array<ArrayBuffer> {
  const page = new Uint8Array(PAGE_BYTES);
  const view = new DataView(page.buffer);
  view.setUint16(0, NVME_IDENTITY.vendorId, true);
  view.setUint16(2, NVME_IDENTITY.vendorId, true);
  putText(page, 4, 20, serialNumber);
  putText(page, 24, 40, MODEL);
  putText(page, 64, 8, FIRMWARE);
  page[77] = TRANSFER_SHIFT;
  view.setUint32(80, NVME_VERSION, true);
  // CNTRLTYPE: an I/O controller.
  page[111] = 1;
  // ACL and AERL count from 0; so do ELPE and NPSS.
  page[258] = 3;
  page[259] = ASYNC_EVENTS_MAX - 1;
  // FRMW: one firmware slot, read-only.
  page[260] = 0b11;
  page[261] = LOG_ATTRIBUTES;
  page[262] = ERROR_ENTRIES_MAX - 1;
  view.setUint16(266, WARNING_TEMPERATURE, true);
  view.setUint16(268, CRITICAL_TEMPERATURE, true);
  page[512] = SUBMISSION_SHIFT * 0x11;
  page[513] = COMPLETION_SHIFT * 0x11;
  view.setUint32(516, 1, true);
  view.setUint16(520, ONCS.compare | ONCS.writeZeroes | (disk.canDiscard ? ONCS.datasetManagement : 0), true);
  page[525] = WRITE_CACHE;
  new TextEncoder().encodeInto(QUALIFIED_NAME + uuidText(serialNumber), page.subarray(768, 1023));
  // The one power state: 10 W at most.
  view.setUint16(2048, 1000, true);
  return page;
}

function identifyNamespace(disk: BlockDevice): Uint8Array<ArrayBuffer> {
  const page = new Uint8Array(PAGE_BYTES);
  const view = new DataView(page.buffer);
  const blocks = BigInt(disk.sizeBytes / SECTOR_BYTES);
  // Size, capacity and use; one format, of 512-byte blocks without metadata.
  for (const at of [0, 8, 16]) view.setBigUint64(at, blocks, true);
  page[33] = disk.canDiscard ? READS_ZEROS : 0;
  page[99] = disk.isReadOnly ? WRITE_PROTECTED : 0;
  page[128 + 2] = Math.log2(SECTOR_BYTES);
  return page;
}

/** Those above `after`. */
function activeNamespaces(after: number): Uint8Array<ArrayBuffer> {
  const page = new Uint8Array(PAGE_BYTES);
  if (after < NAMESPACE) new DataView(page.buffer).setUint32(0, NAMESPACE, true);
  return page;
}

function namespaceIds(serialNumber: string): Uint8Array<ArrayBuffer> {
  const page = new Uint8Array(PAGE_BYTES);
  const id = uuid(serialNumber);
  page.set([UUID_DESCRIPTOR, id.length], 0);
  page.set(id, 4);
  return page;
}

/** A UUID that is always the same for one serial number: version 8 of RFC 9562, which leaves its bits to us. */
function uuid(serialNumber: string): Uint8Array<ArrayBuffer> {
  const id = new Uint8Array(16);
  for (const [index, byte] of new TextEncoder().encode(serialNumber).entries()) {
    const at = index % id.length;
    id[at] = (31 * (id[at] ?? 0) + byte) & 0xff;
  }
  id[6] = 0x80 | ((id[6] ?? 0) & 0x0f);
  id[8] = 0x80 | ((id[8] ?? 0) & 0x3f);
  return id;
}

function uuidText(serialNumber: string): string {
  const digits = [...uuid(serialNumber)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** ASCII, filled up with spaces. */
function putText(page: Uint8Array, at: number, lengthBytes: number, text: string): void {
  page.set(new TextEncoder().encode(text.padEnd(lengthBytes).slice(0, lengthBytes)), at);
}
