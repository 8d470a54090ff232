import { execFileSync } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { type CompressOptions, compress } from '../../../src/layer/compress.ts';
import { findProgram } from '../../helpers/tools.ts';
import { gather } from './read-all.ts';

const { signal } = new AbortController();

/** Compressible, but not by repetition within one block alone. */
function text(bytes: number): Buffer {
  let state = 1;
  return Buffer.from(Array.from({ length: bytes }, () => (state = (state * 48_271) % 2_147_483_647) % 23));
}

/** The same for the same seed; no compressor makes it smaller. */
function noise(bytes: number, seed = 1): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

async function* chunked(bytes: Buffer, step: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
}

function gzip(bytes: Buffer, step = 1_000_000, level: number | undefined = undefined): Promise<Buffer> {
  return gather(compress(chunked(bytes, step), { compression: 'gzip', level, signal }));
}

test.each([0, 1, 1024, 524_287, 524_288, 524_289, 2_000_003])('gzip of %i bytes is one member that gzip(1) reads', async (size) => {
  const plain = text(size);
  const zipped = await gzip(plain);
  expect(execFileSync('gzip', ['-dc'], { input: zipped, maxBuffer: 2 ** 30 }).equals(plain)).toBe(true);
  execFileSync('gzip', ['-t'], { input: zipped });
  // A second member would begin with this magic on its own; a single one ends with the length of everything.
  expect(zipped.readUInt32LE(zipped.length - 4)).toBe(size);
});

