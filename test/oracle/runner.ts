/**
 * The native runner: a static Linux x86-64 program without a C library that runs instruction cases.
 *
 * How a case is entered: a signal frame is crafted and handed to rt_sigreturn, which sets every register, the
 * flags, CS:RIP, SS:RSP and the FP state at once, exactly as given. CS decides the mode.
 * How it is left: by the INT3 behind the code or by the fault that the code raises. The kernel saves the whole
 * state into a signal frame on the alternate stack; the handler copies that to the result, compares case
 * memory with its baseline, restores it, and crafts the next frame. The handler never returns.
 *
 * A case cannot do harm: a seccomp filter allows system calls only from the runner's own code, which lies far
 * above 4 GiB. A periodic timer of CPU time ends a case that is still running at the second tick.
 *
 * Specification: Linux' x86-64 signal frame (uapi/asm/sigcontext.h, ucontext.h), seccomp(2), modify_ldt(2).
 * Deliberately missing: FS/GS bases *after* a case (write through the base to observe it), and debug registers.
 */

import { Assembler, at, CONDITION, R, SEGMENT } from "./assembler.ts";
import { writeElf } from "./elf.ts";
import { DEFAULT_FP } from "./fp-image.ts";
import { baselineBytes, LDT, type MemoryRegion, PAGE_BYTES, REGIONS } from "./layout.ts";
import {
  BATCH_HEADER_BYTES,
  BATCH_MAX_BYTES,
  CASE,
  HELLO,
  RESULT,
  RESULTS_MAX_BYTES,
  SIGNAL,
} from "./protocol.ts";

const TEXT = 0x1234_5600_0000n;
const STATE = 0x1234_5680_0000n;

/** Period of the timer; a runaway case ends after one to two of them. */
const TICK_MICROSECONDS = 20_000;

/** Offsets inside the runner's writable segment. */
const AT = {
  serial: 0x000, // number of the running case
  tickSerial: 0x008, // number of the case that the last tick interrupted
  inputNext: 0x010,
  outputNext: 0x018,
  casesLeft: 0x020,
  batchHeader: 0x028,
  hello: 0x100,
  signalAction: 0x200, // struct kernel_sigaction
  alternateStack: 0x240, // stack_t
  timer: 0x260, // struct itimerval
  filterProgram: 0x280, // struct sock_fprog
  filter: 0x2a0, // struct sock_filter[]
  blockAll: 0x300, // sigset_t
  ldt: 0x400, // struct user_desc[]
  context: 0x1000, // struct ucontext of the frame that enters a case
  fpState: 0x2000, // its FP state, 64-byte aligned as XRSTOR demands
  fpDefault: 0x3000,
  baselines: 0x4000, // of the writable regions, one after the other
  signalStack: 0x1_0000,
  stackTop: 0x2_1000,
  input: 0x10_0000,
  output: 0x10_0000 + BATCH_MAX_BYTES,
  end: 0x10_0000 + BATCH_MAX_BYTES + RESULTS_MAX_BYTES,
} as const;
const SIGNAL_STACK_BYTES = 0x1_0000;

/** struct ucontext. */
const UC = {
  flags: 0,
  stack: 16,
  registers: 40,
  eflags: 40 + 17 * 8,
  fpState: 224,
  signalMask: 296,
} as const;
const UC_FP_XSTATE = 1;
const UC_SIGCONTEXT_SS = 2;
const UC_STRICT_RESTORE_SS = 4;

/** System call numbers of x86-64 Linux. */
const SYS = {
  read: 0,
  write: 1,
  rt_sigaction: 13,
  rt_sigprocmask: 14,
  rt_sigreturn: 15,
  setitimer: 38,
  sigaltstack: 131,
  mlock: 149,
  modify_ldt: 154,
  prctl: 157,
  arch_prctl: 158,
  exit_group: 231,
  seccomp: 317,
} as const;

const SA_SIGINFO = 4;
const SA_RESTORER = 0x0400_0000;
const SA_ONSTACK = 0x0800_0000;

