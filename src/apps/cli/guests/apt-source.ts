/**
 * Packages through the machine's own apt-get, without root and without touching its state (apt.conf(5)): the
 * configured sources, keys, proxies and pins are used, while lists, cache and dpkg status stand in a private
 * folder, and the architectures are amd64 and i386 whatever the machine is.
 *
 * apt verifies signatures and checksums; the checksum of every package is verified again by the caller.
 */
import { mkdir, readdir, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MiB } from "../../../base/index.ts";
import { findPackage } from "../../../host/index.ts";
import type { DebianArchitecture, PackageOrigin, PackageRecord } from "../../../host/index.ts";
import { ImageFault, orThrow } from "./host-error.ts";
import type { PackageSource, SourceOptions } from "./package-source.ts";
import { runProgram } from "./run-program.ts";
import type { ProgramOptions, ProgramOutput } from "./run-program.ts";

/**
 * Lists of two architectures, apt's caches over them and the largest package take about 230 MiB. It is asked for
 * beforehand, because apt retries a full disk for minutes before it says so.
 */
const MIN_FREE_BYTES = 300 * MiB;

/** Whether this machine has apt-get. */
export async function hasApt(): Promise<boolean> {
  const output = await runProgram("apt-get", ["--version"]);
  return output?.status === 0;
}

export class AptSource implements PackageSource {
  readonly origin: PackageOrigin = { kind: "apt" };
  readonly #options: SourceOptions;
  readonly #configPath: string;
  /** What `apt-get update` complained about; it explains a package that is then not found. */
  #updateComplaint: string | undefined;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#configPath = join(options.workFolder, "apt.conf");
  }

  async open(): Promise<void> {
    const { workFolder, report } = this.#options;
    const { bavail, bsize } = await statfs(workFolder);
    if (bavail * bsize < MIN_FREE_BYTES) throw diskFull(workFolder);
    await mkdir(join(workFolder, "lists", "partial"), { recursive: true });
    await mkdir(join(workFolder, "cache", "archives", "partial"), { recursive: true });
    await writeFile(join(workFolder, "status"), "");
    await writeFile(this.#configPath, aptConfig(workFolder));

    report({ kind: "step", text: "updating package lists with apt-get" });
    const update = await this.#run("apt-get", ["update"]);
    this.#updateComplaint = complaintOf(update);
    if (update.status === 0) return;
    if (isDiskFull(update)) throw diskFull(workFolder);
    // One unreachable or half-updated source must not stop a fetch that the others can serve.
    const text = `apt-get could not update every package list (${this.#updateComplaint ?? "no reason given"})`;
    report({ kind: "warning", text });
  }

  async find(name: string, architecture: DebianArchitecture, exactVersion?: string): Promise<PackageRecord> {
    const versions = exactVersion === undefined ? ["--no-all-versions"] : ["--all-versions"];
    const shown = await this.#run("apt-cache", ["show", ...versions, `${name}:${architecture}`]);
    const record = orThrow(findPackage(shown.stdout, name, exactVersion));
    if (record !== undefined) return record;
    const cause =
      this.#updateComplaint === undefined ? "" : `; apt-get update said: ${this.#updateComplaint}`;
    const version = exactVersion === undefined ? "" : ` ${exactVersion}`;
    throw new ImageFault(
      "package-not-found",
      `the apt sources of this machine have no package ${name}:${architecture}${version}` +
        `${cause}; --mirror URL takes it from a Debian mirror instead`,
    );
  }

  async download(record: PackageRecord): Promise<string> {
    const folder = join(this.#options.workFolder, "debs", `${record.name}_${record.architecture}`);
    await mkdir(folder, { recursive: true });
    const wanted = `${record.name}:${record.architecture}=${record.version}`;
    const onStatusLine = (line: string): void => this.#reportTransfer(line, record.digest.sizeBytes);
    const args = ["-o", "APT::Status-Fd=3", "download", wanted];
    const output = await this.#run("apt-get", args, { cwd: folder, onStatusLine });
    if (output.status !== 0) {
      if (isDiskFull(output)) throw diskFull(folder);
      const reason = complaintOf(output) ?? `exit status ${output.status}`;
      throw new ImageFault("network", `apt-get could not download ${wanted}: ${reason}`);
    }
    const name = (await readdir(folder)).find((file) => file.endsWith(".deb"));
    if (name === undefined) throw new ImageFault("apt-failed", `apt-get downloaded no file for ${wanted}`);
    return join(folder, name);
  }

  /** A status line of a download is "dlstatus:ITEM:PERCENT:TEXT" (apt's README.progress-reporting). */
  #reportTransfer(line: string, totalBytes: number): void {
    const percent = /^dlstatus:\d+:([\d.]+):/.exec(line)?.[1];
    if (percent === undefined) return;
    const receivedBytes = Math.min(totalBytes, Math.round((Number(percent) / 100) * totalBytes));
    this.#options.report({ kind: "transfer", receivedBytes, totalBytes });
  }

  async #run(program: string, args: readonly string[], options: ProgramOptions = {}): Promise<ProgramOutput> {
    const { signal } = this.#options;
    const output = await runProgram(program, ["-c", this.#configPath, ...args], { ...options, signal });
    if (output === undefined) throw new ImageFault("apt-failed", `${program} cannot be started`);
    return output;
  }
}

/**
 * Read with -c, after the machine's own configuration, because that is the only place from which its hooks can be
 * cleared: they would clean or index the system's apt folders, which this run neither uses nor may write.
 */
function aptConfig(folder: string): string {
  const path = (...parts: string[]): string => JSON.stringify(join(folder, ...parts));
  return `#clear APT::Architectures;
APT::Architecture "amd64";
APT::Architectures { "amd64"; "i386"; };
Dir::State ${path()};
Dir::State::lists ${path("lists")};
Dir::State::status ${path("status")};
Dir::State::extended_states ${path("extended_states")};
Dir::Cache ${path("cache")};
Dir::Cache::archives ${path("cache", "archives")};
Dir::Cache::pkgcache ${path("cache", "pkgcache.bin")};
Dir::Cache::srcpkgcache ${path("cache", "srcpkgcache.bin")};
// Root would otherwise download as user _apt, who cannot write into a private folder.
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::IndexTargets::deb-src::Sources::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons-hidpi::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons-large::DefaultEnabled "false";
Acquire::IndexTargets::deb::CNF::DefaultEnabled "false";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
`;
}

/** The first error that apt printed, on one line; else its first warning. */
function complaintOf(output: ProgramOutput): string | undefined {
  const lines = output.stderr.split("\n");
  const line = lines.find((text) => text.startsWith("E: ")) ?? lines.find((text) => text.startsWith("W: "));
  return line?.slice(3).trim().replace(/\.$/, "");
}

function isDiskFull(output: ProgramOutput): boolean {
  return /No space left on device|enough free space/i.test(output.stderr);
}

function diskFull(folder: string): ImageFault {
  return new ImageFault(
    "disk-full",
    `the disk that holds ${folder} is full: a fetch through apt-get needs ${MIN_FREE_BYTES / MiB} MiB free there`,
  );
}
