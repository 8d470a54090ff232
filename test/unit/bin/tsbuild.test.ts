/** The loader alone: a copy of it starts a bundle that is only a few lines. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const bin = join(import.meta.dirname, '..', '..', '..', 'bin');
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tsbuild-loader-'));
  cpSync(bin, join(root, 'bin'), { recursive: true });
  mkdirSync(join(root, 'dist', 'cli'), { recursive: true });
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const folder = (): string => join(root, 'dist', 'cli');

/** `word`: one letter, so that all bundles are of one length, which is all that V8 compares. */
function bundle(word: string, ended: 'built' | 'other' = 'built'): void {
  const text = `const say = () => process.stdout.write('${word}');\nexports.main = async () => { say(); return '${ended}'; };\n`;
  writeFileSync(join(folder(), 'main.cjs'), text);
}

function run(...options: string[]): string {
  return execFileSync(process.execPath, [...options, join(root, 'bin', 'tsbuild.js')], { encoding: 'utf8' });
}

function keptCode(): string {
  const files = readdirSync(folder()).filter((name) => name !== 'main.cjs');
  expect(files).toEqual([`main.cjs.${process.version}-${process.arch}.code`]);
  return join(folder(), files[0] ?? '');
}

/** Changes kept code and gives it the checksums that the loader compares. */
function forge(change: (code: Buffer) => void): void {
  const file = readFileSync(keptCode());
  change(file.subarray(8));
  file.writeUInt32LE(crc32(readFileSync(join(folder(), 'main.cjs'))), 0);
  file.writeUInt32LE(crc32(file.subarray(8)), 4);
  writeFileSync(keptCode(), file);
}

describe('the compiled code beside the bundle', () => {
  test('is kept by the first build and run by the next', () => {
    bundle('a');
    expect(run()).toBe('a');
    bundle('b');
    // Only a forged checksum makes the code of the other bundle pass, which shows that it is this code that runs.
    forge(() => undefined);
    expect(run()).toBe('a');
  });

  test('is not used for another bundle', () => {
    bundle('a');
    run();
    bundle('b');
    expect(run()).toBe('b');
  });

  test('is not used when it is damaged', () => {
    bundle('a');
    run();
    const file = readFileSync(keptCode());
    for (const broken of [file.subarray(0, -1), file.subarray(0, 5), Buffer.alloc(0), Buffer.alloc(file.length), flipped(file)]) {
      writeFileSync(keptCode(), broken);
      expect(run()).toBe('a');
    }
  });

  test('is made anew when it is of another bundle, or damaged', () => {
    bundle('a');
    run();
    bundle('b');
    run();
    bundle('c');
    // Only code of the second bundle can say so.
    forge(() => undefined);
    expect(run()).toBe('b');
    writeFileSync(keptCode(), '');
    run();
    expect(statSync(keptCode()).size).toBeGreaterThan(8);
  });

  test('is not used when others may write it, and not written so', () => {
    bundle('a');
    const umask = process.umask(0);
    run();
    process.umask(umask);
    expect(statSync(keptCode()).mode & 0o777).toBe(0o644);
    bundle('b');
    forge(() => undefined);
    chmodSync(keptCode(), 0o666);
    expect(run()).toBe('b');
  });

  test.skipIf(process.geteuid?.() !== 0)('is not used when it belongs to another user than the bundle', () => {
    bundle('a');
    run();
    bundle('b');
    forge(() => undefined);
    chownSync(keptCode(), 4242, 4242);
    expect(run()).toBe('b');
  });

  test('replaces what a killed process of the same number left, and leaves nothing where it cannot be kept', () => {
    bundle('a');
    const script = "require('node:fs').writeFileSync(process.argv[2] + process.pid, 'x'); require(process.argv[1])";
    const prefix = join(folder(), `main.cjs.${process.version}-${process.arch}.code.`);
    execFileSync(process.execPath, ['-e', script, join(root, 'bin', 'tsbuild.js'), prefix]);
    expect(statSync(keptCode()).size).toBeGreaterThan(8);
    rmSync(keptCode());
    mkdirSync(prefix.slice(0, -1));
    expect(run()).toBe('a');
    expect(readdirSync(folder()).length).toBe(2);
  });

  test('is not used when V8 refuses it', () => {
    bundle('a');
    run();
    bundle('b');
    // The version of V8 that made it.
    forge((code) => code.fill(0, 0, 16));
    expect(run()).toBe('b');
  });

  test('is not used with other options of V8', () => {
    bundle('a');
    run();
    bundle('b');
    forge(() => undefined);
    expect([run(), run('--no-opt')]).toEqual(['a', 'b']);
  });

  test('is not kept by what is no build', () => {
    bundle('a', 'other');
    expect(run()).toBe('a');
    expect(readdirSync(folder())).toEqual(['main.cjs']);
  });

  test.skipIf(process.geteuid?.() !== 0)('is not kept in a folder of another user', () => {
    bundle('a');
    chownSync(folder(), 4242, 4242);
    expect(run()).toBe('a');
    expect(readdirSync(folder())).toEqual(['main.cjs']);
  });

  test.skipIf(process.geteuid?.() === 0)('is not needed where it cannot be written', () => {
    bundle('a');
    chmodSync(folder(), 0o500);
    expect(run()).toBe('a');
    expect(readdirSync(folder())).toEqual(['main.cjs']);
    chmodSync(folder(), 0o700);
  });
});

function flipped(file: Buffer): Buffer {
  const other = Buffer.from(file);
  other[file.length >> 1] = (other[file.length >> 1] ?? 0) ^ 1;
  return other;
}
