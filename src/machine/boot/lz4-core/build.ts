/** Compiles index.ts, which is AssemblyScript, to build/lz4.wasm. Run by `npm run build:core`. */
import { mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import asc from "assemblyscript/asc";

const folder = import.meta.dirname;
const output = resolve(folder, "../../../../build/lz4.wasm");
/** Of 64 KiB each, as index.ts uses them. */
const MEMORY_PAGES = "8";

mkdirSync(join(output, ".."), { recursive: true });
const errors: string[] = [];
const { error } = await asc.main(
  [
    join(folder, "index.ts"),
    "--outFile",
    output,
    "-O3",
    "--noAssert",
    "--runtime",
    "stub",
    "--initialMemory",
    MEMORY_PAGES,
    "--maximumMemory",
    MEMORY_PAGES,
    "--enable",
    "simd,bulk-memory",
  ],
  { stderr: { write: (text: string | Uint8Array) => void errors.push(String(text)) } },
);
if (error !== null) throw new Error(`the LZ4 decoder does not compile:\n${errors.join("")}`);
if (errors.length > 0) console.error(errors.join(""));
console.log(`lz4.wasm: ${readFileSync(output).length} bytes`);
