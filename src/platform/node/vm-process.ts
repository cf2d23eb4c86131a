/**
 * The processes of VMs under Node.js: `forkVmProcess` starts one and talks to it, in the shape of the host's
 * `VmProcessLink`; `parentChannel` is the other end, inside it. (This layer may not import the host's types:
 * applications pass both on, and the compiler compares the shapes there.)
 *
 * Messages travel by Node's IPC channel with structured-clone serialization, which carries bigints and byte arrays.
 * When the parent dies the channel closes, and the child ends itself.
 */

import { fork } from "node:child_process";
import { flushCompileCache } from "node:module";
import { availableParallelism, constants, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";

/** Bytes of the child's standard error that are kept for the report of its death. */
const MAX_LAST_WORDS = 8 * 1024;

/**
 * A VM's process should cost little beside its guest's memory. The young generation stays small (in MiB), since the
 * machine loop allocates little, but not so small that compiling regions fills it all the time; garbage can be collected
 * when a kernel has been unpacked.
 */
const SMALL_PROCESS_OPTIONS = [
  // The guest's thread has a core to itself, if there are several: V8 would start four threads wherever it runs.
  `--v8-pool-size=${Math.min(4, Math.max(1, availableParallelism() - 1))}`,
  "--max-semi-space-size=4",
  "--expose-gc",
  "--disable-warning=ExperimentalWarning",
  // Compiled regions call each other through a table and the core through imports, where V8 has nothing to inline;
  // watching for what it might inline costs each call of a function that is not optimized yet.
  "--no-wasm-inlining",
  "--no-wasm-deopt",
  // A region is compiled only when it is hot: it is soon worth optimizing (the default is 13,000,000).
  "--wasm-tiering-budget=4000000",
  // Copies of a guest's loop gain nothing: each keeps all registers for the exits, and what is carried round is spilled.
  "--no-wasm-loop-unrolling",
  "--no-wasm-loop-peeling",
  // Regions keep to their share of the stack by themselves (core/dispatch.ts), and leave their loops when a slice ends: V8
  // need not look at each function's entry and in each round, where its question is often the only call that is left.
  "--no-wasm-stack-checks",
  ...zoneOptions(process.versions.node),
];
/**
 * What V8's compilers worked with goes back to the host two seconds after they are done. In the C heap it would stay,
 * free but between what lives on. Node.js 24 does not know these options and would not start.
 */
function zoneOptions(nodeVersion: string): readonly string[] {
  if (Number.parseInt(nodeVersion, 10) < 26) return [];
  return [
    "--managed-zone-memory",
    "--managed-zone-memory-for-isolate-independent-memory",
    "--memory-pool-timeout=2",
  ];
}

/**
 * glibc gives freed memory back instead of keeping it: compiling to WebAssembly takes and frees much, and what threads
 * freed in arenas of their own would be lost to all others. With thresholds below what one compilation takes, each would
 * map, zero and unmap its memory anew. The compile cache spares the child the stripping of types, which takes time and
 * some 20 MB; it lies where Node.js would put it.
 */
const SMALL_PROCESS_ENVIRONMENT = {
  MALLOC_ARENA_MAX: "1",
  MALLOC_MMAP_THRESHOLD_: "1048576",
  MALLOC_TRIM_THRESHOLD_: "4194304",
  NODE_COMPILE_CACHE: join(tmpdir(), "node-compile-cache"),
};

export interface ForkedEnding {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly lastWords: string;
}

export interface ForkListeners {
  readonly message: (message: unknown) => void;
  readonly ended: (ending: ForkedEnding) => void;
}

export interface ForkedProcess<Message extends object> {
  readonly pid: number | undefined;
  send(message: Message): void;
  kill(): void;
  listen(listeners: ForkListeners): void;
}

/** Starts the program `entry`, a module of this package, as the process of one VM. */
export function forkVmProcess<Message extends object>(entry: URL): ForkedProcess<Message> {
  const child = fork(fileURLToPath(entry), [], {
    serialization: "advanced",
    // Options of our own process (a debugger's port, a test runner's flags) are not the child's.
    execArgv: ["--title=typevisor: a VM", ...SMALL_PROCESS_OPTIONS],
    env: { ...SMALL_PROCESS_ENVIRONMENT, ...process.env },
    // Nobody but the child writes to its standard output; what it says there is as good as its standard error.
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  let lastWords = "";
  let listeners: ForkListeners | undefined;
  let ended: ForkedEnding | undefined;
  const end = (ending: ForkedEnding): void => {
    if (ended !== undefined) return;
    ended = ending;
    listeners?.ended(ending);
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      lastWords = (lastWords + text).slice(-MAX_LAST_WORDS);
    });
  }
  child.on("message", (message: unknown) => listeners?.message(message));
  child.on("error", (error) => end({ exitCode: undefined, signal: undefined, lastWords: error.message }));
  // "close" comes after "exit" and after all output and messages have been read.
  child.on("close", (exitCode, signal) =>
    end({ exitCode: exitCode ?? undefined, signal: signal ?? undefined, lastWords }),
  );
  return {
    pid: child.pid,
    send(message) {
      // The callback keeps an error (the child is gone, which "close" will report) from becoming an exception.
      if (child.connected) child.send(message, () => undefined);
    },
    kill() {
      child.kill("SIGKILL");
    },
    listen(wanted) {
      listeners = wanted;
      // A process that was started ahead may be gone before anybody wants it.
      const ending = ended;
      if (ending !== undefined) queueMicrotask(() => wanted.ended(ending));
    },
  };
}

/** The child's end of the channel; undefined when this process was not started by {@link forkVmProcess}. */
export function parentChannel<Message extends object>(listeners: {
  readonly message: (message: unknown) => void;
}): { send(message: Message): void; /** After all that was sent. */ close(): void } | undefined {
  if (process.send === undefined) return undefined;
  process.on("message", listeners.message);
  // Without a parent nobody can end this VM or hear of it.
  process.on("disconnect", () => process.exit(0));
  // A terminal's Ctrl-C reaches the whole process group; what it means is the parent's to decide.
  process.on("SIGINT", () => undefined);
  process.on("SIGTERM", () => process.exit(constants.signals.SIGTERM + 128));
  // Messages that are not yet written to the channel would be lost with it.
  let unsentCount = 0;
  let isClosing = false;
  const sent = (): void => {
    unsentCount--;
    if (isClosing && unsentCount === 0) process.disconnect?.();
  };
  return {
    send(message) {
      unsentCount++;
      process.send?.(message, undefined, undefined, sent);
    },
    close() {
      isClosing = true;
      if (unsentCount === 0) process.disconnect?.();
    },
  };
}

/** What tools such as ps and top call this process, once it is known which VM it runs. */
export function nameProcess(vmName: string): void {
  process.title = `typevisor: ${vmName}`;
}

// What follows does nothing in a process that {@link forkVmProcess} did not start.

/** Gives back large buffers that are no longer used, in some milliseconds. */
export function collectGarbage(): void {
  globalThis.gc?.();
}

/** Gives back all it can, heaps that grew while there was much to do too; takes some 20 ms. */
export function giveMemoryBack(): void {
  globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
}

/**
 * Keeps what was compiled of our modules for the next VM's process, in a few milliseconds, the first time. Node.js itself does so
 * only in a process that ends by itself; many a VM is killed.
 */
export function keepCompiledModules(): void {
  flushCompileCache();
}

/**
 * Loads modules with the bytecode of all their functions, which the compile cache then holds: else V8 parses and compiles a
 * function when it is first called. For modules of which most is needed at a moment that somebody waits for.
 */
export async function withAllFunctions<T>(load: () => Promise<T>): Promise<T> {
  setFlagsFromString("--no-lazy");
  try {
    return await load();
  } finally {
    setFlagsFromString("--lazy");
  }
}

/** What this process has used since its start. */
export function processResources(): {
  readonly cpuTimeNs: number;
  readonly residentBytes: number;
  readonly peakResidentBytes: number;
} {
  const { user, system } = process.cpuUsage();
  return {
    cpuTimeNs: (user + system) * 1000,
    residentBytes: process.memoryUsage.rss(),
    peakResidentBytes: process.resourceUsage().maxRSS * 1024,
  };
}
