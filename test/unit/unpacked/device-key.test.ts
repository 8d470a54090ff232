import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { deviceKey } from '../../../src/unpacked/device-key.ts';

let folder: string;
const [layers, work] = ['layers', 'work'];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsbuild-key-'));
  for (const name of [layers, work]) mkdirSync(join(folder, name));
});
afterEach(() => rmSync(folder, { recursive: true }));

const key = (): string => Buffer.from(deviceKey(join(folder, layers), join(folder, work))).toString('hex');

test('the key is made once, for its owner only, and is random', () => {
  const first = key();
  expect(first).toMatch(/^[0-9a-f]{64}$/);
  expect(key()).toBe(first);
  expect(statSync(join(folder, layers, 'device-key')).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(folder, work))).toEqual([]);
  rmSync(join(folder, layers, 'device-key'));
  expect(key()).not.toBe(first);
});

test('a damaged key is not used, and said to be so', () => {
  writeFileSync(join(folder, layers, 'device-key'), 'short');
  expect(key).toThrow(expect.objectContaining({ code: 'STORE_FAILED', message: expect.stringContaining('damaged') }));
});
