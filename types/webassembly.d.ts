/**
 * The part of the WebAssembly JavaScript interface that Typevisor uses (W3C "WebAssembly JavaScript Interface").
 *
 * TypeScript declares it only in lib "DOM", which the portable code must not see, and @types/node does not declare
 * it at all, so it stands here for every world. Missing on purpose: streaming (there is no Response in the core),
 * exceptions and tags, memory64.
 */
declare namespace WebAssembly {
  type ValueType = "i32" | "i64" | "f32" | "f64" | "v128" | "externref" | "anyfunc";
  type ExternKind = "function" | "global" | "memory" | "table";
  type Bytes = ArrayBuffer | SharedArrayBuffer | ArrayBufferView;

  interface CompileError extends Error {}
  const CompileError: new (message?: string) => CompileError;
  interface LinkError extends Error {}
  const LinkError: new (message?: string) => LinkError;
  interface RuntimeError extends Error {}
  const RuntimeError: new (message?: string) => RuntimeError;

  interface MemoryDescriptor {
    /** In pages of 64 KiB. */
    initial: number;
    /** In pages of 64 KiB; required when `shared`. */
    maximum?: number;
    shared?: boolean;
  }
  interface Memory {
    /** A SharedArrayBuffer exactly when the memory was created with `shared: true`. */
    readonly buffer: ArrayBuffer | SharedArrayBuffer;
    grow(deltaPages: number): number;
  }
  const Memory: new (descriptor: MemoryDescriptor) => Memory;

  interface TableDescriptor {
    element: "anyfunc" | "externref";
    initial: number;
    maximum?: number;
  }
  interface Table {
    readonly length: number;
    get(index: number): unknown;
    set(index: number, value?: unknown): void;
    grow(delta: number, value?: unknown): number;
  }
  const Table: new (descriptor: TableDescriptor, value?: unknown) => Table;

  interface GlobalDescriptor {
    value: ValueType;
    mutable?: boolean;
  }
  interface Global<T extends number | bigint = number | bigint> {
    value: T;
    valueOf(): T;
  }
  const Global: new <T extends number | bigint>(descriptor: GlobalDescriptor, value?: T) => Global<T>;

  /** What the host gives: any function whose parameters and results are numbers and bigints. */
  type ImportedFunction = (...args: never[]) => unknown;
  /** What a module gives. Assign it to its known signature where the exports are taken apart, and nowhere else. */
  // oxlint-disable-next-line typescript/no-explicit-any -- the signature is in the module, not in its type
  type ExportedFunction = (...args: any[]) => any;
  type ImportValue = ImportedFunction | Memory | Table | Global | number | bigint;
  type ExportValue = ExportedFunction | Memory | Table | Global;
  type Imports = Record<string, Record<string, ImportValue>>;
  type Exports = Record<string, ExportValue>;

  interface ModuleExportDescriptor {
    name: string;
    kind: ExternKind;
  }
  interface ModuleImportDescriptor extends ModuleExportDescriptor {
    module: string;
  }
  interface Module {
    /** Keeps the type nominal: a Module is made by compiling, never from an object literal. */
    readonly [Symbol.toStringTag]: "WebAssembly.Module";
  }
  const Module: {
    new (bytes: Bytes): Module;
    exports(module: Module): ModuleExportDescriptor[];
    imports(module: Module): ModuleImportDescriptor[];
    customSections(module: Module, name: string): ArrayBuffer[];
  };
  interface Instance {
    readonly exports: Exports;
  }
  const Instance: new (module: Module, imports?: Imports) => Instance;

  function compile(bytes: Bytes): Promise<Module>;
  function instantiate(module: Module, imports?: Imports): Promise<Instance>;
  function validate(bytes: Bytes): boolean;
}
