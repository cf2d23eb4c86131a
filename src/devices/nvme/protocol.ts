/**
 * Names and numbers of NVM Express (Base Specification 1.4): opcodes (figures 139 and 346), status codes (4.6.1),
 * features (5.21.1) and log pages (5.14.1), as far as the controller knows them.
 */

export const SUBMISSION_BYTES = 64;
export const COMPLETION_BYTES = 16;
/** CC.IOSQES and CC.IOCQES: the two sizes as powers of two. */
export const SUBMISSION_SHIFT = 6;
export const COMPLETION_SHIFT = 4;

export const ADMIN_QUEUE = 0;
/** The one namespace, and "all namespaces". */
export const NAMESPACE = 1;
export const ALL_NAMESPACES = 0xffff_ffff;

export const ADMIN = {
  deleteSubmissionQueue: 0x00,
  createSubmissionQueue: 0x01,
  getLogPage: 0x02,
  deleteCompletionQueue: 0x04,
  createCompletionQueue: 0x05,
  identify: 0x06,
  abort: 0x08,
  setFeatures: 0x09,
  getFeatures: 0x0a,
  asyncEventRequest: 0x0c,
} as const;

export const NVM = {
  flush: 0x00,
  write: 0x01,
  read: 0x02,
  compare: 0x05,
  writeZeroes: 0x08,
  datasetManagement: 0x09,
} as const;

/** The status field of a completion: code in bits 0–7, type in 8–10, Do Not Retry in 14. */
export const DO_NOT_RETRY = 1 << 14;
const generic = (code: number): number => code;
const specific = (code: number): number => 0x100 | code;
const media = (code: number): number => 0x200 | code;
/** Trying the same command again would fail the same way. */
const final = (status: number): number => DO_NOT_RETRY | status;

export const STATUS = {
  success: 0,
  invalidOpcode: final(generic(0x01)),
  invalidField: final(generic(0x02)),
  dataTransferError: generic(0x04),
  internalError: generic(0x06),
  abortRequested: generic(0x07),
  invalidNamespace: final(generic(0x0b)),
  commandSequence: final(generic(0x0c)),
  invalidPrpOffset: final(generic(0x13)),
  namespaceWriteProtected: final(generic(0x20)),
  lbaOutOfRange: final(generic(0x80)),
  capacityExceeded: final(generic(0x81)),

  completionQueueInvalid: final(specific(0x00)),
  invalidQueueId: final(specific(0x01)),
  invalidQueueSize: final(specific(0x02)),
  asyncEventLimit: final(specific(0x05)),
  invalidInterruptVector: final(specific(0x08)),
  invalidLogPage: final(specific(0x09)),
  invalidQueueDeletion: final(specific(0x0c)),
  featureNotSaveable: final(specific(0x0d)),
  featureNotChangeable: final(specific(0x0e)),

  writeFault: media(0x80),
  unrecoveredRead: media(0x81),
  compareFailure: final(media(0x85)),
} as const;

export const FEATURE = {
  arbitration: 0x01,
  powerManagement: 0x02,
  temperatureThreshold: 0x04,
  errorRecovery: 0x05,
  volatileWriteCache: 0x06,
  numberOfQueues: 0x07,
  interruptCoalescing: 0x08,
  interruptVector: 0x09,
  writeAtomicity: 0x0a,
  asyncEvents: 0x0b,
} as const;

export const LOG_PAGE = { errors: 0x01, smart: 0x02, firmware: 0x03 } as const;

/** Asynchronous events: type in bits 0–2, information in 8–15, the log page to read in 16–23. */
export const EVENT = {
  invalidDoorbellRegister: (LOG_PAGE.errors << 16) | (0x00 << 8),
  invalidDoorbellValue: (LOG_PAGE.errors << 16) | (0x01 << 8),
} as const;

/** Controller configuration and status (3.1.5 and 3.1.6). */
export const CC = { enable: 1 << 0, shutdownShift: 14 } as const;
export const CSTS = {
  ready: 1 << 0,
  fatal: 1 << 1,
  shuttingDown: 1 << 2,
  shutDown: 2 << 2,
  shutdownMask: 3 << 2,
} as const;

// Limits of this controller.

/** I/O queue pairs. */
export const IO_QUEUES_MAX = 8;
/** Entries of an I/O queue; the admin queues may have as many as their registers can say. */
export const QUEUE_ENTRIES_MAX = 1024;
/** MDTS: data of one command, in pages of 4 KiB as a power of two. */
export const TRANSFER_SHIFT = 7;
export const TRANSFER_BYTES_MAX = 4096 << TRANSFER_SHIFT;
/** Commands that were fetched and wait for the host. */
export const COMMANDS_MAX = 64;
export const ASYNC_EVENTS_MAX = 4;
export const ERROR_ENTRIES_MAX = 16;
/** CAP.MPSMAX: pages of up to 64 KiB, as a power of two over 4 KiB. */
export const PAGE_SHIFT_MAX = 4;
