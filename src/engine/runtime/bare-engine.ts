/**
 * An engine alone on its memory, for tests: a host without devices that answers all ones, does nothing and whose clock
 * stands still, unless a test says otherwise.
 */
import { cpuModel } from "../../cpu/index.ts";
import * as L from "../layout.ts";
import { Engine, type EngineHost, type EngineOptions } from "./engine.ts";

export interface BareEngineOptions extends Pick<EngineOptions, "core" | "tier"> {
  readonly ramSizeBytes: number;
  /** Behind RAM, for slots. */
  readonly slotMemoryBytes?: number;
  /** As `--cpu` takes it; the default model unless given. */
  readonly cpu?: string;
  readonly compiledAtExecution?: number;
  readonly codeCacheSizeBytes?: number;
  readonly regionMemoryLimitBytes?: number;
  readonly codeProfile?: EngineOptions["codeProfile"];
  readonly host?: Partial<EngineHost>;
}

export interface BareEngine {
  readonly engine: Engine;
  readonly memory: WebAssembly.Memory;
  /** Guest RAM. */
  readonly ram: Uint8Array;
  readonly view: DataView;
  /** Behind RAM. */
  readonly slotMemory: Uint8Array;
}

export function bareEngine(options: BareEngineOptions): BareEngine {
  const {
    core,
    tier,
    ramSizeBytes,
    slotMemoryBytes = 0,
    cpu,
    compiledAtExecution,
    codeCacheSizeBytes,
    regionMemoryLimitBytes,
    codeProfile,
    host,
  } = options;
  const memorySizeBytes = ramSizeBytes + slotMemoryBytes;
  const pages = (L.RAM_BASE + memorySizeBytes) / 65536;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const engine = new Engine({
    core,
    memory,
    ramSizeBytes,
    memorySizeBytes,
    cpu: cpuModel(cpu),
    hypervisorLeaves: [],
    tier,
    ...(compiledAtExecution === undefined ? {} : { compiledAtExecution }),
    ...(codeCacheSizeBytes === undefined ? {} : { codeCacheSizeBytes }),
    ...(regionMemoryLimitBytes === undefined ? {} : { regionMemoryLimitBytes }),
    ...(codeProfile === undefined ? {} : { codeProfile }),
    host: {
      readPort: () => 0xffffffff,
      writePort: () => undefined,
      readMmio: () => 0xffffffff,
      writeMmio: () => undefined,
      acknowledgeInterrupt: () => 0x20,
      readMsr: () => undefined,
      writeMsr: () => false,
      entropyU32: () => 0x12345678,
      nowNs: () => 0,
      monotonicNs: () => 0,
      ...host,
    },
  });
  const ram = new Uint8Array(memory.buffer, L.RAM_BASE, ramSizeBytes);
  const view = new DataView(memory.buffer, L.RAM_BASE, ramSizeBytes);
  const slotMemory = new Uint8Array(memory.buffer, L.RAM_BASE + ramSizeBytes, slotMemoryBytes);
  return { engine, memory, ram, view, slotMemory };
}
