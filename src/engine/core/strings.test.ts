import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import * as L from "../layout.ts";
import { DS, ES, FS, SystemFixture } from "./system-fixture.ts";

const cpu = await SystemFixture.start();

const { GPR_RAX: RAX, GPR_RCX: RCX, GPR_RDX: RDX, GPR_RSI: RSI, GPR_RDI: RDI } = L;
const DF = 0x400;
const REPNE = 0x1000;
const SUB = 3;

/** The immediate of a string helper. */
const operands = (size: number, addressSize: number, segment = DS): number =>
  size | (addressSize << 4) | (segment << 8);

function registers(values: Readonly<Record<number, bigint | number>>): void {
  for (const [register, value] of Object.entries(values)) cpu.setState64(Number(register), value);
}

function indexes(): bigint[] {
  return [cpu.state64(RSI), cpu.state64(RDI), cpu.state64(RCX)];
}

const ascending = (count: number, from = 1): number[] =>
  Array.from({ length: count }, (_, i) => (from + i) & 0xff);

beforeEach(() => {
  cpu.reset();
  cpu.enterLong();
  cpu.at(0x40_0000, 3);
});

describe("one element", () => {
  for (const size of [1, 2, 4, 8]) {
    it(`MOVS moves ${size} bytes and both indexes`, () => {
      cpu.setBytes(0x5000, ascending(9));
      registers({ [RSI]: 0x5000, [RDI]: 0x6000 });
      assert.equal(cpu.call("movs", 0, 0, operands(size, 8)), "ok");
      assert.deepEqual(cpu.bytes(0x6000, 9), [...ascending(size), ...Array<number>(9 - size).fill(0)]);
      assert.deepEqual(indexes().slice(0, 2), [0x5000n + BigInt(size), 0x6000n + BigInt(size)]);
    });
  }

  it("DF moves the indexes down", () => {
    cpu.flags = DF;
    registers({ [RAX]: 0x1234, [RDI]: 0x6000 });
    assert.equal(cpu.call("stos", 0, 0, operands(2, 8)), "ok");
    assert.equal(cpu.ram16(0x6000), 0x1234);
    assert.equal(cpu.state64(RDI), 0x5ffen);
  });

  it("LODS merges bytes and words into RAX and clears its upper half for doublewords", () => {
    cpu.setRam64(0x5000, 0x8877665544332211n);
    registers({ [RAX]: -1n, [RSI]: 0x5000 });
    cpu.call("lods", 0, 0, operands(1, 8));
    assert.equal(cpu.state64(RAX), 0xffff_ffff_ffff_ff11n);
    cpu.call("lods", 0, 0, operands(2, 8));
    assert.equal(cpu.state64(RAX), 0xffff_ffff_ffff_3322n);
    cpu.call("lods", 0, 0, operands(4, 8));
    assert.equal(cpu.state64(RAX), 0x77665544n);
  });

  it("CMPS and SCAS leave the operands of a subtraction for the flags", () => {
    cpu.setRam32(0x5000, 0x80000001);
    cpu.setRam32(0x6000, 0x90000002);
    registers({ [RSI]: 0x5000, [RDI]: 0x6000, [RAX]: 0x1_2222_3333n });
    assert.equal(cpu.call("cmps", 0, 0, operands(4, 8)), "ok");
    assert.deepEqual(
      [cpu.state32(L.CC_OP), cpu.state64(L.CC_DST), cpu.state64(L.CC_SRC)],
      [SUB * 4 + 2, 0x80000001n, 0x90000002n],
    );
    registers({ [RDI]: 0x6000 });
    assert.equal(cpu.call("scas", 0, 0, operands(4, 8)), "ok");
    assert.deepEqual([cpu.state64(L.CC_DST), cpu.state64(L.CC_SRC)], [0x22223333n, 0x90000002n]);
  });

  it("a store that changes translated code does not happen at first", () => {
    cpu.view.setBigUint64(L.PAGE_CODE_BITMAP + 6 * 8, 1n, true);
    registers({ [RAX]: 1, [RDI]: 0x6000 });
    assert.equal(cpu.call("stos", 0, 0, operands(1, 8)), "code changed");
    assert.equal(cpu.state64(RDI), 0x6000n);
    assert.equal(cpu.ram8(0x6000), 0);
  });

  it("the source takes an override, the target never", () => {
    cpu.setSegment(FS, 0, 0, 0x5000, 0);
    cpu.setSegment(ES, 0, 0, 0x9000, 0);
    cpu.setRam8(0x5010, 0x42);
    registers({ [RSI]: 0x10, [RDI]: 0x6000 });
    assert.equal(cpu.call("movs", 0, 0, operands(1, 8, FS)), "ok");
    assert.equal(cpu.ram8(0x6000), 0x42);
  });
});

