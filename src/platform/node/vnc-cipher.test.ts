import assert from "node:assert/strict";
import { test } from "node:test";

import { encryptVncChallenge } from "./vnc-cipher.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const hex = (encrypted: Uint8Array): string => Buffer.from(encrypted).toString("hex");

test("a key of DES whose bits are in the other order gives the published vector", () => {
  // FIPS 81's example: key 0123456789abcdef, "Now is t" to 3fa40e8a984d4815.
  const password = Uint8Array.of(0x80, 0xc4, 0xa2, 0xe6, 0x91, 0xd5, 0xb3, 0xf7);
  assert.equal(hex(encryptVncChallenge(password, bytes("Now is tNow is t"))), "3fa40e8a984d4815".repeat(2));
});

test("short passwords are filled with zeros, and of long ones eight bytes count", () => {
  const challenge = bytes("0123456789abcdef");
  assert.equal(
    hex(encryptVncChallenge(bytes("a"), challenge)),
    hex(encryptVncChallenge(bytes("a\0"), challenge)),
  );
  assert.equal(
    hex(encryptVncChallenge(bytes("password1"), challenge)),
    hex(encryptVncChallenge(bytes("password2"), challenge)),
  );
  assert.notEqual(
    hex(encryptVncChallenge(bytes("passwor1"), challenge)),
    hex(encryptVncChallenge(bytes("passwor2"), challenge)),
  );
});