/** RFLAGS.ID and NT, which rt_sigreturn leaves as they are at the system call. */
const FLAGS_KEPT_BY_SIGRETURN = 0x20_4000;

export interface RunnerOptions {
  /** Bytes of FP state in each result; 512 for FXSAVE, 832 to include the upper halves of YMM. */
  readonly fpResultBytes: number;
}

/** The complete executable file. */
export function buildRunner(options: RunnerOptions): Uint8Array {
  const text = assembleRunner(options);
  const state = initialState(text.length);
  const load = (region: MemoryRegion) => ({
    address: BigInt(region.gva),
    contents: baselineBytes(region),
    memoryBytes: region.sizeBytes,
    readable: true as const,
    writable: region.writable,
    executable: region.executable,
  });
  return writeElf(TEXT, [
    ...REGIONS.map(load),
    {
      address: TEXT,
      contents: text,
      memoryBytes: text.length,
      readable: true,
      writable: false,
      executable: true,
    },
    {
      address: STATE,
      contents: state,
      memoryBytes: AT.end,
      readable: true,
      writable: true,
      executable: false,
    },
  ]);
}

/** The runner's machine code, to be placed at TEXT; execution starts at its first byte. */
export function assembleRunner(options: RunnerOptions): Uint8Array {
  const a = new Assembler(TEXT);
  // The handler comes first, behind a jump, so that its address is known without a second pass.
  a.jump("start");
  a.label("handler");
  emitHandler(a, options);
  emitNextCase(a);
  emitBatchLoop(a);
  emitHarvest(a);
  emitTransfer(a);
  emitStart(a);
  return a.finish();
}

/** Length of `JMP rel32`, behind which the handler begins. */
const HANDLER = TEXT + 5n;

/** The operands of a pending system call, in the order of the kernel's ABI. */
function emitSyscall(a: Assembler, number: number, ...operands: readonly (number | bigint)[]): void {
  const registers = [R.rdi, R.rsi, R.rdx, R.r10, R.r8] as const;
  registers.forEach((register, index) => {
    const operand = operands[index];
    if (operand !== undefined) a.movImmediate(register, operand);
  });
  a.movImmediate(R.rax, number);
  a.syscall();
}

const inState = (offset: number): bigint => STATE + BigInt(offset);

/** Signal handler: RDI = signal, RSI = siginfo, RDX = ucontext; any case state may still be live. */
function emitHandler(a: Assembler, options: RunnerOptions): void {
  a.movImmediate(R.rbp, STATE);
  a.movImmediate(R.rsp, inState(AT.stackTop));
  // A case may leave AC set, under which the kernel enters the handler: clear it before anything unaligned.
  a.movImmediate(R.rax, 2);
  a.push(R.rax);
  a.popFlags();

  a.compareImmediate(R.rdi, SIGNAL.tick);
  a.jumpIf(CONDITION.notEqual, "save");
  a.load64(R.rax, at(R.rbp, AT.serial));
  a.load64(R.rcx, at(R.rbp, AT.tickSerial));
  a.store64(at(R.rbp, AT.tickSerial), R.rax);
  a.compare(R.rax, R.rcx);
  a.jumpIf(CONDITION.notEqual, "enter"); // first tick in this case: continue it

  a.label("save");
  a.load64(R.rbx, at(R.rbp, AT.outputNext)); // RBX = this result
  a.store32(at(R.rbx, RESULT.signal), R.rdi);
  a.load32(R.rax, at(R.rsi, 8)); // siginfo.si_code
  a.store32(at(R.rbx, RESULT.signalCode), R.rax);
  a.storeSegment(at(R.rbx, RESULT.ds), SEGMENT.ds);
  a.storeSegment(at(R.rbx, RESULT.es), SEGMENT.es);
  a.storeSegment(at(R.rbx, RESULT.fs), SEGMENT.fs);
  a.storeSegment(at(R.rbx, RESULT.gs), SEGMENT.gs);
  a.lea(R.rsi, at(R.rdx, UC.registers));
  a.lea(R.rdi, at(R.rbx, RESULT.registers));
  a.movImmediate(R.rcx, RESULT.registerCount);
  a.repMoveQwords();
  a.load64(R.rsi, at(R.rdx, UC.fpState));
  a.movImmediate(R.rcx, options.fpResultBytes / 8);
  a.repMoveQwords();

  a.move(R.r14, R.rdi); // R14 = next memory record, R15 = number of them
  a.movImmediate(R.r15, 0);
  let baseline: number = AT.baselines;
  for (const region of REGIONS.filter((each) => each.writable)) {
    a.movImmediate(R.rsi, region.gva);
    a.movImmediate(R.rdi, inState(baseline));
    a.movImmediate(R.rcx, region.sizeBytes / RESULT.chunkBytes);
    a.call("harvest");
    baseline += region.sizeBytes;
  }
  a.store32(at(R.rbx, RESULT.chunkCount), R.r15);
  a.store64(at(R.rbp, AT.outputNext), R.r14);
  a.subtract(R.r14, R.rbx);
  a.store32(at(R.rbx, RESULT.sizeBytes), R.r14);
}

