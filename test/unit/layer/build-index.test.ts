import { expect, test } from 'vitest';
import { createIndexBuilder } from '../../../src/layer/build-index.ts';
import { parseIndex, serializeIndex } from '../../../src/layer/index-file.ts';
import type { LayerIndex } from '../../../src/layer/layer-index.ts';
import { type RawMember, rawPax, rawTar } from './raw-tar.ts';
import { feed } from './read-all.ts';

const contentOf = (path: string) => ({ at: 'host', path: `/unpacked/${path}` }) as const;

function indexOf(...members: readonly (RawMember | Buffer)[]): LayerIndex {
  const builder = createIndexBuilder(contentOf);
  feed(builder, rawTar(...members));
  return builder.index();
}

test('files, folders, links and devices are known by their cleaned paths', () => {
  const index = indexOf(
    { name: './', flag: '5', mode: '0000700\0' },
    { name: './etc/', flag: '5' },
    { name: './etc/motd', content: 'hello' },
    { name: '/etc/link', flag: '2', target: '../x' },
    { name: 'dev/null', flag: '3', major: '0000001\0', minor: '0000003\0' },
  );
  expect([...index.puts.keys()]).toEqual(['', 'etc', 'etc/motd', 'etc/link', 'dev/null']);
  expect(index.puts.get('')?.meta.mode).toBe(0o700);
  expect(index.puts.get('etc/motd')?.node).toEqual({ type: 'file', size: 5, content: { at: 'host', path: '/unpacked/etc/motd' } });
  expect(index.puts.get('etc/link')?.node).toEqual({ type: 'symlink', target: '../x' });
  expect(index.puts.get('dev/null')?.node).toEqual({ type: 'char', major: 1, minor: 3 });
  expect([...index.implied]).toEqual(['dev']);
  expect(index.lowerLinks).toBeUndefined();
});

test('whiteouts and opaque marks are never files, and their folders are implied', () => {
  const index = indexOf({ name: 'a/b/.wh.gone' }, { name: 'c/.wh..wh..opq' }, { name: '.wh.top', flag: '5' });
  expect(index.puts.size).toBe(0);
  expect([...index.removes]).toEqual(['a/b/gone', 'top']);
  expect([...index.opaques]).toEqual(['c']);
  expect([...index.implied].sort()).toEqual(['a', 'a/b', 'c']);
});

test('a folder that comes after its children is not implied', () => {
  const index = indexOf({ name: 'a/b/f' }, { name: 'a/', flag: '5' }, { name: 'a/b/', flag: '5' });
  expect(index.implied.size).toBe(0);
  expect(index.puts.get('a')?.node.type).toBe('dir');
});

test('hard links are the file itself under equal keys, in chains and to symlinks too', () => {
  const index = indexOf(
    { name: 'a', content: 'x' },
    { name: 'alone', content: 'x' },
    { name: 'b', flag: '1', target: '/a' },
    { name: 'd/c', flag: '1', target: 'b' },
    { name: 's', flag: '2', target: 'a' },
    { name: 's2', flag: '1', target: './s' },
  );
  const linkOf = (path: string) => index.puts.get(path)?.link;
  expect(linkOf('a')).toBeDefined();
  expect(linkOf('b')).toBe(linkOf('a'));
  expect(linkOf('d/c')).toBe(linkOf('a'));
  expect(linkOf('alone')).toBeUndefined();
  expect(index.puts.get('d/c')?.node).toMatchObject({ type: 'file', size: 1, content: { path: '/unpacked/d/c' } });
  expect(index.puts.get('s2')?.node).toEqual({ type: 'symlink', target: 'a' });
  expect(linkOf('s2')).toBe(linkOf('s'));
  expect(linkOf('s')).not.toBe(linkOf('a'));
});

test('a link keeps the file that its target was, when the target is put anew', () => {
  const index = indexOf(
    { name: 'a', content: 'old' },
    { name: 'b', flag: '1', target: 'a' },
    { name: 'a', content: 'newer' },
    { name: 'c', flag: '1', target: 'a' },
  );
  expect(index.puts.get('b')?.node).toMatchObject({ size: 3 });
  expect(index.puts.get('a')?.node).toMatchObject({ size: 5 });
  expect(index.puts.get('c')?.link).toBe(index.puts.get('a')?.link);
  expect(index.puts.get('b')?.link).not.toBe(index.puts.get('a')?.link);
});