test('the header says nothing that varies', async () => {
  expect([...(await gzip(text(10))).subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
});

test('the same bytes give the same gzip however they arrive', async () => {
  const plain = text(1_700_000);
  const whole = await gzip(plain, plain.length);
  for (const step of [777, 65_536, 524_288, 600_000]) expect((await gzip(plain, step)).equals(whole), `chunks of ${step}`).toBe(true);
});

test('blocks refer back across their borders, so that cutting costs almost nothing', async () => {
  // 30 KiB that repeat: each block would have to store them again if it did not know the one before.
  let state = 1;
  const unit = Buffer.from(Array.from({ length: 30_000 }, () => ((state = (state * 48_271) % 2_147_483_647) >> 8) & 0xff));
  const plain = Buffer.concat(Array.from({ length: 70 }, () => unit));
  const zipped = await gzip(plain);
  expect(gunzipSync(zipped).equals(plain)).toBe(true);
  const storedOnce = (await gzip(unit)).length;
  expect(zipped.length).toBeLessThan(storedOnce * 2);
});

/** Block by block: stored, deflated with a stored dictionary, deflated for its text alone, stored and short. */
const MIXED = Buffer.concat([noise(524_288), text(524_288), noise(400_000, 2), text(124_288), noise(524_288, 3), noise(300_001, 4)]);
const READERS: readonly (readonly [string, ...string[]])[] = [
  ['gzip', '-dc'],
  ['pigz', '-dc'],
  ['python3', '-c', 'import gzip,sys; sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))'],
];

test.each(READERS.filter(([name]) => findProgram(name) !== undefined))(
  'what is stored in parts reads back with %s',
  async (name, ...args) => {
    const input = await gzip(MIXED);
    expect(execFileSync(name, args, { input, maxBuffer: 2 ** 30 }).equals(MIXED)).toBe(true);
  },
);

test('noise is stored and grows by next to nothing; text beside it is still deflated', async () => {
  const plain = noise(3_000_001);
  expect((await gzip(plain)).length).toBeLessThan(plain.length + 5 * Math.ceil(plain.length / 65_535) + 6 * 5 + 20);
  const saved = MIXED.length - (await gzip(MIXED)).length;
  const savedOfText = 648_576 - (await gzip(text(648_576))).length;
  expect(saved).toBeGreaterThan(savedOfText * 0.98);
});

test('a block that repeats a stored one refers back to it', async () => {
  const first = noise(524_288);
  const plain = Buffer.concat([first, first.subarray(-32_000), text(400_000)]);
  const alone = (await gzip(first)).length + (await gzip(text(400_000))).length;
  expect((await gzip(plain)).length).toBeLessThan(alone + 2000);
});

test('whatever is mixed, the bytes come back, and their gzip depends on them alone', async () => {
  let state = 7;
  const random = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below;
  for (let round = 0; round < 12; round++) {
    const kinds = [noise, text, (size: number) => Buffer.alloc(size)] as const;
    const parts = Array.from({ length: 1 + random(6) }, () => kinds[random(3)]?.(random(700_000), random(200)) ?? Buffer.alloc(0));
    const plain = Buffer.concat(parts);
    const zipped = await gzip(plain, 1 + random(900_000));
    expect(gunzipSync(zipped).equals(plain), `round ${round}`).toBe(true);
    expect((await gzip(plain, 1 + random(900_000))).equals(zipped), `round ${round}`).toBe(true);
  }
});

// Node's own zlib takes other paths on other processors; a Node linked to the system's zlib is another matter, too.
test.runIf(process.arch === 'x64')('the gzip of given bytes is the same with every supported Node', async () => {
  const hex = createHash('sha256')
    .update(await gzip(MIXED))
    .digest('hex');
  expect(hex).toBe(PINNED_GZIP);
});

const PINNED_GZIP = 'b63c47e37bf1cb48b405d7ecd53432f25220f0fe41101b1a8444ce94d79c418f';

test('levels reach from 0, stored, to 9', async () => {
  const plain = text(600_000);
  const sizes = await Promise.all([0, 1, 9].map(async (level) => (await gzip(plain, 100_000, level)).length));
  expect(sizes[0]).toBeGreaterThan(600_000);
  expect(sizes[1]).toBeLessThan(sizes[0] as number);
  expect(sizes[2]).toBeLessThanOrEqual(sizes[1] as number);
});

test.each([
  ['gzip', 10],
  ['gzip', -1],
  ['gzip', 1.5],
] as const)('%s level %d is a usage error', (compression, level) => {
  expect(() => compress(chunked(text(1), 1), { compression, level, signal })).toThrow(expect.objectContaining({ code: 'USAGE' }));
});

test('no compression hands the chunks through', async () => {
  const options: CompressOptions = { compression: 'none', level: undefined, signal };
  expect(await gather(compress(chunked(text(100), 7), options))).toEqual(text(100));
});

test('zstd is written where Node can, and refused with a hint where it cannot', async () => {
  const how: CompressOptions = { compression: 'zstd', level: undefined, signal };
  const plain = text(300_000);
  if (process.versions.node.startsWith('20.')) {
    expect(() => compress(chunked(plain, 1000), how)).toThrow(
      expect.objectContaining({ code: 'NOT_SUPPORTED', hint: expect.stringContaining('gzip') }),
    );
  } else {
    const zipped = await gather(compress(chunked(plain, 1000), how));
    expect(execFileSync('zstd', ['-dc'], { input: zipped, maxBuffer: 2 ** 30 }).equals(plain)).toBe(true);
  }
});

test('an error of the source ends the compression with that error', async () => {
  const source = (async function* (): AsyncGenerator<Buffer> {
    yield text(1_200_000);
    await Promise.resolve();
    throw new Error('the disk is gone');
  })();
  await expect(gather(compress(source, { compression: 'gzip', level: 6, signal }))).rejects.toThrow('the disk is gone');
});

test('memory stays flat, and the source is asked no faster than blocks are taken', async () => {
  const block = text(1024 * 1024);
  let given = 0;
  const endless = (async function* (): AsyncGenerator<Buffer> {
    for (;;) {
      given += block.length;
      yield block;
      await Promise.resolve();
    }
  })();
  const taken = compress(endless, { compression: 'gzip', level: 1, signal })[Symbol.asyncIterator]();
  for (let i = 0; i < 3; i++) await taken.next();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(given).toBeLessThan(40 * 1024 * 1024);
  await taken.return?.();
});

test('a Readable is a source too', async () => {
  const plain = text(1000);
  expect(gunzipSync(await gather(compress(Readable.from([plain]), { compression: 'gzip', level: 6, signal })))).toEqual(plain);
});
