import {
  appendFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { FileContent, FileMeta, LayerEntry } from '../../../src/layer/entry.ts';
import { packEntries } from '../../../src/layer/pack.ts';
import { makeNode } from '../../../src/sys/mknod.ts';
import { gather, type ReadMember, readAll } from './read-all.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsbuild-pack-'));
afterAll(() => rmSync(folder, { recursive: true }));

const meta: FileMeta = { mode: 0o644, uid: 0, gid: 0, mtimeNs: 1_000_000_000n };
const { signal } = new AbortController();

function hostFile(name: string, content: string | Buffer): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

function file(path: string, size: number, content: FileContent): LayerEntry {
  return { kind: 'put', path, meta, node: { type: 'file', size, content } };
}

function pack(entries: readonly LayerEntry[]): Promise<Buffer> {
  return gather(packEntries(entries, { mtime: 'seconds', signal }));
}

async function packed(entries: readonly LayerEntry[]): Promise<readonly ReadMember[]> {
  return readAll(await pack(entries));
}

test('nothing packs to two zero blocks', async () => {
  expect(await pack([])).toEqual(Buffer.alloc(1024));
});

test('names have no leading slash, folders end with one, the root is left out', async () => {
  const members = await packed([
    { kind: 'put', path: '', meta, node: { type: 'dir' } },
    { kind: 'put', path: 'a', meta, node: { type: 'dir' } },
    { kind: 'put', path: 'a/l', meta, node: { type: 'symlink', target: '/etc/x' } },
    { kind: 'put', path: 'a/h', meta, node: { type: 'hardlink', target: 'a/l' } },
    { kind: 'put', path: 'a/n', meta, node: { type: 'char', major: 1, minor: 3 } },
    { kind: 'put', path: 'a/p', meta, node: { type: 'fifo' } },
  ]);
  expect(members.map(({ name, type, target, major, minor }) => [name, type, target, major, minor])).toEqual([
    ['a/', 'dir', '', 0, 0],
    ['a/l', 'symlink', '/etc/x', 0, 0],
    ['a/h', 'hardlink', 'a/l', 0, 0],
    ['a/n', 'char', '', 1, 3],
    ['a/p', 'fifo', '', 0, 0],
  ]);
});

test('removals and opaque marks are empty files of mode 0 and time 0', async () => {
  const members = await packed([
    { kind: 'remove', path: 'top' },
    { kind: 'remove', path: 'a/b' },
    { kind: 'opaque', path: 'a' },
    { kind: 'opaque', path: '' },
  ]);
  expect(members.map(({ name }) => name)).toEqual(['.wh.top', 'a/.wh.b', 'a/.wh..wh..opq', '.wh..wh..opq']);
  for (const member of members) expect(member).toMatchObject({ type: 'file', size: 0, meta: { mode: 0, uid: 0, gid: 0, mtimeNs: 0n } });
});

test.each(['.wh.x', 'a/.wh.x', '.wh.d/x', 'a/.wh..wh..opq'])(
  'a file named %s is refused, since it would remove something',
  async (path) => {
    await expect(pack([file(path, 0, { at: 'memory', bytes: Buffer.alloc(0) })])).rejects.toMatchObject({
      code: 'LAYER_INVALID',
      message: expect.stringContaining(path),
    });
  },
);

test('a name that only holds ".wh." elsewhere is an ordinary name', async () => {
  expect(await packed([file('x.wh.y', 0, { at: 'memory', bytes: Buffer.alloc(0) })])).toHaveLength(1);
});

test.each([0, 1, 511, 512, 513, 65_535, 65_536, 1_048_000, 1_048_576, 1_048_577, 3_000_000])(
  'a file of %i bytes is packed whole',
  async (size) => {
    const content = Buffer.alloc(size, 'abcdefg');
    const path = hostFile('sized', content);
    const members = await packed([
      file('before', 3, { at: 'memory', bytes: Buffer.from('xyz') }),
      file('f', size, { at: 'host', path }),
      file('after', 1, { at: 'memory', bytes: Buffer.from('!') }),
    ]);
    expect(members.map(({ name }) => name)).toEqual(['before', 'f', 'after']);
    expect(members[1]?.content.equals(content)).toBe(true);
    expect(members[2]?.content.toString()).toBe('!');
  },
);

test('many small files share chunks, and no chunk is handed over twice', async () => {
  const path = hostFile('small', 'x'.repeat(700));
  const chunks: Buffer[] = [];
  const entries = Array.from({ length: 3000 }, (_, i) => file(`f${i}`, 700, { at: 'host', path }));
  for await (const chunk of packEntries(entries, { mtime: 'seconds', signal })) chunks.push(chunk);
  expect(chunks.length).toBeLessThan(8);
  expect(new Set(chunks.map((chunk) => chunk.buffer)).size).toBe(chunks.length);
  expect(readAll(Buffer.concat(chunks)).every(({ content }) => content.equals(Buffer.alloc(700, 'x')))).toBe(true);
});

