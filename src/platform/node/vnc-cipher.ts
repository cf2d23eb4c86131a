/**
 * The cipher of VNC Authentication (RFC 6143, section 7.2.2): DES with the password as its key, the bits of each byte in the
 * other order, as the first VNC had it. It keeps out who does not know the password and nobody who listens: 56 bits are few, and
 * what follows is not encrypted.
 */

import { createCipheriv } from "node:crypto";

/** Of a password: the rest would not count. */
export const VNC_PASSWORD_MAX_BYTES = 8;

/** Encrypts the 16 bytes of a challenge; the password's bytes beyond the eighth do not count. */
export function encryptVncChallenge(password: Uint8Array, challenge: Uint8Array): Uint8Array {
  const key = new Uint8Array(VNC_PASSWORD_MAX_BYTES);
  key.set(password.subarray(0, VNC_PASSWORD_MAX_BYTES).map(mirrored));
  // OpenSSL has DES only among what is old; triple DES with one key thrice is the same.
  const cipher = createCipheriv("des-ede3-ecb", Buffer.concat([key, key, key]), null);
  cipher.setAutoPadding(false);
  return Buffer.concat([cipher.update(challenge), cipher.final()]);
}

function mirrored(byte: number): number {
  let result = 0;
  for (let bit = 0; bit < 8; bit++) result |= ((byte >> bit) & 1) << (7 - bit);
  return result;
}
