/** One virtual machine: its definition, its lifecycle, and the loop that runs it. */

export type { MemoryStatistics } from "../devices/virtio/balloon/index.ts";
export {
  CODE_PAGE_437,
  FRAME_HEIGHT_MAX,
  FRAME_WIDTH_MAX,
  MAX_TEXT_COLUMNS,
  MAX_TEXT_ROWS,
  textLines,
} from "../devices/vga/index.ts";
export type { Frame, TextScreen } from "../devices/vga/index.ts";
export { isKeyCode, isTypeable, keyOfScanCode, usKeyStroke } from "../devices/ps2/index.ts";
export type { KeyCode, KeyStroke } from "../devices/ps2/index.ts";
export { CODE_PROFILE_BLOCKS_MAX } from "../hw/index.ts";
export type { CodeProfile, CodeProfileFinding, CodeProfileTask } from "../hw/index.ts";
export { CONNECTORS, prepareBoard, PRINTER_CONNECTOR, SERIAL_CONNECTORS } from "../machine/index.ts";
export type { CaseButton, Connector, Drive, SerialConnector, Share } from "../machine/index.ts";
export type { AcceleratorChoice, ExecutionStatistics, MeasuredVcpu } from "./accelerator.ts";
export type { Board } from "./board.ts";
export type { DriveDefinition, DriveInput } from "./drive-settings.ts";
export type { FirmwareKernelFiles } from "./boot-settings.ts";
export { firmwareKernelProblem, firmwareProblem, variablesProblem, vgaBiosProblem } from "./boot-settings.ts";
export { formatCrashDump } from "./crash-dump.ts";
export type { CrashDump } from "./crash-dump.ts";
export type { FirmwareImages } from "./firmware-in-use.ts";
export type { GuestMemory } from "./guest-memory.ts";
export { GuestClock } from "./guest-clock.ts";
export { chordInputs, KEY_INPUTS_MAX, textInput, TYPED_TEXT_MAX_CHARACTERS } from "./key-input.ts";
export type { InputEvent, KeyInput, PointerInput } from "./key-input.ts";
export { findRemovableDrive, removableDriveNames } from "./media-changes.ts";
export type { MediaFiles, MediumChange, MediumDefinition, RemovableDriveName } from "./media-changes.ts";
export { WrongStateFault } from "./lifecycle.ts";
export type { VmCommand, VmState } from "./lifecycle.ts";
export { moduleFile } from "./module-file.ts";
export { MachineLoop } from "./machine-loop.ts";
export type { ExitCounts } from "./machine-loop.ts";
export type { NetworkDefinition, NetworkInput } from "./network-settings.ts";
export type { NetworkHost } from "./networks-in-use.ts";
export { debugExitStatus } from "./outcome.ts";
export type { FailureReport, VmOutcome } from "./outcome.ts";
export type { HostTimer, Scheduling } from "./scheduling.ts";
export {
  SERIAL_INPUT_MAX_BYTES,
  SERIAL_OUTPUT_SLACK_BYTES,
  SERIAL_OUTPUT_WINDOW_BYTES,
} from "./serial-channel.ts";
export type { SerialConsumer } from "./serial-channel.ts";
export type { Setting, SettingError } from "./settings.ts";
export type { ShareDefinition, ShareInput } from "./share-settings.ts";
export type { VmStatistics } from "./statistics.ts";
export { VirtualMachine } from "./virtual-machine.ts";
export type { BootImages, VirtualMachineParts } from "./virtual-machine.ts";
export { connectorsOf } from "./connectors.ts";
export { MAX_MODULES, parseVmDefinition, VM_SETTINGS } from "./vm-definition.ts";
export type { VmDefinition, VmDefinitionInput } from "./vm-definition.ts";
