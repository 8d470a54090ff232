/** Digests that are remembered between builds, with real files: when they may be believed, and when not. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bytesOf } from '../../../src/bytes/byte-path.ts';
import type { FileDigests } from '../../../src/context/file-digests.ts';
import { contextTree } from '../../../src/context/host-tree.ts';
import { statDigests } from '../../../src/context/stat-digests.ts';
import { digestOf } from '../../../src/image/digest.ts';
import type { FileContent } from '../../../src/layer/entry.ts';

let base: string;
let root: string;
let folder: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'tsbuild-digests-'));
  root = join(base, 'context');
  folder = join(base, 'cache', 'contexts');
  mkdirSync(root);
  mkdirSync(join(base, 'work'));
});
afterEach(() => rmSync(base, { recursive: true }));

const at = (name: string): string => join(root, name);
const { signal } = new AbortController();
/** A build in an hour: what was written by now is old enough to be remembered. */
const LATER = (): Date => new Date(Date.now() + 3_600_000);
const digests = (now: () => Date = LATER): FileDigests => statDigests({ folder, root, workFolder: join(base, 'work'), now });

function nodeAt(name: string): { readonly content: FileContent; readonly size: number } {
  const node = contextTree(bytesOf(root)).lstat(bytesOf(name))?.node;
  if (node?.type !== 'file') throw new Error(`no file ${name}`);
  return node;
}

/** One build that asks for these files. */
async function build(names: readonly string[], now?: () => Date): Promise<string[]> {
  const own = digests(now);
  const found: string[] = [];
  for (const name of names) found.push(await own.digestOf(nodeAt(name).content, nodeAt(name).size, signal));
  await own.save();
  return found;
}

/** The one file that is kept. */
const kept = (): string => join(folder, readdirSync(folder)[0] ?? '');

/** Puts a lie in place of every digest that is remembered, with a right checksum: it shows who is believed. */
function lie(): void {
  const bytes = readFileSync(kept());
  for (let record = 16; record + 80 <= bytes.length - 32; record += 80) bytes.fill(0xee, record + 48, record + 80);
  const sum = digestOf(bytes.subarray(0, -32)).slice('sha256:'.length);
  writeFileSync(kept(), Buffer.concat([bytes.subarray(0, -32), Buffer.from(sum, 'hex')]));
}

const LIE = `sha256:${'ee'.repeat(32)}`;

describe('a digest', () => {
  test.each([0, 1, 1000, 1024 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1, 17 * 1024 * 1024])(
    'of %i bytes is that of sha256sum',
    async (size) => {
      writeFileSync(at('f'), Buffer.alloc(size, 'abc'));
      const [sum] = execFileSync('sha256sum', [at('f')], { encoding: 'utf8' }).split(' ');
      expect(await build(['f'])).toEqual([`sha256:${sum}`]);
      expect(await build(['f'])).toEqual([`sha256:${sum}`]);
    },
  );

  test('of bytes in memory, and of a file that is not here yet', async () => {
    const bytes = Buffer.from('text');
    const own = digests();
    expect(await own.digestOf({ at: 'memory', bytes }, 4, signal)).toBe(digestOf('text'));
    writeFileSync(at('f'), 'text');
    const deferred: FileContent = { at: 'deferred', locate: async () => ({ at: 'host', path: at('f') }) };
    expect(await own.digestOf(deferred, 4, signal)).toBe(digestOf('text'));
    await own.save();
    expect(existsSync(folder)).toBe(false);
  });
});

describe('an unchanged file', () => {
  test('is not read again, be it large, be its name no ASCII, be there many', async () => {
    const names = ['é', ...Array.from({ length: 500 }, (_, i) => `f${i}`)];
    for (const name of names) writeFileSync(at(name), name);
    writeFileSync(at('large'), Buffer.alloc(2 * 1024 * 1024));
    const first = await build([...names, 'large']);
    expect(first.slice(0, -1)).toEqual(names.map((name) => digestOf(name)));
    lie();
    expect(await build([...names, 'large'])).toEqual(first.map(() => LIE));
  });

  test('costs no write, but shows that it was used', async () => {
    writeFileSync(at('f'), 'text');
    await build(['f']);
    utimesSync(kept(), 1, 1);
    const before = readFileSync(kept());
    const { ino } = statSync(kept());
    await build(['f']);
    expect(statSync(kept()).ino).toBe(ino);
    expect(readFileSync(kept()).equals(before)).toBe(true);
    expect(statSync(kept()).mtimeMs).toBeGreaterThan(1000);
  });
});

