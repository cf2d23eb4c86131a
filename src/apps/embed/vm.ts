/** One VM as a program sees it. */

import { waitForScreen, waitForSerial } from "../../host/index.ts";
import type { VmEnding, VmHandle, VmSample } from "../../host/index.ts";
import { nodeScheduling } from "../../platform/node/index.ts";
import { parseVmDefinition, PRINTER_CONNECTOR, textLines, VM_SETTINGS } from "../../vmm/index.ts";
import type {
  CaseButton,
  Connector,
  DriveInput,
  GuestMemory,
  KeyInput,
  PointerInput,
  VmDefinitionInput,
  VmState,
} from "../../vmm/index.ts";
import { createVmHandle } from "../code-profiles.ts";
import { spawnVm } from "../spawn-vm.ts";
import { VmPort } from "./vm-port.ts";
import { startVncServer } from "../vnc/vnc-server.ts";
import type { VncServer } from "../vnc/vnc-server.ts";
import { VmError, vmErrorOf, withVmErrors } from "./vm-error.ts";

/**
 * What to start. A `kernel` or a drive is needed; the others default as on the command line: `name`, `initrd`, `module`,
 * `append`, `memory` (a number is bytes, a text may be "256M"), `disk` ("FILE,readonly" or `{ file, readonly: true }`), `boot` ("cdrom,disk"),
 * `share` (`{ folder, tag: "host", writable: true }`), `cpu` ("v2,-sse4_2"), `tier`, `profile`, `timeout` (seconds), `device`.
 */
export type VmOptions = VmDefinitionInput;

export interface WaitOptions {
  /** Milliseconds; without it the wait lasts as long as the VM. */
  readonly timeoutMs?: number | undefined;
}

export interface VncOptions {
  readonly address?: string | undefined;
  readonly port?: number | undefined;
  readonly path?: string | undefined;
  readonly password?: string | undefined;
}

/** How often the text screen is looked at while somebody waits for it. */
const SCREEN_LOOK_MS = 100;

/** Starts a VM in a process of its own. Rejects with a {@link VmError} before any guest code has run. */
export async function startVm(options: VmOptions): Promise<Vm> {
  return await startVmIn(spawnVm, options);
}

/** The same with another program as the VM's process: for tests. */
export async function startVmIn(spawn: typeof spawnVm, options: VmOptions): Promise<Vm> {
  const definition = parseVmDefinition(options);
  if (!definition.ok) throw vmErrorOf(definition.error);
  const link = spawn();
  const created = await createVmHandle({ definition: definition.value, link });
  if (!created.ok) throw vmErrorOf(created.error);
  await withVmErrors(created.value.start());
  return new Vm(created.value);
}

/** Disposing of it (`await using`) stops the VM. */
export class Vm implements AsyncDisposable {
  readonly #handle: VmHandle;
  readonly #ports = new Map<Connector, VmPort>();

  constructor(handle: VmHandle) {
    this.#handle = handle;
  }

  get name(): string {
    return this.#handle.name;
  }

  get state(): VmState {
    return this.#handle.state;
  }

  /** Identifier of the VM's process; undefined when it could not be started. */
  get pid(): number | undefined {
    return this.#handle.pid;
  }

  /** Resolves when the VM has ended, with the reason; never rejects. */
  get ended(): Promise<VmEnding> {
    return this.#handle.ended.then(({ outcome }) => outcome);
  }

  /**
   * Output of the first serial port, beginning with the last 64 KiB of what was said before this was first asked for;
   * it closes when the VM ends. From the first use on the guest waits while nobody reads: read it, or leave it alone.
   */
  get serial(): ReadableStream<Uint8Array> {
    return this.#port("com1").output;
  }

  /** COM1 to COM4 by number; there are as many as `"serial-ports"` says. The first is also {@link serial} and {@link write}. */
  serialPort(number: 1 | 2 | 3 | 4): VmPort {
    return this.#port(`com${number}`);
  }

