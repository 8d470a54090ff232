/** Other programs as witnesses: what GNU tar writes we read right, what we write GNU tar and umoci read right. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { ByteString } from '../../../src/bytes/byte-path.ts';
import { hexOf } from '../../../src/image/digest.ts';
import type { FileMeta, LayerEntry } from '../../../src/layer/entry.ts';
import { packEntries } from '../../../src/layer/pack.ts';
import { sealLayer } from '../../../src/layer/seal.ts';
import { makeNode } from '../../../src/sys/mknod.ts';
import { setMtime } from '../../../src/sys/times.ts';
import { setXattr } from '../../../src/sys/xattr.ts';
import { gather, type ReadMember, readAll } from './read-all.ts';

const scratch = mkdtempSync(join(tmpdir(), 'tsbuild-witness-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const isRoot = process.getuid?.() === 0;
const { signal } = new AbortController();

function runs(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
const hasXattrs = ((): boolean => {
  try {
    writeFileSync(join(scratch, 'probe'), '');
    setXattr(join(scratch, 'probe'), 'user.probe', Buffer.from('1'));
    return true;
  } catch {
    return false;
  }
})();

const CAPABILITY = Buffer.from('0100000200200000000000000000000000000000', 'hex');
const LONG = `${'long-name-'.repeat(12)}/${'x'.repeat(200)}`;
const DEEP = Array.from({ length: 30 }, (_, i) => `folder-${i}`).join('/');

/** A folder with everything that archives tend to lose. */
function sourceTree(): string {
  const root = mkdtempSync(join(scratch, 'tree-'));
  const at = (path: string): string => join(root, path);
  mkdirSync(at('d'), { mode: 0o750 });
  writeFileSync(at('d/file'), 'x'.repeat(5000), { mode: 0o644 });
  linkSync(at('d/file'), at('d/hard'));
  symlinkSync('../target that is long'.repeat(6), at('d/soft'));
  mkdirSync(at(LONG.slice(0, LONG.indexOf('/'))));
  writeFileSync(at(LONG), 'long');
  mkdirSync(at(DEEP), { recursive: true });
  writeFileSync(join(at(DEEP), 'leaf'), 'leaf');
  writeFileSync(at('café'), 'utf8');
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe])]), 'not utf8');
  makeNode(at('fifo'), { type: 'fifo', mode: 0o640, major: 0, minor: 0 });
  writeFileSync(at('old'), '1969');
  setMtime(at('old'), -1_500_000_000n);
  setMtime(at('d/file'), 1_700_000_000_123_456_789n);
  if (hasXattrs) setXattr(at('d/file'), 'user.binary', Uint8Array.from([0, 1, 10, 61, 255]));
  if (isRoot) setXattr(at('café'), 'security.capability', CAPABILITY);
  sparseFile(at('sparse'), 40);
  return root;
}

/** Islands of data in a file of 40 MiB; more than 21 of them need continuation blocks in old GNU archives. */
function sparseFile(path: string, islands: number): void {
  const fd = openSync(path, 'w');
  for (let i = 0; i < islands; i++) writeSync(fd, Buffer.alloc(4096, i + 1), 0, 4096, i * 2 ** 20);
  ftruncateSync(fd, 40 * 2 ** 20 + 7);
  closeSync(fd);
}

function gnuTar(root: string, ...options: readonly string[]): Buffer {
  return execFileSync('tar', ['-c', '-C', root, '--sort=name', '--numeric-owner', ...options, '.'], { maxBuffer: 2 ** 30 });
}

