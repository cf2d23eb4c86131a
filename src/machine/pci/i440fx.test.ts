import assert from "node:assert/strict";
import { test } from "node:test";
import { I440fx } from "./index.ts";

const SMRAM = 0x72;

function bridge() {
  const told: string[] = [];
  const device = new I440fx({
    onAttributes: (gpa, lengthBytes, { readsDram, writesDram }) =>
      told.push(
        `${gpa.toString(16)}+${lengthBytes.toString(16)} ${readsDram ? "r" : "-"}${writesDram ? "w" : "-"}`,
      ),
  });
  device.reset();
  return { device, told };
}

test("at reset nothing is RAM, and the 13 ranges cover C0000–FFFFF", () => {
  const { told } = bridge();
  const low = Array.from({ length: 12 }, (_, index) => `${(0xc0000 + index * 0x4000).toString(16)}+4000 --`);
  assert.deepEqual(told, [...low, "f0000+10000 --"]);
});

test("each nibble of PAM0–PAM6 is a range, and only changes are told", () => {
  const { device, told } = bridge();
  told.length = 0;
  for (const [register, value] of [
    [0x59, 0xff],
    [0x5a, 0x01],
    [0x5a, 0x21],
    [0x5f, 0x32],
    [0x5f, 0xfe],
  ] as const) {
    device.writeConfig(register, 1, value);
  }
  assert.deepEqual(told, [
    "f0000+10000 rw",
    "c0000+4000 r-",
    "c4000+4000 -w",
    "e8000+4000 -w",
    "ec000+4000 rw",
  ]);
  assert.deepEqual([device.readConfig(0x59, 1), device.readConfig(0x5f, 1)], [0x30, 0x32]);
});

test("a restored bridge tells all ranges again, and a reset closes them", () => {
  const { device } = bridge();
  device.openShadowRam();
  const other = bridge();
  other.told.length = 0;
  other.device.restore(device.save());
  assert.deepEqual(new Set(other.told.map((line) => line.slice(-2))), new Set(["rw"]));
  assert.equal(other.told.length, 13);
  other.device.reset();
  assert.equal(other.told.length, 26);
  assert.match(other.told.at(-1) ?? "", /--$/);
});

test("SMRAM that is locked is not open, and stays as it is until reset", () => {
  const { device } = bridge();
  const write = (value: number): number => {
    device.writeConfig(SMRAM, 1, value);
    return device.readConfig(SMRAM, 1);
  };
  assert.equal(device.readConfig(SMRAM, 1), 0x02);
  assert.deepEqual([write(0x4a), write(0x5a), write(0x4a), write(0x20)], [0x4a, 0x1a, 0x1a, 0x3a]);
  device.reset();
  assert.equal(device.readConfig(SMRAM, 1), 0x02);
});
