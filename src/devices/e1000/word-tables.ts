/** The card's tables of 32-bit words, by their names and by where they are among the registers. */

import type { DeviceState, StateReader } from "../../hw/index.ts";
import { TABLES } from "./registers.ts";
import type { TableName } from "./registers.ts";

const WORD_BYTES = 4;
const NAMES: readonly TableName[] = [
  "multicast",
  "receiveAddresses",
  "vlanFilter",
  "ip4Addresses",
  "ip6Addresses",
  "wakeUpPacket",
  "filterLengths",
  "filterMasks",
  "filterValues",
];

export class WordTables {
  readonly words: Readonly<Record<TableName, Uint32Array>>;

  constructor() {
    const table = (name: TableName): Uint32Array => new Uint32Array(TABLES[name].count);
    this.words = {
      multicast: table("multicast"),
      receiveAddresses: table("receiveAddresses"),
      vlanFilter: table("vlanFilter"),
      ip4Addresses: table("ip4Addresses"),
      ip6Addresses: table("ip6Addresses"),
      wakeUpPacket: table("wakeUpPacket"),
      filterLengths: table("filterLengths"),
      filterMasks: table("filterMasks"),
      filterValues: table("filterValues"),
    };
  }

  /** Undefined where no table is. */
  read(offset: number): number | undefined {
    const name = tableAt(offset);
    return name && this.words[name][(offset - TABLES[name].at) / WORD_BYTES];
  }

  /** False where no table is. */
  write(offset: number, value: number): boolean {
    const name = tableAt(offset);
    if (name !== undefined) this.words[name][(offset - TABLES[name].at) / WORD_BYTES] = value;
    return name !== undefined;
  }

  /** The filter of VLANs and the multicast table keep what they had before a software reset on no card; drivers clear them. */
  reset(): void {
    for (const name of NAMES) this.words[name].fill(0);
  }

  save(): DeviceState {
    return Object.fromEntries(NAMES.map((name) => [name, [...this.words[name]]]));
  }

  restore(reader: StateReader): void {
    for (const name of NAMES) {
      const { count } = TABLES[name];
      this.words[name].fill(0);
      this.words[name].set(reader.integers(name, count, 0xffffffff));
    }
  }
}

function tableAt(offset: number): TableName | undefined {
  return NAMES.find((name) => {
    const { at, count } = TABLES[name];
    return offset >= at && offset < at + WORD_BYTES * count;
  });
}