/** Takes the next case from the input, applies it to memory and enters it. Falls through from the handler. */
function emitNextCase(a: Assembler): void {
  a.label("nextCase");
  a.load64(R.rax, at(R.rbp, AT.casesLeft));
  a.test(R.rax, R.rax);
  a.jumpIf(CONDITION.equal, "batchDone");
  a.subtractImmediate(R.rax, 1);
  a.store64(at(R.rbp, AT.casesLeft), R.rax);
  a.load64(R.rax, at(R.rbp, AT.serial));
  a.addImmediate(R.rax, 1);
  a.store64(at(R.rbp, AT.serial), R.rax);
  a.load64(R.r12, at(R.rbp, AT.inputNext)); // R12 = this case
  a.load32(R.rax, at(R.r12, CASE.sizeBytes));
  a.add(R.rax, R.r12);
  a.store64(at(R.rbp, AT.inputNext), R.rax);

  // Memory: {gva, length, bytes padded to 8}[]
  a.lea(R.rsi, at(R.r12, CASE.memory));
  a.load64(R.r13, at(R.r12, CASE.memoryCount));
  a.label("nextMemory");
  a.test(R.r13, R.r13);
  a.jumpIf(CONDITION.equal, "memoryDone");
  a.load64(R.rdi, at(R.rsi, 0));
  a.load64(R.rcx, at(R.rsi, 8));
  a.addImmediate(R.rsi, 16);
  a.repMoveBytes();
  a.addImmediate(R.rsi, 7);
  a.andImmediate(R.rsi, -8);
  a.subtractImmediate(R.r13, 1);
  a.jump("nextMemory");

  // FP state: behind memory, or the default if its size is zero
  a.label("memoryDone");
  a.movImmediate(R.rax, inState(AT.fpDefault));
  a.load32(R.rcx, at(R.r12, CASE.fpBytes));
  a.test(R.rcx, R.rcx);
  a.jumpIf(CONDITION.equal, "fpDone");
  a.movImmediate(R.rdi, inState(AT.fpState));
  a.move(R.rax, R.rdi);
  a.repMoveBytes();
  a.label("fpDone");
  a.movImmediate(R.rdx, inState(AT.context));
  a.store64(at(R.rdx, UC.fpState), R.rax);

  a.lea(R.rsi, at(R.r12, CASE.registers));
  a.lea(R.rdi, at(R.rdx, UC.registers));
  a.movImmediate(R.rcx, CASE.registerCount);
  a.repMoveQwords();

  a.loadSegment(SEGMENT.ds, at(R.r12, CASE.ds));
  a.loadSegment(SEGMENT.es, at(R.r12, CASE.es));
  emitSegmentBase(a, SEGMENT.fs, CASE.fs, CASE.fsBase, 0x1002); // ARCH_SET_FS
  emitSegmentBase(a, SEGMENT.gs, CASE.gs, CASE.gsBase, 0x1001); // ARCH_SET_GS
  a.movImmediate(R.rdx, inState(AT.context));

  // RDX = ucontext of a signal frame; rt_sigreturn expects it at RSP.
  a.label("enter");
  a.load64(R.rax, at(R.rdx, UC.eflags));
  a.andImmediate(R.rax, FLAGS_KEPT_BY_SIGRETURN);
  a.orImmediate(R.rax, 2);
  a.push(R.rax);
  a.popFlags();
  a.move(R.rsp, R.rdx);
  a.movImmediate(R.rax, SYS.rt_sigreturn);
  a.syscall();
}

