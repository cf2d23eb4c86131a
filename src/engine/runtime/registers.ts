/**
 * A vCPU's state block seen from TypeScript: architectural registers read and written by name, for boot, dumps,
 * snapshots and debuggers. A cold path: values are bigints, offsets come from layout.ts.
 */
import type { CpuState, SegmentState } from "../../hw/index.ts";
import * as L from "../layout.ts";
import { STATUS_FLAGS } from "../ir/flags.ts";
import type { Core } from "./core.ts";

const segmentNumbers = { es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5, ldtr: 6, tr: 7 } as const;
type SegmentName = keyof typeof segmentNumbers;

const baseOffset = (name: SegmentName): number =>
  name === "ldtr" ? L.LDTR_BASE : name === "tr" ? L.TR_BASE : L.SEG_BASE + 8 * segmentNumbers[name];

export class Registers {
  private readonly view: DataView;
  private readonly core: Core;

  constructor(memory: WebAssembly.Memory, core: Core) {
    this.view = new DataView(memory.buffer, core.stateBase, L.STATE_SIZE);
    this.core = core;
  }

  u32(offset: number): number {
    return this.view.getUint32(offset, true);
  }

  setU32(offset: number, value: number): void {
    this.view.setUint32(offset, value, true);
  }

  u64(offset: number): bigint {
    return this.view.getBigUint64(offset, true);
  }

  setU64(offset: number, value: bigint): void {
    this.view.setBigUint64(offset, value, true);
  }

  get rflags(): bigint {
    return BigInt(this.u32(L.RFLAGS_REST) | this.core.exports.computeFlags());
  }

  set rflags(value: bigint) {
    const bits = Number(value & 0xffffffffn);
    this.core.exports.setFlags(bits & STATUS_FLAGS);
    this.setU32(L.RFLAGS_REST, (bits & ~STATUS_FLAGS) | 2);
    this.setU32(L.RF_LOADED, 1);
  }

  private segment(name: SegmentName): SegmentState {
    const at = L.SEG + segmentNumbers[name] * L.SEG_STRIDE;
    return {
      selector: this.view.getUint16(at + L.SEG_SELECTOR, true),
      attributes: this.view.getUint16(at + L.SEG_ATTRIBUTES, true),
      limit: this.u32(at + L.SEG_LIMIT),
      base: this.u64(baseOffset(name)),
    };
  }

  private setSegment(name: SegmentName, state: SegmentState): void {
    const at = L.SEG + segmentNumbers[name] * L.SEG_STRIDE;
    this.view.setUint16(at + L.SEG_SELECTOR, state.selector, true);
    this.view.setUint16(at + L.SEG_ATTRIBUTES, state.attributes, true);
    this.setU32(at + L.SEG_LIMIT, state.limit);
    this.setU64(baseOffset(name), state.base);
  }

  read(): CpuState {
    return {
      gpr: Array.from({ length: 16 }, (_, i) => this.u64(L.GPR + 8 * i)),
      rip: this.u64(L.RIP),
      rflags: this.rflags,
      cs: this.segment("cs"),
      ss: this.segment("ss"),
      ds: this.segment("ds"),
      es: this.segment("es"),
      fs: this.segment("fs"),
      gs: this.segment("gs"),
      ldtr: this.segment("ldtr"),
      tr: this.segment("tr"),
      gdtr: { base: this.u64(L.GDTR_BASE), limit: this.u32(L.GDTR_LIMIT) },
      idtr: { base: this.u64(L.IDTR_BASE), limit: this.u32(L.IDTR_LIMIT) },
      cr0: this.u64(L.CR0),
      cr2: this.u64(L.CR2),
      cr3: this.u64(L.CR3),
      cr4: this.u64(L.CR4),
      cr8: BigInt(this.u32(L.CR8)),
      efer: this.u64(L.EFER),
    };
  }

  /** The privilege level becomes that of SS; translations are looked up anew. */
  write(state: CpuState): void {
    this.writeKeepingCaches(state);
    this.core.exports.resetCaches();
  }

  /** write() for callers that know that code and page tables are what they were: TLBs and translations stay. */
  writeKeepingCaches(state: CpuState): void {
    for (const [i, value] of state.gpr.entries()) this.setU64(L.GPR + 8 * i, value);
    this.setU64(L.RIP, state.rip);
    this.rflags = state.rflags;
    this.setSegment("cs", state.cs);
    this.setSegment("ss", state.ss);
    this.setSegment("ds", state.ds);
    this.setSegment("es", state.es);
    this.setSegment("fs", state.fs);
    this.setSegment("gs", state.gs);
    this.setSegment("ldtr", state.ldtr);
    this.setSegment("tr", state.tr);
    this.setU64(L.GDTR_BASE, state.gdtr.base);
    this.setU32(L.GDTR_LIMIT, state.gdtr.limit);
    this.setU64(L.IDTR_BASE, state.idtr.base);
    this.setU32(L.IDTR_LIMIT, state.idtr.limit);
    this.setU64(L.CR0, state.cr0);
    this.setU64(L.CR2, state.cr2);
    this.setU64(L.CR3, state.cr3);
    this.setU64(L.CR4, state.cr4);
    this.setU32(L.CR8, Number(state.cr8));
    this.setU64(L.EFER, state.efer);
    this.setU32(L.CPL, (state.ss.attributes >> 5) & 3);
    this.core.exports.pagingRestored();
    this.core.exports.updateMode();
  }
}
