// What Node.js computes, in code that V8 compiles while it runs: hashes, regular expressions, BigInt, WebAssembly.
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  pbkdf2Sync,
  scryptSync,
} from "node:crypto";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { brotliCompressSync, brotliDecompressSync, deflateSync, gunzipSync, gzipSync } from "node:zlib";

const print = (...parts) => process.stdout.write(`${parts.join(" ")}\n`);
let state = 20221122;
const next = () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0);
const sha256 = (data) => createHash("sha256").update(data).digest("hex");

const data = Buffer.from(Uint32Array.from({ length: 50_000 }, next).buffer);
for (const name of ["md5", "sha1", "sha256", "sha384", "sha512", "sha3-256", "blake2b512", "ripemd160"]) {
  print(name, createHash(name).update(data).digest("hex"));
}
print("hmac", createHmac("sha256", "key").update(data).digest("hex"));
print("pbkdf2", pbkdf2Sync("secret", "salt", 2000, 32, "sha512").toString("hex"));
print("scrypt", scryptSync("secret", "salt", 32, { N: 1024 }).toString("hex"));
for (const name of ["aes-128-gcm", "aes-256-gcm", "chacha20-poly1305"]) {
  const key = Buffer.alloc(name === "aes-128-gcm" ? 16 : 32, 7);
  const iv = Buffer.alloc(12, 9);
  const cipher = createCipheriv(name, key, iv, { authTagLength: 16 });
  const sealed = Buffer.concat([cipher.update(data), cipher.final()]);
  const decipher = createDecipheriv(name, key, iv, { authTagLength: 16 }).setAuthTag(cipher.getAuthTag());
  const opened = Buffer.concat([decipher.update(sealed), decipher.final()]);
  print(name, sha256(sealed), cipher.getAuthTag().toString("hex"), opened.equals(data));
}
print("gzip", sha256(gunzipSync(gzipSync(data, { level: 9 }))), deflateSync(data.subarray(0, 5000)).length);
print("brotli", sha256(brotliDecompressSync(brotliCompressSync(data.subarray(0, 20_000)))));

const names =
  "sin cos tan asin acos atan sinh cosh tanh exp expm1 log log2 log10 log1p cbrt sqrt fround round trunc";
for (const name of names.split(" ")) {
  let sum = 0;
  for (let i = 0; i < 50_000; i++) {
    const result = Math[name]((i - 25_000) / 12_345.678);
    if (Number.isFinite(result)) sum += result;
  }
  print(name, sum);
}
print("pow", [0.1, 2, 10, 1e-5].map((base) => [0.5, -3, 17.25, 300].map((power) => base ** power)).flat());
print("parse", ["1e23", "4.9e-324", "0.1", "123456789012345678", "1.7976931348623159e308"].map(Number));
print(
  "print",
  [1 / 3, 1e21, 5e-324, 2 ** 53 + 1, 0.000001234, -0].map((x) => `${x} ${x.toFixed(5)} ${x.toString(7)}`),
);

let fibonacci = [0n, 1n];
for (let i = 0; i < 5000; i++) fibonacci = [fibonacci[1], fibonacci[0] + fibonacci[1]];
print("fibonacci", sha256(String(fibonacci[0])));
let power = 1n;
for (let i = 0; i < 400; i++) power = (power * 1234567890123456789n) % (2n ** 521n - 1n);
print(
  "modular power",
  power.toString(36),
  BigInt.asIntN(64, power),
  (power ** 7n / 3n ** 99n) & 0xffffffffffffn,
);

const text = Array.from({ length: 60_000 }, () => String.fromCharCode(32 + (next() % 95))).join("");
for (const pattern of [
  /\w+/g,
  /(\d)(\D*?)\1/g,
  /[aeiou]{2,}/gi,
  /(?<=\s)[A-Z]\w(?!\d)/g,
  /^.*x.*y.*z/g,
  /\p{Lu}\p{Ll}/gu,
]) {
  const found = text.match(pattern) ?? [];
  print(String(pattern), found.length, sha256(found.join("|")));
}
print("replaced", sha256(text.replace(/(\w)(\W)/g, (_, a, b) => b + a.toUpperCase())));

// A function that is compiled for small integers, then meets doubles, strings and objects, and is compiled again.
const add = (a, b) => a + b;
let total = 0;
for (let i = 0; i < 300_000; i++) total = add(total, i & 7);
for (let i = 0; i < 300_000; i++) total = add(total, i * 0.25);
let joined = "";
for (let i = 0; i < 30_000; i++) joined = add(joined, i % 10);
print("add", total, sha256(joined), add({ valueOf: () => 3 }, 4));
class Point {
  constructor(x, y) {
    this.x = x;
    this.y = y;
  }
  rotated(angle) {
    return new Point(
      this.x * Math.cos(angle) - this.y * Math.sin(angle),
      this.x * Math.sin(angle) + this.y * Math.cos(angle),
    );
  }
}
let point = new Point(1, 0);
for (let i = 0; i < 200_000; i++) point = point.rotated(0.001);
print("point", point.x, point.y);
const numbers = Array.from({ length: 100_000 }, next);
print(
  "sorted",
  sha256(Buffer.from(Float64Array.from(numbers).sort().buffer)),
  sha256(numbers.toSorted?.().join() ?? [...numbers].sort().join()),
);
const sieve = new Uint8Array(500_000);
let primes = 0;
for (let i = 2; i < sieve.length; i++) {
  if (sieve[i] !== 0) continue;
  primes++;
  for (let k = i * i; k < sieve.length; k += i) sieve[k] = 1;
}
print("primes", primes);
print(
  "json",
  sha256(
    JSON.stringify(
      JSON.parse(JSON.stringify({ numbers, text, nested: [[[{ a: null, b: [1.5e-7, true] }]]] })),
    ),
  ),
);

// (func (export "f") (param i32) (result f64)): a loop of an i64 multiplication, a rotation and an f64 addition.
const sized = (...bytes) => [bytes.length, ...bytes];
const body = sized(
  ...[2, 1, 126, 1, 124], // locals: an i64, an f64
  ...[66, 1, 33, 1, 3, 64], // i64.const 1, local.set 1, loop
  ...[32, 1, 66, 173, 254, 213, 228, 212, 133, 253, 168, 216, 0, 126], // local.get 1, times 6364136223846793005
  ...[66, 17, 137, 34, 1, 66, 11, 136, 185, 32, 2, 160, 33, 2], // rotl 17, local.tee 1, shr_u 11, to f64, add to local 2
  ...[32, 0, 65, 1, 107, 34, 0, 13, 0, 11, 32, 2, 11], // while --local 0; local.get 2
);
const type = [1, ...sized(1, 96, 1, 127, 1, 124)];
const code = [10, ...sized(1, ...body)];
const module = new Uint8Array([
  0,
  97,
  115,
  109,
  1,
  0,
  0,
  0,
  ...type,
  3,
  2,
  1,
  0,
  7,
  5,
  1,
  1,
  102,
  0,
  0,
  ...code,
]);
print("wasm", new WebAssembly.Instance(new WebAssembly.Module(module)).exports.f(2_000_000));

const worker = new Worker(
  "let s = 0; for (let i = 0; i < 1e6; i++) s += i % 7; require('worker_threads').parentPort.postMessage(s)",
  {
    eval: true,
  },
);
print("worker", (await once(worker, "message"))[0]);
