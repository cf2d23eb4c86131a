/**
 * The settings of disks, CD-ROMs and diskettes: `FILE[,format=raw][,bus=BUS][,readonly][,temporary]` on a command line, an object with
 * the same names from a program. What a bus can carry is said here once, so that help, validation and board agree.
 */

import { ok } from "../base/index.ts";
import type { Result } from "../base/index.ts";
import { DRIVES_MAX, DRIVES_PER_BUS } from "../machine/index.ts";
import type { DriveBus } from "../machine/index.ts";
import { parseRecordText } from "./record-text.ts";
import { wrong } from "./settings.ts";
import type { Setting, SettingError } from "./settings.ts";

/** Buses that carry disks, the default first, and those that carry CD-ROMs; a setting without a bus does not exist. */
const DISK_BUSES: readonly DriveBus[] = ["nvme", "virtio", "ide"];
const CDROM_BUSES: readonly DriveBus[] = ["ide"];
const FLOPPY_BUSES: readonly DriveBus[] = ["floppy"];
const DISK_FORMATS = ["raw"] as const;

export interface DriveDefinition {
  readonly medium: "disk" | "cdrom" | "floppy";
  readonly file: string;
  readonly format: (typeof DISK_FORMATS)[number];
  readonly bus: DriveBus;
  /** The guest cannot write. */
  readonly isReadOnly: boolean;
  /** What the guest writes stays in memory. */
  readonly isTemporary: boolean;
}

/** A drive as a program writes it. */
export interface DriveInput {
  readonly file: string;
  readonly format?: string | undefined;
  readonly bus?: string | undefined;
  readonly readonly?: boolean | undefined;
  readonly temporary?: boolean | undefined;
}

type DriveSetting<Option extends string> = Setting<
  readonly DriveDefinition[],
  readonly (string | DriveInput)[] | string | DriveInput,
  Option
>;

export const diskSetting = (buses = DISK_BUSES): DriveSetting<"disk"> =>
  driveSetting({
    option: "disk",
    medium: "disk",
    buses,
    keys: ["file", "format", "bus", "readonly", "temporary"],
    placeholder: `FILE[,format=raw][,bus=${buses.join("|")}][,readonly][,temporary]`,
    help:
      "disk in a file or block device; what is written to a temporary one stays in memory; a comma in FILE is " +
      "written twice; may be repeated",
  });

export const cdromSetting = (buses = CDROM_BUSES): DriveSetting<"cdrom"> =>
  driveSetting({
    option: "cdrom",
    medium: "cdrom",
    buses,
    keys: ["file", "bus"],
    placeholder: "FILE",
    help: "CD-ROM drive with the disc of an ISO image; may be repeated",
  });

export const floppySetting = (): DriveSetting<"floppy"> =>
  driveSetting({
    option: "floppy",
    medium: "floppy",
    buses: FLOPPY_BUSES,
    keys: ["file", "readonly", "temporary"],
    placeholder: "FILE[,readonly][,temporary]",
    help: "diskette drive with an image of 160 K to 2.88 M; twice for two drives",
  });

/** What is wrong with the drives of a VM together. */
export function problemOfDrives(drives: readonly DriveDefinition[]): SettingError | undefined {
  const isFull = (bus: DriveBus): boolean =>
    drives.filter((drive) => drive.bus === bus).length > DRIVES_PER_BUS[bus];
  const full = drives.find(({ bus }) => isFull(bus));
  if (drives.filter(({ medium }) => medium !== "floppy").length > DRIVES_MAX)
    return wrong("disk", `and CD-ROMs may be at most ${DRIVES_MAX} together`).error;
  if (full === undefined) return undefined;
  return wrong(full.medium, `for ${full.file} has no place: bus=${full.bus} has ${DRIVES_PER_BUS[full.bus]}`)
    .error;
}

interface DriveSettingSpec<Option extends string> {
  readonly option: Option;
  readonly medium: DriveDefinition["medium"];
  readonly buses: readonly DriveBus[];
  readonly keys: readonly string[];
  readonly placeholder: string;
  readonly help: string;
}

function driveSetting<const Option extends string>(spec: DriveSettingSpec<Option>): DriveSetting<Option> {
  const { option, placeholder, help, buses } = spec;
  return {
    option,
    placeholder,
    help,
    defaultText: undefined,
    isList: true,
    isHidden: buses.length === 0,
    parse(value: unknown = []) {
      const given: unknown[] = Array.isArray(value) ? value : [value];
      if (given.length > 0 && buses.length === 0) return wrong(option, "has no controller to be on");
      if (given.length > DRIVES_MAX) return wrong(option, `may be given at most ${DRIVES_MAX} times`);
      const drives: DriveDefinition[] = [];
      for (const item of given) {
        const drive = parseDrive(item, spec);
        if (!drive.ok) return drive;
        drives.push(drive.value);
      }
      return ok(drives);
    },
  };
}

function parseDrive(
  item: unknown,
  { option, medium, buses, keys }: DriveSettingSpec<string>,
): Result<DriveDefinition, SettingError> {
  const given = typeof item === "string" ? parseRecordText(item, "file") : item;
  const fields = new Map<string, unknown>(Object.entries(given ?? {}));
  const file = fields.get("file");
  if (typeof file !== "string" || file === "") return wrong(option, "must name a file");
  const refuse = (problem: string): Result<never, SettingError> => wrong(option, `for ${file} ${problem}`);
  const unknown = [...fields.keys()].find((key) => !keys.includes(key));
  if (unknown !== undefined) return refuse(`knows no "${unknown}"; there are ${keys.join(", ")}`);
  const format = chosen(fields.get("format"), DISK_FORMATS);
  if (format === undefined) return refuse(`must have format=${DISK_FORMATS.join("|")}`);
  const bus = chosen(fields.get("bus"), buses);
  if (bus === undefined) return refuse(`must have bus=${buses.join("|")}`);
  const isReadOnly = fields.get("readonly") ?? medium === "cdrom";
  const isTemporary = fields.get("temporary") ?? false;
  if (typeof isReadOnly !== "boolean" || typeof isTemporary !== "boolean")
    return refuse("has readonly and temporary without a value, or as true or false in a program");
  if (isReadOnly && isTemporary) return refuse("cannot be readonly and temporary at once");
  return ok({ medium, file, format, bus, isReadOnly, isTemporary });
}

/** The first choice when nothing was said, undefined when it is none of them. */
function chosen<Choice extends string>(value: unknown, choices: readonly Choice[]): Choice | undefined {
  return value === undefined ? choices[0] : choices.find((choice) => choice === value);
}
