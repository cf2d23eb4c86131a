/**
 * AssemblyScript: decodes blocks of the "LZ4 Block Format" (1.6.3) through two small buffers, so that data of any length
 * stays within the processor's caches and this module can write nothing but memory of its own. ../lz4.ts drives it: it
 * puts a piece of a block into the input buffer, and calls decode() and takes what that gave until the piece is used up.
 * Decoding pauses at any byte of a block, when the input ends or the window is full. So calls are short, and V8, which
 * exchanges a function's code for better only where it is called, soon does so.
 */

const INPUT: u32 = 0x10000;
const INPUT_BYTES: u32 = 0x10000;
/** The last 64 KiB that were decoded, to which matches refer, then room for what is decoded next. */
const WINDOW: u32 = INPUT + INPUT_BYTES;
const HISTORY_BYTES: u32 = 0x10000;
/** Copies by words reach up to 15 bytes beyond, into the last page of the memory, which has no other use. */
const WINDOW_END: u32 = 0x70000;

/** A length of 15 in a token continues in further bytes, up to one that is not 255. */
const LONG_LENGTH: u32 = 15;
const MORE: u32 = 255;
/** No match is shorter: the token stores its length without them. */
const MATCH_MIN_BYTES: u32 = 4;
/** Of a sequence without long lengths: the token, up to 14 literals, the distance; that many literals, and the match. */
const SHORT_INPUT_BYTES: u32 = 17;
const SHORT_OUTPUT_BYTES: u32 = 32;

// What a step of decoding ends with; all but the first are results of decode().
const GOES_ON: u32 = 0;
const NEEDS_INPUT: u32 = 1;
const WINDOW_IS_FULL: u32 = 2;
const GIVES_TOO_MUCH: u32 = 3;
const REFERS_TOO_FAR: u32 = 4;

// What is expected next.
const TOKEN: u32 = 0;
const LITERAL_LENGTH: u32 = 1;
const LITERALS: u32 = 2;
const DISTANCE: u32 = 3;
const DISTANCE_HIGH: u32 = 4;
const MATCH_LENGTH: u32 = 5;
const MATCH: u32 = 6;

let expected: u32 = TOKEN;
let matchNibble: u32 = 0;
let distance: u32 = 0;
/** Of the literals or the match that is under way. */
let leftBytes: u32 = 0;
/** How much of the block has been decoded, and how much more it may give. */
let doneBytes: u32 = 0;
let roomBytes: u32 = 0;
let from: u32 = INPUT;
let fromEnd: u32 = INPUT;
/** Where the last decode() began to write, and the next one will. */
let given: u32 = WINDOW + HISTORY_BYTES;
let to: u32 = WINDOW + HISTORY_BYTES;

export function inputStart(): u32 {
  return INPUT;
}

export function inputMaxBytes(): u32 {
  return INPUT_BYTES;
}

/** [outputStart, outputEnd) is what the last decode() gave, until the next one. */
export function outputStart(): u32 {
  return given;
}

export function outputEnd(): u32 {
  return to;
}

/** A block may end only where a distance would follow: its last sequence has literals only. */
export function state(): u32 {
  return expected;
}

/** A block begins that may give so many bytes at most. */
export function begin(limitBytes: u32): void {
  expected = TOKEN;
  doneBytes = 0;
  roomBytes = limitBytes;
}

/** So many bytes of the block are in the input buffer. */
export function feed(byteCount: u32): void {
  from = INPUT;
  fromEnd = INPUT + min(byteCount, INPUT_BYTES);
}

export function decode(): u32 {
  if (to == WINDOW_END) {
    memory.copy(WINDOW, WINDOW_END - HISTORY_BYTES, HISTORY_BYTES);
    to = WINDOW + HISTORY_BYTES;
  }
  given = to;
  let result = GOES_ON;
  while (result == GOES_ON) {
    if (expected == TOKEN) result = decodeShortSequences();
    if (result == GOES_ON) result = step();
  }
  return result;
}

/**
 * hot: 53 MB of Debian's cloud kernel pass here at each start, in two million sequences, nearly all without long lengths.
 * Copies of fixed length write more than there is; what is decoded next overwrites it.
 */
