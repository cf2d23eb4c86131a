/**
 * One VM: guest RAM, a board, a vCPU and the machine loop that runs them, with the lifecycle of lifecycle.ts. Created
 * in the state "ready" with its kernel in memory, so that everything that can be wrong with the files or the settings
 * is known before a guest instruction has run.
 *
 * All methods are called from the event loop, never from within a slice; bus callbacks only leave requests.
 */

import { NS_PER_S, ok } from "../base/index.ts";
import type { OperatorError, Result } from "../base/index.ts";
import { RamDma } from "../hw/index.ts";
import type { CodeProfileFinding, CodeProfileTask, CpuState, ReleasePages, VcpuExit } from "../hw/index.ts";
import type { Frame, TextScreen } from "../devices/vga/index.ts";
import {
  BOOT_ORDER,
  KVM_CPUID,
  loadKernel,
  readKernel,
  SLOT_MEMORY_BYTES,
  VIRTIO_DEVICES,
} from "../machine/index.ts";
import type {
  BoardConfig,
  BoardEquipment,
  BootFile,
  BootModule,
  BootProtocol,
  CaseButton,
  Connector,
  Decompressors,
  Drive,
  Share,
  VirtioDeviceName,
} from "../machine/index.ts";
import { createGuestRam } from "../memory/index.ts";
import type { GuestRam } from "../memory/index.ts";
import type { AcceleratorChoice, MeasuredVcpu } from "./accelerator.ts";
import type { Board } from "./board.ts";
import type { BootDefinition } from "./boot-settings.ts";
import { connectorsOf } from "./connectors.ts";
import { crashDump } from "./crash-dump.ts";
import type { CrashDump } from "./crash-dump.ts";
import { DrivesInUse } from "./drives-in-use.ts";
import type { FirmwareImages, FirmwareInUse } from "./firmware-in-use.ts";
import { GuestClock } from "./guest-clock.ts";
import { GuestMemoryView } from "./guest-memory.ts";
import type { GuestMemory } from "./guest-memory.ts";
import { HostRequests } from "./host-requests.ts";
import { giveInput } from "./key-input.ts";
import type { InputEvent } from "./key-input.ts";
import type { NetworkHost, NetworksInUse, NetworksInUseParts } from "./networks-in-use.ts";
import { MediaChanges } from "./media-changes.ts";
import type { MediaFiles, MediumChange } from "./media-changes.ts";
import { nextState } from "./lifecycle.ts";
import type { VmCommand, VmState } from "./lifecycle.ts";
import { MachineLoop } from "./machine-loop.ts";
import type { FailureReport, VmOutcome } from "./outcome.ts";
import type { HostTimer, Scheduling, TimeSliceLength } from "./scheduling.ts";
import { SerialChannel } from "./serial-channel.ts";
import type { SerialConsumer } from "./serial-channel.ts";
import type { VmStatistics } from "./statistics.ts";
import type { VmDefinition } from "./vm-definition.ts";

/** Seeds Linux's random number generator. */
const RNG_SEED_BYTES = 32;

export interface BootImages {
  readonly kernel: BootFile;
  /** The initial RAM disk first, if there is one. */
  readonly protocol: BootProtocol;
  readonly modules: readonly BootModule[];
  readonly commandLine: string;
}