describe("repetition", () => {
  it("copies over many pages", () => {
    const text = ascending(10_000, 7);
    cpu.setBytes(0x40_0123, text);
    registers({ [RSI]: 0x40_0123, [RDI]: 0x42_0abd, [RCX]: 10_000 });
    assert.equal(cpu.call("repmovs", 0, 0, operands(1, 8)), "ok");
    assert.deepEqual(cpu.bytes(0x42_0abd, 10_000), text);
    assert.deepEqual(indexes(), [0x40_0123n + 10_000n, 0x42_0abdn + 10_000n, 0n]);
    assert.deepEqual([cpu.ram8(0x42_0abc), cpu.ram8(0x42_0abd + 10_000)], [0, 0]);
    assert.equal(cpu.state64(L.NEXT_RIP), 0x40_0003n);
  });

  for (const size of [2, 4, 8]) {
    it(`copies elements of ${size} bytes that straddle pages`, () => {
      const text = ascending(size * 3000, 3);
      cpu.setBytes(0x40_0001, text);
      registers({ [RSI]: 0x40_0001, [RDI]: 0x42_0003, [RCX]: 3000 });
      assert.equal(cpu.call("repmovs", 0, 0, operands(size, 8)), "ok");
      assert.deepEqual(cpu.bytes(0x42_0003, size * 3000), text);
    });

    it(`copies ${size}-byte elements downwards`, () => {
      const text = ascending(size * 3000, 3);
      cpu.setBytes(0x40_0001, text);
      cpu.flags = DF;
      const last = size * 2999;
      registers({ [RSI]: 0x40_0001 + last, [RDI]: 0x42_0003 + last, [RCX]: 3000 });
      assert.equal(cpu.call("repmovs", 0, 0, operands(size, 8)), "ok");
      assert.deepEqual(cpu.bytes(0x42_0003, size * 3000), text);
      assert.equal(cpu.state64(RSI), BigInt(0x40_0001 - size));
      assert.equal(cpu.state64(RCX), 0n);
    });
  }

  it("an overlapping copy propagates a pattern upwards, as processors do", () => {
    cpu.setBytes(0x5000, [1, 2, 3]);
    registers({ [RSI]: 0x5000, [RDI]: 0x5003, [RCX]: 9 });
    cpu.call("repmovs", 0, 0, operands(1, 8));
    assert.deepEqual(cpu.bytes(0x5000, 13), [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 0]);
  });

  it("and downwards", () => {
    cpu.setBytes(0x5010, [1, 2]);
    cpu.flags = DF;
    registers({ [RSI]: 0x5011, [RDI]: 0x500f, [RCX]: 5 });
    cpu.call("repmovs", 0, 0, operands(1, 8));
    assert.deepEqual(cpu.bytes(0x500a, 8), [0, 2, 1, 2, 1, 2, 1, 2]);
  });

  it("an overlap in the harmless direction is a plain move", () => {
    cpu.setBytes(0x5000, ascending(16));
    registers({ [RSI]: 0x5004, [RDI]: 0x5000, [RCX]: 3 });
    cpu.call("repmovs", 0, 0, operands(4, 8));
    assert.deepEqual(cpu.bytes(0x5000, 16), [...ascending(12, 5), 13, 14, 15, 16]);
  });

  it("an overlap through two mappings of one page propagates too", () => {
    cpu.mapLong(0x40_0000n, 0x5000, 7);
    cpu.setBytes(0x5000, [9]);
    registers({ [RSI]: 0x5000, [RDI]: 0x40_0001n, [RCX]: 5 });
    cpu.call("repmovs", 0, 0, operands(1, 8));
    assert.deepEqual(cpu.bytes(0x5000, 7), [9, 9, 9, 9, 9, 9, 0]);
  });

  for (const size of [1, 2, 4, 8]) {
    it(`fills with elements of ${size} bytes`, () => {
      registers({ [RAX]: 0x8877665544332211n, [RDI]: 0x40_0001, [RCX]: 2000 });
      assert.equal(cpu.call("repstos", 0, 0, operands(size, 8)), "ok");
      const element = ascending(8, 1)
        .slice(0, size)
        .map((i) => i * 0x11);
      const wanted = Array.from({ length: size * 2000 }, (_, i) => element[i % size]);
      assert.deepEqual(cpu.bytes(0x40_0001, size * 2000), wanted);
      assert.equal(cpu.ram8(0x40_0001 + size * 2000), 0);
      assert.equal(cpu.ram8(0x40_0000), 0);
    });
  }

  describe("within pages that the TLBs know", () => {
    const AREA = 0x5000;
    const AREA_SIZE = 0x400;
    const SOURCE = AREA + 0x103;
    const COUNTS = [1, 2, 3, 5, 7, 8, 9, 16, 17, 24, 25, 33];
    const modes = [
      { name: "64-bit", addressSize: 8, enter: (): void => cpu.enterLong() },
      { name: "flat 32-bit", addressSize: 4, enter: (): void => cpu.enterProtected() },
    ] as const;

    /** Fills the area and makes sure that the next access to it misses no TLB. */
    function prepare(addressSize: number): number[] {
      const before = Array.from({ length: AREA_SIZE }, (_, i) => (i * 7 + (i >>> 8)) & 0xff);
      cpu.setBytes(AREA, before);
      registers({ [RAX]: before[0] ?? 0, [RDI]: AREA });
      assert.equal(cpu.call("stos", 0, 0, operands(1, addressSize)), "ok");
      return before;
    }

    for (const { name, addressSize, enter } of modes) {
      for (const size of [1, 2, 4, 8].filter((bytes) => bytes <= addressSize)) {
        it(`${name} code moves any number of ${size}-byte elements over any distance`, () => {
          enter();
          cpu.at(0x40_0000, 3);
          for (const count of COUNTS) {
            for (const distance of [-0x100, -17, -8, -3, -1, 0, 1, 2, 4, 8, 15, 40, 0x100]) {
              const wanted = prepare(addressSize);
              const from = SOURCE - AREA;
              for (let i = 0; i < count * size; i += size)
                wanted.splice(from + distance + i, size, ...wanted.slice(from + i, from + i + size));
              registers({ [RSI]: SOURCE, [RDI]: SOURCE + distance, [RCX]: count });
              assert.equal(cpu.call("repmovs", 0, 0, operands(size, addressSize)), "ok");
              assert.deepEqual(cpu.bytes(AREA, AREA_SIZE), wanted, `${count} by ${distance}`);
              const end = BigInt(SOURCE + count * size);
              assert.deepEqual(indexes(), [end, end + BigInt(distance), 0n]);
            }
          }
        });

        it(`${name} code stores any number of ${size}-byte elements`, () => {
          enter();
          cpu.at(0x40_0000, 3);
          for (const count of COUNTS) {
            const wanted = prepare(addressSize);
            const bytes = Array.from({ length: count * size }, (_, i) => 0x11 * ((i % size) + 1));
            wanted.splice(SOURCE - AREA, bytes.length, ...bytes);
            registers({ [RAX]: 0x8877665544332211n, [RDI]: SOURCE, [RCX]: count });
            assert.equal(cpu.call("repstos", 0, 0, operands(size, addressSize)), "ok");
            assert.deepEqual(cpu.bytes(AREA, AREA_SIZE), wanted, String(count));
            assert.deepEqual(indexes().slice(1), [BigInt(SOURCE + count * size), 0n]);
          }
        });
      }
    }

    it("up to a page's last byte, and over it", () => {
      for (const count of [0x10, 0x11]) {
        cpu.mapLong(0x40_0000n, 0x9000, 7);
        cpu.mapLong(0x40_1000n, 0x5000, 7);
        cpu.setBytes(0x9ff0, Array<number>(0x10).fill(0));
        cpu.setBytes(0x5000, [0]);
        registers({ [RAX]: 0xaa, [RDI]: 0x40_0ff0, [RCX]: 1 });
        assert.equal(cpu.call("repstos", 0, 0, operands(1, 8)), "ok");
        registers({ [RDI]: 0x40_0ff0, [RCX]: count });
        assert.equal(cpu.call("repstos", 0, 0, operands(1, 8)), "ok");
        assert.deepEqual(cpu.bytes(0x9ff0, 0x10), Array<number>(0x10).fill(0xaa));
        assert.equal(cpu.ram8(0x5000), count === 0x11 ? 0xaa : 0);
      }
    });
  });

  it("stops at a page fault with the registers at the element that faulted", () => {
    cpu.mapLong(0x41_0000n, 0x41_0000, 5);
    cpu.setState64(L.CR0, 0x80010011);
    registers({ [RSI]: 0x5000, [RDI]: 0x40_ff00, [RCX]: 0x400 });
    assert.equal(cpu.call("repmovs", 0, 0, operands(1, 8)), "#14(3)");
    assert.equal(cpu.state64(L.FAULT_ADDRESS), 0x41_0000n);
    assert.deepEqual(indexes(), [0x5100n, 0x41_0000n, 0x300n]);
    cpu.mapLong(0x41_0000n, 0x41_0000, 7);
    assert.equal(cpu.call("repmovs", 0, 0, operands(1, 8)), "ok");
    assert.deepEqual(indexes(), [0x5400n, 0x41_0300n, 0n]);
  });

  it("going down, a fault names the element and not the start of the run", () => {
    cpu.mapLong(0x41_0000n, 0x41_0000, 0);
    cpu.flags = DF;
    registers({ [RSI]: 0x41_0800, [RDI]: 0x5800, [RCX]: 0x10 });
    assert.equal(cpu.call("repmovs", 0, 0, operands(4, 8)), "#14(0)");
    assert.equal(cpu.state64(L.FAULT_ADDRESS), 0x41_0800n);
  });

  it("gives interrupts a chance after 16384 elements", () => {
    registers({ [RAX]: 5, [RDI]: 0x40_0000, [RCX]: 20_000 });
    assert.equal(cpu.call("repstos", 0, 0, operands(1, 8)), "ok");
    assert.equal(cpu.state64(L.NEXT_RIP), 0x40_0000n);
    assert.equal(cpu.state64(RCX), 20_000n - 16_384n);
    assert.equal(cpu.call("repstos", 0, 0, operands(1, 8)), "ok");
    assert.equal(cpu.state64(RCX), 0n);
  });

  it("drops translated code under the target and goes on", () => {
    cpu.view.setBigUint64(L.PAGE_CODE_BITMAP + 6 * 8, 0b101n | (1n << 63n), true);
    registers({ [RAX]: 5, [RDI]: 0x6000, [RCX]: 0x81 });
    assert.equal(cpu.call("repstos", 0, 0, operands(1, 8)), "ok");
    assert.equal(cpu.view.getBigUint64(L.PAGE_CODE_BITMAP + 6 * 8, true), 1n << 63n);
    assert.equal(cpu.ram8(0x6080), 5);
  });

  it("reaches devices element by element", () => {
    cpu.mapLong(0x40_0000n, 0, 7);
    cpu.setRam64(cpu.longEntry(0x40_0000n), 0xfed0_0007);
    registers({ [RAX]: 0x1234, [RDI]: 0x40_0010, [RCX]: 2 });
    assert.equal(cpu.call("repstos", 0, 0, operands(2, 8)), "ok");
    assert.deepEqual(cpu.accesses, [
      { what: "write", at: 0xfed0_0010, size: 2, value: 0x1234 },
      { what: "write", at: 0xfed0_0012, size: 2, value: 0x1234 },
    ]);
  });

  it("a count of 0 does nothing and leaves the flags", () => {
    cpu.setState32(L.CC_OP, 7);
    registers({ [RDI]: 0x7000_0000, [RCX]: 0 });
    assert.equal(cpu.call("repscas", 0, 0, operands(1, 8)), "ok");
    assert.equal(cpu.state32(L.CC_OP), 7);
    assert.deepEqual(indexes(), [0n, 0x7000_0000n, 0n]);
  });

  it("REPNE SCAS finds a byte, over a page boundary", () => {
    cpu.setBytes(0x40_0f00, Array<number>(0x300).fill(1));
    cpu.setRam8(0x40_1080, 0);
    registers({ [RAX]: 0, [RDI]: 0x40_0f00, [RCX]: -1n });
    assert.equal(cpu.call("repscas", 0, 0, operands(1, 8) | REPNE), "ok");
    assert.equal(cpu.state64(RDI), 0x40_1081n);
    assert.equal(cpu.state64(RCX), BigInt.asUintN(64, -1n - 0x181n));
    assert.deepEqual([cpu.state32(L.CC_OP), cpu.state64(L.CC_DST), cpu.state64(L.CC_SRC)], [SUB * 4, 0n, 0n]);
  });

  for (const size of [1, 2, 4, 8]) {
    it(`REPE CMPS of ${size} bytes stops behind the first difference`, () => {
      cpu.setBytes(0x40_0f01, ascending(4000));
      cpu.setBytes(0x42_0803, ascending(4000));
      cpu.setRam8(0x42_0803 + 300 * size, 0xfe);
      registers({ [RSI]: 0x40_0f01, [RDI]: 0x42_0803, [RCX]: 400 });
      assert.equal(cpu.call("repcmps", 0, 0, operands(size, 8)), "ok");
      const passed = BigInt(301 * size);
      assert.deepEqual(indexes(), [0x40_0f01n + passed, 0x42_0803n + passed, 99n]);
      const mask = (1n << BigInt(size * 8)) - 1n;
      assert.equal(cpu.state64(L.CC_DST), cpu.ram64(0x40_0f01 + 300 * size) & mask);
      assert.equal(cpu.state64(L.CC_SRC), cpu.ram64(0x42_0803 + 300 * size) & mask);
    });
  }

  it("REPE CMPS downwards", () => {
    cpu.setBytes(0x40_0f00, ascending(1000));
    cpu.setBytes(0x42_0800, ascending(1000));
    cpu.setRam8(0x42_0800, 0xfe);
    cpu.flags = DF;
    registers({ [RSI]: 0x40_0f00 + 998, [RDI]: 0x42_0800 + 998, [RCX]: 900 });
    assert.equal(cpu.call("repcmps", 0, 0, operands(2, 8)), "ok");
    assert.deepEqual(indexes(), [0x40_0f00n - 2n, 0x42_0800n - 2n, 400n]);
    assert.equal(cpu.state64(L.CC_SRC), 0x02fen);
  });
});

