/** ACPI tables from the platform description. */

export { SLEEP_TYPE_S5 } from "./dsdt.ts";
export { PC_FLOPPY_CONTROLLER, PC_PARALLEL_PORT, PC_PLATFORM, PC_SERIAL_PORTS } from "./platform.ts";
export type {
  FloppyControllerDescription,
  IsaInterruptOverride,
  PlatformDescription,
  SerialPortDescription,
} from "./platform.ts";
export { buildAcpiTables, MAX_ACPI_BYTES, MAX_PROCESSORS } from "./tables.ts";
export type { AcpiTable, AcpiTables } from "./tables.ts";
export { ACPI_LOADER_FILES, acpiLoaderFiles } from "./table-loader.ts";
export type { AcpiLoaderFiles } from "./table-loader.ts";