export interface VirtualMachineParts {
  readonly definition: VmDefinition;
  /**
   * Reads the kernel's files, if a kernel is loaded directly; called again for every reset, so that they need not stay in
   * memory.
   */
  readonly readImages: () => Promise<Result<BootImages | undefined>>;
  /** Present if the definition has it. */
  readonly firmware?: FirmwareImages | undefined;
  /** They belong to the VM once it is created: it closes them when it has ended. */
  readonly drives: readonly Drive[];
  /** Those of media that are put into drives while the VM runs. */
  readonly mediaFiles: MediaFiles;
  /** Likewise; absent for none. */
  readonly shares?: readonly Share[] | undefined;
  /** What the definition's networks need; not asked for without any. */
  readonly networkHost: () => Promise<NetworkHost>;
  readonly decompressors: Decompressors;
  /** Makes what gives pages of guest RAM, all of which it is handed, back to the host; absent where that cannot be done. */
  readonly releaserOf?: ((ram: Uint8Array<SharedArrayBuffer>) => ReleasePages) | undefined;
  readonly accelerator: AcceleratorChoice;
  /** Loads what boards with this equipment are made of, and gives what builds one. */
  readonly prepareBoard: (equipment: BoardEquipment) => Promise<(config: BoardConfig) => Board>;
  readonly scheduling: Scheduling;
  /** Nanoseconds since 1970, UTC. */
  readonly wallClockNs: () => bigint;
  readonly entropy: (byteCount: number) => Uint8Array;
  readonly serial: SerialConsumer;
  /** Called when the guest has worked and now waits for long: the time to give memory back. */
  readonly tidyUp: () => void;
  /** Asks the host for time slices of this length for the calling thread, the VM's; it gives them if it can. */
  readonly preferTimeSlices: (length: TimeSliceLength) => void;
  /** What an earlier run of this kernel has learnt about its code, or that this one shall; undefined for neither. */
  readonly codeProfile: CodeProfileTask | undefined;
  /**
   * Called at most once, with what there is to say about the guest's code when it waits for long for the first time, its
   * boot being over, or when it ends by itself before.
   */
  readonly codeProfileFound: (found: CodeProfileFinding) => void;
}

/** What has been opened and loaded for a VM before it is built. */
interface PreparedParts {
  readonly ram: GuestRam;
  readonly firmware: FirmwareInUse | undefined;
  readonly createNetworks: ((parts: Omit<NetworksInUseParts, "host">) => NetworksInUse) | undefined;
  readonly createBoard: (config: BoardConfig) => Board;
}

/** What the guest asked for during a slice; the first request counts. */
type GuestRequest =
  | { readonly kind: "power-off" }
  | { readonly kind: "reset" }
  | { readonly kind: "processor-reset" }
  | { readonly kind: "debug-exit"; readonly value: number }
  /** A service of the built-in BIOS. */
  | { readonly kind: "firmware-call" };

export class VirtualMachine {
  readonly name: string;
  /** Resolves when the VM has ended, for whatever reason, and its drives are closed; never rejects. */
  readonly ended: Promise<VmOutcome>;
  readonly #parts: VirtualMachineParts;
  readonly #ram: GuestRam;
  readonly #clock: GuestClock;
  readonly #loop: MachineLoop;
  readonly #vcpu: MeasuredVcpu;
  readonly #board: Board;
  /** One for each connector that the machine has. */
  readonly #serial: ReadonlyMap<Connector, SerialChannel>;
  readonly #requests: HostRequests;
  readonly #drives: DrivesInUse;
  readonly #firmware: FirmwareInUse | undefined;
  readonly #media: MediaChanges;
  readonly #networks: NetworksInUse | undefined;
  readonly #dma: RamDma;
  readonly #guestMemory: GuestMemoryView | undefined;
  #resolveEnded: (outcome: VmOutcome) => void = () => undefined;
  #state: VmState = "ready";
  #request: GuestRequest | undefined;
  #lastExit: VcpuExit["kind"] | "none" = "none";
  #startedAtNs: number | undefined;
  #endedAtNs: number | undefined;
  #timeout: HostTimer | undefined;
  #resets = 0;
  #hasToldCodeProfile = false;
  #onStateChange: ((state: VmState) => void) | undefined;