  /** What the guest prints, with `device: ["isa-parallel"]`. */
  get printer(): ReadableStream<Uint8Array> {
    return this.#port(PRINTER_CONNECTOR).output;
  }

  /** Resolves when all of `input` is on its way to the guest's first serial port. */
  async write(input: string | Uint8Array): Promise<void> {
    await this.#port("com1").write(input);
  }

  /**
   * Resolves when the first serial port has said `wanted`, with the text or what the pattern matched. The last 64 KiB
   * of output count from the start of the VM, so that nothing is missed; say a pattern that fits only what is meant.
   */
  async waitFor(wanted: string | RegExp, options: WaitOptions = {}): Promise<string> {
    return unwrapped(await waitForSerial(this.#handle, wanted, nodeScheduling, options));
  }

  /** The same for the VGA text screen; lines are separated by newlines. */
  async waitForScreen(wanted: string | RegExp, options: WaitOptions = {}): Promise<string> {
    this.#handle.observe({ sampleEveryMs: undefined, screenEveryMs: SCREEN_LOOK_MS });
    const found = await waitForScreen(this.#handle, wanted, nodeScheduling, options);
    this.#handle.observe({ sampleEveryMs: undefined, screenEveryMs: undefined });
    return unwrapped(found);
  }

  /** What the monitor shows now, text or graphics, as a PNG file. */
  async screenshot(): Promise<Uint8Array> {
    const png = await this.#handle.screenshot();
    if (png === undefined) throw new VmError("ended", `The VM ${this.name} has ended: its screen is off.`);
    return png;
  }

  /** The characters of the text screen, a line for each row without trailing blanks; an error while it shows no text. */
  async screenText(): Promise<string> {
    const screen = await this.#handle.readTextScreen();
    if (screen !== undefined) return textLines(screen).join("\n");
    if (this.state === "ended")
      throw new VmError("ended", `The VM ${this.name} has ended: its screen is off.`);
    throw new VmError(
      "wrong-state",
      `The screen of the VM ${this.name} shows no text now: it is in a graphics mode, or off; screenshot() has its picture.`,
    );
  }

  /**
   * Shows the screen to VNC viewers, and takes their keys and movements of the mouse, until released or until the VM has ended:
   * on 127.0.0.1 at `port` or the first free one from 5900 on, at another `address`, or at the unix socket `path`. Without a
   * `password`, of up to 8 characters, only this host is let in.
   */
  async vnc({ address = "127.0.0.1", port, path, password }: VncOptions = {}): Promise<VncServer> {
    const target =
      path === undefined ? ({ kind: "tcp", address, port } as const) : ({ kind: "unix", path } as const);
    const server = await startVncServer(this.#handle, target, password);
    if (!server.ok) throw vmErrorOf(server.error);
    return server.value;
  }

  /**
   * Puts an image into the drive "cdrom0" or "floppy0" (the first of its kind, and so on), in the place of what is there. Files
   * are as `cdrom` and `floppy` take them.
   */
  async insertMedium(drive: string, medium: string | DriveInput): Promise<void> {
    const setting = drive.startsWith("floppy") ? VM_SETTINGS.floppies : VM_SETTINGS.cdroms;
    const parsed = setting.parse(medium);
    if (!parsed.ok) throw vmErrorOf(parsed.error);
    const [definition] = parsed.value;
    if (definition === undefined) throw new VmError("bad-option", "There is no medium to insert.");
    const { file, isReadOnly, isTemporary } = definition;
    const change = { kind: "insert", medium: { file, isReadOnly, isTemporary } } as const;
    await withVmErrors(this.#handle.changeMedium(drive, change));
  }

  /** Takes the medium out; one that the guest has locked in only with `force`. */
  async ejectMedium(drive: string, { force = false }: { readonly force?: boolean } = {}): Promise<void> {
    await withVmErrors(this.#handle.changeMedium(drive, { kind: "eject", isForced: force }));
  }

  /** Moves the mouse, turns its wheel and holds its buttons as given. */
  movePointer(input: Omit<PointerInput, "kind">): void {
    if (this.state === "ended")
      throw new VmError("ended", `The VM ${this.name} has ended: it takes no input.`);
    this.#handle.giveInput([{ kind: "pointer", ...input }]);
  }

  /**
   * Asks the guest to leave so much of its memory unused, in whole pages, as far as it can; 0 gives all back. Needs
   * `device: ["virtio-balloon"]` and a driver. What is in the balloon goes back to the host if that is Linux, with
   * Node.js 26; elsewhere it only limits the guest.
   */
  setBalloon(sizeBytes: number): void {
    this.#needBalloon();
    const { memorySizeBytes } = this.#handle.definition;
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || sizeBytes > memorySizeBytes)
      throw new VmError("bad-option", `A balloon has 0 to ${memorySizeBytes} bytes; ${sizeBytes} are not.`);
    this.#handle.setBalloon(sizeBytes);
  }

  /**
   * What the guest tells of its memory, and the size of its balloon; needs `device: ["virtio-balloon"]`. A guest that has no
   * driver for it, is paused, or does not answer within a second has no `statistics`.
   */
  async guestMemory(): Promise<GuestMemory> {
    this.#needBalloon();
    const memory = await this.#handle.guestMemory();
    if (memory === undefined) throw new VmError("ended", `The VM ${this.name} has ended: it has no memory.`);
    return memory;
  }

  /** Stops guest code and the guest's clock. */
  async pause(): Promise<void> {
    await withVmErrors(this.#handle.pause());
  }

  async resume(): Promise<void> {
    await withVmErrors(this.#handle.resume());
  }

  /** As the reset button does: the kernel is loaded and entered anew. */
  async reset(): Promise<void> {
    await withVmErrors(this.#handle.reset());
  }

  /** Types on the PC's keyboard; what its buffer has no room for is lost, as on a real one. */
  typeKeys(inputs: readonly KeyInput[]): void {
    if (this.state === "ended")
      throw new VmError("ended", `The VM ${this.name} has ended: it takes no input.`);
    this.#handle.giveInput(inputs);
  }

  /**
   * Presses a button of the PC's case: at the power button an ACPI guest shuts down, at the sleep button it looks for a way to
   * sleep, of which this PC has none.
   */
  pressButton(button: CaseButton): void {
    if (this.state === "ended") throw new VmError("ended", `The VM ${this.name} has ended: it is off.`);
    this.#handle.pressButton(button);
  }

  /** Ends the VM without asking the guest; does nothing when it has ended. */
  async stop(): Promise<VmEnding> {
    return (await withVmErrors(this.#handle.stop())).outcome;
  }

  /** What the VM has done and what its process has used, up to now or up to its end. */
  async statistics(): Promise<VmSample> {
    const sample = await this.#handle.measure();
    if (sample === undefined) throw new VmError("process-died", `The VM ${this.name} has lost its process.`);
    return sample;
  }

  #needBalloon(): void {
    if (!this.#handle.definition.devices.includes("virtio-balloon"))
      throw new VmError(
        "bad-option",
        `The VM ${this.name} has no balloon: it needs the device virtio-balloon.`,
      );
    if (this.state === "ended")
      throw new VmError("ended", `The VM ${this.name} has ended: it has no memory.`);
  }

  #port(connector: Connector): VmPort {
    const console = this.#handle.console(connector);
    if (console === undefined)
      throw new VmError("bad-option", `The VM ${this.name} has no port ${connector.toUpperCase()}.`);
    const port = this.#ports.get(connector) ?? new VmPort(this.#handle, console);
    this.#ports.set(connector, port);
    return port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function unwrapped(found: Awaited<ReturnType<typeof waitForSerial>>): string {
  if (!found.ok) throw vmErrorOf(found.error);
  return found.value;
}
