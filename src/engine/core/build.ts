/**
 * Compiles the core: the AssemblyScript files of this folder plus the modules printed from the IR's tables, to
 * build/core.wasm. Copies of the printed modules stay in build/core/ for readers. Run by `npm run build:core`.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import asc from "assemblyscript/asc";
import { generatedCore } from "../ir/print-interpreter.ts";
import { msrModule } from "../x86/msr-module.ts";
import { helperRows } from "../ir/helpers.ts";
import { CORE_DATA, VCPU_BASE } from "../layout.ts";
import { wrongCalls } from "./build-calls.ts";

const coreFolder = import.meta.dirname;
const projectFolder = resolve(coreFolder, "../../..");
const outputFolder = join(projectFolder, "build");
/** The text format, which is looked at and not kept. */
const TEXT = "core.wat";

/** Hand-written sources of the core: every .ts file here but this script, tests and their fixtures. */
function coreSources(): string[] {
  return readdirSync(coreFolder).filter(
    (name) =>
      name.endsWith(".ts") &&
      !/(^build|\.test|-fixture|^stand-ins|^testing)/.test(name) &&
      name !== "index.ts",
  );
}

/** The module that gathers every helper; a row without its function, or a function without its row, is an error. */
function helpersModule(): string {
  const fileOf = new Map<string, string>();
  for (const name of coreSources()) {
    const text = readFileSync(join(coreFolder, name), "utf8");
    for (const match of text.matchAll(/^export function h_(\w+)\(/gm)) {
      const [, helper = ""] = match;
      const before = fileOf.get(helper);
      if (before !== undefined) throw new Error(`helper ${helper} is written in ${before} and in ${name}`);
      fileOf.set(helper, name);
    }
  }
  const missing = helperRows.filter((row) => !fileOf.has(row.name)).map((row) => row.name);
  const declared = new Set(helperRows.map((row) => row.name));
  const undeclared = [...fileOf.keys()].filter((name) => !declared.has(name));
  if (missing.length > 0) throw new Error(`helpers without a function in core/: ${missing.join(", ")}`);
  if (undeclared.length > 0)
    throw new Error(`functions h_* without a row in ir/helpers-*.ts: ${undeclared.join(", ")}`);
  return [...fileOf]
    .map(([helper, file]) => `export { h_${helper} } from "./${file.slice(0, -3)}";`)
    .join("\n");
}

async function build(): Promise<void> {
  const generated = new Map<string, string>();
  const printed = { ...generatedCore(), helpers: helpersModule(), "msrs.gen": msrModule() };
  mkdirSync(join(outputFolder, "core"), { recursive: true });
  for (const [name, text] of Object.entries(printed)) {
    generated.set(join(coreFolder, `${name}.ts`), text);
    writeFileSync(join(outputFolder, "core", `${name}.ts`), text + "\n");
  }
  const errors: string[] = [];
  let wat = "";
  const { error } = await asc.main(
    [
      "index.ts",
      "--baseDir",
      coreFolder,
      "--outFile",
      "core.wasm",
      "--textFile",
      TEXT,
      "-O3",
      "--noAssert",
      "--runtime",
      "stub",
      "--importMemory",
      "--sharedMemory",
      "--initialMemory",
      "1040",
      "--maximumMemory",
      "65536",
      "--exportTable",
      "--memoryBase",
      String(CORE_DATA),
      "--enable",
      "threads,simd,bulk-memory,sign-extension,mutable-globals,nontrapping-f2i",
      ...(process.argv.includes("--names") ? ["--debug"] : []),
    ],
    {
      readFile: (name, base) => {
        const path = resolve(base, name);
        const text = generated.get(path);
        if (text !== undefined) return text;
        try {
          return readFileSync(path, "utf8");
        } catch {
          return null;
        }
      },
      writeFile: (name, contents) => {
        if (name === TEXT) {
          wat = String(contents);
          return;
        }
        const path = join(outputFolder, name);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, contents);
      },
      listFiles: () => [],
      stderr: { write: (text: string | Uint8Array) => void errors.push(String(text)) },
    },
  );
  if (error !== null) throw new Error(`the core does not compile:\n${errors.join("")}`);
  if (errors.length > 0) console.error(errors.join(""));
  const size = readFileSync(join(outputFolder, "core.wasm")).length;
  if (size < 10_000) throw new Error("the compiled core is too small to hold the interpreter");
  const wrong = wrongCalls(wat, "interpret");
  if (wrong.length > 0) throw new Error(`the core's calls: ${wrong.join("; ")}`);
  console.log(`core.wasm: ${size} bytes; static data below ${VCPU_BASE}`);
}

await build();
