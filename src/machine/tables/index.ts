/** Tables by which firmware describes the machine, beside ACPI's. */

export { buildInterruptRouting, INTERRUPT_ROUTING_BYTES_MAX, routingEntries } from "./interrupt-routing.ts";
export { buildMpTable, MP_TABLE_BYTES_MAX } from "./mp-table.ts";
export { buildSmbios, ENTRY_POINT_BYTES, SMBIOS_BYTES_MAX, SMBIOS_ENTRY_BYTES } from "./smbios.ts";
