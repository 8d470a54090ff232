import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, expect, test } from 'vitest';
import { type Compression, decompress, sniffCompression } from '../../../src/layer/decompress.ts';
import { cutAtFrames } from '../../../src/layer/zstd-frames.ts';
import { gather } from './read-all.ts';

const { signal } = new AbortController();
const plain = Buffer.from(Array.from({ length: 700_000 }, (_, i) => (i * i) % 251));
const scratch = mkdtempSync(join(tmpdir(), 'tsbuild-decompress-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const path = process.env['PATH'];
afterEach(() => {
  process.env['PATH'] = path;
});

const programs = ['gzip', 'bzip2', 'xz', 'zstd'].filter((name) => runs(name));
const present = (name: string): boolean => programs.includes(name);

function runs(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { input: '', stdio: ['pipe', 'ignore', 'ignore'] });
    return true;
  } catch {
    return false;
  }
}

function zip(program: string, bytes: Buffer): Buffer {
  return execFileSync(program, ['-c'], { input: bytes, maxBuffer: 2 ** 30 });
}

function read(bytes: Buffer, compression: Compression, step = 60_000): Promise<Buffer> {
  const pieces = Array.from({ length: Math.ceil(bytes.length / step) }, (_, i) => bytes.subarray(i * step, (i + 1) * step));
  return gather(decompress(Readable.from(pieces), compression, signal));
}

for (const program of ['gzip', 'bzip2', 'xz', 'zstd'] as const) {
  test.skipIf(!present(program))(`${program} data is known by its first bytes and read, also several streams in a row`, async () => {
    const zipped = zip(program, plain);
    expect(sniffCompression(zipped)).toBe(program);
    expect(sniffCompression(zip(program, Buffer.alloc(0)))).toBe(program);
    expect((await read(zipped, program)).equals(plain)).toBe(true);
    const twice = Buffer.concat([zipped, zip(program, Buffer.from('more'))]);
    expect((await read(twice, program)).equals(Buffer.concat([plain, Buffer.from('more')]))).toBe(true);
  });

  test.skipIf(!present(program))(`truncated and damaged ${program} data is LAYER_INVALID`, async () => {
    const zipped = zip(program, plain);
    await expect(read(zipped.subarray(0, zipped.length / 2), program)).rejects.toMatchObject({
      code: 'LAYER_INVALID',
      message: expect.stringContaining(program),
    });
    await expect(read(Buffer.alloc(3000, 'x'), program)).rejects.toMatchObject({ code: 'LAYER_INVALID' });
    const flipped = Buffer.from(zipped);
    for (let at = 200; at < 220; at++) flipped[at] = (flipped[at] as number) ^ 0xff;
    // zstd has no checksum when it reads from a pipe of unknown length, unless asked; all others notice.
    if (program !== 'zstd') await expect(read(flipped, program)).rejects.toMatchObject({ code: 'LAYER_INVALID' });
  });

  test.skipIf(!present(program))(`an error of the source is its own error, not damaged ${program} data`, async () => {
    const failing = Readable.from(
      (async function* () {
        yield zip(program, plain).subarray(0, 1000);
        await Promise.resolve();
        throw new Error('connection reset');
      })(),
    );
    await expect(gather(decompress(failing, program, signal))).rejects.toThrow('connection reset');
  });

  test.skipIf(!present(program))(`an abort ends reading ${program} data with its reason and closes the source`, async () => {
    const controller = new AbortController();
    const source = Readable.from(
      (async function* () {
        yield zip(program, plain).subarray(0, 1000);
        await new Promise(() => undefined);
      })(),
    );
    setTimeout(() => controller.abort(new Error('stopped by the user')), 30);
    await expect(gather(decompress(source, program, controller.signal))).rejects.toThrow('stopped by the user');
    expect(source.destroyed).toBe(true);
  });

  test.skipIf(!present(program))(`a reader of ${program} data may stop early`, async () => {
    const source = Readable.from([zip(program, plain)]);
    for await (const chunk of decompress(source, program, signal)) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(source.destroyed).toBe(true);
  });
}

test.skipIf(!present('zstd'))('zstd frames of every kind are cut at their ends, whatever the chunks', async () => {
  const noise = Buffer.from(createHash('shake256', { outputLength: 200_000 }).digest());
  const skippable = Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
  const inputs = [plain, noise, Buffer.alloc(300_000), Buffer.alloc(0), Buffer.from('x')];
  const variants = [[], ['--no-check'], ['-19'], ['--long=27'], ['--no-content-size']];
  const frames = [
    skippable,
    ...inputs.flatMap((bytes) =>
      variants.map((options) => execFileSync('zstd', ['-c', '-q', ...options], { input: bytes, maxBuffer: 2 ** 30 })),
    ),
    skippable,
  ];
  const file = join(scratch, 'file');
  writeFileSync(file, noise.subarray(0, 100));
  // From a file zstd knows the size: a single-segment frame with a one-byte size.
  frames.push(execFileSync('zstd', ['-c', '-q', file]));
  const all = Buffer.concat(frames);
  for (const step of [7, 1000, all.length]) {
    const pieces = async function* (): AsyncGenerator<Buffer> {
      for (let at = 0; at < all.length; at += step) yield await Promise.resolve(all.subarray(at, at + step));
    };
    const ends: number[] = [];
    let length = 0;
    for await (const piece of cutAtFrames(pieces())) ends.push((length += piece.length));
    expect(length).toBe(all.length);
    let end = 0;
    for (const frame of frames) expect(ends).toContain((end += frame.length));
  }
  const expected = Buffer.concat([...inputs.flatMap((bytes) => variants.map(() => bytes)), noise.subarray(0, 100)]);
  expect((await read(all, 'zstd')).equals(expected)).toBe(true);
  await expect(read(all.subarray(0, all.length - 50), 'zstd')).rejects.toMatchObject({ code: 'LAYER_INVALID' });
  await expect(read(Buffer.concat([all, Buffer.from('this is no frame')]), 'zstd')).rejects.toMatchObject({ code: 'LAYER_INVALID' });
});

test.each(['bzip2', 'xz'] as const)('without the program %s its data is NOT_SUPPORTED, naming what to install', async (program) => {
  process.env['PATH'] = '/nonexistent';
  await expect(read(plain, program)).rejects.toMatchObject({ code: 'NOT_SUPPORTED', hint: expect.stringContaining('install') });
});

test('plain bytes come through as they are', async () => {
  expect((await read(plain, 'none')).equals(plain)).toBe(true);
});

test.each([
  ['nothing', Buffer.alloc(0)],
  ['text', Buffer.from('BZh is how this text begins')],
  ['a tar', Buffer.alloc(512)],
  ['a zip', Buffer.from('PK\x03\x04')],
])('%s has no compression', (_, head) => {
  expect(sniffCompression(head)).toBe('none');
});

test('a zstd skippable frame is zstd', () => {
  expect(sniffCompression(Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0]))).toBe('zstd');
});

test('bytes behind a gzip member do not matter', async () => {
  expect((await read(Buffer.concat([gzipSync('abc'), Buffer.alloc(100)]), 'gzip')).toString()).toBe('abc');
});
