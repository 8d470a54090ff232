/** What the benchmark builds. Contexts are made from a fixed seed, so that every machine and every run builds the same bytes. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Scenario {
  readonly title: string;
  readonly dockerfile: string;
  /** Fills an empty context folder. */
  prepare(context: string): void;
}

/** xorshift32 */
function randomBytes(size: number, seed: number): Buffer {
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

/** Text that compresses about as source code does. */
function textBytes(size: number, seed: number): Buffer {
  const words = [
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
  const parts: string[] = [];
  let x = seed | 1;
  for (let length = 0; length < size; ) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) & 0x7fffffff;
    const word = (x & 0x1000) === 0 ? (words[(x >>> 16) % words.length] ?? '') : (x >>> 8).toString(36);
    parts.push(word, ' ');
    length += word.length + 1;
  }
  return Buffer.from(parts.join('').slice(0, size));
}

const none = (): void => undefined;

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'copy-only': {
    title: 'debian:12, COPY of 3 files, ENV, CMD',
    dockerfile: 'FROM debian:12\nCOPY . /app/\nENV MODE=bench\nCMD ["/app/one"]\n',
    prepare(context) {
      for (const [i, name] of ['one', 'two', 'three'].entries()) writeFileSync(join(context, name), textBytes(4096, i + 1));
    },
  },
  'ten-runs': {
    title: 'debian:12, ten tiny RUNs',
    dockerfile: `FROM debian:12\n${Array.from({ length: 10 }, (_, i) => `RUN echo ${i} > /file-${i}\n`).join('')}`,
    prepare: none,
  },
  'many-files': {
    title: 'debian:12, COPY of 40,000 files (188 MB), then RUN append to one, rm of 100, chmod of 4,000',
    dockerfile: [
      'FROM debian:12',
      'COPY . /app/',
      'RUN echo more >> /app/p0/f0.js',
      'RUN rm -rf /app/p1',
      'RUN for i in $(seq 10 49); do chmod -R 700 /app/p$i; done',
      '',
    ].join('\n'),
    prepare(context) {
      for (let folder = 0; folder < 400; folder++) {
        mkdirSync(join(context, `p${folder}`));
        for (let file = 0; file < 100; file++) {
          const number = folder * 100 + file;
          writeFileSync(join(context, `p${folder}`, `f${file}.js`), textBytes(1200 + ((number * 7919) % 7000), number + 1));
        }
      }
    },
  },
  'big-file': {
    title: 'busybox, COPY of 1 GiB (half random, half text), then RUN cp of 200 MiB',
    dockerfile: 'FROM busybox\nCOPY big /big\nRUN head -c 209715200 /big > /part\n',
    prepare(context) {
      const file = join(context, 'big');
      for (let i = 0; i < 16; i++)
        writeFileSync(file, i % 2 === 0 ? randomBytes(64 << 20, i + 1) : textBytes(64 << 20, i + 1), { flag: 'a' });
    },
  },
  'one-run': { title: 'debian:12, RUN true', dockerfile: 'FROM debian:12\nRUN true\n', prepare: none },
};
