/** Bytes and folders for contexts, from fixed seeds, so that every machine and every run builds the same. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** xorshift32 */
export function randomBytes(size: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(size - (size % 4));
  let x = seed;
  for (let at = 0; at < bytes.length; at += 4) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    bytes.writeInt32LE(x | 0, at);
  }
  return bytes;
}

const WORDS = [
  'const',
  'function',
  'return',
  'export',
  'import',
  'module',
  'value',
  'index',
  '=> {',
  '});',
  '  ',
  '\n',
  'undefined',
  'string',
];

/** Text that compresses about as source code does. */
export function textBytes(size: number, seed: number): Buffer {
  const parts: string[] = [];
  let x = seed | 1;
  for (let length = 0; length < size; ) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) & 0x7fffffff;
    const word = (x & 0x1000) === 0 ? (WORDS[(x >>> 16) % WORDS.length] ?? '') : (x >>> 8).toString(36);
    parts.push(word, ' ');
    length += word.length + 1;
  }
  return Buffer.from(parts.join('').slice(0, size));
}

/** 40,000 files of 1 to 8 KB, 188 MB in all, in 400 folders `p0` to `p399`. */
export function manyFiles(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (let part = 0; part < 400; part++) {
    mkdirSync(join(folder, `p${part}`));
    for (let file = 0; file < 100; file++) {
      const number = part * 100 + file;
      writeFileSync(join(folder, `p${part}`, `f${file}.js`), textBytes(1200 + ((number * 7919) % 7000), number + 1));
    }
  }
}

/** 1 GiB, half of it random, half text. */
export function bigFile(file: string): void {
  for (let i = 0; i < 16; i++) writeFileSync(file, i % 2 === 0 ? randomBytes(64 << 20, i + 1) : textBytes(64 << 20, i + 1), { flag: 'a' });
}
