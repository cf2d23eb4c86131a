/**
 * A small exact encoder of WebAssembly modules (core specification 5; branch hints: the "metadata.code.branch_hint"
 * custom section of the branch-hinting proposal). It writes what compiled regions need: imported functions, one
 * imported memory and table, i32 globals, functions that are exported by number, and hints.
 *
 * One ModuleEncoder is reused for all modules; nothing is allocated per instruction. Missing on purpose: data and
 * element segments, start functions, multi-value blocks.
 */
import type { ValueType } from "../ir/expr.ts";
import { ByteBuffer } from "./bytes.ts";
import { FUNCREF, FUNCTION_TYPE, opcode, valueTypeCode } from "./opcodes.ts";
import { FunctionEncoder } from "./function.ts";

const MAGIC_AND_VERSION = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

const section = { custom: 0, type: 1, import: 2, function: 3, global: 6, export: 7, code: 10 } as const;
const externKind = { function: 0, table: 1, memory: 2 } as const;
const LIMITS_SHARED_WITH_MAXIMUM = 3;
const LIMITS_MINIMUM_ONLY = 0;

export interface Signature {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** The shared memory that a module imports, in pages of 64 KiB. */
export interface MemoryImport {
  readonly module: string;
  readonly name: string;
  readonly maximumPages: number;
}

export interface TableImport {
  readonly module: string;
  readonly name: string;
}

/** A function that modules may import. There is one of each, whose number the encoder knows it by. */
export class ImportedFunction {
  static #count = 0;
  readonly number = ImportedFunction.#count++;
  readonly signature: Signature;
  /** Its two names and its kind, as modules declare it. */
  readonly declaration: Uint8Array;

  constructor(module: string, name: string, signature: Signature) {
    this.signature = signature;
    const bytes = new ByteBuffer(module.length + name.length + 8);
    bytes.name(module);
    bytes.name(name);
    bytes.u8(externKind.function);
    this.declaration = bytes.view;
  }
}

const NOT_IMPORTED = -1;

const isSame = (a: readonly ValueType[], b: readonly ValueType[]): boolean =>
  a.length === b.length && a.every((type, i) => type === b[i]);

export class ModuleEncoder {
  readonly #memory: MemoryImport;
  readonly #table: TableImport | undefined;
  readonly #out = new ByteBuffer();
  readonly #body = new ByteBuffer();
  /** The types, and the index of the type for each signature that has been asked for. */
  readonly #signatures: Signature[] = [];
  readonly #types = new Map<Signature, number>();
  /** What is imported, the types of these, and their indices by ImportedFunction.number. */
  readonly #imports: ImportedFunction[] = [];
  readonly #importTypes: number[] = [];
  readonly #importIndices: number[] = [];
  readonly #functions: { readonly type: number; readonly code: FunctionEncoder; readonly name: string }[] =
    [];
  readonly #spare: FunctionEncoder[] = [];
  #globalCount = 0;

  constructor(memory: MemoryImport, table?: TableImport) {
    this.#memory = memory;
    this.#table = table;
  }

