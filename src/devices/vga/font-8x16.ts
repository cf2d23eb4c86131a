/**
 * The font of text modes until a program loads another: code page 437 in 8 × 16 dots, drawn for this project. Letters with
 * accents are composed, lines and blocks are constructed, everything else is a row of GLYPHS.
 */

import { assert } from "../../base/index.ts";
import { CODE_PAGE_437 } from "./code-page-437.ts";

export const FONT_LINES = 16;

/** The first line, and from there a byte for each line. Capitals stand on line 11, from line 2 on. */
const GLYPHS: Readonly<Record<string, string>> = {
  " ": "0:00",
  "!": "2:08080808080808000808",
  '"': "2:242424",
  "#": "2:2424247e24247e242424",
  $: "1:083e4948483e0909493e08",
  "%": "2:62949468081016292946",
  "&": "2:18242428102946444639",
  "'": "2:080808",
  "(": "2:04081010101010100804",
  ")": "2:20100808080808081020",
  "*": "4:08492a1c2a4908",
  "+": "4:0808087f080808",
  ",": "10:18180810",
  "-": "7:7e",
  ".": "10:1818",
  "/": "2:02020404080810102020",
  "0": "2:3c4242464a526242423c",
  "1": "2:0818280808080808083e",
  "2": "2:3c42420204081020407e",
  "3": "2:3c4242021c020242423c",
  "4": "2:040c142444447e040404",
  "5": "2:7e4040407c020202423c",
  "6": "2:1c2040407c424242423c",
  "7": "2:7e020204040808101010",
  "8": "2:3c4242423c424242423c",
  "9": "2:3c424242423e02020438",
  ":": "5:18180000001818",
  ";": "5:181800000018180810",
  "<": "3:020408102010080402",
  "=": "6:7e00007e",
  ">": "3:402010080408102040",
  "?": "2:3c424202040808000808",
  "@": "2:3c424e5252524e40423c",
  A: "2:18244242427e42424242",
  B: "2:7c4242427c424242427c",
  C: "2:3c42404040404040423c",
  D: "2:78444242424242424478",
  E: "2:7e4040407c404040407e",
  F: "2:7e4040407c4040404040",
  G: "2:3c424040404e4242463a",
  H: "2:424242427e4242424242",
  I: "2:3e08080808080808083e",
  J: "2:0e040404040404044438",
  K: "2:42444850606050484442",
  L: "2:4040404040404040407e",
  M: "2:4266665a5a4242424242",
  N: "2:4262625252 4a4a464642",
  O: "2:3c42424242424242423c",
  P: "2:7c424242427c40404040",
  Q: "2:3c424242424242524a3c02",
  R: "2:7c424242427c50484442",
  S: "2:3c424040300c0202423c",
  T: "2:7f080808080808080808",
  U: "2:4242424242424242423c",
  V: "2:42424242422424241818",
  W: "2:42424242425a5a666642",
  X: "2:42422424181824244242",
  Y: "2:41412222140808080808",
  Z: "2:7e02020408102040407e",
  "[": "2:1c10101010101010101c",
  "\\": "2:20201010080804040202",
  "]": "2:38080808080808080838",
  "^": "2:182442",
  _: "13:ff",
  "`": "1:201008",
  a: "5:3c02023e42423e",
  b: "2:4040405c62424242625c",
  c: "5:3c42404040423c",
  d: "2:0202023a46424242463a",
  e: "5:3c42427e40423c",
  f: "2:0c1210107c1010101010",
  g: "5:3a46424242463a02423c",
  h: "2:4040405c624242424242",
  i: "2:080800180808080808 3e",
  "\u0131": "5:1808080808083e",
  j: "2:0404000c04040404040444 38",
  k: "2:40404044485060504844",
  l: "2:1808080808080808083e",
  m: "5:76494949494949",
  n: "5:5c624242424242",
  o: "5:3c42424242423c",
  p: "5:5c62424242625c404040",
  q: "5:3a46424242463a020202",
  r: "5:5c624040404040",
  s: "5:3e40403c02027c",
  t: "3:10107c10101010120c",
  u: "5:4242424242463a",
  v: "5:42424224241818",
  w: "5:41414949494936",
  x: "5:42422418244242",
  y: "5:4242424242463a02423c",
  z: "5:7e04081020407e",
  "{": "2:0c10101020101010100c",
  "|": "2:0808080808080808080808",
  "}": "2:30080808040808080830",
  "~": "7:314946",
  "⌂": "5:081422414141417f",
  "☺": "2:3c4281a58181a599423c",
  "☻": "2:3c7effdbffffdbe77e3c",
  "♥": "4:367f7f7f3e1c08",
  "♦": "4:081c3e7f3e1c08",
  "♣": "3:1c1c1c6b7f6b08081c",
  "♠": "3:081c3e7f7f7f2a081c",
  "•": "6:183c3c18",
  "◘": "0:ffffffffffffe7c3c3e7ffffffffffff",
  "○": "5:3c424242423c",
  "◙": "0:ffffffffffc3bdbdbdbdc3ffffffffff",
  "♂": "2:0f03050938444444 4438",
  "♀": "2:1c2222221c083e080808",
  "♪": "2:0c0a0909080808387830",
  "♫": "2:3f21213f21212121636642",
  "☼": "4:08492a1c771c2a4908",
  "►": "3:40607078 7c78706040",
  "◄": "3:02060e1e3e1e0e0602",
  "↕": "2:081c2a080808082a1c08",
  "‼": "2:24242424242424002424",
  "¶": "2:3f494949390909090909",
  "§": "1:1e20201c2222221c02023c",
  "▬": "8:7e7e7e7e",
  "↨": "1:081c2a080808082a1c087f",
  "↑": "2:081c2a49080808080808",
  "↓": "2:080808080808492a1c08",
  "→": "5:08040 27f020408",
  "←": "5:0810207f201008",
  "∟": "6:404040407e",
  "↔": "5:142241ff412214",
  "▲": "4:08081c1c3e3e7f7f",
  "▼": "4:7f7f3e3e1c1c0808",
  æ: "5:3609093f484937",
  Æ: "2:1f284848487f4848484f",
  "¢": "3:083e49484848493e08",
  "£": "2:1c2220207820202020 7e",
  "¥": "2:412222147f087f080808",
  "₧": "2:7844444478424742424206",
  ƒ: "2:060908083e080808084830",
  ª: "2:3804 3c44 3c00 7c",
  º: "2:384444380 07c",
  "¿": "3:0808000808102042423c",
  "⌐": "7:7e404040",
  "¬": "7:7e020202",
  "½": "1:2060222428102e 51020 4081f",
  "¼": "1:20602224281012264a1f02",
  "¡": "3:08080008080808080808",
  "«": "6:1224489048 2412",
  "»": "6:904824 12244890",
  α: "5:314a4444444a31",
  ß: "3:3844447844424262 5c4040",
  Γ: "2:7e424040404040404040",
  π: "5:7f222222222221",
  Σ: "2:7e422010080810 20427e",
  σ: "5:1f244242 42423c",
  µ: "5:424242424246 7a404040",
  τ: "5:7f080808080806",
  Φ: "2:083e494949494949 3e08",
  Θ: "2:3c424242 7e424242423c",
  Ω: "2:3c42424242422424 2466",
  δ: "2:1c20201c2242424242 3c",
  "∞": "6:3649494936",
  φ: "4:083e49494949493e0808",
  ε: "5:1e20201c20201e",
  "∩": "3:3c4242424242424242",
  "≡": "5:7e00007e00007e",
  "±": "4:0808087f080808007f",
  "≥": "2:3008040204083000 007e",
  "≤": "2:0c102040 20100c00007e",
  "⌠": "2:060909080808080808080808 0808",
  "⌡": "0:080808080808080808 08084848 30",
  "÷": "4:080800 7f000808",
  "≈": "5:31494600314946",
  "°": "2:3844443 8",
  "∙": "7:1818",
  "·": "7:08",
  "√": "2:0f080808080848 281808",
  ⁿ: "2:5864444444",
  "²": "2:3804 081 07c",
  "■": "5:3c3c3c3c3c3c",
  "\u00a0": "0:00",
};

