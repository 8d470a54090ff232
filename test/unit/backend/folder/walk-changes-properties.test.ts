/** Whatever a command does to a plain folder, its layer over the tree before is the tree after. */
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { kernelOwnership } from '../../../../src/backend/folder/kernel-ownership.ts';
import { layerFolder } from '../../../../src/backend/folder/layer-folder.ts';
import type { FileMeta, LayerEntry } from '../../../../src/layer/entry.ts';
import { makeNode } from '../../../../src/sys/mknod.ts';
import { setMtime } from '../../../../src/sys/times.ts';
import { dir, emptyFolder, file, hardLink, isRoot, layerOf, linesOfFolder, never, symlink } from './folder-fixture.ts';

const scratch = mkdtempSync(join(tmpdir(), 'tsbuild-walk-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const path = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const text = fc.constantFrom('', 'x', 'y', 'xy');

/** One call of a command; what the kernel refuses changes nothing. */
type Change = (root: string) => void;
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(path, text).map(
    ([p, t]): Change =>
      (root) =>
        writeFileSync(join(root, p), t),
  ),
  // As `touch -r` does, so that only the content tells.
  fc.tuple(path, text).map(
    ([p, t]): Change =>
      (root) => {
        const { mtimeMs } = statSync(join(root, p));
        writeFileSync(join(root, p), t);
        lutimesSync(join(root, p), mtimeMs / 1000, mtimeMs / 1000);
      },
  ),
  fc.tuple(path, text).map(
    ([p, t]): Change =>
      (root) =>
        appendFileSync(join(root, p), t),
  ),
  fc.tuple(path, fc.constantFrom(0o644, 0o700, 0o4755)).map(
    ([p, mode]): Change =>
      (root) =>
        chmodSync(join(root, p), mode),
  ),
  fc.tuple(path, fc.constantFrom(0, 7)).map(
    ([p, uid]): Change =>
      (root) =>
        lchownSync(join(root, p), uid, 0),
  ),
  path.map(
    (p): Change =>
      (root) =>
        chownSync(join(root, p), 0, 0),
  ),
  fc.tuple(path, fc.constantFrom(1, 1000.5)).map(
    ([p, time]): Change =>
      (root) =>
        lutimesSync(join(root, p), time, time),
  ),
  path.map(
    (p): Change =>
      (root) =>
        mkdirSync(join(root, p)),
  ),
  path.map(
    (p): Change =>
      (root) =>
        rmSync(join(root, p), { recursive: true }),
  ),
  fc.tuple(path, path).map(
    ([p, q]): Change =>
      (root) =>
        renameSync(join(root, p), join(root, q)),
  ),
  fc.tuple(path, path).map(
    ([p, q]): Change =>
      (root) => {
        rmSync(join(root, q), { recursive: true, force: true });
        renameSync(join(root, p), join(root, q));
      },
  ),
  fc.tuple(path, path).map(
    ([p, q]): Change =>
      (root) =>
        linkSync(join(root, p), join(root, q)),
  ),
  fc.tuple(path, path).map(
    ([p, q]): Change =>
      (root) =>
        symlinkSync(q, join(root, p)),
  ),
  path.map(
    (p): Change =>
      (root) =>
        makeNode(join(root, p), { type: 'fifo', mode: 0o600, major: 0, minor: 0 }),
  ),
  path.map(
    (p): Change =>
      (root) =>
        makeNode(join(root, p), { type: 'char', mode: 0o600, major: 1, minor: 3 }),
  ),
);

function attempt(make: () => void): void {
  try {
    make();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  }
}

/** Applies a layer by the words of the specification: whiteouts first, then one entry after the other. */
function applyTo(root: string, entries: readonly LayerEntry[]): void {
  for (const entry of entries) if (entry.kind === 'remove') rmSync(join(root, entry.path), { recursive: true });
  const folders: [string, FileMeta][] = [];
  for (const entry of entries) {
    if (entry.kind !== 'put') continue;
    const at = join(root, entry.path);
    const { node, meta } = entry;
    if (node.type === 'dir') {
      folders.push([at, meta]);
      if (isFolder(at)) continue;
      rmSync(at, { force: true });
      mkdirSync(at);
      continue;
    }
    rmSync(at, { recursive: true, force: true });
    if (node.type === 'hardlink') {
      linkSync(join(root, node.target), at);
      continue;
    }
    if (node.type === 'symlink') symlinkSync(node.target, at);
    else if (node.type !== 'file') makeNode(at, { major: 0, minor: 0, ...node, mode: 0o600 });
    else if (node.content.at === 'host') writeFileSync(at, readFileSync(node.content.path));
    finish(at, meta, node.type === 'symlink');
  }
  for (const [at, meta] of folders.reverse()) finish(at, meta, false);
}

function isFolder(at: string): boolean {
  return lstatSync(at, { throwIfNoEntry: false })?.isDirectory() === true;
}

function finish(at: string, meta: FileMeta, isSymlink: boolean): void {
  lchownSync(at, meta.uid, meta.gid);
  if (!isSymlink) chmodSync(at, meta.mode);
  setMtime(at, meta.mtimeNs);
}

const base = [
  dir('a'),
  file('a/a', 'x'),
  dir('a/b', { mode: '0001777\0' }),
  file('a/b/c', 'y'),
  file('b', 'xy'),
  hardLink('c', 'b'),
  symlink('a/c', '../b'),
];
const rounds = fc.array(fc.array(change, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 3 });

describe.skipIf(!isRoot)('the changes of commands', () => {
  test('make the tree after of the tree before', { timeout: 120_000 }, async () => {
    let entriesSeen = 0;
    await fc.assert(
      fc.asyncProperty(rounds, async (commands) => {
        const home = mkdtempSync(join(scratch, 'case-'));
        try {
          const root = emptyFolder(home, 'root');
          const folder = layerFolder({ root, kept: [], ownership: kernelOwnership() });
          await folder.lay(layerOf(home, ...base), never);
          for (const [round, changes] of commands.entries()) {
            const copy = join(home, `copy${round}`);
            expect(spawnSync('cp', ['-a', root, copy]).status).toBe(0);
            await folder.mark(never);
            for (const make of changes) attempt(() => make(root));
            const entries: LayerEntry[] = [];
            for await (const entry of folder.changes(never)) entries.push(entry);
            entriesSeen += entries.length;
            applyTo(copy, entries);
            const options = { times: 'files', links: 'no' } as const;
            expect(linesOfFolder(copy, options)).toEqual(linesOfFolder(root, options));
            await folder.lay(layerOf(home, file('a/l', `${round}`)), never);
          }
        } finally {
          rmSync(home, { recursive: true, force: true });
        }
      }),
      { seed: 20261124, numRuns: 80 },
    );
    expect(entriesSeen).toBeGreaterThan(100);
  });
});
