const LOAD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_AT_LEAST = 0x35;
const RETURN = 0x06;

/** Places in `struct seccomp_data`: the number of the call, the machine's kind, the low half of the second argument. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const SECOND_ARGUMENT = 24;

const ALLOW = 0x7fff0000;
/** The call fails with EPERM. */
const REFUSE = 0x00050001;
/** Types a key into the terminal, as if the user had. */
const TIOCSTI = 0x5412;
/** Pastes into a console. */
const TIOCLINUX = 0x541c;
/** Calls of x86-64 with 32-bit pointers begin here: another number for the same. */
const OTHER_NUMBERS = 0x40000000;

/** By Node's name of the processor: AUDIT_ARCH_* of linux/audit.h, and the number of `ioctl`. */
const MACHINES: Readonly<Partial<Record<string, { readonly architecture: number; readonly ioctl: number }>>> = {
  x64: { architecture: 0xc000003e, ioctl: 16 },
  arm64: { architecture: 0xc00000b7, ioctl: 29 },
};

/**
 * A seccomp program, as the kernel reads it, under which a process with a terminal cannot type into it: what it typed
 * would be run outside of its sandbox, by the shell that started it (CVE-2017-5226). Calls of another kind of machine
 * are refused.
 *
 * @returns undefined for processors without one: their sandboxes get no terminal
 */
export function terminalFilter(processor: string = process.arch): Buffer | undefined {
  const machine = MACHINES[processor];
  if (machine === undefined) return undefined;
  // Each: code, steps to jump when true, when false, and a number. The last two are allow and refuse.
  const program: readonly (readonly [number, number, number, number])[] = [
    [LOAD, 0, 0, ARCHITECTURE],
    [JUMP_IF_EQUAL, 0, 7, machine.architecture],
    [LOAD, 0, 0, NUMBER],
    [JUMP_IF_AT_LEAST, 5, 0, OTHER_NUMBERS],
    [JUMP_IF_EQUAL, 0, 3, machine.ioctl],
    [LOAD, 0, 0, SECOND_ARGUMENT],
    [JUMP_IF_EQUAL, 2, 0, TIOCSTI],
    [JUMP_IF_EQUAL, 1, 0, TIOCLINUX],
    [RETURN, 0, 0, ALLOW],
    [RETURN, 0, 0, REFUSE],
  ];
  const bytes = Buffer.alloc(program.length * 8);
  for (const [at, [code, whenTrue, whenFalse, value]] of program.entries()) {
    bytes.writeUInt16LE(code, at * 8);
    bytes.writeUInt8(whenTrue, at * 8 + 2);
    bytes.writeUInt8(whenFalse, at * 8 + 3);
    bytes.writeUInt32LE(value, at * 8 + 4);
  }
  return bytes;
}
