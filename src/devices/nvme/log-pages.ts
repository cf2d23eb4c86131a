/**
 * Log pages (Base Specification 1.4, section 5.14.1): errors, SMART and health, firmware slots; and the counters behind them,
 * which a reset of the controller leaves alone. The disk has no temperature, wear or spare of its own: it reports a healthy
 * one.
 */

import type { DeviceState, StateReader } from "../../hw/index.ts";
import { ERROR_ENTRIES_MAX, LOG_PAGE, NAMESPACE } from "./protocol.ts";
import type { CommandUnderWay } from "./session.ts";

const ERROR_BYTES = 64;
const PAGE_BYTES = 512;
const TEMPERATURE = 303;
/** SMART counts data in thousands of 512-byte units. */
const UNIT_SECTORS = 1000;
/** Code and type of a status, and the type of errors of the medium. */
const STATUS_TYPE_SHIFT = 8;
const MEDIA_ERROR = 2;
/** In an error's entry: it has no command. */
const NO_COMMAND = 0xffff;

const COUNTERS = [
  "sectorsRead",
  "sectorsWritten",
  "readCommands",
  "writeCommands",
  "mediaErrors",
  "errors",
] as const;

interface ErrorEntry {
  readonly count: number;
  readonly queueId: number;
  readonly commandId: number;
  readonly status: number;
  readonly block: number;
}

export class NvmeLog {
  readonly #counters: Record<(typeof COUNTERS)[number], number> = {
    sectorsRead: 0,
    sectorsWritten: 0,
    readCommands: 0,
    writeCommands: 0,
    mediaErrors: 0,
    errors: 0,
  };
  /** The newest first. */
  #errors: ErrorEntry[] = [];

  countRead(sectors: number): void {
    this.#counters.sectorsRead += sectors;
    this.#counters.readCommands++;
  }

  countWrite(sectors: number): void {
    this.#counters.sectorsWritten += sectors;
    this.#counters.writeCommands++;
  }

  commandFailed({ command, queueId }: CommandUnderWay, status: number): void {
    if (((status >>> STATUS_TYPE_SHIFT) & 7) === MEDIA_ERROR) this.#counters.mediaErrors++;
    this.#add({ queueId, commandId: command.id, status, block: queueId === 0 ? 0 : command.qword(10) });
  }

  /** The guest has done what no command says. */
  protocolError(): void {
    this.#add({ queueId: NO_COMMAND, commandId: NO_COMMAND, status: 0, block: 0 });
  }

  /** Undefined for one that is not there. */
  page(id: number): Uint8Array<ArrayBuffer> | undefined {
    switch (id) {
      case LOG_PAGE.errors:
        return this.#errorPage();
      case LOG_PAGE.smart:
        return this.#smartPage();
      case LOG_PAGE.firmware:
        return firmwarePage();
      default:
        return undefined;
    }
  }

  save(): DeviceState {
    return { ...this.#counters, entries: this.#errors.map((entry) => ({ ...entry })) };
  }

  restore(reader: StateReader): void {
    for (const name of COUNTERS) this.#counters[name] = reader.number(name);
    this.#errors = reader.childrenUpTo("entries", ERROR_ENTRIES_MAX).map((one) => ({
      count: one.number("count"),
      queueId: one.u16("queueId"),
      commandId: one.u16("commandId"),
      status: one.u16("status"),
      block: one.number("block"),
    }));
  }

  #add(entry: Omit<ErrorEntry, "count">): void {
    this.#errors = [{ count: ++this.#counters.errors, ...entry }, ...this.#errors].slice(
      0,
      ERROR_ENTRIES_MAX,
    );
  }

  #errorPage(): Uint8Array<ArrayBuffer> {
    const page = new Uint8Array(ERROR_ENTRIES_MAX * ERROR_BYTES);
    const view = new DataView(page.buffer);
    for (const [index, { count, queueId, commandId, status, block }] of this.#errors.entries()) {
      const at = index * ERROR_BYTES;
      putCounter(view, at, count);
      view.setUint16(at + 8, queueId, true);
      view.setUint16(at + 10, commandId, true);
      view.setUint16(at + 12, status << 1, true);
      putCounter(view, at + 16, block);
      view.setUint32(at + 24, queueId === 0 ? 0 : NAMESPACE, true);
    }
    return page;
  }

  #smartPage(): Uint8Array<ArrayBuffer> {
    const page = new Uint8Array(PAGE_BYTES);
    const view = new DataView(page.buffer);
    const { sectorsRead, sectorsWritten, readCommands, writeCommands, mediaErrors, errors } = this.#counters;
    view.setUint16(1, TEMPERATURE, true);
    // Spare in percent, and where it would be too little.
    page[3] = 100;
    page[4] = 10;
    putCounter(view, 32, Math.ceil(sectorsRead / UNIT_SECTORS));
    putCounter(view, 48, Math.ceil(sectorsWritten / UNIT_SECTORS));
    putCounter(view, 64, readCommands);
    putCounter(view, 80, writeCommands);
    // Power cycles: this one.
    putCounter(view, 112, 1);
    putCounter(view, 160, mediaErrors);
    putCounter(view, 176, errors);
    return page;
  }
}

/** Slot 1 is active, with the revision that Identify tells. */
function firmwarePage(): Uint8Array<ArrayBuffer> {
  const page = new Uint8Array(PAGE_BYTES);
  page[0] = 1;
  page.set(new TextEncoder().encode("1.0     "), 8);
  return page;
}

/** Counters have 8 or 16 bytes; ours stay below 2^53, and larger blocks were never on the disk. */
function putCounter(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, Math.min(value / 2 ** 32, 0xffff_ffff), true);
}
