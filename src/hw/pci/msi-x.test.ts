import assert from "node:assert/strict";
import { test } from "node:test";
import { MmioBus, PortBus } from "../index.ts";
import { MSIX_BAR_BYTES, MsiX, PCI_COMMAND, PciConfigSpace, RecordedLine } from "../index.ts";

const CAPABILITIES = 0x34;
const STATUS = 6;
const BAR_GPA = 0xe000_0000;
const ENABLE = 0x8000;
const FUNCTION_MASK = 0x4000;

/** A function with MSI-X of three vectors in BAR 1, placed and enabled. */
function card() {
  const sent: string[] = [];
  const mmio = new MmioBus();
  const msix = new MsiX(3, 1, (address, data) => sent.push(`${address.toString(16)}=${data.toString(16)}`));
  const config = new PciConfigSpace({
    name: "card",
    identity: { vendorId: 0x1234, deviceId: 1, baseClass: 2, subClass: 0, interruptPin: 1 },
    bars: [undefined, { kind: "memory", sizeBytes: MSIX_BAR_BYTES, handler: msix }],
    buses: { ports: new PortBus(), mmio },
    capabilities: [
      {
        name: "vendor",
        id: 9,
        sizeBytes: 5,
        registers: {
          read: (offset) => offset,
          write() {},
          reset() {},
          save: () => ({}),
          restore() {},
        },
      },
      msix.capability,
    ],
  });
  config.reset();
  config.write(0x14, 4, BAR_GPA);
  config.write(4, 2, PCI_COMMAND.memory | PCI_COMMAND.busMaster);
  const control = {
    read: () => config.read(0x4a, 2),
    write: (value: number) => config.write(0x4a, 2, value),
  };
  const entry = (vector: number, address: number, data: number, mask: number): void => {
    [address, 0, data, mask].forEach((word, index) =>
      mmio.writeMmio(BAR_GPA + 16 * vector + 4 * index, 4, word),
    );
  };
  const pending = (): number => mmio.readMmio(BAR_GPA + 0x800, 4);
  return { sent, mmio, msix, config, control, entry, pending };
}

test("capabilities are a list that begins in the header and ends with 0", () => {
  const { config } = card();
  assert.equal(config.read(STATUS, 2) & 0x10, 0x10);
  assert.equal(config.read(CAPABILITIES, 1), 0x40);
  assert.equal(config.read(0x40, 2), 0x4809);
  assert.equal(config.read(0x48, 2), 0x0011);
  assert.equal(config.read(0x42, 1), 2);
  // Table size less one, both structures in BAR 1.
  assert.equal(config.read(0x48, 4), 0x0002_0011);
  assert.equal(config.read(0x4c, 4), 0x0000_0001);
  assert.equal(config.read(0x50, 4), 0x0000_0801);
});

test("a vector's message is sent once it is enabled and unmasked", () => {
  const { sent, msix, control, entry, pending } = card();
  msix.notify(0);
  control.write(ENABLE);
  entry(0, 0xfee0_1000, 0x4041, 0);
  entry(2, 0xfee0_2000, 0x42, 0);
  msix.notify(0);
  msix.notify(2);
  msix.notify(3);
  assert.deepEqual(sent, ["fee01000=4041", "fee02000=42"]);
  assert.equal(pending(), 0);
});

test("what is masked stays pending until it is unmasked, one vector or all", () => {
  const { sent, msix, control, entry, pending, mmio } = card();
  control.write(ENABLE | FUNCTION_MASK);
  entry(0, 0xfee0_0000, 0x30, 1);
  entry(1, 0xfee0_0000, 0x31, 0);
  msix.notify(0);
  msix.notify(1);
  msix.notify(1);
  assert.equal(pending(), 3);
  control.write(ENABLE);
  assert.deepEqual(sent, ["fee00000=31"]);
  mmio.writeMmio(BAR_GPA + 12, 4, 0);
  assert.deepEqual(sent, ["fee00000=31", "fee00000=30"]);
  assert.equal(pending(), 0);
});

test("a message to an address above 4 GiB is not sent", () => {
  const { sent, msix, control, entry, mmio } = card();
  control.write(ENABLE);
  entry(0, 0xfee0_0000, 0x30, 0);
  mmio.writeMmio(BAR_GPA + 4, 4, 1);
  msix.notify(0);
  assert.deepEqual(sent, []);
});

test("pending messages survive a snapshot", () => {
  const { msix, control, entry, config } = card();
  control.write(ENABLE);
  entry(1, 0xfee0_0000, 0x31, 1);
  msix.notify(1);
  const restored = card();
  restored.config.restore(config.save());
  assert.equal(restored.pending(), 2);
  restored.mmio.writeMmio(BAR_GPA + 16 + 12, 4, 0);
  assert.deepEqual(restored.sent, ["fee00000=31"]);
});

test("the pin follows its function unless the guest has disabled it, and the status tells all the same", () => {
  const { config } = card();
  const line = new RecordedLine();
  const pin = config.connectPin(line);
  pin.set(true);
  assert.equal(line.level, true);
  assert.equal(config.read(STATUS, 2) & 8, 8);
  config.write(4, 2, PCI_COMMAND.interruptDisable);
  assert.equal(line.level, false);
  assert.equal(config.read(STATUS, 2) & 8, 8);
  config.write(4, 2, 0);
  assert.equal(line.level, true);
  pin.set(false);
  assert.equal(config.read(STATUS, 2) & 8, 0);
});