/** Two lines above a letter, or below it; the first line for small letters and for capitals. */
const ACCENTS: Readonly<
  Record<string, { readonly rows: readonly number[]; readonly at: readonly [number, number] }>
> = {
  "\u0300": { rows: [0x10, 0x08], at: [2, 0] },
  "\u0301": { rows: [0x08, 0x10], at: [2, 0] },
  "\u0302": { rows: [0x18, 0x24], at: [2, 0] },
  "\u0303": { rows: [0x32, 0x4c], at: [2, 0] },
  "\u0308": { rows: [0x24, 0x00], at: [3, 0] },
  "\u030a": { rows: [0x18, 0x18], at: [2, 0] },
  "\u0327": { rows: [0x08, 0x18], at: [12, 12] },
};

/** From B3h to DAh: how many lines go up, down, left and right. */
const BOX_FIRST = 0xb3;
const BOXES =
  "1100 1110 1120 2210 0210 0120 2220 2200 0220 2020 2010 1020 0110 1001 1011 0111 1101 0011 1111 1102 " +
  "2201 2002 0202 2022 0222 2202 0022 2222 1022 2011 0122 0211 2001 1002 0102 0201 2211 1122 1010 0101";
/** Where lines of boxes cross. */
const MIDDLE = { x: 4, y: 7 } as const;

