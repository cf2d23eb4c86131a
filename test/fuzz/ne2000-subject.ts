/** A driver of the NE2000 that breaks its rules: rings and transfers that lead anywhere, commands in any order. */
import { CR, ISR, Ne2000Driver, PORT, RCR, REG } from "../../src/devices/ne2000/testing.ts";
import type { RegName } from "../../src/devices/ne2000/testing.ts";
import type { NicSubject } from "./nic-fuzz.ts";

const SIZES = [1, 2, 4] as const;
const NAMES = Object.keys(REG).filter((name): name is RegName => name in REG);
const PORTS = 0x20;

export function ne2000Subject(): NicSubject {
  const driver = new Ne2000Driver();
  const { card, ports, link } = driver;
  driver.start(RCR.broadcast | RCR.multicast | RCR.promiscuous);
  return {
    card,
    link,
    timers: driver.timers,
    pass: (ns) => driver.pass(ns),
    step: (random) => {
      const address = random.pick([0, 0x4000, 0x4600, 0x7f00, random.below(0x1_0000)]);
      switch (random.below(12)) {
        case 0:
          card.writeConfig(4, 2, random.below(4) === 0 ? random.below(8) : 1);
          return driver.start(random.below(64), random.below(2) === 0);
        case 1:
          return driver.send(new Uint8Array(random.pick([0, 14, 60, 1514, 1518, 1600])));
        case 2:
          return driver.writeMemory(address, new Uint8Array(random.below(600)).fill(random.below(256)));
        case 3:
          return void driver.readMemory(address, random.below(600), random.pick(SIZES));
        case 4: {
          const page = random.pick([CR.page1, CR.page2, CR.page3]);
          driver.write("cr", page | random.below(0x40));
          return ports.writePort(PORT + random.below(16), 1, random.below(256));
        }
        case 5:
          return void ports.readPort(PORT + random.below(PORTS - 3), random.pick(SIZES));
        case 6:
          return driver.write("isr", random.pick([ISR.received, 0xff]));
        case 7:
          return driver.write("bnry", random.pick([0x46, 0x50, 0x7f, random.below(256)]));
        case 8:
          driver.write(random.pick(["pstart", "pstop", "tpsr", "tbcr1"]), random.below(256));
          return driver.write("cr", CR.start | CR.noDma | CR.transmit);
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
