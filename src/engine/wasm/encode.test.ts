import assert from "node:assert/strict";
import { test } from "node:test";
import type { ValueType } from "../ir/expr.ts";
import { ByteBuffer } from "./bytes.ts";
import { ImportedFunction, ModuleEncoder, type Signature } from "./encode.ts";
import { opcode } from "./opcodes.ts";

const memory = new WebAssembly.Memory({ initial: 1, maximum: 16, shared: true });
const encoder = new ModuleEncoder({ module: "env", name: "memory", maximumPages: 16 });
const toI64: Signature = { parameters: [], results: ["i64"] };

function run(imports: Record<string, WebAssembly.ImportedFunction> = {}): (...args: unknown[]) => unknown {
  const bytes = encoder.finish();
  assert.equal(WebAssembly.validate(bytes), true);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory, ...imports } });
  return instance.exports["f"] as (...args: unknown[]) => unknown;
}

test("every i64 constant comes back as it was", () => {
  const values = [0n, 1n, -1n, 63n, 64n, -64n, -65n, 0x7fffffffn, -0x80000000n, 0x80000000n, 0xffffffffn];
  for (let shift = 0n; shift < 64n; shift++) {
    values.push(
      BigInt.asIntN(64, 1n << shift),
      BigInt.asIntN(64, (1n << shift) - 1n),
      BigInt.asIntN(64, -(1n << shift)),
    );
  }
  for (const value of values) {
    encoder.reset();
    encoder.function("f", toI64).i64ConstBig(value);
    assert.equal(run()(), value);
  }
});

test("every i32 constant comes back as it was", () => {
  for (let shift = 0; shift < 32; shift++) {
    for (const value of [1 << shift, (1 << shift) - 1, -(1 << shift)]) {
      encoder.reset();
      encoder.function("f", { parameters: [], results: ["i32"] }).i32Const(value);
      assert.equal(run()(), value | 0);
    }
  }
});

test("safe integers are i64 constants", () => {
  for (const value of [0, -1, 2 ** 31, 2 ** 32, 2 ** 52 + 3, -(2 ** 40) - 7]) {
    encoder.reset();
    encoder.function("f", toI64).i64ConstNumber(value);
    assert.equal(run()(), BigInt(value));
  }
});

test("a function can push how much stack it takes: more with each local that comes behind", () => {
  const frameBytes = (types: readonly ValueType[]): unknown => {
    encoder.reset();
    const f = encoder.function("f", { parameters: [], results: ["i32"] });
    f.i32ConstFrameBytes();
    for (const type of types) f.local(type);
    return run()();
  };
  const alone = Number(frameBytes([]));
  assert.ok(alone > 0);
  assert.equal(frameBytes(["i32", "v128", "i64"]), alone + 8 + 16 + 8);
  assert.equal(frameBytes(Array.from({ length: 1000 }, () => "v128")), alone + 16_000);
});

test("imports, own calls, locals of mixed types, globals and labels work together", () => {
  encoder.reset();
  const twice = encoder.import(
    new ImportedFunction("env", "twice", { parameters: ["i64"], results: ["i64"] }),
  );
  const global = encoder.global();
  const f = encoder.function("f", { parameters: ["i64"], results: ["i64"] });
  const g = encoder.function("g", { parameters: ["i64"], results: ["i64"] });
  const i = f.local("i32");
  const sum = f.local("i64");
  // sum = 10 times twice(argument), counting i down in a loop; then g(sum) = sum + 1; the global counts rounds.
  f.i32Const(10);
  f.localSet(i);
  const out = f.block();
  const top = f.loop();
  f.localGet(i);
  f.op(0x45); // i32.eqz
  f.brIf(out, "unlikely");
  f.localGet(0);
  f.call(twice);
  f.localGet(sum);
  f.op(0x7c); // i64.add
  f.localSet(sum);
  f.localGet(i);
  f.i32Const(1);
  f.op(0x6b); // i32.sub
  f.localSet(i);
  f.globalGet(global);
  f.i32Const(1);
  f.op(0x6a);
  f.globalSet(global);
  f.br(top);
  f.end();
  f.end();
  f.localGet(sum);
  f.callOwn(1);
  f.globalGet(global);
  f.op(0xad); // i64.extend_i32_u
  f.op(0x7c);
  g.localGet(0);
  g.i64Const(1, 0);
  g.op(0x7c);

  const call = run({ twice: (value: bigint) => value * 2n });

  assert.equal(call(21n), 421n + 10n);
});

test("a branch hint points at its instruction", () => {
  encoder.reset();
  const f = encoder.function("f", { parameters: ["i32"], results: ["i32"] });
  f.local("v128");
  f.local("i32");
  f.localGet(0);
  f.if("likely", "i32");
  f.i32Const(7);
  f.else();
  f.i32Const(8);
  f.end();

  const bytes = encoder.finish();
  const module = new WebAssembly.Module(bytes);
  const [custom] = WebAssembly.Module.customSections(module, "metadata.code.branch_hint");
  const hint = new Uint8Array(custom ?? new ArrayBuffer(0));

  // One function (index 0), one hint: offset, length 1, likely. Before it: 2 local runs in 5 bytes, local.get 0.
  assert.deepEqual([...hint], [1, 0, 1, 7, 1, 1]);
  // The code section ends with the one body, whose last byte is `end`.
  const body = bytes.subarray(bytes.length - (5 + 2 + 2 + 2 + 1 + 2 + 1 + 1));
  assert.equal(body[7], opcode.if);
});

test("memory accesses carry their offset", () => {
  encoder.reset();
  const f = encoder.function("f", { parameters: ["i32"], results: ["i64"] });
  f.i32Const(8);
  f.localGet(0);
  f.access(opcode.i32Store, 40000);
  f.i32Const(0);
  f.access(opcode.i64Load, 40008);

  assert.equal(run()(1234), 1234n);
});

test("a buffer keeps its bytes when it grows", () => {
  const buffer = new ByteBuffer();
  for (let i = 0; i < 200_000; i++) buffer.u8(i & 0xff);
  assert.equal(buffer.length, 200_000);
  assert.equal(buffer.view[199_999], 199_999 & 0xff);
});
