import { expect, test } from 'vitest';
import { workdirEntries } from '../../../src/copy/workdir.ts';
import { dir, lines, memoryTree, symlink } from '../../helpers/memory-tree.ts';

const tree = memoryTree({ usr: dir({ mode: 0o711, uid: 5, gid: 6 }), 'usr/src': dir(), link: symlink('/usr/src'), file: 'x', 'é/x': 'y' });
const made = (path: string): string[] => lines(workdirEntries(path, { uid: 1, gid: 2 }, tree, 7n));

test('makes every missing part 0755 for the owner and leaves existing ones as they are', () => {
  expect(made('/usr/a/b')).toEqual(['dir 0711 5:6 usr', 'dir 0755 1:2 usr/a', 'dir 0755 1:2 usr/a/b']);
});

test.each(['/', '/usr', '/usr/src/', '/link'])('adds nothing for %s, which exists', (path) => expect(made(path)).toEqual([]));

test('follows symlinks inside the tree', () => {
  expect(made('/link/y')).toEqual(['dir 0711 5:6 usr', 'dir 0755 0:0 usr/src', 'dir 0755 1:2 usr/src/y']);
});

test('takes text and writes bytes', () => {
  expect(workdirEntries('/é/ü', { uid: 0, gid: 0 }, tree, 7n).map((entry) => entry.path)).toEqual(['\xc3\xa9', '\xc3\xa9/\xc3\xbc']);
});

test('gives made folders the time it is told', () => {
  expect(workdirEntries('/n', { uid: 0, gid: 0 }, tree, 7n)).toMatchObject([{ meta: { mtimeNs: 7n } }]);
});

test.each(['/file', '/file/x'])('fails at %s, below or on a file', (path) => {
  expect(() => made(path)).toThrowError(
    expect.objectContaining({ code: 'COPY_FAILED', message: expect.stringContaining('"/file" is a file') }),
  );
});
