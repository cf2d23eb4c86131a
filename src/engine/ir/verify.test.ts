// The verifier accepts a well-formed block and names what is wrong with each kind of broken one.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { TEMP } from "../layout.ts";
import { IrBlock } from "./block.ts";
import { opNumber } from "./ops.ts";
import { blockText } from "./text.ts";
import { verifyBlock } from "./verify.ts";

const RAX = 0;
const RBX = 24;

/** A block of two guest instructions of two bytes, made by `fill` between `enter` and a jump. */
function blockOf(
  fill: (push: (pc: number, name: string, d?: number, s?: number, imm?: number) => void) => void,
): IrBlock {
  const block = new IrBlock();
  block.reset(0x1000, 0, 0x1000, 2);
  const push = (pc: number, name: string, d = 0, s = 0, imm = 0): void => {
    block.push(pc, opNumber(name), d, s, imm);
  };
  push(0, "enter", 0, 0, 2);
  fill(push);
  push(2, "jmp");
  block.instructionCount = 2;
  block.guestSizeBytes = 4;
  return block;
}

suite("the IR's verifier", () => {
  test("accepts a read-modify-write and a load behind a changed register of another instruction", () => {
    const block = blockOf((push) => {
      push(0, "ldw32_m64", TEMP, RBX, 8);
      push(0, "add32", TEMP, RAX);
      push(0, "st32_m64", TEMP, RBX, 8);
      push(2, "ld32_m64", RAX, RBX);
    });
    assert.deepEqual(verifyBlock(block), []);
    assert.equal(
      blockText(block),
      "0: enter 0x2\n0: ldw32_m64 t0, rbx, 0x8\n0: add32 t0, rax\n0: st32_m64 t0, rbx, 0x8\n2: ld32_m64 rax, rbx, 0x0\n2: jmp ->0x0",
    );
  });

  test("rejects an instruction that may fault behind a change of state", () => {
    const block = blockOf((push) => {
      push(0, "add32", RAX, RBX);
      push(0, "st32_m64", RAX, RBX);
    });
    assert.deepEqual(verifyBlock(block), [
      "op 2 (st32_m64 rax, rbx, 0x0): may fault behind the change of state at op 1",
    ]);
  });

  test("rejects a store elsewhere than the instruction loaded for writing", () => {
    const block = blockOf((push) => {
      push(0, "ldw32_m64", TEMP, RBX, 8);
      push(0, "add32", TEMP, RAX);
      push(0, "st32_m64", TEMP, RBX, 12);
    });
    assert.equal(verifyBlock(block).length, 1);
  });

  test("rejects slots that do not exist", () => {
    const block = blockOf((push) => {
      push(0, "mov64", 5, RBX);
      push(2, "movdqa", 18, 0);
    });
    assert.deepEqual(verifyBlock(block), [
      "op 1 (mov64 slot5, rbx): d: there is no slot 5",
      "op 2 (movdqa xmm18, xmm0): d: there is no xmm18",
    ]);
  });

  test("rejects a branch within a block, and a block without one", () => {
    const within = blockOf((push) => {
      push(0, "jmp");
    });
    assert.deepEqual(verifyBlock(within), ["op 1 (jmp ->0x0): a branch within the block"]);
    const without = blockOf(() => undefined);
    without.count--;
    assert.deepEqual(verifyBlock(without), ["op 0 (enter 0x2): the block does not end with a branch"]);
  });

  test("rejects a pc that goes backwards or leaves the block", () => {
    const block = blockOf((push) => {
      push(4, "mov64", RAX, RBX);
    });
    assert.deepEqual(verifyBlock(block), [
      "op 1 (mov64 rax, rbx): pc lies outside the block",
      "op 2 (jmp ->0x0): pc goes backwards",
    ]);
  });
});
