/** PS/2 keyboard, mouse and their controller. */

export { I8042, I8042_COMMAND_OFFSET, I8042_DATA_OFFSET } from "./i8042.ts";
export type { I8042Config } from "./i8042.ts";
export type { Ps2Device } from "./ps2-device.ts";
export { MAX_PENDING_KEY_EVENTS, Ps2Keyboard, TYPED_KEY_NS } from "./ps2-keyboard.ts";
export type { KeyboardLeds } from "./ps2-keyboard.ts";
export { Ps2Mouse } from "./ps2-mouse.ts";
export type { MouseButtons } from "./ps2-mouse.ts";
export { isKeyCode, KEY_CODES, keyOfScanCode } from "./scan-codes.ts";
export type { KeyCode } from "./scan-codes.ts";
export { isTypeable, usKeyStroke } from "./us-layout.ts";
export type { KeyStroke } from "./us-layout.ts";