function byPath(members: readonly ReadMember[]): Map<ByteString, ReadMember> {
  return new Map(members.map((member) => [member.name.replace(/^\.\//, ''), member]));
}

test.each([
  ['gnu', []],
  ['pax', ['--sparse']],
  ['pax', ['--sparse', '--sparse-version=0.0']],
  ['pax', ['--sparse', '--sparse-version=0.1']],
  ['pax', ['--sparse', '--sparse-version=1.0', '--xattrs', '--xattrs-include=*']],
  ['gnu', ['--sparse']],
] as const)('a %s archive of GNU tar with options %j is read right', (format, options) => {
  const root = sourceTree();
  const members = byPath(readAll(gnuTar(root, `--format=${format}`, ...options), 100_000));
  const get = (path: string): ReadMember => {
    const member = members.get(path);
    if (member === undefined) throw new Error(`${path} is missing`);
    return member;
  };
  expect(get('d/').meta.mode).toBe(0o750);
  expect([get('d/file'), get('d/hard')].map(({ type }) => type).sort()).toEqual(['file', 'hardlink']);
  expect(get('d/soft').target).toBe(readlinkSync(join(root, 'd/soft')));
  expect(get(LONG).content.toString()).toBe('long');
  expect(get(`${DEEP}/leaf`).content.toString()).toBe('leaf');
  expect(get('caf\xc3\xa9').content.toString()).toBe('utf8');
  expect(get('\xff\xfe').content.toString()).toBe('not utf8');
  expect(get('fifo')).toMatchObject({ type: 'fifo', meta: { mode: 0o640 } });
  expect(get('sparse').content.equals(readFileSync(join(root, 'sparse')))).toBe(true);
  expect(get('d/file').meta.uid).toBe(process.getuid?.());
  const pax = format === 'pax';
  expect(get('d/file').meta.mtimeNs).toBe(pax ? 1_700_000_000_123_456_789n : 1_700_000_000_000_000_000n);
  expect(get('old').meta.mtimeNs).toBe(pax ? -1_500_000_000n : -2_000_000_000n);
  if (!options.some((option) => option === '--xattrs')) return;
  if (hasXattrs) expect([...(get('d/file').meta.xattrs?.get('user.binary') ?? [])]).toEqual([0, 1, 10, 61, 255]);
  if (isRoot) expect(get('caf\xc3\xa9').meta.xattrs?.get('security.capability')).toEqual(CAPABILITY);
});

test('a ustar archive of GNU tar is read right', () => {
  const root = mkdtempSync(join(scratch, 'ustar-'));
  mkdirSync(join(root, 'p'.repeat(60)));
  writeFileSync(join(root, 'p'.repeat(60), 'n'.repeat(90)), 'split');
  const members = byPath(readAll(gnuTar(root, '--format=ustar')));
  expect(members.get(`${'p'.repeat(60)}/${'n'.repeat(90)}`)?.content.toString()).toBe('split');
});

test('a v7 archive of GNU tar is read right', () => {
  const root = mkdtempSync(join(scratch, 'v7-'));
  mkdirSync(join(root, 'd'));
  writeFileSync(join(root, 'd/f'), 'old');
  const members = byPath(readAll(gnuTar(root, '--format=v7')));
  expect([members.get('d/')?.type, members.get('d/f')?.content.toString()]).toEqual(['dir', 'old']);
});

test('GNU numbers beyond octal are read right', () => {
  const root = mkdtempSync(join(scratch, 'ids-'));
  writeFileSync(join(root, 'f'), '');
  for (const format of ['gnu', 'pax']) {
    const members = byPath(readAll(gnuTar(root, `--format=${format}`, '--owner=3000000', '--group=4000000000', '--mtime=@9000000000')));
    expect(members.get('f')?.meta).toMatchObject({ uid: 3_000_000, gid: 4_000_000_000, mtimeNs: 9_000_000_000n * 1_000_000_000n });
  }
});

const meta: FileMeta = { mode: 0o644, uid: 0, gid: 0, mtimeNs: 1_700_000_000_000_000_000n };

function text(path: ByteString, content: string, change: Partial<FileMeta> = {}): LayerEntry {
  const bytes = Buffer.from(content);
  return { kind: 'put', path, meta: { ...meta, ...change }, node: { type: 'file', size: bytes.length, content: { at: 'memory', bytes } } };
}

function ourEntries(): LayerEntry[] {
  return [
    { kind: 'put', path: 'd', meta: { ...meta, mode: 0o1777 }, node: { type: 'dir' } },
    text('d/ids', 'a', { uid: 3_000_000, gid: 2_097_152, mode: 0o6755 }),
    text('d/caps', 'b', {
      xattrs: new Map([
        ['security.capability', CAPABILITY],
        ['user.k', Buffer.from([0, 255])],
      ]),
    }),
    { kind: 'put', path: 'd/hard', meta, node: { type: 'hardlink', target: 'd/ids' } },
    { kind: 'put', path: 'd/soft', meta: { ...meta, mode: 0o777 }, node: { type: 'symlink', target: 't'.repeat(300) } },
    text(`n/${'n'.repeat(250)}/${'m'.repeat(48)}`, 'name of 300 bytes'),
    text('caf\xc3\xa9', 'utf8'),
    text('odd-\xff\xfe', 'not utf8'),
    text('old', 'x', { mtimeNs: -86_400_000_000_000n }),
    text('far', 'x', { mtimeNs: 9_000_000_000n * 1_000_000_000n }),
    { kind: 'put', path: 'fifo', meta, node: { type: 'fifo' } },
    { kind: 'remove', path: 'd/gone' },
    { kind: 'opaque', path: 'd' },
  ];
}

test('GNU tar lists our layers as we meant them', async () => {
  const entries: LayerEntry[] = [...ourEntries(), { kind: 'put', path: 'null', meta, node: { type: 'char', major: 1, minor: 3 } }];
  const tar = await gather(packEntries(entries, { mtime: 'seconds', signal }));
  const listed = execFileSync('tar', ['-tvv', '--numeric-owner', '--xattrs', '--xattrs-include=*', '--quoting-style=escape'], {
    input: tar,
    encoding: 'utf8',
    env: { ...process.env, TZ: 'UTC' },
  });
  const lines = listed.split('\n').map((line) => line.replace(/ +/g, ' ').replace(/\*/g, '').trim());
  for (const wanted of [
    'drwxrwxrwt 0/0 0 2023-11-14 22:13 d/',
    '-rwsr-sr-x 3000000/2097152 1 2023-11-14 22:13 d/ids',
    'hrw-r--r-- 0/0 0 2023-11-14 22:13 d/hard link to d/ids',
    `lrwxrwxrwx 0/0 0 2023-11-14 22:13 d/soft -> ${'t'.repeat(300)}`,
    `-rw-r--r-- 0/0 17 2023-11-14 22:13 n/${'n'.repeat(250)}/${'m'.repeat(48)}`,
    '-rw-r--r-- 0/0 1 1969-12-31 00:00 old',
    '-rw-r--r-- 0/0 1 2255-03-14 16:00 far',
    'prw-r--r-- 0/0 0 2023-11-14 22:13 fifo',
    'crw-r--r-- 0/0 1,3 2023-11-14 22:13 null',
    '---------- 0/0 0 1970-01-01 00:00 d/.wh.gone',
    '---------- 0/0 0 1970-01-01 00:00 d/.wh..wh..opq',
    'x: 20 security.capability',
    'x: 2 user.k',
  ]) {
    expect(lines).toContain(wanted);
  }
  const names = execFileSync('tar', ['-t', '--quoting-style=literal'], { input: tar });
  expect(names.includes(Buffer.from([0xff, 0xfe]))).toBe(true);
  expect(names.includes(Buffer.from('café'))).toBe(true);
});

test.skipIf(!isRoot)('GNU tar extracts our layers with owners, capabilities and odd names', async () => {
  const out = mkdtempSync(join(scratch, 'extracted-'));
  const tar = await gather(packEntries(ourEntries(), { mtime: 'nanoseconds', signal }));
  execFileSync('tar', ['-x', '-C', out, '--numeric-owner', '--xattrs', '--xattrs-include=*'], { input: tar });
  const stats = lstatSync(join(out, 'd/ids'));
  expect([stats.uid, stats.gid, stats.mode & 0o7777, stats.nlink]).toEqual([3_000_000, 2_097_152, 0o6755, 2]);
  expect(execFileSync('getcap', [join(out, 'd/caps')], { encoding: 'utf8' })).toContain('cap_net_raw=ep');
  expect(readFileSync(Buffer.concat([Buffer.from(`${out}/odd-`), Buffer.from([0xff, 0xfe])]), 'utf8')).toBe('not utf8');
  expect(lstatSync(join(out, 'old')).mtimeMs).toBe(-86_400_000);
});

test('a file of 9 GiB is announced with its size', async () => {
  const path = join(scratch, 'nine-gib');
  const fd = openSync(path, 'w');
  ftruncateSync(fd, 9 * 2 ** 30);
  closeSync(fd);
  const entry: LayerEntry = { kind: 'put', path: 'big', meta, node: { type: 'file', size: 9 * 2 ** 30, content: { at: 'host', path } } };
  const chunks = packEntries([entry], { mtime: 'seconds', signal });
  const first = (await chunks.next()).value as Buffer;
  await chunks.return();
  rmSync(path);
  const listed = execFileSync('sh', ['-c', 'tar -tv --numeric-owner 2>&1 || true'], { input: first, encoding: 'utf8' });
  expect(listed).toMatch(/0\/0 +9663676416 .* big/);
});

test.skipIf(!runs('umoci') || !isRoot)('umoci unpacks an image made of our layers', async () => {
  const image = mkdtempSync(join(scratch, 'oci-'));
  mkdirSync(join(image, 'blobs/sha256'), { recursive: true });
  const layers = [
    ourEntries().filter((entry) => entry.kind === 'put'),
    [{ kind: 'remove', path: 'd/soft' }, text('d/new', 'second layer')] satisfies LayerEntry[],
  ];
  const sealed = [];
  for (const entries of layers) {
    const parts: Buffer[] = [];
    const upload = {
      write: (chunk: Uint8Array) => Promise.resolve(void parts.push(Buffer.from(chunk))),
      commit: () => Promise.resolve(),
      abort: () => Promise.resolve(),
    };
    const layer = await sealLayer(entries, {
      sinks: [{ begin: () => Promise.resolve(upload) }],
      format: 'oci',
      compression: 'gzip',
      level: undefined,
      taps: [],
      mtime: 'seconds',
      signal,
    });
    writeFileSync(join(image, 'blobs/sha256', hexOf(layer.descriptor.digest)), Buffer.concat(parts));
    sealed.push(layer);
  }
  const blob = (mediaType: string, value: unknown): object => {
    const bytes = Buffer.from(JSON.stringify(value));
    const hex = execFileSync('sha256sum', { input: bytes, encoding: 'utf8' }).slice(0, 64);
    writeFileSync(join(image, 'blobs/sha256', hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const config = blob('application/vnd.oci.image.config.v1+json', {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: sealed.map(({ diffId }) => diffId) },
  });
  const manifest = blob('application/vnd.oci.image.manifest.v1+json', {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config,
    layers: sealed.map(({ descriptor }) => descriptor),
  });
  writeFileSync(join(image, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(
    join(image, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations: { 'org.opencontainers.image.ref.name': 'test' } }] }),
  );
  const bundle = join(scratch, 'bundle');
  execFileSync('umoci', ['unpack', '--image', `${image}:test`, bundle]);
  const rootfs = join(bundle, 'rootfs');
  expect(readFileSync(join(rootfs, 'd/new'), 'utf8')).toBe('second layer');
  expect(lstatSync(join(rootfs, 'd/soft'), { throwIfNoEntry: false })).toBeUndefined();
  expect(lstatSync(join(rootfs, 'd/ids')).uid).toBe(3_000_000);
  expect(lstatSync(join(rootfs, 'd/ids')).nlink).toBe(2);
  expect(execFileSync('getcap', [join(rootfs, 'd/caps')], { encoding: 'utf8' })).toContain('cap_net_raw=ep');
  expect(readFileSync(join(rootfs, `n/${'n'.repeat(250)}/${'m'.repeat(48)}`), 'utf8')).toBe('name of 300 bytes');
});
