import assert from "node:assert/strict";
import { test } from "node:test";
import { Msi, PciConfigSpace, RecordedLine } from "../index.ts";

const MSI = 0x40;

/** A function with the capability, whose line it carries. */
function card() {
  const sent: string[] = [];
  const msi = new Msi((address, data) => sent.push(`${address.toString(16)}=${data.toString(16)}`));
  const config = new PciConfigSpace({
    name: "card",
    identity: { vendorId: 0x1234, deviceId: 1, baseClass: 2, subClass: 0, interruptPin: 1 },
    capabilities: [msi.capability],
  });
  const pin = new RecordedLine();
  const line = msi.carrying(config.connectPin(pin));
  config.reset();
  const enable = (): void => {
    config.write(MSI + 4, 4, 0xfee0_1003);
    config.write(MSI + 12, 2, 0x4041);
    config.write(MSI + 2, 2, 0xffff);
  };
  return { sent, msi, config, pin, line, enable };
}

test("the capability has one message, an address of 64 bits and no mask", () => {
  const { config, enable } = card();
  assert.equal(config.read(0x34, 1), MSI);
  assert.equal(config.read(MSI, 4), 0x0080_0005);
  enable();
  assert.equal(config.read(MSI, 4), 0x0081_0005);
  assert.deepEqual([config.read(MSI + 4, 4), config.read(MSI + 8, 4)], [0xfee0_1000, 0]);
  assert.equal(config.read(MSI + 12, 2), 0x4041);
});

test("a message is sent for each rise of the line, and the pin stays low", () => {
  const { sent, pin, line, enable } = card();
  enable();
  line.set(true);
  line.set(true);
  line.set(false);
  line.set(true);
  assert.deepEqual(sent, ["fee01000=4041", "fee01000=4041"]);
  assert.equal(pin.risingEdges, 0);
});

test("until it is enabled there is the pin, and an interrupt that is asserted then is sent", () => {
  const { sent, msi, config, pin, line, enable } = card();
  msi.notify();
  line.set(true);
  assert.deepEqual([pin.level, sent], [true, []]);
  enable();
  assert.deepEqual([pin.level, sent], [false, ["fee01000=4041"]]);
  enable();
  assert.equal(sent.length, 1, "it was enabled already");
  config.write(MSI + 2, 2, 0);
  assert.equal(pin.level, true);
  line.set(false);
  assert.deepEqual([pin.level, sent.length], [false, 1]);
});

test("a message to an address above 4 GiB is not sent", () => {
  const { sent, config, line, enable } = card();
  enable();
  config.write(MSI + 8, 4, 1);
  line.set(true);
  assert.deepEqual(sent, []);
});

test("what was sent before a snapshot is not sent again behind it, and a reset gives the pin back", () => {
  const { config, line, enable } = card();
  enable();
  line.set(true);
  const restored = card();
  restored.config.restore(config.save());
  restored.line.set(true);
  assert.deepEqual([restored.sent, restored.pin.risingEdges], [[], 0]);
  restored.line.set(false);
  restored.line.set(true);
  assert.deepEqual(restored.sent, ["fee01000=4041"]);
  restored.config.reset();
  assert.equal(restored.pin.level, true);
});
