/** How soon drivers of different habits hear of what they have sent, in guest time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock, NS_PER_MS, NS_PER_US, TimerQueue } from "../../../base/index.ts";
import { frameOf, RecordedLink } from "../../../net/testing.ts";
import { bench, enableMsix, ModernDriver, readable, writable } from "../testing.ts";
import { TRANSMIT_AT_ONCE_MAX, TRANSMIT_AT_ONCE_MIN, TRANSMIT_TOLD_NS } from "./transmit-interrupts.ts";
import { VirtioNet } from "./virtio-net.ts";

const RECEIVE = 0;
const TRANSMIT = 1;
const FRAME_GPA = 0x20_0000;
const BUFFER_GPA = 0x10_0000;
const HEADER_BYTES = 12;
/** Message data of the transmit queue's vector. */
const TOLD = 0x101;
/** What a driver does between its interrupt and its next notification. */
const WORK_NS = 20 * NS_PER_US;

function connect() {
  const link = new RecordedLink();
  const clock = new ManualClock();
  const timers = new TimerQueue();
  const device = new VirtioNet({ macAddress: Uint8Array.of(2, 0, 0, 0, 0, 1), link, clock, timers });
  const on = bench(device);
  const driver = new ModernDriver(on);
  driver.negotiate();
  enableMsix(on, 2);
  const receive = driver.queue(RECEIVE, { size: 64 });
  const transmit = driver.queue(TRANSMIT, { size: 64 });
  driver.setVector(RECEIVE, 0);
  driver.setVector(TRANSMIT, 1);
  driver.ready();
  const frame = frameOf();
  on.ram.write(FRAME_GPA + HEADER_BYTES, frame);

  const toldCount = (): number => on.messages.filter((data) => data === TOLD).length;
  const pass = (ns: number): void => {
    clock.advance(ns);
    timers.runDue(clock.nowNs());
  };
  const send = (): void => {
    transmit.offer([readable(FRAME_GPA, HEADER_BYTES + frame.length)]);
    driver.notify(TRANSMIT);
    link.sent.length = 0;
  };
  /** Gives back what was sent, and wants to hear of the next. */
  const clean = (): void => {
    transmit.takeUsed();
    transmit.wantInterrupts(1);
  };
  /** Lets time pass until the driver hears, which is in steps of `WORK_NS`; then it cleans. */
  const waitToHear = (): void => {
    const before = on.messages.length;
    for (let step = 0; step <= TRANSMIT_TOLD_NS / WORK_NS && on.messages.length === before; step++)
      pass(WORK_NS);
    assert.equal(on.messages.length, before + 1);
    clean();
  };
  /** Sends and waits, `count` times, with its own work in between; how long that takes. */
  const sendWaiting = (count: number): number => {
    const startNs = clock.nowNs();
    for (let sent = 0; sent < count; sent++) {
      const before = toldCount();
      send();
      if (toldCount() === before) waitToHear();
      else clean();
      pass(WORK_NS);
    }
    return clock.nowNs() - startNs;
  };
  const answered = (): void => {
    receive.offer([writable(BUFFER_GPA, 0x800)]);
    driver.notify(RECEIVE);
    assert.equal(link.deliver(frame), true);
    receive.takeUsed();
    clean();
  };
  return { on, driver, toldCount, pass, send, clean, sendWaiting, answered };
}

test("a driver that waits to hear of each frame waits once in a while", () => {
  const { sendWaiting } = connect();
  const firstNs = sendWaiting(1 + TRANSMIT_AT_ONCE_MIN);
  const ownNs = WORK_NS * (1 + TRANSMIT_AT_ONCE_MIN);
  assert.ok(firstNs <= ownNs + TRANSMIT_TOLD_NS + WORK_NS, `${firstNs} ns`);
  sendWaiting(2 * TRANSMIT_AT_ONCE_MAX);
  const count = 4 * TRANSMIT_AT_ONCE_MAX;
  const laterNs = sendWaiting(count);
  assert.ok(laterNs <= count * WORK_NS + 5 * (TRANSMIT_TOLD_NS + WORK_NS), `${laterNs} ns`);
});

test("one that waits whenever several are on their way does so, too", () => {
  const { send, pass, clean, toldCount } = connect();
  let waits = 0;
  for (let sent = 0; sent < 2000; sent++) {
    const before = toldCount();
    send();
    if (sent % 3 !== 2 && toldCount() === before) continue;
    if (toldCount() === before) {
      waits++;
      pass(TRANSMIT_TOLD_NS);
    }
    assert.equal(toldCount(), before + 1);
    clean();
    pass(WORK_NS);
  }
  assert.ok(waits <= 10, `${waits} times`);
});

test("one that looks by itself is not told, however many requests are answered", () => {
  const { send, pass, answered, toldCount } = connect();
  for (let request = 0; request < 100; request++) {
    send();
    pass(150 * NS_PER_US);
    answered();
    pass(50 * NS_PER_US);
  }
  assert.equal(toldCount(), 0);
});

test("one whose answers come late is told late, and is not taken for one that waits", () => {
  const { send, pass, answered, clean, toldCount } = connect();
  for (let request = 0; request < 100; request++) {
    send();
    pass(TRANSMIT_TOLD_NS);
    clean();
    pass(WORK_NS);
    answered();
    pass(WORK_NS);
  }
  send();
  assert.equal(toldCount(), 100);
});

test("one that sends on without waiting is told of few frames in a millisecond", () => {
  const { send, pass, clean, toldCount } = connect();
  for (let sent = 0; sent < 1000; sent++) {
    const before = toldCount();
    send();
    pass(100 * NS_PER_US);
    if (toldCount() > before) clean();
  }
  assert.ok(toldCount() <= 100, `${toldCount()} interrupts in 100 ms`);
});

test("one that waits no longer is told late again, after as many frames as it was trusted with", () => {
  const { sendWaiting, send, pass, clean, toldCount } = connect();
  sendWaiting(1 + TRANSMIT_AT_ONCE_MIN);
  const before = toldCount();
  for (let sent = 0; sent < 50; sent++) {
    send();
    pass(TRANSMIT_TOLD_NS);
    clean();
    pass(NS_PER_MS);
  }
  send();
  assert.equal(toldCount(), before + 50, "the last one has not heard yet");
  pass(TRANSMIT_TOLD_NS);
  assert.equal(toldCount(), before + 51);
});

test("a driver that comes after a reset is told late, whatever the one before it did", () => {
  const { on, sendWaiting, driver, toldCount } = connect();
  sendWaiting(2);
  driver.negotiate();
  enableMsix(on, 2);
  const transmit = driver.queue(TRANSMIT, { size: 64 });
  driver.setVector(TRANSMIT, 1);
  driver.ready();
  const before = toldCount();
  transmit.offer([readable(FRAME_GPA, HEADER_BYTES + 64)]);
  driver.notify(TRANSMIT);
  assert.equal(toldCount(), before);
});
