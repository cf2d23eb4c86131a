/** IBM code page 437, the character set of the PC's text screen, as Unicode (IBM CDRA, CCSID 437 with graphics). */

const CONTROLS = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼";
const UPPER =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐" +
  "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

/** Unicode characters by code; all of them are one UTF-16 unit. */
export const CODE_PAGE_437: readonly string[] = [
  ...CONTROLS.split(""),
  ...Array.from({ length: 0x5f }, (_, i) => String.fromCharCode(0x20 + i)),
  "⌂",
  ...UPPER.split(""),
];