  /** Checks everything, loads the kernel, and leaves the VM ready to start. */
  static async create(parts: VirtualMachineParts): Promise<Result<VirtualMachine>> {
    const firmware = await openFirmware(parts.firmware);
    if (!firmware.ok) return firmware;
    const ram = createGuestRam({
      sizeBytes: parts.definition.memorySizeBytes,
      reservedPrefixBytes: parts.accelerator.reservedPrefixBytes,
      slotMemoryBytes: SLOT_MEMORY_BYTES + (firmware.value?.sizeBytes ?? 0),
    });
    if (!ram.ok) return ram;
    const createBoard = await parts.prepareBoard(equipmentOf(parts));
    const networks = await prepareNetworks(parts);
    if (!networks.ok) return networks;
    const machine = new VirtualMachine(parts, {
      ...{ ram: ram.value, firmware: firmware.value, createNetworks: networks.value, createBoard },
    });
    const connected = (await machine.#networks?.open()) ?? ok(undefined);
    const ready = connected.ok ? await machine.#boot() : connected;
    if (ready.ok) return ok(machine);
    machine.#networks?.close();
    return ready;
  }

  private constructor(
    parts: VirtualMachineParts,
    { ram, firmware, createNetworks, createBoard }: PreparedParts,
  ) {
    this.name = parts.definition.name;
    this.#parts = parts;
    this.#ram = ram;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#clock = new GuestClock(parts.scheduling);
    this.#serial = new Map(
      connectorsOf(parts.definition).map((name) => [name, new SerialChannel(parts.serial, name)]),
    );
    this.#loop = new MachineLoop({
      clock: this.#clock,
      scheduling: parts.scheduling,
      betweenSlices: (exit) => this.#betweenSlices(exit),
      tidyUp: () => {
        this.#tellCodeProfile();
        parts.tidyUp();
      },
      preferTimeSlices: parts.preferTimeSlices,
    });
    this.#requests = new HostRequests({
      requested: () => this.#loop.expectHost("files", true),
      idle: () => this.#loop.expectHost("files", false),
    });
    this.#drives = new DrivesInUse(parts.drives, this.#requests);
    this.#firmware = firmware;
    this.#networks = createNetworks?.({
      vmName: parts.definition.name,
      definitions: parts.definition.networks,
      clock: this.#clock,
      timers: this.#loop.timers,
      wallClockNs: parts.wallClockNs,
      entropy: parts.entropy,
      expectHost: (isExpected) => this.#loop.expectHost("networks", isExpected),
    });
    this.#dma = new RamDma(
      ram,
      (gpa, lengthBytes) => this.#vcpu.memoryWritten(gpa, lengthBytes),
      parts.releaserOf?.(ram.bytes),
    );
    // The board needs the processor's pins and the processor the board's bus: the pins find the vCPU when used.
    this.#board = createBoard({
      ram,
      dma: this.#dma,
      clock: this.#clock,
      timers: this.#loop.timers,
      pins: {
        interrupt: { set: (level) => this.#setInterruptLine(level) },
        raiseNmi: () => {
          this.#vcpu.raiseNmi();
          this.#loop.wake();
        },
        setA20: (enabled) => this.#vcpu.setA20(enabled),
        setTaskPriority: (priorityClass) => this.#vcpu.setTaskPriority(priorityClass),
        setMemorySlot: (gpa, lengthBytes, slot) => this.#vcpu.setMemorySlot(gpa, lengthBytes, slot),
        memoryWritten: (offset, lengthBytes) => this.#vcpu.memoryWritten(offset, lengthBytes),
      },
      events: {
        powerOff: () => this.#ask({ kind: "power-off" }),
        reset: () => this.#ask({ kind: "reset" }),
        processorReset: () => this.#ask({ kind: "processor-reset" }),
        debugExit: (value) => this.#ask({ kind: "debug-exit", value }),
        firmwareCall: () => this.#ask({ kind: "firmware-call" }),
        serialOutput: (byte, connector) => this.#serial.get(connector)?.transmit(byte) ?? true,
      },
      wallClockNs: parts.wallClockNs,
      serialPortCount: parts.definition.serialPorts,
      hasParallelPort: parts.definition.devices.includes("isa-parallel"),
      hasDebugConsole: parts.definition.devices.includes("isa-debugcon"),
      hasDebugExit: parts.definition.devices.includes("isa-debug-exit"),
      drives: this.#drives.drives,
      networkCards: this.#networks?.cards ?? [],
      ...biosOf(parts.definition.boot, this.#drives),
      sharing: parts.shares && { shares: parts.shares, requests: this.#requests },
      ...(parts.definition.boot.kind === "firmware" && firmware !== undefined
        ? { firmware: firmware.config(parts.definition.boot.order) }
        : {}),
      virtio: {
        devices: virtioDevicesOf(parts.definition),
        offersPacked: parts.definition.virtioRing === "packed",
      },
      ...(parts.definition.devices.includes("i6300esb")
        ? { watchdogAction: parts.definition.watchdogAction }
        : {}),
      entropy: parts.entropy,
    });
    this.#media = new MediaChanges({
      definitions: parts.definition.drives,
      drives: this.#drives,
      removable: this.#board.removableDrives,
      files: parts.mediaFiles,
      isEnded: () => this.#state === "ended",
    });
    this.#vcpu = parts.accelerator.createVcpu({
      ram,
      clock: this.#clock,
      monotonicNs: () => parts.scheduling.nowNs(),
      tier: parts.definition.tier,
      cpu: parts.definition.cpu,
      entropy: parts.entropy,
      codeProfile: parts.codeProfile,
      bus: this.#board.bus,
      hypervisorLeaves: KVM_CPUID,
    });
    for (const channel of this.#serial.values()) channel.connect(this.#board);
    const { balloon } = this.#board;
    this.#guestMemory =
      balloon && new GuestMemoryView(balloon, parts.scheduling, () => this.#dma.releasedBytes);
  }

  get state(): VmState {
    return this.#state;
  }

  /** One listener, called after every change of {@link state}. */
  set onStateChange(listener: ((state: VmState) => void) | undefined) {
    this.#onStateChange = listener;
  }

  // Commands. Each throws WrongStateFault in a state that does not know it.

  start(): void {
    this.#enter("start");
    const { scheduling, definition } = this.#parts;
    const { timeoutSeconds: seconds } = definition;
    this.#startedAtNs = scheduling.nowNs();
    if (seconds !== undefined) {
      this.#timeout = scheduling.setTimer(seconds * NS_PER_S, () => this.#end({ kind: "timeout", seconds }));
    }
    this.#clock.start();
    this.#loop.run(this.#vcpu).catch((thrown: unknown) => this.#fail(thrown));
  }

  /** The guest's clock stands, and no guest code runs, from now until resume(). */
  pause(): void {
    this.#enter("pause");
    this.#clock.stop();
    this.#loop.hold("paused");
  }

  resume(): void {
    this.#enter("resume");
    this.#clock.start();
    this.#loop.release("paused");
  }

  /** Resolves when the kernel has been loaded again; a running guest then starts anew, a paused one on resume(). */
  async reset(): Promise<void> {
    this.#enter("reset");
    await this.#restart();
  }

  /** Ends the VM at once, without asking the guest. */
  stop(): void {
    this.#enter("stop");
    this.#end({ kind: "stopped" });
  }

  // Connectors: serial ports, of which the first is the console, and the printer's.

  /** Input for the guest; false, and nothing is taken, when SERIAL_INPUT_MAX_BYTES would be exceeded. */
  writeSerial(bytes: Uint8Array, connector: Connector = "com1"): boolean {
    return this.#state === "ended" || (this.#serial.get(connector)?.write(bytes) ?? true);
  }

  /** The consumer is done with `byteCount` bytes of the output it was given. */
  confirmSerial(byteCount: number, connector: Connector = "com1"): void {
    this.#serial.get(connector)?.confirm(byteCount);
  }

  textScreen(): TextScreen | undefined {
    return this.#board.textScreen();
  }

  /** What a monitor shows now, as pixels; undefined on a machine without a display. */
  frame(): Frame | undefined {
    return this.#board.frame();
  }

  /** Somebody types on the PC's keyboard, or moves its mouse; what its buffer has no room for is lost, as on a real one. */
  giveInput(inputs: readonly InputEvent[]): void {
    giveInput(this.#board, inputs);
  }

  pressButton(button: CaseButton): void {
    if (this.#state !== "ended") this.#board.pressButton(button);
  }

  /** Puts a medium into a drive, or takes it out, as "cdrom0" or "floppy1" name it. */
  async changeMedium(drive: string, change: MediumChange): Promise<Result<void>> {
    return await this.#media.change(drive, change);
  }

  /** Asks the guest to leave so much of its memory unused; without a balloon nothing comes of it. */
  setBalloon(sizeBytes: number): void {
    this.#guestMemory?.setTarget(sizeBytes);
  }

  /** What the guest tells of its memory; undefined without a balloon. */
  async guestMemory(): Promise<GuestMemory | undefined> {
    return await this.#guestMemory?.ask();
  }

  get statistics(): VmStatistics {
    const endNs = this.#endedAtNs ?? this.#parts.scheduling.nowNs();
    return {
      wallTimeNs: this.#startedAtNs === undefined ? 0 : endNs - this.#startedAtNs,
      guestTimeNs: this.#clock.nowNs(),
      execution: this.#vcpu.statistics,
      exits: this.#loop.exits,
      resets: this.#resets,
      networks: this.#networks?.statistics ?? [],
    };
  }

  /** Registers and surroundings of the processor as they are now. */
  dump(): CrashDump {
    return crashDump({
      ram: this.#ram,
      cpu: this.#vcpu.getState(),
      lastExit: this.#lastExit,
      instructionsRetired: this.#vcpu.instructionsRetired,
      guestTimeNs: this.#clock.nowNs(),
    });
  }

  /** A bug of ours was noticed outside the machine loop: ends the VM with a report. */
  fail(thrown: unknown): void {
    if (this.#state !== "ended") this.#fail(thrown);
  }

  #enter(command: VmCommand): void {
    const next = nextState(this.name, this.#state, command);
    if (next === this.#state || next === "ended") return;
    this.#become(next);
  }

  #become(state: VmState): void {
    this.#state = state;
    this.#onStateChange?.(state);
  }

  #setInterruptLine(level: boolean): void {
    this.#vcpu.setInterruptLine(level);
    if (level) this.#loop.wake();
  }

  /** From a bus callback: the request is carried out when the slice has come back. */
  #ask(request: GuestRequest): void {
    this.#request ??= request;
    this.#vcpu.requestExit();
  }

  #betweenSlices(exit: VcpuExit): void {
    this.#lastExit = exit.kind;
    for (const channel of this.#serial.values()) channel.move();
    const request = this.#request;
    this.#request = undefined;
    switch (request?.kind) {
      case "power-off":
        this.#tellCodeProfile();
        this.#end({ kind: "powered-off" });
        return;
      case "debug-exit":
        this.#tellCodeProfile();
        this.#end({ kind: "debug-exit", value: request.value });
        return;
      case "reset":
        this.#restart().catch((thrown: unknown) => this.#fail(thrown));
        return;
      case "processor-reset":
        this.#resetProcessor();
        return;
      case "firmware-call":
        this.#serveFirmware().catch((thrown: unknown) => this.#fail(thrown));
        return;
      case undefined:
        if (exit.kind === "shutdown") this.#tripleFault();
    }
  }

  #tripleFault(): void {
    // Programs for the 80286 leave protected mode by one.
    const isMeant = this.#parts.definition.tripleFault !== "end" || this.#board.resumesAfterReset;
    if (isMeant) this.#resetProcessor();
    else this.#end({ kind: "crashed", dump: this.dump() });
  }

  /** The processor alone is reset. Unless the guest has said where to go on, its firmware begins anew with all the machine. */
  #resetProcessor(): void {
    if (!this.#board.resumesAfterReset) {
      this.#restart().catch((thrown: unknown) => this.#fail(thrown));
      return;
    }
    this.#vcpu.init();
    this.#vcpu.setState(this.#board.resume(this.#vcpu.getState()));
    this.#loop.wake();
  }

  #tellCodeProfile(): void {
    if (this.#hasToldCodeProfile) return;
    this.#hasToldCodeProfile = true;
    const found = this.#vcpu.codeProfile();
    if (found !== undefined) this.#parts.codeProfileFound(found);
  }

  /** The vCPU stands still while a service of the firmware runs, and goes on with the state that it leaves. */
  async #serveFirmware(): Promise<void> {
    const served = this.#board.serveFirmware(this.#vcpu.getState());
    if (served === undefined) return;
    const resets = this.#resets;
    this.#loop.hold("firmware");
    const state = await served;
    // A machine that was reset meanwhile has begun anew.
    if (this.state === "ended" || this.#resets !== resets) return;
    this.#vcpu.setState(state);
    this.#loop.release("firmware");
  }

  async #restart(): Promise<void> {
    this.#loop.hold("restarting");
    this.#resets++;
    // What the guest has asked for before must not happen after what it asks for next.
    await this.#requests.idle();
    await this.#firmware?.flush();
    const booted = await this.#boot();
    if (this.state === "ended") return;
    if (!booted.ok) {
      this.#end({ kind: "host-error", error: booted.error });
      return;
    }
    this.#loop.release("firmware");
    this.#loop.release("restarting");
  }

  /**
   * Power-on state, in which firmware takes over, or a freshly loaded kernel. RAM keeps what the kernel does not overwrite,
   * as hardware does.
   */
  async #boot(): Promise<Result<void>> {
    const images = await this.#parts.readImages();
    if (!images.ok) return images;
    const kernel = images.value === undefined ? undefined : await this.#loadKernel(images.value);
    if (kernel?.ok === false) return kernel;
    if (kernel === undefined) this.#board.reset();
    this.#request = undefined;
    this.#vcpu.reset();
    if (kernel !== undefined) this.#vcpu.setState(kernel.value);
    return ok(undefined);
  }

  async #loadKernel(images: BootImages): Promise<Result<CpuState, OperatorError>> {
    const { decompressors, entropy } = this.#parts;
    const kernel = await readKernel(images.kernel, decompressors, images.protocol);
    if (!kernel.ok) return kernel;
    this.#board.reset();
    const { memoryMap, rsdpGpa } = this.#board;
    return loadKernel(this.#ram, kernel.value, {
      commandLine: images.commandLine,
      modules: images.modules,
      memoryMap,
      ...(rsdpGpa === undefined ? {} : { rsdpGpa }),
      screen: "vga-text",
      rngSeed: entropy(RNG_SEED_BYTES),
    });
  }

  #end(outcome: VmOutcome): void {
    if (this.#state === "ended") return;
    this.#clock.stop();
    this.#endedAtNs = this.#parts.scheduling.nowNs();
    this.#timeout?.cancel();
    this.#loop.finish();
    for (const channel of this.#serial.values()) channel.move();
    this.#become("ended");
    this.#networks?.close();
    void this.#closeFiles(outcome).then((final) => this.#resolveEnded(final));
  }

  /** The outcome, or that what the guest has written may be lost. */
  async #closeFiles(outcome: VmOutcome): Promise<VmOutcome> {
    try {
      const closed = [await this.#drives.close(), (await this.#firmware?.close()) ?? ok(undefined)];
      for (const { folder } of this.#parts.shares ?? []) await folder.close();
      const lost = closed.find((result) => !result.ok);
      if (lost === undefined || lost.ok || outcome.kind === "failed") return outcome;
      return { kind: "host-error", error: lost.error };
    } catch (thrown) {
      return { kind: "failed", report: this.#failureReport(thrown) };
    }
  }

  #fail(thrown: unknown): void {
    this.#end({ kind: "failed", report: this.#failureReport(thrown) });
  }

  #failureReport(thrown: unknown): FailureReport {
    const reason = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    try {
      return { reason, dump: this.dump() };
    } catch {
      return { reason, dump: undefined };
    }
  }
}

