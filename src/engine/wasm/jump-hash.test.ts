import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_TARGET, jumpHash } from "./jump-hash.ts";

const placeOf = (address: number, factor: number, shift: number): number =>
  Math.imul(address, factor) >>> shift;

for (const count of [1, 2, 5, 32]) {
  test(`${count} addresses get places of their own, and no other place has a target`, () => {
    const addresses = Array.from({ length: count }, (_, i) => (0xfffff000 + 17 * i * i) | 0);

    const hash = jumpHash(addresses);

    assert.ok(hash !== undefined);
    const { factor, shift, places } = hash;
    assert.deepEqual(
      addresses.map((address) => places[placeOf(address, factor, shift)]),
      addresses.map((_, index) => index),
    );
    assert.equal(places.filter((index) => index !== NO_TARGET).length, count);
    assert.equal(places.length, 2 ** (32 - shift));
  });
}

test("addresses with one low half have no hash", () => {
  assert.equal(jumpHash([0x1000, 0x1000]), undefined);
});