type Rows = Uint8Array;

/** 16 bytes for each of the 256 characters; bit 7 is the dot at the left. */
export const FONT_8X16: Uint8Array = buildFont();

function buildFont(): Uint8Array {
  const font = new Uint8Array(256 * FONT_LINES);
  const boxes = BOXES.split(" ");
  CODE_PAGE_437.forEach((character, code) => {
    const box = boxes[code - BOX_FIRST];
    const rows = box === undefined ? (blockOf(character) ?? composed(character)) : boxOf(box);
    font.set(rows, code * FONT_LINES);
  });
  return font;
}

function drawn(character: string): Rows {
  const [first, hex] = GLYPHS[character]?.replaceAll(" ", "").split(":") ?? [];
  assert(first !== undefined && hex !== undefined, `the font has ${character}`);
  const rows = new Uint8Array(FONT_LINES);
  for (let at = 0; at < hex.length; at += 2)
    rows[Number(first) + at / 2] = parseInt(hex.slice(at, at + 2), 16);
  return rows;
}

function composed(character: string): Rows {
  const [letter = "", mark = ""] = character.normalize("NFD");
  const accent = ACCENTS[mark];
  if (accent === undefined) return drawn(character);
  const isCapital = letter === letter.toUpperCase();
  const rows = drawn(letter === "i" ? "\u0131" : letter);
  accent.rows.forEach((row, index) => {
    const at = accent.at[isCapital ? 1 : 0] + index;
    rows[at] = (rows[at] ?? 0) | row;
  });
  return rows;
}

/** Shades and blocks. */
function blockOf(character: string): Rows | undefined {
  const lines = (row: (y: number) => number): Rows =>
    Uint8Array.from({ length: FONT_LINES }, (_, y) => row(y));
  switch (character) {
    case "░":
      return lines((y) => (y % 2 === 0 ? 0x22 : 0x88));
    case "▒":
      return lines((y) => (y % 2 === 0 ? 0x55 : 0xaa));
    case "▓":
      return lines((y) => (y % 2 === 0 ? 0xdd : 0x77));
    case "█":
      return lines(() => 0xff);
    case "▄":
      return lines((y) => (y < FONT_LINES / 2 ? 0 : 0xff));
    case "▀":
      return lines((y) => (y < FONT_LINES / 2 ? 0xff : 0));
    case "▌":
      return lines(() => 0xf0);
    case "▐":
      return lines(() => 0x0f);
    default:
      return undefined;
  }
}

function boxOf(arms: string): Rows {
  const [up = 0, down = 0, left = 0, right = 0] = Array.from(arms, Number);
  const rows = new Uint8Array(FONT_LINES);
  const vertical = (x: number, from: number, to: number): void => {
    for (let y = from; y <= to; y++) rows[y] = (rows[y] ?? 0) | (0x80 >> x);
  };
  const horizontal = (y: number, from: number, to: number): void => {
    for (let x = from; x <= to; x++) rows[y] = (rows[y] ?? 0) | (0x80 >> x);
  };
  const { x: middleX, y: middleY } = MIDDLE;
  for (const { across, reach } of endsOf(up, down, left, right))
    vertical(middleX + across, 0, middleY + reach);
  for (const { across, reach } of endsOf(down, up, left, right)) {
    vertical(middleX + across, middleY - reach, FONT_LINES - 1);
  }
  for (const { across, reach } of endsOf(left, right, up, down))
    horizontal(middleY + across, 0, middleX + reach);
  for (const { across, reach } of endsOf(right, left, up, down))
    horizontal(middleY + across, middleX - reach, 7);
  return rows;
}

/**
 * The lines of an arm: how far each is from the middle, to the side of `first` or of `second`, and how far it reaches
 * beyond the middle. Two lines end at the nearer line of a double arm on their side, and make the outer corner where
 * there is an arm on the other side only.
 */
function endsOf(
  arm: number,
  opposite: number,
  first: number,
  second: number,
): { across: number; reach: number }[] {
  if (arm === 0) return [];
  if (arm === 1) {
    if (opposite !== 0) return [{ across: 0, reach: 0 }];
    if (first === 2 && second === 2) return [{ across: 0, reach: -1 }];
    return [{ across: 0, reach: first === 2 || second === 2 ? 1 : 0 }];
  }
  const reach = (near: number, far: number): number => {
    if (near !== 0) return near === 2 ? -1 : 0;
    return far === 2 && opposite === 0 ? 1 : 0;
  };
  return [
    { across: -1, reach: reach(first, second) },
    { across: 1, reach: reach(second, first) },
  ];
}
