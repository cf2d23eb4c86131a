import assert from "node:assert/strict";
import { test } from "node:test";
import { networkSetting } from "./network-settings.ts";
import { macAddressOf } from "./networks-in-use.ts";

const setting = networkSetting(["virtio", "e1000"]);

test("a network has a card, DHCP and a way outside, and does not reach the host", () => {
  const expected = {
    kind: "nat",
    card: "virtio",
    macAddress: undefined,
    allowsHost: false,
    isRestricted: false,
    forwards: [],
    capture: undefined,
  };
  assert.deepEqual(setting.parse("nat"), { ok: true, value: [expected] });
  assert.deepEqual(setting.parse({ kind: "nat" }), { ok: true, value: [expected] });
  assert.deepEqual(setting.parse(undefined), { ok: true, value: [] });
  assert.deepEqual(setting.parse("none"), { ok: true, value: [] });
});

test("everything can be said, ports to forward several times", () => {
  const expected = {
    kind: "nat",
    card: "e1000",
    macAddress: Uint8Array.of(0x52, 0x54, 0, 1, 2, 3),
    allowsHost: true,
    isRestricted: true,
    forwards: [
      { protocol: "tcp", host: { address: 0x7f000001, port: 2222 }, guestPort: 22 },
      { protocol: "udp", host: { address: 0, port: 69 }, guestPort: 69 },
    ],
    capture: "a,b.pcap",
  };
  const text =
    "nat,card=e1000,mac=52:54:00:01:02:03,host=allow,restrict=on,forward=tcp:2222:22,forward=udp:0.0.0.0:69:69,capture=a,,b.pcap";
  assert.deepEqual(setting.parse(text), { ok: true, value: [expected] });
  const object = {
    kind: "nat",
    card: "e1000",
    mac: "52:54:00:01:02:03",
    host: "allow",
    restrict: "on",
    forward: ["tcp:2222:22", "udp:0.0.0.0:69:69"],
    capture: "a,b.pcap",
  };
  assert.deepEqual(setting.parse([object]), { ok: true, value: [expected] });
});

for (const [given, problem] of [
  ["bridge", "must be nat or none"],
  ["nat,card=ne2000", "must have card=virtio|e1000"],
  ["nat,mac=01:00:00:00:00:01", "must have mac="],
  ["nat,mac=00:00:00:00:00:00", "must have mac="],
  ["nat,mac", "must have mac="],
  ["nat,host=yes", "must have host=refuse|allow"],
  ["nat,restrict", "must have restrict=off|on"],
  ["nat,forward=tcp:1:2:3:4", "must have ports to forward"],
  ["nat,forward=tcp:127.0.0.1:0:22", "must have ports to forward"],
  ["nat,forward=tcp:127.0.0.1:65536:22", "must have ports to forward"],
  ["nat,forward=sctp:22:22", "must have ports to forward"],
  ["nat,capture=", "must name a file"],
  ["nat,speed=10", 'knows no "speed"'],
  ["nat,card=e1000,card=virtio", "has card more than once"],
  ["none,card=e1000", "has nothing more to say"],
  [["none", "nat"], "is none or a network"],
  [["nat", "nat", "nat", "nat", "nat"], "at most 4 times"],
] as const) {
  test(`${JSON.stringify(given)} is refused`, () => {
    const parsed = setting.parse(given);
    assert.equal(parsed.ok, false);
    assert.ok(JSON.stringify(parsed).includes(JSON.stringify(problem).slice(1, -1)), JSON.stringify(parsed));
  });
}

test("addresses of cards follow from the VM's name and their places", () => {
  assert.deepEqual(macAddressOf("vm", 0), macAddressOf("vm", 0));
  assert.notDeepEqual(macAddressOf("vm", 0), macAddressOf("vm", 1));
  assert.notDeepEqual(macAddressOf("vm", 0), macAddressOf("vn", 0));
  assert.deepEqual([...macAddressOf("vm", 0).subarray(0, 3)], [0x52, 0x54, 0]);
});
