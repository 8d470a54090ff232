import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { diskStore } from '../../../src/blob/disk-store.ts';
import type { Layer } from '../../../src/image/image.ts';
import type { LayerEntry } from '../../../src/layer/entry.ts';
import type { LayerMaterial } from '../../../src/layer/layer-material.ts';
import { createTarReader } from '../../../src/layer/tar/read.ts';
import { datedLibrary } from '../../../src/unpacked/dated-library.ts';
import { folderLibrary } from '../../../src/unpacked/folder-library.ts';

const { signal } = new AbortController();
const owners = process.getuid?.() === 0 ? 'apply' : 'skip';
const date = new Date('2001-02-03T04:05:06Z');
const SECOND = 1_000_000_000n;
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tsbuild-test-'));
  mkdirSync(join(root, 'work'));
});
afterEach(() => void execFileSync('rm', ['-rf', root]));

const LONG = `${'long/'.repeat(60)}name`;
const CONTENTS = ['', 'x', 'y'.repeat(512), 'z'.repeat(3_000_000)];

/** Entries of every sort, all with this time. */
function* entriesAt(mtimeNs: bigint): Generator<LayerEntry> {
  const meta = { mode: 0o644, uid: 0, gid: 0, mtimeNs };
  const xattrs = new Map([['user.note', Buffer.from([0, 255])]]);
  yield { kind: 'put', path: 'd', meta: { ...meta, mode: 0o755 }, node: { type: 'dir' } };
  yield { kind: 'opaque', path: 'd' };
  yield { kind: 'remove', path: 'd/gone' };
  for (const [i, text] of CONTENTS.entries()) {
    const bytes = Buffer.from(text);
    yield { kind: 'put', path: `d/${i}`, meta, node: { type: 'file', size: bytes.length, content: { at: 'memory', bytes } } };
  }
  yield { kind: 'put', path: 'd/h', meta, node: { type: 'hardlink', target: 'd/1' } };
  yield { kind: 'put', path: 'd/s', meta: { ...meta, mode: 0o777 }, node: { type: 'symlink', target: LONG } };
  yield { kind: 'put', path: LONG, meta: { ...meta, mode: 0o4755, xattrs }, node: { type: 'dir' } };
}

interface SealedStep {
  readonly layer: Layer;
  readonly material: LayerMaterial;
}

async function sealAt(mtimeNs: bigint, need: 'index' | 'folder' = 'index'): Promise<SealedStep> {
  const store = diskStore(root, join(root, 'work'));
  const library = folderLibrary({ cacheFolder: root, workFolder: join(root, 'work'), style: 'user', owners, store });
  const { layer, kept } = datedLibrary(library, { store, date }).seal([...entriesAt(mtimeNs)], { format: 'oci', need }, signal);
  return { layer: await layer, material: await kept };
}

async function tarOf({ layer }: Pick<SealedStep, 'layer'>): Promise<Buffer> {
  return gunzipSync(await buffer(await layer.open(signal)));
}

/** What the tar says of each member but its time, with how many bytes of content follow. */
function membersOf(tar: Buffer): readonly unknown[] {
  const members: { bytes: number; mtimeNs: bigint }[] = [];
  const reader = createTarReader({
    member: ({ meta: { mtimeNs, ...meta }, ...member }) => void members.push({ ...member, ...meta, mtimeNs, bytes: 0 }),
    content: (bytes) => {
      const last = members.at(-1);
      if (last !== undefined) last.bytes += bytes.length;
    },
    hole: () => undefined,
  });
  reader.write(tar);
  reader.end();
  return members;
}

describe('a layer of a library with a date', () => {
  test('is the same whatever the times of its files', async () => {
    const [old, young] = [await sealAt(0n), await sealAt(1_700_000_000n * SECOND + 123_456_789n)];
    expect(young.layer.diffId).toBe(old.layer.diffId);
    expect(young.layer.descriptor).toEqual(old.layer.descriptor);
  });

  test('has everything that it has without one, but for its times', async () => {
    const store = diskStore(root, join(root, 'work'));
    const plain = folderLibrary({ cacheFolder: root, workFolder: join(root, 'work'), style: 'user', owners, store });
    const undated = plain.seal([...entriesAt(5n * SECOND)], { format: 'oci', need: 'index' }, signal);
    const expected = membersOf(await tarOf({ layer: await undated.layer }));
    const found = membersOf(await tarOf(await sealAt(5n * SECOND)));
    const dated = expected.map((member) => ({ ...(member as object), mtimeNs: BigInt(date.getTime()) * 1_000_000n }));
    expect(found).toEqual(dated);
    expect(found).toHaveLength(10);
  });

  test('is not what later steps see: there the files keep their times', async () => {
    const { material } = await sealAt(1_700_000_000n * SECOND, 'folder');
    expect(statSync(join(await material.folder(signal), 'd/1')).mtimeMs).toBe(1_700_000_000_000);
    expect(material.index.puts.get('d/1')?.meta.mtimeNs).toBe(1_700_000_000n * SECOND);
  });
});
