/**
 * What is run in the Debian guest and in a chroot of the same files on the host: hashes, ciphers and signatures,
 * interpreters with their own test suites, a compiler and what it compiles, and an engine that compiles while it runs.
 * Nothing depends on time, network, entropy or the kernel's version, or else only what does not is printed.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { Program } from "./program.ts";

export async function debianPrograms(): Promise<Program[]> {
  return [
    ...(await compiledPrograms()),
    await scriptProgram("perl", "arithmetic.pl"),
    await scriptProgram("node", "engine.mjs"),
    ...OPENSSL,
    ...SMALL,
    ...Object.entries(PYTHON_TESTS).map(([name, modules]) => pythonTests(name, modules)),
  ];
}

const sourceOf = async (name: string): Promise<string> =>
  await readFile(join(import.meta.dirname, "debian", name), "utf8");

/** Both sides start in an empty folder of their own. */
const inFolder = (name: string, script: string): Program => ({
  name,
  script: `mkdir -p /tmp/${name} && cd /tmp/${name} || exit 1\n${script}`,
  limitSeconds: 1800,
});

/** The text is in the script itself, so that it needs no way into the guest of its own. */
const fileInScript = (name: string, text: string): string =>
  `cat >${name} <<'END_OF_FILE'\n${text}END_OF_FILE\n`;

async function scriptProgram(interpreter: string, name: string): Promise<Program> {
  return inFolder(interpreter, `${fileInScript(name, await sourceOf(name))}exec ${interpreter} ${name}`);
}

/** The compiler's assembly, object and program, byte for byte, and what the program prints. */
async function compiledPrograms(): Promise<Program[]> {
  const name = "arithmetic.c";
  const source = fileInScript(name, await sourceOf(name));
  return ["-O0", "-O2", "-O3 -march=x86-64-v2 -fno-math-errno", "-O2 -mfpmath=387"].map((flags) =>
    inFolder(
      `gcc${flags.replaceAll(/ -f\S+| -/g, "").replaceAll(/[^\w-]/g, "-")}`,
      `${source}gcc ${flags} -std=gnu17 -S -o program.s ${name} && gcc ${flags} -std=gnu17 -c ${name} &&
gcc -o program arithmetic.o -lm && sha256sum program.s arithmetic.o program && exec ./program`,
    ),
  );
}

const TEXT = "seq 1 400000 >text";
const DIGESTS =
  "md5 sha1 sha224 sha256 sha384 sha512 sha512-256 sha3-256 sha3-512 shake256 blake2b512 blake2s256 ripemd160 sm3";
const CIPHERS =
  "aes-128-cbc aes-256-ecb aes-128-ctr aes-192-cfb aes-256-ofb camellia-256-cbc aria-128-ctr chacha20 des-ede3-cbc sm4-cbc";
const KEY = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

const OPENSSL: readonly Program[] = [
  inFolder("openssl-dgst", `${TEXT}\nfor d in ${DIGESTS}; do openssl dgst -$d text; done`),
  inFolder(
    "openssl-mac",
    `${TEXT}
openssl mac -digest SHA256 -macopt hexkey:${KEY} -in text HMAC
openssl mac -cipher AES-256-CBC -macopt hexkey:${KEY} -in text CMAC
openssl mac -cipher AES-256-GCM -macopt hexkey:${KEY} -macopt hexiv:${KEY.slice(0, 24)} -in text GMAC
openssl mac -macopt hexkey:${KEY} -in text Poly1305
openssl mac -macopt hexkey:${KEY} -in text KMAC-256
openssl mac -macopt hexkey:${KEY.slice(0, 32)} -in text SipHash`,
  ),
  inFolder(
    "openssl-enc",
    `${TEXT}
for c in ${CIPHERS}; do
  k=${KEY}; case $c in *128*|sm4*) k=${KEY.slice(0, 32)} ;; *192*|des*) k=${KEY.slice(0, 48)} ;; esac
  iv=$(printf '%.32s' ${KEY}); case $c in des*) iv=$(printf '%.16s' ${KEY}) ;; *ecb) iv= ;; esac
  openssl enc -$c -K $k \${iv:+-iv $iv} -in text -out sealed && echo "$c $(sha256sum <sealed)"
  openssl enc -d -$c -K $k \${iv:+-iv $iv} -in sealed | cmp - text || echo "$c does not open what it sealed"
done`,
  ),
  inFolder(
    "openssl-kdf",
    `openssl kdf -keylen 32 -kdfopt digest:SHA512 -kdfopt pass:secret -kdfopt salt:salt -kdfopt iter:20000 PBKDF2
openssl kdf -keylen 32 -kdfopt pass:secret -kdfopt salt:salt -kdfopt n:4096 -kdfopt r:8 -kdfopt p:1 SCRYPT
openssl kdf -keylen 42 -kdfopt digest:SHA256 -kdfopt key:secret -kdfopt salt:salt -kdfopt info:info HKDF`,
  ),
  inFolder(
    "openssl-prime",
    `for n in 2 97 1000000007 1000000000039 18446744073709551557 18446744073709551559 \\
  170141183460469231731687303715884105727 170141183460469231731687303715884105729; do openssl prime $n; done
openssl prime -hex $(printf 'F%.0s' $(seq 1 130))1
openssl prime -hex 1$(printf 'F%.0s' $(seq 1 130))`,
  ),
  // Keys and ECDSA's signatures are random, so that only their verification is printed; Ed25519's are not.
  inFolder(
    "openssl-sign",
    `${TEXT}
check() {
  openssl pkey -in $1.pem -pubout -out $1.pub
  openssl dgst -sha256 -sign $1.pem -out $1.sig text && openssl dgst -sha256 -verify $1.pub -signature $1.sig text
  echo >>text; openssl dgst -sha256 -verify $1.pub -signature $1.sig text 2>/dev/null
}
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem 2>/dev/null && check rsa
openssl pkey -in rsa.pem -check -noout
for curve in P-256 P-384 P-521 secp256k1 brainpoolP256r1; do
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:$curve -out $curve.pem && check $curve
done
for curve in P-256 X25519 X448; do
  for side in a b; do
    case $curve in X*) options="-algorithm $curve" ;; *) options="-algorithm EC -pkeyopt group:$curve" ;; esac
    openssl genpkey $options -out $side.pem && openssl pkey -in $side.pem -pubout -out $side.pub
  done
  openssl pkeyutl -derive -inkey a.pem -peerkey b.pub -out ab
  openssl pkeyutl -derive -inkey b.pem -peerkey a.pub -out ba
  cmp ab ba && echo "$curve agrees"
done
printf '302e020100300506032b657004220420${KEY}' | perl -ne 'print pack "H*", $_' >ed25519.der
openssl pkey -inform DER -in ed25519.der -out ed25519.pem
openssl pkeyutl -sign -rawin -inkey ed25519.pem -in text -out signature && sha256sum signature`,
  ),
  // Its speeds are the clock's; that each algorithm ran and that no public key failed is not.
  inFolder(
    "openssl-speed",
    `speed() { openssl speed -seconds 1 -bytes 8192 -mr "$@" 2>&1 | grep -aiE '^[+]F|fail|error' | cut -d: -f1-3; }
speed md5 sha256 sha512 aes-128-cbc aes-256-cbc ghash
speed -evp aes-128-gcm; speed -evp chacha20-poly1305
speed rsa2048 ecdsap256 ecdhx25519 ed25519`,
  ),
];

