/**
 * The compiled core of one vCPU: the wasm module of core/, instantiated on the VM's memory. Its exports are typed
 * here, once; core/index.ts is their source.
 */
import { VCPU_BASE } from "../layout.ts";
import { assert } from "../../base/index.ts";

/** What the core calls while it runs; see core/host.ts for each one's contract. */
export interface CoreImports {
  readPort(port: number, size: number): number;
  writePort(port: number, size: number, value: number): void;
  readMmio(gpa: number, size: number): number;
  writeMmio(gpa: number, size: number, value: number): void;
  acknowledgeInterrupt(): number;
  readMsr(index: number): number;
  writeMsr(index: number, low: number, high: number): number;
  taskPriorityChanged(priorityClass: number): void;
  tscOffsetChanged(low: number, high: number): void;
  entropyU32(): number;
  nowNs(): number;
  translateBlock(gpa: number, gpa2: number): number;
  translateSingle(gpa: number, gpa2: number): number;
  translateFetched(gpa: number, sizeBytes: number): number;
  blockIsHot(block: number): void;
  blockInvalidated(block: number): void;
  blocksForgotten(): void;
  blockMoved(from: number, to: number): void;
}

export interface CoreExports {
  run(budget: number): number;
  stopSoon(): void;
  resetCaches(): void;
  resetCpu(): void;
  initCpu(): void;
  updateMode(): void;
  flushTlb(): void;
  /** After control registers were set from outside. */
  pagingRestored(): void;
  setA20(isOpen: number): void;
  setMemorySlots(gpa: number, pages: number, firstSlot: number): void;
  flushJumpCache(): void;
  codePagesWritten(gpa: number, sizeBytes: number): void;
  registerBlock(block: number): void;
  /** Empties [start, end) of the code cache; what stays is moved to `to`. Returns the address behind it. */
  evictBlocks(start: number, end: number, to: number, heat: number): number;
  /** Takes a block out of the jump cache: the next jump to it looks it up. */
  uncacheBlock(block: number): void;
  findBlock(rip: bigint, gpa: number, mode: number): number;
  /** access: 0 read, 1 write, 2 execute; 0xffffffff (-1 as i32) if the walk faults. */
  translate(gva: bigint, access: number, user: number): number;
  /** translate() for execution if the page is global, else 0xffffffff; a fault may be pending then. */
  translateGlobal(gva: bigint, access: number, user: number): number;
  computeFlags(): number;
  setFlags(bits: number): void;
  /** Notes among the places of an indirect branch that it has led to the address with this low half. */
  noteTarget(places: number, target: number): void;
  readonly table: WebAssembly.Table;
}

export interface Core {
  readonly exports: CoreExports;
  /** All exports by name, for compiled regions to import. */
  readonly all: WebAssembly.Exports;
  readonly stateBase: number;
  readonly ramSizeBytes: number;
}

export interface MemorySizes {
  readonly ramSizeBytes: number;
  /** RAM and what lies behind it for slots; RAM alone unless given. */
  readonly memorySizeBytes?: number;
}

/** Instantiates the core for the VM that owns `memory`. */
export function instantiateCore(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  { ramSizeBytes, memorySizeBytes = ramSizeBytes }: MemorySizes,
  host: CoreImports,
): Core {
  // The arrow functions keep `this` and give each import the calling convention of a plain function.
  const instance = new WebAssembly.Instance(module, {
    env: {
      memory,
      ramSize: new WebAssembly.Global({ value: "i32" }, ramSizeBytes),
      memorySize: new WebAssembly.Global({ value: "i32" }, memorySizeBytes),
      abort: () => {
        throw new Error("the engine core aborted");
      },
    },
    host: {
      readPort: (port: number, size: number) => host.readPort(port, size),
      writePort: (port: number, size: number, value: number) => host.writePort(port, size, value >>> 0),
      readMmio: (gpa: number, size: number) => host.readMmio(gpa >>> 0, size),
      writeMmio: (gpa: number, size: number, value: number) => host.writeMmio(gpa >>> 0, size, value >>> 0),
      acknowledgeInterrupt: () => host.acknowledgeInterrupt(),
      readMsr: (msr: number) => host.readMsr(msr >>> 0),
      writeMsr: (msr: number, low: number, high: number) => host.writeMsr(msr >>> 0, low >>> 0, high >>> 0),
      taskPriorityChanged: (priorityClass: number) => host.taskPriorityChanged(priorityClass),
      tscOffsetChanged: (low: number, high: number) => host.tscOffsetChanged(low >>> 0, high >>> 0),
      entropyU32: () => host.entropyU32(),
      nowNs: () => host.nowNs(),
      translateBlock: (gpa: number, gpa2: number) => host.translateBlock(gpa >>> 0, gpa2),
      translateSingle: (gpa: number, gpa2: number) => host.translateSingle(gpa >>> 0, gpa2),
      translateFetched: (gpa: number, size: number) => host.translateFetched(gpa >>> 0, size),
      blockIsHot: (block: number) => host.blockIsHot(block >>> 0),
      blockInvalidated: (block: number) => host.blockInvalidated(block >>> 0),
      blocksForgotten: () => host.blocksForgotten(),
      blockMoved: (from: number, to: number) => host.blockMoved(from >>> 0, to >>> 0),
    },
  });
  const e = instance.exports;
  return {
    exports: {
      run: exportedFunction(e, "run"),
      stopSoon: exportedFunction(e, "stopSoon"),
      resetCaches: exportedFunction(e, "resetCaches"),
      resetCpu: exportedFunction(e, "resetCpu"),
      initCpu: exportedFunction(e, "initCpu"),
      updateMode: exportedFunction(e, "updateMode"),
      flushTlb: exportedFunction(e, "flushTlb"),
      pagingRestored: exportedFunction(e, "pagingRestored"),
      setA20: exportedFunction(e, "setA20"),
      setMemorySlots: exportedFunction(e, "setMemorySlots"),
      flushJumpCache: exportedFunction(e, "flushJumpCache"),
      codePagesWritten: exportedFunction(e, "codePagesWritten"),
      registerBlock: exportedFunction(e, "registerBlock"),
      evictBlocks: exportedFunction(e, "evictBlocks"),
      uncacheBlock: exportedFunction(e, "uncacheBlock"),
      findBlock: exportedFunction(e, "findBlock"),
      translate: exportedFunction(e, "translate"),
      translateGlobal: exportedFunction(e, "translateGlobal"),
      computeFlags: exportedFunction(e, "computeFlags"),
      setFlags: exportedFunction(e, "setFlags"),
      noteTarget: exportedFunction(e, "noteTarget"),
      table: exportedTable(e),
    },
    all: e,
    stateBase: VCPU_BASE,
    ramSizeBytes,
  };
}

function exportedFunction(exports: WebAssembly.Exports, name: string): WebAssembly.ExportedFunction {
  const value = exports[name];
  assert(typeof value === "function", `the core does not export the function ${name}`);
  return value;
}

function exportedTable(exports: WebAssembly.Exports): WebAssembly.Table {
  const { table } = exports;
  assert(table instanceof WebAssembly.Table, "the core does not export its table");
  return table;
}
