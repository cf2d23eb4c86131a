/** A driver of the RTL8139 that breaks its rules: buffers that lead anywhere, pointers and descriptors in any order. */
import { ISR, PORT, RCR, REG, Rtl8139Driver, RX_BUFFER_GPA } from "../../src/devices/rtl8139/testing.ts";
import type { RegName } from "../../src/devices/rtl8139/testing.ts";
import type { NicSubject } from "./nic-fuzz.ts";

const SIZES = [1, 2, 4] as const;
const NAMES = Object.keys(REG).filter((name): name is RegName => name in REG);
const PORTS = 0x100;

export function rtl8139Subject(): NicSubject {
  const driver = new Rtl8139Driver();
  const { card, ports, link, ram, timers } = driver;
  driver.start(RCR.all | RCR.own | RCR.multicast | RCR.broadcast);
  return {
    card,
    ram,
    timers,
    link,
    pass: (ns) => driver.pass(ns),
    step: (random) => {
      const gpa = random.pick([
        0x1_0000,
        RX_BUFFER_GPA,
        ram.sizeBytes - random.below(4096),
        random.below(2 ** 31),
      ]);
      switch (random.below(12)) {
        case 0:
          card.writeConfig(4, 2, random.below(4) === 0 ? random.below(8) : 7);
          return driver.start(random.below(256), random.below(4));
        case 1:
        case 2:
          return void driver.send(
            new Uint8Array(60),
            random.pick([0, 14, 60, 1514, 1518, random.below(0x2000)]),
          );
        case 3:
          return driver.write("tsad0", gpa);
        case 4:
          return driver.write("rbstart", gpa);
        case 5:
          return driver.write(
            "capr",
            random.pick([driver.read("cbr", 2) - 16, random.below(0x1_0000)]) & 0xffff,
            2,
          );
        case 6:
          return driver.write("isr", random.pick([ISR.received, 0xffff]), 2);
        case 7:
          return driver.write(
            random.pick(["timerInterrupt", "tctr"]),
            random.pick([0, 1, 1000, random.below(2 ** 31)]),
          );
        case 8:
          return void ports.readPort(PORT + random.below(PORTS - 3), random.pick(SIZES));
        case 9:
          return ports.writePort(PORT + random.below(PORTS - 3), 1, random.below(256));
        default:
          return driver.write(random.pick(NAMES), random.below(256), random.pick(SIZES));
      }
    },
    useWell: (frame) => {
      card.reset();
      driver.place();
      driver.start();
      driver.send(frame);
      return () => driver.received().map((received) => received.frame);
    },
  };
}
