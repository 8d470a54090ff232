/**
 * Whether programs for another architecture start here: the kernel is asked by giving it one. What binfmt_misc lists cannot
 * be relied on, because containers rarely see it while the host's emulators serve them all the same.
 * Spec: System V ABI, "ELF Header"; the machine numbers of the psABIs.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Platform } from '../../image/platform.ts';

interface Machine {
  readonly number: number;
  readonly bits: 32 | 64;
  readonly order: 'little' | 'big';
  readonly flags?: number;
}

const MACHINES: Readonly<Record<string, Machine>> = {
  '386': { number: 3, bits: 32, order: 'little' },
  amd64: { number: 62, bits: 64, order: 'little' },
  arm: { number: 40, bits: 32, order: 'little', flags: 0x05000000 },
  arm64: { number: 183, bits: 64, order: 'little' },
  loong64: { number: 258, bits: 64, order: 'little' },
  mips64le: { number: 8, bits: 64, order: 'little' },
  ppc64le: { number: 21, bits: 64, order: 'little', flags: 2 },
  riscv64: { number: 243, bits: 64, order: 'little' },
  s390x: { number: 22, bits: 64, order: 'big' },
};

const PAGE = 4096;
const SECONDS = 20;

/** `folder` exists, and programs in it may be executed. What cannot be found out counts as yes: the RUN itself will tell. */
export function startsHere({ os, architecture }: Platform, folder: string): boolean {
  const machine = MACHINES[architecture];
  if (os !== 'linux' || machine === undefined) return false;
  const own = mkdtempSync(join(folder, 'foreign-'));
  try {
    const path = join(own, 'program');
    writeFileSync(path, program(machine), { mode: 0o700 });
    const { error, signal } = spawnSync(path, [], { cwd: own, stdio: 'ignore', timeout: SECONDS * 1000, env: {} });
    // It has no code, so once started it dies by a signal. An exit code is that of the shell, which execvp(3) gives files to
    // that the kernel does not know.
    return error === undefined || (error as NodeJS.ErrnoException).code === 'ETIMEDOUT' ? signal !== null : !isUnknownFormat(error);
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

function isUnknownFormat(error: Error): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOEXEC';
}

/** A static program of one page, whose code is all zero. */
function program({ number, bits, order, flags = 0 }: Machine): Buffer {
  const file = Buffer.alloc(PAGE);
  const put = (offset: number, bytes: 2 | 4 | 8, value: number): void => {
    if (bytes === 8) put(order === 'little' ? offset : offset + 4, 4, value);
    else if (order === 'little') file.writeUIntLE(value, offset, bytes);
    else file.writeUIntBE(value, offset, bytes);
  };
  const wide = bits === 64;
  const word = wide ? 8 : 4;
  const base = 0x400000;
  const headerSize = wide ? 64 : 52;
  const segmentSize = wide ? 56 : 32;
  file.write('\x7fELF', 0, 'latin1');
  file.set([wide ? 2 : 1, order === 'little' ? 1 : 2, 1], 4);
  put(16, 2, 2);
  put(18, 2, number);
  put(20, 4, 1);
  put(24, word, base + 512);
  put(24 + word, word, headerSize);
  put(24 + 3 * word, 4, flags);
  put(28 + 3 * word, 2, headerSize);
  put(30 + 3 * word, 2, segmentSize);
  put(32 + 3 * word, 2, 1);
  // One segment: loaded from the file's start, readable and executable.
  put(headerSize, 4, 1);
  if (wide) put(headerSize + 4, 4, 5);
  else put(headerSize + 24, 4, 5);
  const fields = headerSize + (wide ? 8 : 4);
  put(fields + word, word, base);
  put(fields + 2 * word, word, base);
  put(fields + 3 * word, word, PAGE);
  put(fields + 4 * word, word, PAGE);
  put(wide ? fields + 5 * word : headerSize + 28, word, PAGE);
  return file;
}
