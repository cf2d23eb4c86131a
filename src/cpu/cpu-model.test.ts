import assert from "node:assert/strict";
import { test } from "node:test";

import { cpuModel, cpuModelHelp, features, featureNames, featuresOfModel, parseCpuModel } from "./index.ts";
import type { CpuModel, Feature } from "./index.ts";

const problemOf = (text: string): string => {
  const parsed = parseCpuModel(text);
  assert.ok(!parsed.ok, text);
  return parsed.error.message;
};

/** The bit of CPUID that stands for a feature. */
function cpuidBit(cpu: CpuModel, feature: Feature): number {
  const [leaf, register, bit, subleaf = 0] = features[feature].cpuid;
  const entry = cpu.cpuid().find((each) => each.leaf === leaf && (each.subleaf ?? 0) === subleaf);
  return ((entry?.[register] ?? 0) >>> bit) & 1;
}

test("v1 is the x86-64 baseline", () => {
  const { features: has } = cpuModel("v1");
  const baseline = ["cmov", "cx8", "fpu", "fxsr", "mmx", "syscall", "sse", "sse2"] as const;
  const later = ["cx16", "lahf64", "popcnt", "sse3", "ssse3", "sse4_1", "sse4_2", "movbe", "aes"] as const;
  assert.deepEqual(
    baseline.filter((feature) => !has.has(feature)),
    [],
  );
  assert.deepEqual(
    later.filter((feature) => has.has(feature)),
    [],
  );
});

test("v2, the default, has what x86-64-v2 asks for", () => {
  const level2 = ["cx16", "lahf64", "popcnt", "sse3", "ssse3", "sse4_1", "sse4_2"] as const;
  const { features: has } = cpuModel();
  assert.deepEqual([...has], featuresOfModel("v2"));
  assert.deepEqual(
    [...featuresOfModel("v1"), ...level2].filter((feature) => !has.has(feature)),
    [],
  );
});

test("every feature of a model has what it needs", () => {
  for (const model of ["v1", "v2"]) assert.ok(parseCpuModel(model).ok, model);
});

test("features are turned on and off, and the last word counts", () => {
  const has = (text: string, feature: Feature): boolean => cpuModel(text).features.has(feature);
  assert.deepEqual(
    [
      has("v1,+popcnt", "popcnt"),
      has("v2,-popcnt", "popcnt"),
      has("-popcnt", "popcnt"),
      has("+smap", "smap"),
    ],
    [true, false, false, true],
  );
  assert.ok(has("v2,-popcnt,+popcnt", "popcnt"));
  assert.ok(!has("v2,-sse4", "sse4_1") && !has("v2,-sse4", "sse4_2") && has("v2,-sse4", "ssse3"));
  assert.ok(!has("v2,-sse4.2", "sse4_2"));
});

test("CPUID says what the model has, feature by feature", () => {
  let compared = 0;
  for (const text of ["v1", "v2", "v2,-sse4,+smap"]) {
    const cpu = cpuModel(text);
    for (const feature of featureNames) {
      assert.equal(cpuidBit(cpu, feature), Number(cpu.features.has(feature)), `${feature} of ${text}`);
      compared++;
    }
  }
  assert.ok(compared > 100);
});

test("every feature that can be turned off takes its CPUID bit, and those of what needs it, with it", () => {
  const everything = `v2,${featureNames.map((feature) => `+${feature}`).join(",")}`;
  const isNeededBy = (needed: Feature, feature: Feature): boolean =>
    needed === feature || (features[feature].needs ?? []).some((need) => isNeededBy(needed, need));
  let turnedOff = 0;
  for (const feature of featureNames.filter((name) => features[name].always !== true)) {
    const off = featureNames.filter((name) => isNeededBy(feature, name));
    const cpu = cpuModel(`${everything},${off.map((name) => `-${name}`).join(",")}`);
    assert.deepEqual(
      featureNames.filter((name) => cpuidBit(cpu, name) === 0),
      off,
      `without ${feature}`,
    );
    turnedOff++;
  }
  assert.ok(turnedOff > 40);
});

test("no two features share a bit of CPUID", () => {
  const places = featureNames.map((feature) => features[feature].cpuid.join());
  assert.equal(new Set(places).size, places.length);
});

test("what a list gets wrong is one clear sentence", () => {
  assert.equal(problemOf("v3"), 'does not know the model "v3"; there are v1 and v2');
  assert.equal(problemOf("popcnt"), "must name features with + or - in front: +popcnt");
  assert.equal(
    problemOf("v2,popcnt"),
    'must be a model and features with + or - in front, like v2,+aes,-sha; "popcnt" is neither',
  );
  assert.equal(problemOf("+popcnt,v1"), "names the model v1 behind something else; a model comes first");
  assert.equal(problemOf("v2,+popct"), 'does not know the feature "popct"; near it is popcnt');
  assert.match(problemOf("v2,+sse5"), /^does not know the feature "sse5"; near it are sse4?, /);
  assert.equal(problemOf("v2,+warpdrive"), 'does not know the feature "warpdrive"; --cpu help lists them');
  assert.equal(problemOf("v2,-pae"), "cannot turn off pae, which every processor has");
  assert.equal(problemOf(""), 'does not know the model ""; there are v1 and v2');
});

test("a feature without what it needs is refused, whichever way it came about", () => {
  assert.equal(problemOf("v2,-ssse3"), "leaves ssse3 off, which sse4_1 needs: add +ssse3, or -sse4_1");
  assert.equal(problemOf("v1,+sse4_2"), "leaves sse4_1 off, which sse4_2 needs: add +sse4_1, or -sse4_2");
});

test("the help names every model and every feature that can be chosen", () => {
  const text = cpuModelHelp();
  const missing = featureNames.filter((name) => !new RegExp(`^  ${name} `, "m").test(text));
  assert.deepEqual(missing, []);
  assert.match(text, /^ {2}v2 .*\(default\)$/m);
});
