import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startsHere } from '../../../../src/backend/command/foreign-programs.ts';
import { hostPlatform } from '../../../../src/image/platform.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsbuild-test-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("a program for this machine's architecture starts, and nothing of it is left", () => {
  expect(startsHere(hostPlatform(process.arch), folder)).toBe(true);
  expect(readdirSync(folder)).toEqual([]);
});

const foreign = process.arch === 's390x' ? 'riscv64' : 's390x';
const emulated = existsSync(`/proc/sys/fs/binfmt_misc/qemu-${foreign}`);

test.skipIf(emulated)('a program for an architecture that the kernel has no emulator for does not start', () => {
  expect(startsHere({ os: 'linux', architecture: foreign }, folder)).toBe(false);
});

test('other systems and unknown architectures never start', () => {
  expect(startsHere({ os: 'darwin', architecture: 'amd64' }, folder)).toBe(false);
  expect(startsHere({ os: 'linux', architecture: 'wasm' }, folder)).toBe(false);
});