function decodeShortSequences(): u32 {
  const inputEnd = fromEnd;
  const start = to;
  const blockStart = start - doneBytes;
  const end = start + min(roomBytes, WINDOW_END - start);
  let input = from;
  let output = start;
  let result = GOES_ON;
  while (input + SHORT_INPUT_BYTES <= inputEnd && output + SHORT_OUTPUT_BYTES <= end) {
    const token = <u32>load<u8>(input);
    const literalBytes = token >> 4;
    if (literalBytes == LONG_LENGTH) break;
    v128.store(output, v128.load(input + 1));
    input += 1 + literalBytes;
    output += literalBytes;

    const back = <u32>load<u16>(input);
    input += 2;
    if (back - 1 >= output - blockStart) {
      result = REFERS_TOO_FAR;
      break;
    }
    const nibble = token & 15;
    if (nibble == LONG_LENGTH) {
      distance = back;
      leftBytes = LONG_LENGTH + MATCH_MIN_BYTES;
      expected = MATCH_LENGTH;
      break;
    }
    const matchEnd = output + nibble + MATCH_MIN_BYTES;
    if (back >= 16) {
      v128.store(output, v128.load(output - back));
      store<u16>(output + 16, load<u16>(output + 16 - back));
    } else {
      copyMatch(output, matchEnd, back);
    }
    output = matchEnd;
  }
  from = input;
  advance(output - start);
  return result;
}

function advance(byteCount: u32): void {
  to += byteCount;
  doneBytes += byteCount;
  roomBytes -= byteCount;
}

/** Repeats what lies `back` bytes before; reaches less than 16 bytes beyond the end. */
function copyMatch(start: u32, end: u32, back: u32): void {
  let output = start;
  if (back >= 16) {
    for (; output < end; output += 16) v128.store(output, v128.load(output - back));
  } else if (back >= 8) {
    for (; output < end; output += 8) store<u64>(output, load<u64>(output - back));
  } else if (back == 1) {
    memory.fill(output, load<u8>(output - 1), end - output);
  } else {
    for (; output < end; output++) store<u8>(output, load<u8>(output - back));
  }
}

/** One part of a sequence, as far as the buffers go. */
function step(): u32 {
  switch (expected) {
    case LITERAL_LENGTH:
      return stepLength(LITERALS);
    case MATCH_LENGTH:
      return stepLength(MATCH);
    case LITERALS:
      return stepLiterals();
    case MATCH:
      return stepMatch();
  }
  if (from == fromEnd) return NEEDS_INPUT;
  const byte = <u32>load<u8>(from++);
  if (expected == TOKEN) {
    matchNibble = byte & 15;
    leftBytes = byte >> 4;
    expected = leftBytes == LONG_LENGTH ? LITERAL_LENGTH : LITERALS;
  } else if (expected == DISTANCE) {
    distance = byte;
    expected = DISTANCE_HIGH;
  } else {
    distance |= byte << 8;
    if (distance - 1 >= doneBytes) return REFERS_TOO_FAR;
    leftBytes = matchNibble + MATCH_MIN_BYTES;
    expected = matchNibble == LONG_LENGTH ? MATCH_LENGTH : MATCH;
  }
  return GOES_ON;
}

function stepLength(next: u32): u32 {
  while (from < fromEnd) {
    const more = <u32>load<u8>(from++);
    leftBytes += more;
    if (leftBytes > roomBytes) return GIVES_TOO_MUCH;
    if (more == MORE) continue;
    expected = next;
    return GOES_ON;
  }
  return NEEDS_INPUT;
}

function stepLiterals(): u32 {
  if (leftBytes > roomBytes) return GIVES_TOO_MUCH;
  const byteCount = min(leftBytes, min(fromEnd - from, WINDOW_END - to));
  memory.copy(to, from, byteCount);
  from += byteCount;
  leftBytes -= byteCount;
  advance(byteCount);
  if (leftBytes == 0) expected = DISTANCE;
  else if (to == WINDOW_END) return WINDOW_IS_FULL;
  else return NEEDS_INPUT;
  return GOES_ON;
}

function stepMatch(): u32 {
  if (leftBytes > roomBytes) return GIVES_TOO_MUCH;
  const byteCount = min(leftBytes, WINDOW_END - to);
  copyMatch(to, to + byteCount, distance);
  leftBytes -= byteCount;
  advance(byteCount);
  if (leftBytes > 0) return WINDOW_IS_FULL;
  expected = TOKEN;
  return GOES_ON;
}