/** Loads FS or GS; with the null selector the base comes from the case instead of a descriptor. */
function emitSegmentBase(
  a: Assembler,
  segment: typeof SEGMENT.fs | typeof SEGMENT.gs,
  selectorAt: number,
  baseAt: number,
  archPrctlCode: number,
): void {
  const skip = `segment${String(segment)}HasDescriptor`;
  a.loadSegment(segment, at(R.r12, selectorAt));
  a.load16(R.rax, at(R.r12, selectorAt));
  a.test(R.rax, R.rax);
  a.jumpIf(CONDITION.notEqual, skip);
  a.movImmediate(R.rdi, archPrctlCode);
  a.load64(R.rsi, at(R.r12, baseAt));
  a.movImmediate(R.rax, SYS.arch_prctl);
  a.syscall();
  a.label(skip);
}

/** Writes the results of a batch, reads the next one; the end of input ends the program. */
function emitBatchLoop(a: Assembler): void {
  a.label("batchDone");
  a.movImmediate(R.rbx, inState(AT.output));
  a.load64(R.r12, at(R.rbp, AT.outputNext));
  a.subtract(R.r12, R.rbx);
  a.store64(at(R.rbx, 0), R.r12); // the header: total bytes, including itself
  a.movImmediate(R.rdi, 1);
  a.movImmediate(R.r13, SYS.write);
  a.call("transfer");

  a.label("readBatch");
  a.movImmediate(R.rdi, 0);
  a.movImmediate(R.r13, SYS.read);
  a.movImmediate(R.rbx, inState(AT.batchHeader));
  a.movImmediate(R.r12, BATCH_HEADER_BYTES);
  a.call("transfer");
  a.load32(R.r12, at(R.rbp, AT.batchHeader)); // bytes that follow
  a.load32(R.rax, at(R.rbp, AT.batchHeader + 4)); // number of cases
  a.store64(at(R.rbp, AT.casesLeft), R.rax);
  a.movImmediate(R.rbx, inState(AT.input));
  a.store64(at(R.rbp, AT.inputNext), R.rbx);
  a.movImmediate(R.rax, inState(AT.output + BATCH_HEADER_BYTES));
  a.store64(at(R.rbp, AT.outputNext), R.rax);
  a.call("transfer");
  a.jump("nextCase");
}

/**
 * Subroutine: compares RCX chunks at RSI with the baseline at RDI; each chunk that differs is recorded at R14
 * as {u64 gva, 16 bytes}, counted in R15, and restored.
 */
function emitHarvest(a: Assembler): void {
  a.label("harvest");
  a.loadAligned128(0, at(R.rsi));
  a.compareEqualBytes(0, at(R.rdi));
  a.moveByteMask(R.rax, 0);
  a.compareImmediate(R.rax, 0xffff);
  a.jumpIf(CONDITION.notEqual, "differs");
  a.label("sameAgain");
  a.addImmediate(R.rsi, RESULT.chunkBytes);
  a.addImmediate(R.rdi, RESULT.chunkBytes);
  a.subtractImmediate(R.rcx, 1);
  a.jumpIf(CONDITION.notEqual, "harvest");
  a.ret();

  a.label("differs");
  a.store64(at(R.r14, 0), R.rsi);
  a.loadAligned128(1, at(R.rsi));
  a.storeUnaligned128(at(R.r14, 8), 1);
  a.loadAligned128(1, at(R.rdi));
  a.storeAligned128(at(R.rsi), 1);
  a.addImmediate(R.r14, RESULT.chunkRecordBytes);
  a.addImmediate(R.r15, 1);
  a.jump("sameAgain");
}

