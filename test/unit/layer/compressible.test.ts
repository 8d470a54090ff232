import { createCipheriv } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { isCompressible } from '../../../src/layer/compressible.ts';

const BLOCK = 512 * 1024;

function noise(bytes: number, seed = 1): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

function repeated(unit: Buffer): Buffer {
  return Buffer.concat(Array.from({ length: Math.ceil(BLOCK / unit.length) }, () => unit)).subarray(0, BLOCK);
}

/** Draws tokens at random from a set. */
function tokens(size: number, count: number): Buffer {
  const set = noise(size * count, 3);
  const draws = noise(4 * Math.ceil(BLOCK / size), 4);
  return Buffer.concat(
    Array.from({ length: draws.length / 4 }, (_, i) => {
      const at = (draws.readUInt32LE(4 * i) % count) * size;
      return set.subarray(at, at + size);
    }),
  ).subarray(0, BLOCK);
}

/** Noise with `other` in place of every `every`th stretch of `length` bytes. */
function mixed(other: Buffer, length: number, every: number): Buffer {
  const bytes = noise(BLOCK);
  for (let at = 0; at + length <= BLOCK; at += length * every) other.copy(bytes, at, 0, length);
  return bytes;
}

const words = Buffer.from('the quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs. '.repeat(1000));

test.each([
  ['noise', noise(BLOCK)],
  ['noise of another length', noise(77_777)],
  ['gzip of varied numbers', gzipSync(Buffer.from(Array.from({ length: 500_000 }, (_, i) => ((i * i * 48_271) >>> 7) % 4096).join('')))],
] as const)('%s is left alone when deflate gains less than 1 %% from it', (_, block) => {
  if (isCompressible(block, undefined)) expect(gzipSync(block).length).toBeLessThan(block.length * 1.001);
  else expect(gzipSync(block).length).toBeGreaterThan(block.length * 0.99);
});

test('noise is not worth deflating, whether it follows other noise or nothing', () => {
  for (let seed = 1; seed < 60; seed++) {
    expect(isCompressible(noise(BLOCK, seed), noise(32_768, seed + 100)), `seed ${seed}`).toBe(false);
    expect(isCompressible(noise(BLOCK, seed), undefined), `seed ${seed}`).toBe(false);
  }
});

test.each([
  ['text', words.subarray(0, 60_000)],
  ['zeros', Buffer.alloc(BLOCK)],
  ['base64 of noise', Buffer.from(noise(BLOCK).toString('base64'))],
  ['numbers of 64 bits that are small', Buffer.from(BigUint64Array.from({ length: 60_000 }, (_, i) => BigInt(i * 7)).buffer)],
  ['noise that repeats after 30 KiB', repeated(noise(30_000))],
  ['noise that repeats after 100 bytes', repeated(noise(100))],
  ['noise that repeats after one page', repeated(noise(4096))],
  ['tokens of 16 random bytes', tokens(16, 500)],
  ['tokens of 20 random bytes', tokens(20, 800)],
  ['tokens of 13 random bytes', tokens(13, 900)],
  ['a hole in noise', mixed(Buffer.alloc(32_768), 32_768, 16)],
  ['pages of text in noise', mixed(words, 4096, 8)],
  ['heads of text on pages of noise', mixed(words, 512, 8)],
  ['short runs of zeros in noise', mixed(Buffer.alloc(64), 64, 20)],
  ['a short block', noise(1000)],
] as const)('%s is worth deflating', (_, block) => {
  expect(isCompressible(block, undefined)).toBe(true);
});

test('a block that begins with what came before it is worth deflating', () => {
  const before = noise(32_768);
  expect(isCompressible(Buffer.concat([before, noise(BLOCK - 32_768, 2)]), before)).toBe(true);
});