describe("address sizes and segments", () => {
  it("32-bit addresses in 64-bit mode clear the upper halves of the registers they move", () => {
    registers({ [RAX]: 0, [RDI]: 0x7_0000_6000n, [RCX]: 0x9_0000_0002n });
    assert.equal(cpu.call("repstos", 0, 0, operands(1, 4)), "ok");
    assert.deepEqual([cpu.state64(RDI), cpu.state64(RCX)], [0x6002n, 0n]);
  });

  it("16-bit indexes wrap within 64 KiB and keep the rest of the registers", () => {
    cpu.reset();
    cpu.setSegment(ES, 0x1000, 0x93, 0x1_0000, 0xffff);
    registers({ [RAX]: 0x77, [RDI]: 0xabcd_fffe, [RCX]: 0x5555_0004 });
    assert.equal(cpu.call("repstos", 0, 0, operands(1, 2)), "ok");
    assert.deepEqual([cpu.state64(RDI), cpu.state64(RCX)], [0xabcd_0002n, 0x5555_0000n]);
    assert.deepEqual(
      [cpu.ram16(0x1_fffe), cpu.ram16(0x1_0000), cpu.ram8(0x1_0002), cpu.ram8(0x2_0000)],
      [0x7777, 0x7777, 0, 0],
    );
  });

  it("a word across the end of a real-mode segment is #GP(0), after the elements before it", () => {
    cpu.reset();
    cpu.setSegment(ES, 0x1000, 0x93, 0x1_0000, 0xffff);
    registers({ [RAX]: 0x77, [RDI]: 0xfffb, [RCX]: 4 });
    assert.equal(cpu.call("repstos", 0, 0, operands(2, 2)), "#13(0)");
    assert.deepEqual([cpu.state64(RDI), cpu.state64(RCX)], [0xffffn, 2n]);
  });

  it("a protected-mode limit stops the run at the exact element", () => {
    cpu.reset();
    cpu.enterProtected();
    cpu.setSegment(DS, 0x38, 0x4093, 0x5000, 0x107);
    cpu.run("updateMode");
    registers({ [RSI]: 0x100, [RDI]: 0x6000, [RCX]: 4 });
    assert.equal(cpu.call("repmovs", 0, 0, operands(4, 4)), "#13(0)");
    assert.deepEqual(indexes(), [0x108n, 0x6008n, 2n]);
  });
});