  /** Begins another module. */
  reset(): void {
    this.#types.clear();
    this.#signatures.length = 0;
    for (const { number } of this.#imports) this.#importIndices[number] = NOT_IMPORTED;
    this.#imports.length = 0;
    this.#importTypes.length = 0;
    this.#globalCount = 0;
    for (const { code } of this.#functions) this.#spare.push(code);
    this.#functions.length = 0;
  }

  /** The index of a function type. */
  type(signature: Signature): number {
    const known = this.#types.get(signature);
    if (known !== undefined) return known;
    const { parameters, results } = signature;
    const same = this.#signatures.findIndex(
      (other) => isSame(other.parameters, parameters) && isSame(other.results, results),
    );
    const index = same >= 0 ? same : this.#signatures.push(signature) - 1;
    this.#types.set(signature, index);
    return index;
  }

  /** The index of a function, which is imported when it is first asked for. */
  import(imported: ImportedFunction): number {
    const { number } = imported;
    const indices = this.#importIndices;
    while (indices.length <= number) indices.push(NOT_IMPORTED);
    const known = indices[number] ?? NOT_IMPORTED;
    if (known !== NOT_IMPORTED) return known;
    const index = this.#imports.push(imported) - 1;
    this.#importTypes.push(this.type(imported.signature));
    indices[number] = index;
    return index;
  }

  /** The index of a new mutable i32 global that is 0 at first. */
  global(): number {
    return this.#globalCount++;
  }

  /** A new function, exported under `name`; calls of it use FunctionEncoder.callOwn with its number (0, 1, …). */
  function(name: string, signature: Signature): FunctionEncoder {
    const code = this.#spare.pop() ?? new FunctionEncoder();
    code.reset(signature.parameters);
    this.#functions.push({ type: this.type(signature), code, name });
    return code;
  }

  /** The module's bytes; the view is invalid after the next finish(). */
  finish(): Uint8Array<ArrayBuffer> {
    const out = this.#out;
    out.clear();
    for (const byte of MAGIC_AND_VERSION) out.u8(byte);
    this.#writeTypes();
    this.#writeImports();
    this.#section(section.function, () => {
      this.#body.u32(this.#functions.length);
      for (const { type } of this.#functions) this.#body.u32(type);
    });
    if (this.#globalCount > 0) this.#writeGlobals();
    this.#section(section.export, () => {
      this.#body.u32(this.#functions.length);
      for (const [index, { name }] of this.#functions.entries()) {
        this.#body.name(name);
        this.#body.u8(externKind.function);
        this.#body.u32(this.#importTypes.length + index);
      }
    });
    for (const { code } of this.#functions) code.finish(this.#importTypes.length);
    this.#writeHints();
    this.#section(section.code, () => {
      this.#body.u32(this.#functions.length);
      for (const { code } of this.#functions) code.writeTo(this.#body);
    });
    return out.view;
  }

  #section(id: number, write: () => void): void {
    this.#body.clear();
    write();
    this.#out.u8(id);
    this.#out.u32(this.#body.length);
    this.#out.append(this.#body.view);
  }

  #writeTypes(): void {
    this.#section(section.type, () => {
      const body = this.#body;
      body.u32(this.#signatures.length);
      for (const { parameters, results } of this.#signatures) {
        body.u8(FUNCTION_TYPE);
        for (const types of [parameters, results]) {
          body.u32(types.length);
          for (const type of types) body.u8(valueTypeCode[type]);
        }
      }
    });
  }

  #writeImports(): void {
    this.#section(section.import, () => {
      const body = this.#body;
      body.u32(this.#importTypes.length + (this.#table === undefined ? 1 : 2));
      for (let i = 0; i < this.#imports.length; i++) {
        const imported = this.#imports[i];
        if (imported !== undefined) body.append(imported.declaration);
        body.u32(this.#importTypes[i] ?? 0);
      }
      body.name(this.#memory.module);
      body.name(this.#memory.name);
      body.u8(externKind.memory);
      body.u8(LIMITS_SHARED_WITH_MAXIMUM);
      body.u32(0);
      body.u32(this.#memory.maximumPages);
      if (this.#table === undefined) return;
      body.name(this.#table.module);
      body.name(this.#table.name);
      body.u8(externKind.table);
      body.u8(FUNCREF);
      body.u8(LIMITS_MINIMUM_ONLY);
      body.u32(0);
    });
  }

  #writeGlobals(): void {
    this.#section(section.global, () => {
      this.#body.u32(this.#globalCount);
      for (let i = 0; i < this.#globalCount; i++) {
        this.#body.u8(valueTypeCode.i32);
        this.#body.u8(1); // mutable
        this.#body.u8(opcode.i32Const);
        this.#body.i32(0);
        this.#body.u8(opcode.end);
      }
    });
  }

  #writeHints(): void {
    const hinted = this.#functions.filter(({ code }) => code.hintCount > 0);
    if (hinted.length === 0) return;
    this.#section(section.custom, () => {
      this.#body.name("metadata.code.branch_hint");
      this.#body.u32(hinted.length);
      for (const [index, { code }] of this.#functions.entries()) {
        if (code.hintCount === 0) continue;
        this.#body.u32(this.#importTypes.length + index);
        code.writeHintsTo(this.#body);
      }
    });
  }
}