test('a hard link to what this layer does not have leads to a lower one', () => {
  const index = indexOf({ name: 'usr/bin/perl5', flag: '1', target: 'usr/bin/perl' });
  expect(index.lowerLinks).toEqual(new Map([['usr/bin/perl5', 'usr/bin/perl']]));
  expect(index.puts.size).toBe(0);
});

test('the last member of a path wins: file over folder takes all below it away', () => {
  const index = indexOf(
    { name: 'a/', flag: '5' },
    { name: 'a/x/y', content: '1' },
    { name: 'a/.wh.z' },
    { name: 'a/l', flag: '1', target: 'lower' },
    { name: 'a', content: 'file' },
    { name: 'ab' },
  );
  expect([...index.puts.keys()].sort()).toEqual(['a', 'ab']);
  expect(index.implied.size + index.removes.size).toBe(0);
  expect(index.lowerLinks).toBeUndefined();
  const back = indexOf({ name: 'a', content: 'file' }, { name: 'a/', flag: '5' }, { name: 'a/x' });
  expect([...back.puts.keys()]).toEqual(['a', 'a/x']);
});

test('passwd and group are kept in memory, other files are not', () => {
  const index = indexOf(
    rawPax([['path', 'etc/passwd']]),
    { name: 'x', content: 'root:x:0:0' },
    { name: 'etc/group', content: '' },
    { name: 'etc/shadow', content: 'x' },
    { name: 'usr/etc/passwd', content: 'x' },
  );
  expect(index.puts.get('etc/passwd')?.node).toMatchObject({ size: 10, content: { at: 'memory', bytes: Buffer.from('root:x:0:0') } });
  expect(index.puts.get('etc/group')?.node).toMatchObject({ content: { at: 'memory' } });
  expect(index.puts.get('etc/shadow')?.node).toMatchObject({ content: { at: 'host' } });
  expect(index.puts.get('usr/etc/passwd')?.node).toMatchObject({ content: { at: 'host' } });
});

test('a passwd of more than 1 MiB is not kept', () => {
  const index = indexOf({ name: 'etc/passwd', content: Buffer.alloc(1024 * 1024 + 1) });
  expect(index.puts.get('etc/passwd')?.node).toMatchObject({ content: { at: 'host' } });
});

test('an index survives the disk', () => {
  const index = indexOf(
    { name: './', flag: '5' },
    rawPax([
      ['uid', '3000000'],
      ['mtime', '-1.5'],
      ['SCHILY.xattr.security.capability', Buffer.from([0, 1, 255, 0])],
      ['SCHILY.xattr.user.empty', ''],
    ]),
    { name: 'f', content: 'x'.repeat(100), mode: '0006755\0' },
    { name: 'f2', flag: '1', target: 'f' },
    { name: 'l', flag: '2', target: '\xff\xfe' },
    { name: 'etc/passwd', content: 'root:x:0:0\xff' },
    { name: 'etc/group', content: '' },
    { name: 'p', flag: '6' },
    { name: 'n', flag: '4', major: '0000403\0', minor: '3777777\0' },
    { name: 'h/h', flag: '1', target: 'lower' },
    { name: 'w/.wh.x' },
    { name: 'o/.wh..wh..opq' },
    { name: 'caf\xc3\xa9/\xff', content: '' },
  );
  const read = parseIndex(serializeIndex(index), contentOf);
  expect([...(read?.puts.keys() ?? [])]).toEqual([...index.puts.keys()]);
  for (const [path, entry] of index.puts) expect({ ...read?.puts.get(path), link: undefined }, path).toEqual({ ...entry, link: undefined });
  expect(read?.puts.get('f')?.link).toBeDefined();
  expect(read?.puts.get('f2')?.link).toBe(read?.puts.get('f')?.link);
  expect({ ...read, puts: 0 }).toEqual({ ...index, puts: 0 });
});

test('an index that is damaged, cut short or of another version is not read', () => {
  const bytes = serializeIndex(indexOf({ name: 'a', content: 'x' }, { name: 'b/.wh.c' }));
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] as number) ^ 0x10;
    expect(parseIndex(damaged, contentOf), `byte ${at}`).toBeUndefined();
  }
  for (let length = 0; length < bytes.length; length += 5) expect(parseIndex(bytes.subarray(0, length), contentOf)).toBeUndefined();
  expect(parseIndex(bytes, contentOf)?.puts.size).toBe(1);
});
