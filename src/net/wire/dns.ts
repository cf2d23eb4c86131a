/**
 * DNS messages as far as a forwarder must know them (RFC 1035, section 4): the header, and the one question of a query. Names
 * in questions are not compressed; one that is counts as damaged.
 */

export const DNS_PORT = 53;
export const DNS_HEADER_BYTES = 12;
export const DNS_TYPE = { a: 1, ptr: 12, any: 255 } as const;
export const DNS_RCODE = { noError: 0, formatError: 1, serverFailure: 2, nameError: 3, refused: 5 } as const;
const CLASS_IN = 1;
const NAME_BYTES_MAX = 255;
const LABEL_BYTES_MAX = 63;

const FLAG = {
  response: 0x8000,
  recursionDesired: 0x0100,
  authoritative: 0x0400,
  available: 0x0080,
} as const;
const OPCODE_MASK = 0x7800;
/** A name that is the question's, which begins behind the header. */
const POINTER_TO_QUESTION = 0xc000 | DNS_HEADER_BYTES;

export interface DnsQuestion {
  readonly id: number;
  readonly recursionDesired: boolean;
  /** In lower case, without the final dot. */
  readonly name: string;
  readonly type: number;
  readonly isInternet: boolean;
  /** Header and question. */
  readonly endAt: number;
}

/** The question of a standard query, or undefined for anything else. */
export function readDnsQuery(message: Uint8Array): DnsQuestion | undefined {
  if (message.length < DNS_HEADER_BYTES) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const flags = view.getUint16(2);
  if ((flags & (FLAG.response | OPCODE_MASK)) !== 0 || view.getUint16(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = DNS_HEADER_BYTES;
  for (;;) {
    const lengthBytes = at < message.length ? view.getUint8(at) : LABEL_BYTES_MAX + 1;
    at++;
    if (lengthBytes === 0) break;
    const endAt = at + lengthBytes;
    const isSound = lengthBytes <= LABEL_BYTES_MAX && endAt - DNS_HEADER_BYTES < NAME_BYTES_MAX;
    if (!isSound || endAt > message.length) return undefined;
    labels.push(String.fromCharCode(...message.subarray(at, endAt)).toLowerCase());
    at = endAt;
  }
  if (at + 4 > message.length) return undefined;
  return {
    id: view.getUint16(0),
    recursionDesired: (flags & FLAG.recursionDesired) !== 0,
    name: labels.join("."),
    type: view.getUint16(at),
    isInternet: view.getUint16(at + 2) === CLASS_IN,
    endAt: at + 4,
  };
}

export function dnsId(message: Uint8Array): number {
  return ((message[0] ?? 0) << 8) | (message[1] ?? 0);
}

export function withDnsId(message: Uint8Array, id: number): Uint8Array {
  const copy = message.slice();
  copy[0] = id >>> 8;
  copy[1] = id & 0xff;
  return copy;
}

/** Whether `response` may be the answer to `query`: a response with its identification and its question. */
export function isDnsAnswerTo(response: Uint8Array, query: Uint8Array, question: DnsQuestion): boolean {
  if (response.length < question.endAt || ((response[2] ?? 0) & 0x80) === 0) return false;
  if (dnsId(response) !== dnsId(query)) return false;
  // The case of letters too: some resolvers vary it to tell forged answers.
  for (let at = DNS_HEADER_BYTES; at < question.endAt; at++) {
    if (response[at] !== query[at]) return false;
  }
  return true;
}

/** An answer of our own: with one record of the question's type and name, or with none. */
export function dnsReply(
  query: Uint8Array,
  question: DnsQuestion,
  rcode: number,
  answer?: { readonly data: Uint8Array; readonly ttlSeconds: number },
): Uint8Array {
  const dataBytes = answer === undefined ? 0 : 12 + answer.data.length;
  const reply = new Uint8Array(question.endAt + dataBytes);
  reply.set(query.subarray(0, question.endAt));
  const view = new DataView(reply.buffer);
  const desired = question.recursionDesired ? FLAG.recursionDesired : 0;
  view.setUint16(2, FLAG.response | FLAG.authoritative | FLAG.available | desired | rcode);
  view.setUint16(6, answer === undefined ? 0 : 1);
  view.setUint32(8, 0);
  if (answer !== undefined) {
    const at = question.endAt;
    view.setUint16(at, POINTER_TO_QUESTION);
    view.setUint16(at + 2, question.type);
    view.setUint16(at + 4, CLASS_IN);
    view.setUint32(at + 6, answer.ttlSeconds);
    view.setUint16(at + 10, answer.data.length);
    reply.set(answer.data, at + 12);
  }
  return reply;
}

/** A name as records have it, of labels that are known to be sound. */
export function dnsName(name: string): Uint8Array {
  const bytes: number[] = [];
  for (const label of name.split(".")) {
    bytes.push(label.length);
    for (let at = 0; at < label.length; at++) bytes.push(label.charCodeAt(at));
  }
  return Uint8Array.from([...bytes, 0]);
}