describe("ports", () => {
  it("REP INS stores what the device gives", () => {
    cpu.deviceValue = 0xbeef;
    registers({ [RDX]: 0x1f0, [RDI]: 0x40_0fff, [RCX]: 3 });
    assert.equal(cpu.call("repins", 0, 0, operands(2, 8)), "ok");
    assert.deepEqual(cpu.bytes(0x40_0fff, 7), [0xef, 0xbe, 0xef, 0xbe, 0xef, 0xbe, 0]);
    assert.equal(cpu.accesses.length, 3);
    assert.deepEqual(cpu.accesses[0], { what: "in", at: 0x1f0, size: 2 });
  });

  it("INS asks the device only when the store cannot fault", () => {
    cpu.mapLong(0x40_0000n, 0x40_0000, 5);
    registers({ [RDX]: 0x1f0, [RDI]: 0x40_0000 });
    assert.equal(cpu.call("ins", 0, 0, operands(2, 8)), "#14(3)");
    assert.deepEqual(cpu.accesses, []);
  });

  it("REP OUTS sends memory and stops when run() is to return", () => {
    cpu.setBytes(0x5000, ascending(8));
    registers({ [RDX]: 0x3f8, [RSI]: 0x5000, [RCX]: 8 });
    assert.equal(cpu.call("repouts", 0, 0, operands(4, 8)), "ok");
    assert.deepEqual(cpu.accesses[0], { what: "out", at: 0x3f8, size: 4, value: 0x04030201 });
    cpu.setState32(L.EXIT_REQUEST, 1);
    registers({ [RCX]: 8 });
    assert.equal(cpu.call("repouts", 0, 0, operands(4, 8)), "ok");
    assert.equal(cpu.state64(RCX), 8n);
    assert.equal(cpu.state64(L.NEXT_RIP), 0x40_0000n);
  });
});
