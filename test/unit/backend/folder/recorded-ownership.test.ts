/** Owners and what else an ordinary user cannot store: kept beside the files. Runs as any user. */
import { spawnSync } from 'node:child_process';
import { lstatSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { layerFolder } from '../../../../src/backend/folder/layer-folder.ts';
import type { LayerFolder } from '../../../../src/backend/folder/parts.ts';
import { type RecordedOwnership, recordedOwnership } from '../../../../src/backend/folder/recorded-ownership.ts';
import type { LayerEntry } from '../../../../src/layer/entry.ts';
import { lines } from '../../../contract/backend-fixture.ts';
import { rawPax } from '../../layer/raw-tar.ts';
import { dir, emptyFolder, file, layerOf, never } from './folder-fixture.ts';

/** VFS_CAP_REVISION_2, effective: cap_net_bind_service. */
const CAPABILITY = Buffer.from('0100000200040000000000000000000000000000', 'hex');

const scratch = mkdtempSync(join(tmpdir(), 'tsbuild-recorded-'));
afterAll(() => {
  spawnSync('chmod', ['-R', 'u+rwX', scratch]);
  rmSync(scratch, { recursive: true, force: true });
});
let root: string;
let folder: LayerFolder;
let ownership: RecordedOwnership;

beforeEach(async () => {
  const home = mkdtempSync(join(scratch, 'test-'));
  root = emptyFolder(home, 'root');
  ownership = recordedOwnership();
  folder = layerFolder({ root, kept: [], ownership });
  await folder.lay(
    layerOf(
      home,
      dir('d', { mode: '0002555\0', uid: '0000041\0' }),
      file('d/f', 'x', { mode: '0004100\0', uid: '0000041\0' }),
      rawPax([['SCHILY.xattr.security.capability', CAPABILITY]]),
      file('d/c', 'x', { uid: '0000007\0' }),
      { name: 'null', flag: '3', mode: '0000666\0', uid: '0000005\0', major: '0000001\0', minor: '0000003\0' },
    ),
    never,
  );
});

async function entriesOf(script: string): Promise<LayerEntry[]> {
  await folder.mark(never);
  expect(spawnSync('sh', ['-euc', script], { cwd: root, encoding: 'utf8' })).toMatchObject({ stderr: '', status: 0 });
  const entries: LayerEntry[] = [];
  for await (const entry of folder.changes(never)) entries.push(entry);
  return entries;
}

test('a file that is written to keeps owner and mode, and so does its folder', async () => {
  expect(lines(await entriesOf('chmod 700 d/c; chmod 644 d/c; true'))).toEqual([]);
  expect(lines(await entriesOf('echo more >> d/c; echo > d/new'))).toEqual(['d 2555 33:0 d', 'f 644 7:0 d/c', 'f 644 0:0 d/new']);
});

test('a file keeps its owner under another name', async () => {
  expect(lines(await entriesOf('mv d/f e'))).toEqual(['d 2555 33:0 d', '- d/f', 'f 4100 33:0 e']);
});

test('a mode that a command sets counts, and the file can still be read', async () => {
  expect(lines(await entriesOf('mkdir e; echo > e/x; chmod 0 e/x e; chmod 711 d'))).toEqual(['d 2711 33:0 d', 'd 0 0:0 e', 'f 0 0:0 e/x']);
  expect(lstatSync(join(root, 'e/x')).mode & 0o400).toBe(0o400);
  expect(lines(await entriesOf('true'))).toEqual([]);
});

test('a new file belongs to the owner of new files of its run, also later', async () => {
  ownership.setDefaultOwner({ uid: 11, gid: 12 });
  expect(lines(await entriesOf('echo > n'))).toEqual(['f 644 11:12 n']);
  ownership.setDefaultOwner({ uid: 0, gid: 0 });
  expect(lines(await entriesOf('chmod 600 n'))).toEqual(['f 600 11:12 n']);
});

test('a chown that was seen counts, of old files as of new ones', async () => {
  await folder.mark(never);
  spawnSync('sh', ['-c', 'echo > n'], { cwd: root });
  for (const name of ['n', 'd/f', 'd']) ownership.recordOwner(lstatSync(join(root, name), { bigint: true }), { uid: 21, gid: -1 });
  expect(lines(await entriesOf('true'))).toEqual(['d 2555 21:0 d', 'f 4100 21:0 d/f', 'f 644 21:0 n']);
});

test('a device stays one, whatever is written to it', async () => {
  expect(lines(await entriesOf('chmod 600 null; echo x > null'))).toEqual(['c 600 5:0 null 1,3']);
});

test('a capability stays with its file, and goes when the file is written to', async () => {
  const names = (entries: readonly LayerEntry[]): unknown[] =>
    entries.map((entry) => entry.kind === 'put' && [...(entry.meta.xattrs?.keys() ?? [])]);
  expect(names(await entriesOf('chmod 755 d/c'))).toEqual([[], ['security.capability']]);
  expect(names(await entriesOf('echo x >> d/c'))).toEqual([[], []]);
});