const SMALL: readonly Program[] = [
  inFolder(
    "sqlite3",
    `sqlite3 :memory: <<'END_OF_FILE'
create table numbers as with recursive n(i) as (select 1 union all select i + 1 from n where i < 60000)
  select i, (i * 7919) % 104729 as hash, i / 7.0 as real, printf('%08x', i * 2654435761 % 4294967296) as text from n;
create index by_hash on numbers(hash);
select count(*), sum(hash), total(real), avg(i * real), max(text), min(text) from numbers;
select a.i, b.i, round(a.real * b.real, 6) from numbers a join numbers b on a.hash = b.hash + 1 order by a.real desc limit 8;
select hash % 10, group_concat(i), count(distinct text) from numbers where i < 200 group by 1;
select sqrt(2), exp(1), ln(10), pow(1.5, 20.25), sin(1), hex(zeroblob(4)), 9223372036854775807 + 1, -7 / 2, -7 % 3;
END_OF_FILE`,
  ),
  inFolder(
    "coreutils",
    `seq 1 150000 | sha256sum
seq 150000 | awk '{ print ($1 * 7919) % 104729, $1 / 3, sqrt($1), log($1) * sin($1) }' >table
sha256sum table; sort -n table | sha256sum; sort -k4 -g table | sha256sum; cut -d' ' -f3 table | sort -u | wc
gzip -9n <table | sha256sum; gzip -1n <table | gunzip | cmp - table; grep -cE '^[0-9]*7 .*[13579]$' table
sed -E 's/([0-9]+)\\.([0-9]+)/\\2.\\1/g' table | md5sum; factor 18446744073709551557 1000000016000000063; cksum table`,
  ),
];

/** Modules of CPython's own tests that compute; those of threads, processes and the network are about the kernel. */
const PYTHON_TESTS = {
  numbers: "int long float complex numeric_tower fractions strtod format",
  mathematics: "math cmath random",
  decimal: "decimal",
  bytes: "struct array bytes memoryview binascii base64 audioop ctypes",
  text: "string unicode codecs re json difflib",
  containers: "list tuple dict set heapq bisect itertools generators pickle",
  digests: "hashlib hmac zlib gzip",
} as const;

/** Each test with its result, without times, addresses, load and the machine's description. */
function pythonTests(name: string, modules: string): Program {
  const tests = modules.split(" ").map((module) => `test_${module}`);
  const command = `python3 -m test -v ${tests.join(" ")} 2>&1; echo "exit status $?"`;
  const edits = [
    String.raw`/^==/d; /^Total duration/d; s/ -- test_\w+ passed in .*//; /^test_\w+ passed in /d`,
    String.raw`s/^[0-9:]+ load avg: [0-9.]+ //; s/ in [0-9.]+s$//; s/ at 0x[0-9a-f]+/ at ADDRESS/g`,
  ];
  return inFolder(`python-${name}`, `{ ${command}; } | sed -E '${edits.join("; ")}'`);
}