test.each([10, 700_000, 2_000_000])('a file that grows while it is read is an error that names it (%i bytes)', async (size) => {
  const path = hostFile('growing', Buffer.alloc(size));
  appendFileSync(path, 'more');
  await expect(pack([file('app/growing', size, { at: 'host', path })])).rejects.toMatchObject({
    code: 'COPY_FAILED',
    message: expect.stringMatching(/"app\/growing" changed while it was read: .*more/),
  });
});

test.each([10, 700_000, 2_000_000])('a file that shrinks while it is read is an error that names it (%i bytes)', async (size) => {
  const path = hostFile('shrinking', Buffer.alloc(size));
  truncateSync(path, size - 5);
  await expect(pack([file('app/shrinking', size, { at: 'host', path })])).rejects.toMatchObject({
    code: 'COPY_FAILED',
    message: expect.stringMatching(/"app\/shrinking" changed while it was read: .*fewer/),
  });
});

test('a file that was replaced by a symlink, a fifo or a folder is not read', async () => {
  hostFile('secret', 'secret');
  symlinkSync('secret', join(folder, 'link'));
  makeNode(join(folder, 'fifo'), { type: 'fifo', mode: 0o600, major: 0, minor: 0 });
  mkdirSync(join(folder, 'dir'));
  for (const name of ['link', 'fifo', 'dir', 'missing']) {
    await expect(pack([file('f', 6, { at: 'host', path: join(folder, name) })]), name).rejects.toMatchObject({ code: 'COPY_FAILED' });
  }
});

test('deferred content is located only when its entry is reached', async () => {
  const order: string[] = [];
  const entries = (function* (): Generator<LayerEntry> {
    order.push('first');
    yield file('a', 1, { at: 'memory', bytes: Buffer.from('a') });
    order.push('second');
    yield file('b', 1, {
      at: 'deferred',
      locate: () => {
        order.push('located');
        return Promise.resolve({ at: 'memory', bytes: Buffer.from('b') });
      },
    });
    order.push('third');
  })();
  const members = readAll(await gather(packEntries(entries, { mtime: 'seconds', signal })));
  expect(members[1]?.content.toString()).toBe('b');
  expect(order).toEqual(['first', 'second', 'located', 'third']);
});

test('an abort ends packing with its reason', async () => {
  const controller = new AbortController();
  const entries = (function* (): Generator<LayerEntry> {
    yield file('a', 1, { at: 'memory', bytes: Buffer.from('a') });
    controller.abort(new Error('stopped by the user'));
    yield file('b', 1, { at: 'memory', bytes: Buffer.from('b') });
  })();
  await expect(gather(packEntries(entries, { mtime: 'seconds', signal: controller.signal }))).rejects.toThrow('stopped by the user');
});

test('host paths of bytes that are not UTF-8 are read', async () => {
  const path = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0xfe])]);
  writeFileSync(path, 'odd');
  expect((await packed([file('\xff\xfe', 3, { at: 'host', path })]))[0]).toMatchObject({ name: '\xff\xfe', content: Buffer.from('odd') });
});

test('a file that another one has replaced is not read, nor one behind a folder that became a symlink', async () => {
  const outside = mkdtempSync(join(folder, 'outside-'));
  writeFileSync(join(outside, 'f'), 'secret');
  const context = mkdtempSync(join(folder, 'context-'));
  mkdirSync(join(context, 'd'));
  writeFileSync(join(context, 'd', 'f'), 'public');
  const entry = file('d/f', 6, { at: 'host', path: join(context, 'd', 'f'), inode: lstatSync(join(context, 'd', 'f')).ino });
  expect(String(await pack([entry]))).toContain('public');
  renameSync(join(context, 'd'), join(context, 'moved'));
  symlinkSync(outside, join(context, 'd'));
  await expect(pack([entry])).rejects.toMatchObject({ code: 'COPY_FAILED', message: '"d/f" was replaced after it was found' });
});

test('a file that was written to in place is not packed: a cache key may have been made of what it was', async () => {
  const path = join(folder, 'in-place');
  writeFileSync(path, 'before');
  const { dev, ino, mtimeNs, ctimeNs } = lstatSync(path, { bigint: true });
  const stamp = { device: dev, inode: ino, mtimeNs, ctimeNs };
  const entry = file('f', 6, { at: 'host', path, inode: Number(ino), stamp });
  expect(String(await pack([entry]))).toContain('before');
  writeFileSync(path, 'after!');
  utimesSync(path, 1, 1);
  await expect(pack([entry])).rejects.toMatchObject({ code: 'COPY_FAILED', message: '"f" was written to after it was found' });
});
