/**
 * Programs in a Linux guest. The guest's init runs one script after the other and sends what each printed through the
 * serial console: gzip for the volume and for its checksum, base64 for the terminal that lies between. Nothing is
 * typed, so nothing depends on a shell's echo or on timing.
 */
import { setTimeout as delay } from "node:timers/promises";
import { gunzipSync } from "node:zlib";

import { NS_PER_S } from "../../src/base/index.ts";
import { startVm } from "../../src/apps/embed/index.ts";
import type { VmOptions } from "../../src/apps/embed/index.ts";
import type { CpioEntry } from "../../src/host/index.ts";
import { DEFAULT_LIMIT_SECONDS, ENVIRONMENT } from "./program.ts";
import type { Outcome, Program } from "./program.ts";

const BOOT_LIMIT_SECONDS = 300;
const LAST_LINES = 12;

/** Files that make a guest run the programs; they go over an initramfs that has sh, mount, stty, gzip and base64. */
export function programFiles(programs: readonly Program[]): CpioEntry[] {
  const text = (lines: string): Uint8Array => new TextEncoder().encode(lines);
  const scripts = programs.map(({ script }, index): CpioEntry => ({
    kind: "file",
    path: `programs/${fileName(index)}`,
    data: text(`${script}\n`),
  }));
  const init: CpioEntry = { kind: "file", path: "init", mode: 0o755, data: text(initScript()) };
  return [{ kind: "directory", path: "programs" }, ...scripts, init];
}

const fileName = (index: number): string => String(index).padStart(4, "0");

/** Without random addresses, so that code which many processes share lies where it was translated before. */
function initScript(): string {
  const variables = Object.entries(ENVIRONMENT).map(([name, value]) => `${name}=${value}`);
  return `#!/bin/sh
export ${variables.join(" ")}
[ ! -x /bin/busybox ] || /bin/busybox --install -s /bin 2>/dev/null
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
echo 1 >/proc/sys/kernel/printk
echo 0 >/proc/sys/kernel/randomize_va_space
stty -opost -echo </dev/console
[ ! -x /bin/ip ] || ip link set lo up
cd /
for script in /programs/*; do
  echo "@begin \${script##*/}"
  sh "$script" </dev/null >/output 2>&1
  echo "@status $?"
  gzip -c /output | base64
  echo "@end \${script##*/}"
done
echo "@done"
while :; do sleep 1000; done
`;
}

/**
 * Boots the guest, whose initrd has {@link programFiles}, and gives each program's outcome as soon as it is known.
 * Throws when a program takes too long or the guest does anything else than run them.
 */
export async function* runInGuest(
  options: VmOptions,
  programs: readonly Program[],
): AsyncGenerator<Outcome, void, undefined> {
  await using vm = await startVm({ ...options, profile: "off" });
  const lines = new LineReader(vm.serial);
  await lines.until(`@begin ${fileName(0)}`, BOOT_LIMIT_SECONDS);
  for (const [index, program] of programs.entries()) {
    if (index > 0) await lines.expect(`@begin ${fileName(index)}`);
    const before = await vm.statistics();
    const startMs = performance.now();
    const status = await lines.next(program.limitSeconds ?? DEFAULT_LIMIT_SECONDS);
    const seconds = (performance.now() - startMs) / 1000;
    const processorSeconds = ((await vm.statistics()).cpuTimeNs - before.cpuTimeNs) / NS_PER_S;
    const packed = await lines.until(`@end ${fileName(index)}`, DEFAULT_LIMIT_SECONDS);
    const output = gunzipSync(Buffer.from(packed.join(""), "base64")).toString("latin1");
    yield { status: Number(/^@status (\d+)$/.exec(status)?.[1]), output, seconds, processorSeconds };
  }
  await lines.expect("@done");
}

/** The lines of a serial console, and a sentence with the last of them when they are not as expected. */
class LineReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #lines: string[] = [];
  readonly #last: string[] = [];
  #rest = "";

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  async next(limitSeconds = DEFAULT_LIMIT_SECONDS): Promise<string> {
    const stop = new AbortController();
    const late = delay(limitSeconds * 1000, "late" as const, { signal: stop.signal });
    // Whoever is no longer waited for must not complain that it was stopped.
    late.catch(() => undefined);
    try {
      while (this.#lines.length === 0) {
        const chunk = await Promise.race([this.#reader.read(), late]);
        if (chunk === "late") throw this.#failure(`the guest said nothing for ${limitSeconds} s`);
        if (chunk.value === undefined) throw this.#failure("the guest ended");
        this.#receive(Buffer.from(chunk.value).toString("latin1"));
      }
    } finally {
      stop.abort();
    }
    const line = this.#lines.shift() ?? "";
    this.#last.push(line);
    if (this.#last.length > LAST_LINES) this.#last.shift();
    return line;
  }

  async expect(wanted: string): Promise<void> {
    const line = await this.next();
    if (line !== wanted) throw this.#failure(`the guest did not say "${wanted}"`);
  }

  /** The lines before the wanted one. */
  async until(wanted: string, limitSeconds: number): Promise<string[]> {
    const before: string[] = [];
    for (;;) {
      const line = await this.next(limitSeconds);
      if (line === wanted) return before;
      before.push(line);
    }
  }

  #receive(text: string): void {
    const parts = (this.#rest + text).split("\n");
    this.#rest = parts.pop() ?? "";
    for (const part of parts) this.#lines.push(part.replace(/\r$/, ""));
  }

  #failure(what: string): Error {
    return new Error(`${what}; its last lines:\n${[...this.#last, this.#rest].join("\n")}`);
  }
}
