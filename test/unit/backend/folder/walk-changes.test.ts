/** What a command changed in a plain folder: the entries of its layer, found by a walk. */
import { spawnSync } from 'node:child_process';
import { lstatSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { kernelOwnership } from '../../../../src/backend/folder/kernel-ownership.ts';
import { layerFolder } from '../../../../src/backend/folder/layer-folder.ts';
import type { LayerFolder } from '../../../../src/backend/folder/parts.ts';
import type { LayerEntry } from '../../../../src/layer/entry.ts';
import { setXattr } from '../../../../src/sys/xattr.ts';
import { lines } from '../../../contract/backend-fixture.ts';
import { canSetXattr, dir, emptyFolder, file, hardLink, isRoot, layerOf, never, symlink } from './folder-fixture.ts';

const scratch = mkdtempSync(join(tmpdir(), 'tsbuild-walk-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const hasXattrs = canSetXattr(scratch, 'user.probe');
let home: string;
let root: string;
let folder: LayerFolder;

const base = [
  dir('d', { mode: '0001777\0' }),
  file('d/kept', 'kept'),
  dir('d/sub'),
  file('d/sub/x', 'below'),
  symlink('d/l', 'kept'),
  file('one', 'linked'),
  hardLink('two', 'one'),
];

/** Runs a script in the folder, after a mark; the entries that it gave. */
async function entriesOf(script: string): Promise<LayerEntry[]> {
  await folder.mark(never);
  const { status, stderr } = spawnSync('sh', ['-euc', script], { cwd: root, encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return takeEntries();
}

async function takeEntries(): Promise<LayerEntry[]> {
  const entries: LayerEntry[] = [];
  for await (const entry of folder.changes(never)) entries.push(entry);
  return entries;
}

describe.skipIf(!isRoot)('changes', () => {
  beforeEach(async () => {
    home = mkdtempSync(join(scratch, 'test-'));
    root = emptyFolder(home, 'root');
    folder = layerFolder({ root, kept: ['secret', 'var/run/token'], ownership: kernelOwnership() });
    await folder.lay(layerOf(home, ...base), never);
  });

  test.each<readonly [string, string, readonly string[]]>([
    ['none when nothing changed', 'cat d/kept > /dev/null', []],
    ['a new file', 'echo > d/new', ['d 1777 0:0 d', 'f 644 0:0 d/new']],
    [
      'a file of another content, size and time the same',
      'touch -r one ../t; printf LINKED > one; touch -r ../t one',
      ['f 644 0:0 one', 'h 644 0:0 two => one'],
    ],
    ['a mode', 'chmod 4711 d/kept', ['d 1777 0:0 d', 'f 4711 0:0 d/kept']],
    ['an owner', 'chown 7:8 d/sub/x', ['d 1777 0:0 d', 'd 755 0:0 d/sub', 'f 644 7:8 d/sub/x']],
    ['a time', 'touch -d 2001-02-03 d/kept', ['d 1777 0:0 d', 'f 644 0:0 d/kept']],
    ['a folder, without what is in it', 'chmod 700 d', ['d 700 0:0 d']],
    ['not the time of a folder alone', 'touch d; echo > d/x; rm d/x', []],
    ['a removed file', 'rm d/kept', ['d 1777 0:0 d', '- d/kept']],
    ['a removed tree, as one', 'rm -r d', ['- d']],
    ['a removed name of a file, without the other one', 'rm two', ['- two']],
    ['a file in the place of a folder', 'rm -r d; echo > d', ['f 644 0:0 d']],
    [
      'a folder in the place of a file',
      'rm d/kept; mkdir d/kept; echo > d/kept/in',
      ['d 1777 0:0 d', 'd 755 0:0 d/kept', 'f 644 0:0 d/kept/in'],
    ],
    [
      'what is gone from a folder that was made anew',
      'rm -r d/sub; mkdir d/sub; echo > d/sub/y',
      ['d 1777 0:0 d', 'd 755 0:0 d/sub', '- d/sub/x', 'f 644 0:0 d/sub/y'],
    ],
    ['a folder by its new name', 'mv d/sub e', ['d 1777 0:0 d', '- d/sub', 'd 755 0:0 e', 'f 644 0:0 e/x']],
    ['a symlink that leads elsewhere', 'ln -sfn one d/l', ['d 1777 0:0 d', 'l 777 0:0 d/l -> one']],
    [
      'a symlink that leads elsewhere, time and size the same',
      'touch ../t; touch -h -r d/l ../t; ln -sfn KEPT d/l; touch -h -r ../t d/l',
      ['d 1777 0:0 d', 'l 777 0:0 d/l -> KEPT'],
    ],
    [
      'a fifo and a device',
      'mkfifo -m 640 p; mknod -m 600 c c 1 3; mknod -m 600 b b 300 70000',
      ['b 600 0:0 b 300,70000', 'c 600 0:0 c 1,3', 'p 640 0:0 p'],
    ],
    [
      'the first name of a new file, then further ones',
      'echo > z; ln z b; mkdir c; ln z c/x',
      ['f 644 0:0 b', 'd 755 0:0 c', 'h 644 0:0 c/x => b', 'h 644 0:0 z => b'],
    ],
    ['only the new name of an old file', 'ln d/kept n; ln d/l m', ['l 777 0:0 m -> kept', 'f 644 0:0 n']],
    [
      'no file that only got what it had',
      'chown -R 0:0 .; chmod 644 one; mv d/kept d/k; mv d/k d/kept; cp -p d/kept d/k; mv d/k d/kept',
      [],
    ],
    ['nothing that was made and removed', 'mkdir x d/x; echo > x/f; rm -r x d/x', []],
    [
      'names in byte order, whatever they are',
      `mkdir a; echo > a-b; echo > a/b; echo > "$(printf '\\377')"`,
      ['d 755 0:0 a', 'f 644 0:0 a-b', 'f 644 0:0 a/b', 'f 644 0:0 \xff'],
    ],
  ])('are %s', async (_, script, expected) => {
    expect(lines(await entriesOf(script))).toEqual(expected);
    expect(lines(await entriesOf('true'))).toEqual([]);
  });

  test('hold a file that was written twice right after the mark', async () => {
    await entriesOf('printf a > f');
    for (let i = 0; i < 20; i += 1) {
      await folder.mark(never);
      writeFileSync(join(root, 'f'), i % 2 === 0 ? 'b' : 'a');
      expect(lines(await takeEntries())).toEqual(['f 644 0:0 f']);
    }
  });

  test.skipIf(!hasXattrs)('hold files and folders whose attributes changed, with all of these', async () => {
    await folder.mark(never);
    setXattr(join(root, 'one'), 'user.x', Buffer.from('1'));
    setXattr(join(root, 'd'), 'user.y', Buffer.from('2'));
    const entries = await takeEntries();
    expect(lines(entries)).toEqual(['d 1777 0:0 d', 'f 644 0:0 one', 'h 644 0:0 two => one']);
    expect(
      entries.map(
        (entry) => entry.kind === 'put' && [...(entry.meta.xattrs ?? [])].map(([name, value]) => `${name}=${Buffer.from(value)}`),
      ),
    ).toEqual([['user.y=2'], ['user.x=1'], ['user.x=1']]);
    expect(lines(await entriesOf('chmod 644 one; touch d'))).toEqual([]);
  });

  test('know what earlier commands wrote', async () => {
    expect(lines(await entriesOf('echo x > d/new; ln d/new n'))).toEqual(['d 1777 0:0 d', 'f 644 0:0 d/new', 'h 644 0:0 n => d/new']);
    expect(lines(await entriesOf('chown -R 0:0 .; ln n m'))).toEqual(['f 644 0:0 m']);
    expect(lines(await entriesOf('touch -r n ../t; echo y > n; touch -r ../t n'))).toEqual([
      'd 1777 0:0 d',
      'f 644 0:0 d/new',
      'h 644 0:0 m => d/new',
      'h 644 0:0 n => d/new',
    ]);
  });

  test('leave out a socket, and hide what was in its place', async () => {
    await folder.mark(never);
    rmSync(join(root, 'one'));
    const server = createServer();
    await new Promise<void>((resolve) => void server.listen(join(root, 'one'), resolve));
    expect(lines(await takeEntries())).toEqual(['- one']);
    server.close();
    expect(lines(await entriesOf('rm -f one'))).toEqual([]);
  });

  test('count layers that were laid in between as what was there', async () => {
    expect(lines(await entriesOf('echo > d/new'))).toEqual(['d 1777 0:0 d', 'f 644 0:0 d/new']);
    await folder.lay(layerOf(home, file('d/kept', 'later'), { name: '.wh.one' }, hardLink('three', 'd/sub/x')), never);
    expect(lines(await entriesOf('chown 0:0 d/kept two three; rm three'))).toEqual(['- three']);
  });

  test('pass over what is kept, and keep the folders above it', async () => {
    await folder.mark(never);
    expect(
      lines(await entriesOf('mkdir -p var/run/token secret other; echo > var/run/token/x; echo > secret/x; echo > var/run/y')),
    ).toEqual(['d 755 0:0 other', 'd 755 0:0 var', 'd 755 0:0 var/run', 'f 644 0:0 var/run/y']);
    expect(lines(await entriesOf('rm -r secret var/run/token; chmod 700 var'))).toEqual(['d 700 0:0 var']);
  });

  test('leave out a path that a mount covered', async () => {
    await folder.mark(never);
    renameSync(join(root, 'd/sub'), join(home, 'away'));
    symlinkSync('/nowhere', join(root, 'd/sub'));
    rmSync(join(root, 'd/sub'));
    renameSync(join(home, 'away'), join(root, 'd/sub'));
    utimesSync(join(root, 'd/sub'), 1, 1);
    folder.remark('d/sub');
    expect(lines(await takeEntries())).toEqual([]);
    expect(lines(await entriesOf('chmod 644 d/sub/x'))).toEqual([]);
  });

  test('are refused for a path that no layer can hold', async () => {
    await folder.mark(never);
    const deep = `for (let i = 0; i < 30; i++) { fs.mkdirSync('x'.repeat(200)); process.chdir('x'.repeat(200)); }`;
    expect(spawnSync(process.execPath, ['-e', deep], { cwd: root }).status).toBe(0);
    await expect(takeEntries()).rejects.toMatchObject({ code: 'BACKEND_FAILED' });
    await folder.clear(never);
    expect(lstatSync(root).nlink).toBe(2);
  });

  test('end when they are aborted', async () => {
    const controller = new AbortController();
    await folder.mark(never);
    controller.abort(new Error('enough'));
    await expect(folder.changes(controller.signal)[Symbol.asyncIterator]().next()).rejects.toThrow('enough');
  });
});