describe('a file is read again after', () => {
  const old = new Date('2001-02-03T04:05:06Z');
  test.each<[string, string, () => void]>([
    ['other content', 'other', () => writeFileSync(at('f'), 'other')],
    ['a touch', 'text', () => utimesSync(at('f'), old, new Date(1e12))],
    [
      'an edit of the same size that puts the time back',
      'TEXT',
      () => {
        writeFileSync(at('f'), 'TEXT');
        utimesSync(at('f'), old, old);
      },
    ],
    ['another file in its place with its size and time', 'TEXT', () => replaceKeepingTime('TEXT')],
    [
      'growth',
      'text!',
      () => {
        appendFileSync(at('f'), '!');
        utimesSync(at('f'), old, old);
      },
    ],
    [
      'truncation',
      'te',
      () => {
        truncateSync(at('f'), 2);
        utimesSync(at('f'), old, old);
      },
    ],
    ['chmod', 'text', () => chmodSync(at('f'), 0o700)],
    ['a new name', 'text', () => linkSync(at('f'), at('g'))],
  ])('%s', async (_, text, change) => {
    writeFileSync(at('f'), 'text');
    utimesSync(at('f'), old, old);
    await build(['f']);
    lie();
    expect(await build(['f'])).toEqual([LIE]);
    change();
    expect(await build(['f'])).toEqual([digestOf(text)]);
    // And only that is remembered from then on.
    lie();
    expect(await build(['f'])).toEqual([LIE]);
    expect(statSync(kept()).size).toBe(16 + 80 + 32);
  });

  test('a rename, of it or of the folder above', async () => {
    mkdirSync(at('d'));
    writeFileSync(at('d/f'), 'text');
    await build(['d/f']);
    lie();
    renameSync(at('d'), at('e'));
    expect(await build(['e/f'])).toEqual([digestOf('text')]);
    renameSync(at('e/f'), at('e/g'));
    expect(await build(['e/g'])).toEqual([digestOf('text')]);
  });

  function replaceKeepingTime(text: string): void {
    writeFileSync(at('new'), text);
    utimesSync(at('new'), old, old);
    renameSync(at('new'), at('f'));
  }
});

describe('a file that was written less than three seconds before', () => {
  test('is asked for once in a build, and not remembered for the next', async () => {
    writeFileSync(at('f'), 'text');
    const own = digests(() => new Date());
    const { content, size } = nodeAt('f');
    expect(await own.digestOf(content, size, signal)).toBe(digestOf('text'));
    await own.save();
    expect(existsSync(folder)).toBe(false);
  });

  test('is not remembered when only its mode was changed, nor when its time is to come', async () => {
    writeFileSync(at('f'), 'text');
    utimesSync(at('f'), 1, 1);
    await build(['f'], () => new Date());
    expect(existsSync(folder)).toBe(false);
    utimesSync(at('f'), 1, new Date(Date.now() + 7_200_000));
    await build(['f']);
    expect(existsSync(folder)).toBe(false);
  });

  test('keeps nobody else from being remembered', async () => {
    writeFileSync(at('f'), 'text');
    writeFileSync(at('g'), 'text');
    utimesSync(at('g'), 1, new Date(Date.now() + 7_200_000));
    await build(['f', 'g']);
    lie();
    expect(await build(['f', 'g'])).toEqual([LIE, digestOf('text')]);
  });
});

describe('a file that is no longer what was looked at has no digest:', () => {
  test.each<[string, () => void]>([
    [
      'replaced',
      () => {
        writeFileSync(at('new'), 'TEXT');
        renameSync(at('new'), at('f'));
      },
    ],
    ['written to', () => writeFileSync(at('f'), 'TEXT')],
    ['longer', () => appendFileSync(at('f'), '!')],
    ['gone', () => rmSync(at('f'))],
    [
      'a symlink',
      () => {
        renameSync(at('f'), at('g'));
        symlinkSync('g', at('f'));
      },
    ],
    [
      'a folder',
      () => {
        rmSync(at('f'));
        mkdirSync(at('f'));
      },
    ],
    [
      'a fifo, which nobody waits for',
      () => {
        rmSync(at('f'));
        execFileSync('mkfifo', [at('f')]);
      },
    ],
  ])('%s', async (_, change) => {
    writeFileSync(at('f'), 'text');
    const { content, size } = nodeAt('f');
    change();
    await expect((async () => digests().digestOf(content, size, signal))()).rejects.toMatchObject({ code: 'COPY_FAILED' });
  });

  test('a large one that changes its size', async () => {
    writeFileSync(at('f'), Buffer.alloc(3 * 1024 * 1024));
    const content: FileContent = { at: 'host', path: at('f') };
    for (const size of [3 * 1024 * 1024 - 1, 3 * 1024 * 1024 + 1]) {
      await expect((async () => digests().digestOf(content, size, signal))()).rejects.toMatchObject({ code: 'COPY_FAILED' });
    }
  });

  test('a build that is stopped does not hash a large file to its end', async () => {
    writeFileSync(at('f'), Buffer.alloc(32 * 1024 * 1024));
    const stop = new AbortController();
    const { content, size } = nodeAt('f');
    const hashing = digests().digestOf(content, size, stop.signal);
    stop.abort(new Error('stopped'));
    await expect(hashing).rejects.toThrow('stopped');
  });
});

