import { expect, test } from 'vitest';
import type { TarMember } from '../../../../src/layer/tar/member.ts';
import { encodeMember } from '../../../../src/layer/tar/write.ts';
import { readAll } from '../read-all.ts';

const plain: TarMember = {
  name: 'a/file',
  type: 'file',
  meta: { mode: 0o4755, uid: 1, gid: 2, mtimeNs: 1_700_000_000_000_000_000n },
  size: 0,
  target: '',
  major: 0,
  minor: 0,
};

function written(
  change: Partial<TarMember>,
  precision: 'seconds' | 'nanoseconds' = 'seconds',
): { bytes: Buffer; read: TarMember | undefined } {
  const bytes = encodeMember({ ...plain, ...change }, precision);
  return { bytes, read: readAll(Buffer.concat([bytes, Buffer.alloc(1024)]))[0] };
}

test('what fits ustar is one block, without user names, and reads back', () => {
  const { bytes, read } = written({});
  expect(bytes.length).toBe(512);
  expect(bytes.toString('latin1', 257, 265)).toBe('ustar\x0000');
  expect(bytes.subarray(265, 329).every((byte) => byte === 0)).toBe(true);
  expect(read).toMatchObject({ name: 'a/file', type: 'file', meta: { mode: 0o4755, uid: 1, gid: 2, mtimeNs: 1_700_000_000_000_000_000n } });
});

test.each([
  ['uid 2097151', { meta: { ...plain.meta, uid: 2_097_151 } }, 512],
  ['uid 2097152', { meta: { ...plain.meta, uid: 2_097_152 } }, 1536],
  ['gid 3000000', { meta: { ...plain.meta, gid: 3_000_000 } }, 1536],
  ['a name of 100 bytes', { name: 'n'.repeat(100) }, 512],
  ['a name of 101 bytes without slash', { name: 'n'.repeat(101) }, 1536],
  ['a name that splits at 155', { name: `${'p'.repeat(155)}/${'n'.repeat(100)}` }, 512],
  ['a name whose first part has 156', { name: `${'p'.repeat(156)}/${'n'.repeat(100)}` }, 1536],
  ['a folder name of 101 bytes', { name: `${'d'.repeat(100)}/`, type: 'dir' }, 1536],
  ['a name of 300 bytes', { name: `${'long/'.repeat(60)}x` }, 1536],
  ['a name that is not ASCII', { name: 'caf\xc3\xa9' }, 1536],
  ['a name that is not UTF-8', { name: 'a/\xff\xfe' }, 1536],
  ['a target of 101 bytes', { type: 'symlink', target: 't'.repeat(101) }, 1536],
  ['a target that is not UTF-8', { type: 'symlink', target: '\xff' }, 1536],
  ['a time before 1970', { meta: { ...plain.meta, mtimeNs: -5_000_000_000n } }, 1536],
  ['the last second of ustar', { meta: { ...plain.meta, mtimeNs: 8_589_934_591n * 1_000_000_000n } }, 512],
  ['the second after', { meta: { ...plain.meta, mtimeNs: 8_589_934_592n * 1_000_000_000n } }, 1536],
  ['a device', { type: 'block', major: 259, minor: 1_048_575 }, 512],
] as const)('%s reads back, with a PAX header only where needed', (_, change, length) => {
  const { bytes, read } = written(change);
  expect(bytes.length).toBe(length);
  expect(read).toMatchObject({ ...plain, ...change });
});

test('sizes from 8 GiB are in PAX, exactly', () => {
  expect(encodeMember({ ...plain, size: 8 * 2 ** 30 - 1 }, 'seconds').length).toBe(512);
  const bytes = encodeMember({ ...plain, size: 9 * 2 ** 30 }, 'seconds');
  expect(bytes.length).toBe(1536);
  expect(bytes.toString('latin1', 512)).toContain('size=9663676416\n');
});

test('xattr values keep every byte', () => {
  const value = Uint8Array.from({ length: 256 }, (_, i) => i);
  const { read } = written({ meta: { ...plain.meta, xattrs: new Map([['security.capability', value]]) } });
  expect([...(read?.meta.xattrs?.get('security.capability') ?? [])]).toEqual([...value]);
});

test('the order in which xattrs were found does not change the bytes', () => {
  const [a, b] = [new Uint8Array([1]), new Uint8Array([2])];
  const one = written({
    meta: {
      ...plain.meta,
      xattrs: new Map([
        ['user.a', a],
        ['user.b', b],
      ]),
    },
  });
  const two = written({
    meta: {
      ...plain.meta,
      xattrs: new Map([
        ['user.b', b],
        ['user.a', a],
      ]),
    },
  });
  expect(one.bytes).toEqual(two.bytes);
});

test('an xattr name with "=" cannot be written and is not written wrong', () => {
  expect(() => written({ meta: { ...plain.meta, xattrs: new Map([['user.a=b', new Uint8Array()]]) } })).toThrow(/"a\/file".*user\.a=b/);
});

test.each([
  [1_700_000_000_999_999_999n, 1_700_000_000_000_000_000n],
  [-1n, -1_000_000_000n],
  [-1_500_000_000n, -2_000_000_000n],
])('with seconds %s is cut to %s, towards the past', (given, wanted) => {
  expect(written({ meta: { ...plain.meta, mtimeNs: given } }).read?.meta.mtimeNs).toBe(wanted);
  expect(written({ meta: { ...plain.meta, mtimeNs: given } }, 'nanoseconds').read?.meta.mtimeNs).toBe(given);
});

test('PAX records count their own length at every number of digits', () => {
  for (const length of [80, 88, 89, 90, 91, 92, 93, 94, 95, 980, 987, 988, 989, 990, 991, 992, 9980, 9985, 9990]) {
    const target = 't'.repeat(length + 101);
    expect(written({ type: 'symlink', target }).read?.target).toBe(target);
    const xattrs = new Map([['user.k', Buffer.alloc(length, 'v')]]);
    expect(written({ meta: { ...plain.meta, xattrs } }).read?.meta.xattrs?.get('user.k')?.length).toBe(length);
  }
});
