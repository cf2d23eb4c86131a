/**
 * v86 as a program: `node main.ts KERNEL MEMORY_MIB COMMAND_LINE` runs a multiboot kernel with its first serial port on
 * standard output, until it is killed. v86 (npm package of that name) is no dependency of the project; where it is not
 * installed the bench leaves it out. It needs no BIOS for multiboot kernels. Serial input is missing.
 */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

interface Machine {
  add_listener(event: "serial0-output-byte", listener: (byte: number) => void): void;
}

/** Those of the package's options that are used here; the names are its own. */
interface MachineOptions {
  readonly wasm_path: string;
  readonly memory_size: number;
  readonly multiboot: { readonly buffer: ArrayBuffer };
  readonly cmdline: string;
  readonly autostart: true;
  readonly disable_keyboard: true;
  readonly disable_mouse: true;
  readonly disable_speaker: true;
}

type MachineConstructor = new (options: MachineOptions) => Machine;

const MIB = 1024 * 1024;

const isConstructor = (value: unknown): value is MachineConstructor => typeof value === "function";

/** The name is a variable so that the types do not depend on whether the package is installed. */
async function findPackage(name: string): Promise<{ Constructor: MachineConstructor; wasmPath: string }> {
  const entry = import.meta.resolve(name);
  const loaded: unknown = await import(entry);
  if (typeof loaded !== "object" || loaded === null || !("V86" in loaded) || !isConstructor(loaded.V86))
    throw new Error(`${entry} does not export V86`);
  return { Constructor: loaded.V86, wasmPath: fileURLToPath(new URL("v86.wasm", entry)) };
}

const [kernelPath, memoryMib, commandLine] = process.argv.slice(2);
if (kernelPath === undefined || memoryMib === undefined || commandLine === undefined)
  throw new Error("usage: node main.ts KERNEL MEMORY_MIB COMMAND_LINE");

const { Constructor, wasmPath } = await findPackage("v86");
const kernel = Uint8Array.from(readFileSync(kernelPath));
const machine = new Constructor({
  wasm_path: wasmPath,
  memory_size: Number(memoryMib) * MIB,
  multiboot: { buffer: kernel.buffer },
  cmdline: commandLine,
  autostart: true,
  disable_keyboard: true,
  disable_mouse: true,
  disable_speaker: true,
});
machine.add_listener("serial0-output-byte", (byte) => process.stdout.write(Uint8Array.of(byte)));
