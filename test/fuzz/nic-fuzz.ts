/**
 * Fuzz of the network cards that are chips: drivers that know the registers and descriptors of a card and break the rules,
 * while frames come and go and the link fails. Nothing throws, nothing takes long, timers stay few; a card restored from
 * another one's saved state saves the same; and whatever was done, a driver that resets the card and keeps to the rules
 * sends and receives.
 */
import assert from "node:assert/strict";
import type { TimerQueue } from "../../src/base/index.ts";
import type { PciFunction } from "../../src/hw/index.ts";
import type { GuestRam } from "../../src/memory/index.ts";
import { frameOf } from "../../src/net/testing.ts";
import type { RecordedLink } from "../../src/net/testing.ts";
import { Random } from "../oracle/index.ts";
import { e1000Subject } from "./e1000-subject.ts";
import { ne2000Subject } from "./ne2000-subject.ts";
import { rtl8139Subject } from "./rtl8139-subject.ts";
import { assertBelowLimits } from "./memory-use.ts";

const STEPS = 300;
const STEP_MAX_MS = 2000;
const TIMERS_MAX = 8;
const LINK_STEPS = 8;

/** A card on its bench, and who breaks its rules. */
export interface NicSubject {
  readonly card: PciFunction;
  /** Of cards that reach memory by themselves. */
  readonly ram?: GuestRam;
  /** Of cards that know time. */
  readonly timers?: TimerQueue;
  readonly link: RecordedLink;
  /** One thing that a driver does. */
  step(random: Random): void;
  /** Lets guest time pass. */
  pass(ns: number): void;
  /**
   * Resets the card, sends `frame` and makes it ready to receive; then gives what has arrived when it is called. Throws
   * where it cannot.
   */
  useWell(frame: Uint8Array): () => Uint8Array[];
}

const SUBJECTS: readonly (() => NicSubject)[] = [e1000Subject, ne2000Subject, rtl8139Subject];

function noise(random: Random): Uint8Array {
  const frame = new Uint8Array(random.pick([14, 60, 500, 1514, 1518, 18 + random.below(2000)]));
  for (let at = 0; at < Math.min(frame.length, 60); at++) frame[at] = random.below(256);
  if (random.below(2) === 0) frame.fill(0xff, 0, 6);
  if (random.below(4) === 0) frame.set([0x81, 0], 12);
  else if (random.below(2) === 0 && frame.length >= 18)
    frame.set([0x08, 0x00, 0x45, 0, 0, frame.length - 14], 12);
  return frame;
}

function hostActs(subject: NicSubject, random: Random): void {
  const { link } = subject;
  if (random.below(LINK_STEPS) === 0) link.setUp(!link.isUp);
  for (let count = random.below(4); count > 0; count--) link.deliver(noise(random));
  subject.pass(random.pick([0, 100, 100_000, 100_000_000]));
  const timers = subject.timers?.size ?? 0;
  assert.ok(timers <= TIMERS_MAX, `${String(timers)} timers`);
}

function proveItWorks(subject: NicSubject): void {
  const { link } = subject;
  link.setUp(true);
  link.onSend = () => undefined;
  link.offload = undefined;
  link.sent.length = 0;
  const frame = frameOf({ data: new Uint8Array(500).fill(0x77) });
  const received = subject.useWell(frame);
  assert.deepEqual(link.sent, [frame]);
  assert.equal(link.deliver(frame), true);
  assert.deepEqual(received(), [frame]);
}

/** Fuzzes `count` cards of seeds from `seed` on; throws the first failure with its seed. Returns the frames that were sent. */
export function fuzzNics(seed: number, count: number): number {
  let sent = 0;
  for (let next = seed; next < seed + count; next++) {
    const random = new Random(next);
    const build = SUBJECTS[next % SUBJECTS.length] ?? e1000Subject;
    const subject = build();
    const { link } = subject;
    if (random.below(2) === 0) link.takeUnfinished();
    link.onSend = (frame) => {
      sent++;
      link.sent.length = 0;
      link.sentUnfinished.length = 0;
      if (random.below(4) === 0) link.deliver(frame);
    };
    link.onReady = () => void link.deliver(noise(random));
    try {
      for (let step = 0; step < STEPS; step++) {
        const start = performance.now();
        if (random.below(4) === 0) hostActs(subject, random);
        else subject.step(random);
        const tookMs = performance.now() - start;
        assert.ok(tookMs < STEP_MAX_MS, `a step took ${tookMs.toFixed(0)} ms`);
      }
      assertBelowLimits(subject.card.name);
      link.onReady = () => undefined;
      const saved = subject.card.save();
      const other = build();
      other.link.isUp = link.isUp;
      if (subject.ram !== undefined) other.ram?.write(0, subject.ram.bytes);
      other.card.restore(saved);
      assert.deepEqual(other.card.save(), saved);
      proveItWorks(subject);
      proveItWorks(other);
    } catch (error) {
      throw new Error(`nic, seed ${String(next)}`, { cause: error });
    }
  }
  return sent;
}
