/** Tables by which firmware describes the machine, beside ACPI's. */

export { buildMpTable, MP_TABLE_BYTES_MAX } from "./mp-table.ts";
export { buildSmbios, SMBIOS_BYTES_MAX } from "./smbios.ts";
