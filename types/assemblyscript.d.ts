/**
 * The part of AssemblyScript's compiler that Typevisor calls, for the worlds with Node's types (mapped by `paths`).
 *
 * The package's own declarations describe the whole compiler and declare a global `console` that has only `log`,
 * which hides Node's.
 */
export interface CompilerOptions {
  /** null where there is no such file: the compiler tries several names. */
  readFile?(name: string, baseDir: string): string | null;
  writeFile?(name: string, contents: string | Uint8Array, baseDir: string): void;
  listFiles?(folder: string, baseDir: string): string[] | null;
  /** What it prints: diagnostics. */
  readonly stderr?: { write(chunk: string | Uint8Array): void };
}

export interface CompilerResult {
  readonly error: Error | null;
}

declare const asc: { main(argv: readonly string[], options?: CompilerOptions): Promise<CompilerResult> };
export default asc;