/** Subroutine: system call R13 (read or write) on descriptor RDI until all R12 bytes at RBX are through. */
function emitTransfer(a: Assembler): void {
  a.label("transfer");
  a.test(R.r12, R.r12);
  a.jumpIf(CONDITION.equal, "transferDone");
  a.move(R.rsi, R.rbx);
  a.move(R.rdx, R.r12);
  a.move(R.rax, R.r13);
  a.syscall();
  a.compareImmediate(R.rax, 0);
  a.jumpIf(CONDITION.equal, "exit"); // end of input
  a.jumpIf(CONDITION.sign, "exit"); // the other side is gone
  a.add(R.rbx, R.rax);
  a.subtract(R.r12, R.rax);
  a.jump("transfer");
  a.label("transferDone");
  a.ret();
  a.label("exit");
  emitSyscall(a, SYS.exit_group, 0);
}

/** Program entry: blocks signals, installs handlers, LDT, filter and timer, says hello. */
function emitStart(a: Assembler): void {
  a.label("start");
  a.movImmediate(R.rbp, STATE);
  a.movImmediate(R.rsp, inState(AT.stackTop));
  // Signals are blocked outside cases, so that the timer can only hit a case.
  emitSyscall(a, SYS.rt_sigprocmask, 2 /* SIG_SETMASK */, inState(AT.blockAll), 0, 8);
  emitSyscall(a, SYS.sigaltstack, inState(AT.alternateStack), 0);
  for (const signal of Object.values(SIGNAL)) {
    emitSyscall(a, SYS.rt_sigaction, signal, inState(AT.signalAction), 0, 8);
  }
  // Page faults must report protection, not absence: every page is present from the start and stays so.
  for (const region of REGIONS) {
    emitSyscall(a, SYS.mlock, region.gva, region.sizeBytes);
    a.movImmediate(R.rsi, region.gva);
    for (let offset = 0; offset < region.sizeBytes; offset += PAGE_BYTES) a.load32(R.rax, at(R.rsi, offset));
  }
  LDT.forEach((_, index) => {
    emitSyscall(a, SYS.modify_ldt, 0x11 /* write, new mode */, inState(AT.ldt + 16 * index), 16);
    a.store64(at(R.rbp, AT.hello + HELLO.ldtResults + 8 * index), R.rax);
  });
  emitSyscall(a, SYS.setitimer, 2 /* ITIMER_PROF */, inState(AT.timer), 0);
  emitSyscall(a, SYS.prctl, 38 /* PR_SET_NO_NEW_PRIVS */, 1, 0, 0, 0);
  emitSyscall(a, SYS.seccomp, 1 /* SET_MODE_FILTER */, 4 /* SPEC_ALLOW */, inState(AT.filterProgram));
  a.store64(at(R.rbp, AT.hello + HELLO.filterResult), R.rax);
  a.movImmediate(R.rdi, 1);
  a.movImmediate(R.r13, SYS.write);
  a.movImmediate(R.rbx, inState(AT.hello));
  a.movImmediate(R.r12, HELLO.sizeBytes);
  a.call("transfer");
  a.jump("readBatch");
}

