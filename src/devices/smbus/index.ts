/** What is on the chipset's SMBus. */

export type { I2cTarget } from "./i2c-target.ts";
export { memoryModules, MEMORY_SOCKETS, SPD_BYTES, SPD_FIRST_ADDRESS, SpdEeprom } from "./spd-eeprom.ts";
