/**
 * What INT 16h returns for each key of scan code set 1: the scan code in the high byte, the character in the low one,
 * plain and with shift, control and alt (IBM PS/2 and PC BIOS Interface Technical Reference, INT 16h; "extended keyboard
 * functions" for the keys that only an enhanced keyboard has). -1: the combination gives nothing.
 */

const NONE = -1;

export interface Key {
  readonly plain: number;
  readonly shift: number;
  readonly control: number;
  readonly alt: number;
  /** Caps lock (of a letter) or num lock (of the keypad) turns plain and shift round. */
  readonly lock: "caps" | "num" | undefined;
}

const key = (plain: number, shift: number, control: number, alt: number, lock?: "caps" | "num"): Key => ({
  plain,
  shift,
  control,
  alt,
  lock,
});

const KEYS = new Map<number, Key>();

function letter(scan: number, character: string): void {
  const code = character.charCodeAt(0);
  const high = scan << 8;
  KEYS.set(scan, key(high | code, high | (code - 0x20), high | (code - 0x60), high, "caps"));
}

/** A character key; control gives `control` if there is one, alt gives the scan code `altScan`. */
function character(scan: number, plain: string, shift: string, control = NONE, altScan = scan): void {
  const high = scan << 8;
  const withControl = control === NONE ? NONE : high | control;
  KEYS.set(scan, key(high | plain.charCodeAt(0), high | shift.charCodeAt(0), withControl, altScan << 8));
}

"qwertyuiop".split("").forEach((name, index) => letter(0x10 + index, name));
"asdfghjkl".split("").forEach((name, index) => letter(0x1e + index, name));
"zxcvbnm".split("").forEach((name, index) => letter(0x2c + index, name));

const DIGITS = "1234567890";
const SHIFTED_DIGITS = "!@#$%^&*()";
/** The scan codes of alt with the digits go on where the function keys' end. */
const ALT_DIGITS_SCAN = 0x78;
const CONTROL_DIGITS = new Map<string, number>([
  ["2", 0x00],
  ["6", 0x1e],
]);
DIGITS.split("").forEach((digit, index) =>
  character(
    2 + index,
    digit,
    SHIFTED_DIGITS[index] ?? digit,
    CONTROL_DIGITS.get(digit) ?? NONE,
    ALT_DIGITS_SCAN + index,
  ),
);
KEYS.set(0x03, key(0x0332, 0x0340, 0x0300, 0x7900));
character(0x0c, "-", "_", 0x1f, 0x82);
character(0x0d, "=", "+", NONE, 0x83);
character(0x1a, "[", "{", 0x1b);
character(0x1b, "]", "}", 0x1d);
character(0x27, ";", ":");
character(0x28, "'", '"');
character(0x29, "`", "~");
character(0x2b, "\\", "|", 0x1c);
character(0x33, ",", "<");
character(0x34, ".", ">");
character(0x35, "/", "?");
character(0x56, "\\", "|");
KEYS.set(0x01, key(0x011b, 0x011b, 0x011b, 0x0100));
KEYS.set(0x0e, key(0x0e08, 0x0e08, 0x0e7f, 0x0e00));
KEYS.set(0x0f, key(0x0f09, 0x0f00, 0x9400, 0xa500));
KEYS.set(0x1c, key(0x1c0d, 0x1c0d, 0x1c0a, 0xa600));
KEYS.set(0x39, key(0x3920, 0x3920, 0x3920, 0x3920));
KEYS.set(0x37, key(0x372a, 0x372a, 0x9600, 0x3700));
KEYS.set(0x4a, key(0x4a2d, 0x4a2d, 0x8e00, 0x4a00));
KEYS.set(0x4e, key(0x4e2b, 0x4e2b, 0x9000, 0x4e00));

/** F1 to F10, then F11 and F12: plain, shift, control, alt. */
for (let index = 0; index < 10; index++) {
  const [plain, shift, control, alt] = [0x3b + index, 0x54 + index, 0x5e + index, 0x68 + index];
  KEYS.set(0x3b + index, key(plain << 8, shift << 8, control << 8, alt << 8));
}
KEYS.set(0x57, key(0x8500, 0x8700, 0x8900, 0x8b00));
KEYS.set(0x58, key(0x8600, 0x8800, 0x8a00, 0x8c00));

/** The keypad: plain, the digit that num lock or shift makes of it, control. */
const KEYPAD: readonly (readonly [scan: number, digit: string, control: number])[] = [
  [0x47, "7", 0x7700],
  [0x48, "8", 0x8d00],
  [0x49, "9", 0x8400],
  [0x4b, "4", 0x7300],
  [0x4c, "5", 0x8f00],
  [0x4d, "6", 0x7400],
  [0x4f, "1", 0x7500],
  [0x50, "2", 0x9100],
  [0x51, "3", 0x7600],
  [0x52, "0", 0x9200],
  [0x53, ".", 0x9300],
];
for (const [scan, digit, control] of KEYPAD) {
  const high = scan << 8;
  KEYS.set(scan, key(high, high | digit.charCodeAt(0), control, NONE, "num"));
}

/** Keys with the prefix E0h: the grey ones say so by the character E0h. */
const EXTENDED = new Map<number, Key>([
  [0x1c, key(0xe00d, 0xe00d, 0xe00a, 0xa600)],
  [0x35, key(0xe02f, 0xe02f, 0x9500, 0xa400)],
]);
for (const [scan, , control] of KEYPAD) {
  const grey = (scan << 8) | 0xe0;
  EXTENDED.set(scan, key(grey, grey, control | 0xe0, (scan + 0x50) << 8));
}

export function keyOf(scan: number, isExtended: boolean): Key | undefined {
  return (isExtended ? EXTENDED : KEYS).get(scan);
}