/** The initialised part of the runner's writable segment. */
function initialState(textBytes: number): Uint8Array {
  const regions = REGIONS.filter((region) => region.writable);
  const bytes = new Uint8Array(AT.baselines + regions.reduce((sum, region) => sum + region.sizeBytes, 0));
  const view = new DataView(bytes.buffer);

  view.setBigUint64(AT.hello + HELLO.magic, HELLO.magicValue, true);

  view.setBigUint64(AT.signalAction, HANDLER, true);
  view.setBigUint64(AT.signalAction + 8, BigInt(SA_SIGINFO | SA_ONSTACK | SA_RESTORER), true);
  view.setBigUint64(AT.signalAction + 16, HANDLER, true); // restorer: required, never reached
  view.setBigUint64(AT.signalAction + 24, ~0n, true); // mask
  view.setBigUint64(AT.blockAll, ~0n, true);

  for (const stack of [AT.alternateStack, AT.context + UC.stack]) {
    view.setBigUint64(stack, inState(AT.signalStack), true); // ss_sp
    view.setBigUint64(stack + 16, BigInt(SIGNAL_STACK_BYTES), true); // ss_size
  }
  view.setBigUint64(
    AT.context + UC.flags,
    BigInt(UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS),
    true,
  );

  view.setBigUint64(AT.timer + 8, BigInt(TICK_MICROSECONDS), true); // it_interval.tv_usec
  view.setBigUint64(AT.timer + 24, BigInt(TICK_MICROSECONDS), true); // it_value.tv_usec

  writeFilter(view, textBytes);
  writeLdt(view);

  bytes.set(DEFAULT_FP, AT.fpDefault);

  let baseline: number = AT.baselines;
  for (const region of regions) {
    bytes.set(baselineBytes(region), baseline);
    baseline += region.sizeBytes;
  }
  return bytes;
}

/** seccomp(2): a system call instruction outside the runner's code raises SIGSYS instead of entering it. */
function writeFilter(view: DataView, textBytes: number): void {
  const LOAD = 0x20; // BPF_LD | BPF_W | BPF_ABS
  const JUMP_EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
  const JUMP_GREATER_EQUAL = 0x35; // BPF_JMP | BPF_JGE | BPF_K
  const RETURN = 0x06; // BPF_RET | BPF_K
  const low = Number(TEXT & 0xffff_ffffn);
  const program: readonly (readonly [code: number, ifTrue: number, ifFalse: number, k: number])[] = [
    [LOAD, 0, 0, 12], // seccomp_data.instruction_pointer, high half
    [JUMP_EQUAL, 0, 4, Number(TEXT >> 32n)],
    [LOAD, 0, 0, 8], // low half
    [JUMP_GREATER_EQUAL, 0, 2, low],
    [JUMP_GREATER_EQUAL, 1, 0, low + textBytes + 1],
    [RETURN, 0, 0, 0x7fff_0000], // SECCOMP_RET_ALLOW
    [RETURN, 0, 0, 0x0003_0000], // SECCOMP_RET_TRAP
  ];
  view.setUint16(AT.filterProgram, program.length, true);
  view.setBigUint64(AT.filterProgram + 8, inState(AT.filter), true);
  program.forEach(([code, ifTrue, ifFalse, k], index) => {
    const offset = AT.filter + 8 * index;
    view.setUint16(offset, code, true);
    view.setUint8(offset + 2, ifTrue);
    view.setUint8(offset + 3, ifFalse);
    view.setUint32(offset + 4, k, true);
  });
}

/** struct user_desc of modify_ldt(2) for every entry of the LDT. */
function writeLdt(view: DataView): void {
  LDT.forEach((descriptor, index) => {
    const offset = AT.ldt + 16 * index;
    const contents = descriptor.code ? 2 : descriptor.expandDown ? 1 : 0;
    view.setUint32(offset, index, true); // entry_number
    view.setUint32(offset + 4, descriptor.base, true); // base_addr
    view.setUint32(offset + 8, descriptor.limit, true); // limit, in bytes
    view.setUint32(
      offset + 12,
      (descriptor.big ? 1 : 0) | // seg_32bit
        (contents << 1) |
        (descriptor.writableOrReadable ? 0 : 1 << 3) | // read_exec_only
        (descriptor.present ? 0 : 1 << 5) | // seg_not_present
        (1 << 6), // useable
      true,
    );
  });
}

/** Where the runner's code is, for the test that disassembles it. */
export const RUNNER_TEXT_GVA = TEXT;
