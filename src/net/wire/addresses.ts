/** Addresses as numbers: an IPv4 address is a u32, an Ethernet address 48 bits, both in the order in which they are written. */

const OCTETS = 4;

/** Undefined for anything but four decimal numbers up to 255. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== OCTETS) return undefined;
  let address = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 0xff) return undefined;
    address = address * 0x100 + Number(part);
  }
  return address;
}

export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join(".");
}

/** Six pairs of hexadecimal digits with colons or dashes between them. */
export function parseMac(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) return undefined;
  return Uint8Array.from(text.split(/[:-]/), (pair) => Number.parseInt(pair, 16));
}

export function macNumber(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => sum * 0x100 + byte, 0);
}

/** Whether `address` is in the network of `prefixBits` bits that `network` begins. */
export function isInNetwork(address: number, network: number, prefixBits: number): boolean {
  return prefixBits === 0 || (address ^ network) >>> (32 - prefixBits) === 0;
}