const virtioDevicesOf = ({ devices }: VmDefinition): readonly VirtioDeviceName[] =>
  VIRTIO_DEVICES.filter((name) => devices.includes(name));

function equipmentOf({ definition, drives, shares = [] }: VirtualMachineParts): BoardEquipment {
  const { boot, devices, networks } = definition;
  return {
    driveBuses: drives.map(({ bus }) => bus),
    virtioDevices: virtioDevicesOf(definition),
    networkCards: networks.map(({ card }) => card),
    hasShares: shares.length > 0,
    hasWatchdog: devices.includes("i6300esb"),
    hasBios: boot.kind !== "firmware",
    hasFirmware: boot.kind === "firmware",
  };
}

// What not every VM has is loaded only for those that do.

async function openFirmware(images: FirmwareImages | undefined): Promise<Result<FirmwareInUse | undefined>> {
  if (images === undefined) return ok(undefined);
  const { FirmwareInUse } = await import("./firmware-in-use.ts");
  return await FirmwareInUse.open(images);
}

/** With the files of captures open. */
async function prepareNetworks({
  definition,
  networkHost,
}: VirtualMachineParts): Promise<Result<PreparedParts["createNetworks"]>> {
  if (definition.networks.length === 0) return ok(undefined);
  const { NetworksInUse, openCaptures } = await import("./networks-in-use.ts");
  const host = await networkHost();
  const captures = openCaptures(definition.networks, host);
  return captures.ok ? ok((parts) => new NetworksInUse({ ...parts, host }, captures.value)) : captures;
}

/** The built-in BIOS, which kernels that are loaded directly have, too: some go back to real mode to call it. */
function biosOf(boot: BootDefinition, inUse: DrivesInUse): Pick<BoardConfig, "bios"> {
  if (boot.kind === "firmware") return {};
  const bootOrder = boot.kind === "bios" ? boot.order : BOOT_ORDER;
  const { drives } = inUse;
  const diskettes = drives.flatMap(({ medium }, index) => (medium === "floppy" ? [inUse.medium(index)] : []));
  const disks = drives.filter(({ medium }) => medium === "disk").map(({ device }) => device);
  return { bios: { diskettes, disks, bootOrder } };
}