describe('what is kept', () => {
  test.each<[string, (bytes: Buffer) => Buffer]>([
    ['empty', () => Buffer.alloc(0)],
    ['cut', (bytes) => bytes.subarray(0, bytes.length - 1)],
    ['cut by a record', (bytes) => bytes.subarray(0, bytes.length - 80)],
    ['longer', (bytes) => Buffer.concat([bytes, Buffer.alloc(80)])],
    ['with one other bit', (bytes) => bytes.fill((bytes[70] as number) ^ 1, 70, 71)],
    ['of another version', (bytes) => resummed(bytes.fill(9, 0, 1))],
    ['with a count that lies', (bytes) => resummed(bytes.fill(0xff, 8, 16))],
    ['text', () => Buffer.from('no table of ours, but long enough to be one with a record '.repeat(4))],
  ])('is nothing where the file is %s', async (_, damage) => {
    writeFileSync(at('f'), 'text');
    await build(['f']);
    lie();
    writeFileSync(kept(), damage(readFileSync(kept())));
    expect(await build(['f'])).toEqual([digestOf('text')]);
    lie();
    expect(await build(['f'])).toEqual([LIE]);
  });

  test.each<[string, (path: string) => void]>([
    ['a fifo', (path) => void execFileSync('mkfifo', [path])],
    ['a folder', (path) => mkdirSync(path)],
    ['a symlink to what was kept', (path) => symlinkSync(join(base, 'moved'), path)],
    [
      'larger than any table',
      (path) => {
        writeFileSync(path, '');
        truncateSync(path, 2 ** 40);
      },
    ],
  ])('is nothing where there is %s', async (_, put) => {
    writeFileSync(at('f'), 'text');
    await build(['f']);
    lie();
    const path = kept();
    renameSync(path, join(base, 'moved'));
    put(path);
    expect(await build(['f'])).toEqual([digestOf('text')]);
    expect(readdirSync(join(base, 'work'))).toEqual([]);
  });

  test('is what the last build saw, not what is gone', async () => {
    for (const name of ['f', 'g', 'h']) writeFileSync(at(name), name);
    await build(['f', 'g']);
    rmSync(at('g'));
    await build(['f', 'h']);
    expect(statSync(kept()).size).toBe(16 + 2 * 80 + 32);
  });

  test('lies in one file for each context', async () => {
    writeFileSync(at('f'), 'text');
    await build(['f']);
    const other = statDigests({ folder, root: '/elsewhere', workFolder: join(base, 'work'), now: LATER });
    await other.digestOf(nodeAt('f').content, 4, signal);
    await other.save();
    expect(readdirSync(folder)).toHaveLength(2);
  });

  test('is whole when two builds end at once: that of the last', async () => {
    writeFileSync(at('f'), 'f');
    writeFileSync(at('g'), 'g');
    const [one, two] = [digests(), digests()];
    await one.digestOf(nodeAt('f').content, 1, signal);
    await two.digestOf(nodeAt('g').content, 1, signal);
    await Promise.all([one.save(), two.save()]);
    lie();
    expect((await build(['f', 'g'])).filter((digest) => digest === LIE)).toHaveLength(1);
  });

  test('is nothing without a cache folder, or with one that cannot be written', async () => {
    writeFileSync(at('f'), 'text');
    writeFileSync(join(base, 'file'), '');
    for (const where of [null, join(base, 'file', 'contexts')]) {
      const own = statDigests({ folder: where, root, workFolder: join(base, 'work'), now: LATER });
      expect(await own.digestOf(nodeAt('f').content, 4, signal)).toBe(digestOf('text'));
      await own.save();
    }
    expect(readdirSync(join(base, 'work'))).toEqual([]);
    expect(readdirSync(base).sort()).toEqual(['context', 'file', 'work']);
  });

  function resummed(bytes: Buffer): Buffer {
    const sum = digestOf(bytes.subarray(0, -32)).slice('sha256:'.length);
    return Buffer.concat([bytes.subarray(0, -32), Buffer.from(sum, 'hex')]);
  }
});
