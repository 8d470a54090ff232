/**
 * Links between layers: what the overlay of a RUN shows is what the index tree (COPY --from) says, and a RUN's layer holds
 * the names that it really changed.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Backend, LayerMaterial, Rootfs } from '../../src/backend/backend.ts';
import { overlayStyle } from '../../src/backend/namespaces/process-status.ts';
import { parentOf } from '../../src/bytes/byte-path.ts';
import { digestOf } from '../../src/image/digest.ts';
import { createIndexBuilder } from '../../src/layer/build-index.ts';
import { stackTree } from '../../src/layer/stack-tree.ts';
import type { FileTree } from '../../src/layer/tree.ts';
import { createUnpacker } from '../../src/layer/unpack.ts';
import { type RawMember, rawTar } from '../unit/layer/raw-tar.ts';
import { feed } from '../unit/layer/read-all.ts';
import { changesOf, folderLayer, lines, makeBusyboxRoot, shell, takeChanges } from './backend-fixture.ts';

const never = new AbortController().signal;

export function linksSuite(make: (workFolder: string) => Promise<Backend>): void {
  describe('links', () => {
    let home: string;
    let backend: Backend;
    let base: LayerMaterial;
    let rootfs: Rootfs | undefined;
    beforeAll(async () => {
      home = mkdtempSync(join(tmpdir(), 'tsbuild-links-'));
      makeBusyboxRoot(join(home, 'base'));
      base = folderLayer(join(home, 'base'));
      backend = await make(join(home, 'work'));
    });
    afterAll(() => rmSync(home, { recursive: true, force: true }));
    afterEach(async () => {
      await rootfs?.[Symbol.asyncDispose]();
      rootfs = undefined;
    });

    const tarLayer = (...members: readonly RawMember[]): LayerMaterial => {
      const folder = join(mkdtempSync(join(home, 'work/layer-')), 'files');
      mkdirSync(folder);
      const tar = rawTar(...members);
      feed(createUnpacker({ folder, style: overlayStyle(), owners: 'apply' }), tar, 1000);
      const builder = createIndexBuilder((path) => ({ at: 'host', path: join(folder, path) }));
      feed(builder, tar, 1000);
      return {
        diffId: async () => digestOf(tar),
        index: builder.index(),
        folder: async () => folder,
        replay: async (to) => feed(to, tar, 1000),
      };
    };
    const open = async (...layers: readonly LayerMaterial[]): Promise<Rootfs> => {
      rootfs = await backend.open([base, ...layers], never);
      return rootfs;
    };
    const dir = (name: string): RawMember => ({ name: `${name}/`, flag: '5', mode: '0000755\0' });
    const symlink = (name: string, target: string): RawMember => ({ name, flag: '2', target });
    const hardLink = (name: string, target: string): RawMember => ({ name, flag: '1', target });

    /** Below /t, from both sides: paths with type and size. */
    const seenByRun = async (in_: Rootfs): Promise<string[]> =>
      (await shell(in_, 'cd /t && find . -exec stat -c "%n %f %s" {} + | sort')).output
        .trimEnd()
        .split('\n')
        .map((line) => {
          const [name = '', mode = '', size = ''] = line.split(' ');
          const type = { 4: 'dir', 8: 'file', 10: 'symlink', 1: 'fifo' }[Number.parseInt(mode, 16) >> 12];
          return `${name} ${type}${type === 'file' ? ` ${size}` : ''}`;
        });
    const seenByIndex = (layers: readonly LayerMaterial[]): string[] => {
      const tree: FileTree = stackTree(layers.map((layer) => layer.index));
      const walk = (path: string): string[] => {
        const node = tree.lstat(path)?.node;
        const below = tree.list(path).flatMap((name) => walk(`${path}/${name}`));
        return [`.${path.slice(1)} ${node?.type}${node?.type === 'file' ? ` ${node.size}` : ''}`, ...below];
      };
      return walk('t').sort();
    };

    test.each<readonly [string, readonly (readonly RawMember[])[], string]>([
      [
        'below a symlink of the same layer go where that leads',
        [[dir('t'), dir('t/usr'), symlink('t/lib', 'usr/lib'), { name: 't/lib/x', content: 'same' }]],
        't/usr/lib/x',
      ],
      [
        'below a symlink of a lower layer take its place with a folder',
        [[dir('t'), dir('t/usr'), dir('t/usr/lib'), symlink('t/lib', 'usr/lib')], [{ name: 't/lib/x', content: 'same' }]],
        't/lib/x',
      ],
      [
        'that whiteout through a symlink remove what is there',
        [
          [dir('t'), { name: 't/d/old', content: '1' }, { name: 't/d/kept', content: '2' }],
          [symlink('t/l', '/t/d'), { name: 't/l/.wh.old' }, { name: 't/l/x', content: 'same' }],
        ],
        't/d/x',
      ],
      [
        'that are hard links to a file of a lower layer are that file',
        [
          [dir('t'), { name: 't/d/f', content: 'same' }],
          [hardLink('t/e/g', 't/d/f'), hardLink('t/x', 't/e/g')],
        ],
        't/x',
      ],
      [
        'that are hard links to a symlink of a lower layer are that symlink',
        [[dir('t'), { name: 't/f', content: 'same' }, symlink('t/s', 'f')], [hardLink('t/x', 't/s')]],
        't/x',
      ],
      [
        'that are hard links through a symlink to a lower layer are that file',
        [
          [dir('t'), { name: 't/d/f', content: 'same' }],
          [symlink('t/l', 'd'), hardLink('t/x', 't/l/f')],
        ],
        't/x',
      ],
      [
        'that are hard links to a lower layer are hidden again by a higher one',
        [
          [dir('t'), { name: 't/f', content: 'old' }],
          [hardLink('t/x', 't/f'), hardLink('t/y', 't/f')],
          [{ name: 't/.wh.y' }, { name: 't/f', content: 'later' }, { name: 't/x', content: 'same' }],
        ],
        't/x',
      ],
    ])('names %s, for a RUN as for COPY --from', async (_, members, path) => {
      const layers = members.map((one) => tarLayer(...one));
      const opened = await open(...layers);
      const found = await seenByRun(opened);
      await takeChanges(opened);
      expect(found).toEqual(seenByIndex([base, ...layers]));
      expect((await shell(opened, `cat /${path}`)).output).toBe('same');
      expect(found.some((line) => line.startsWith(`./${path.slice('t/'.length)} `))).toBe(true);
      expect(stackTree(layers.map((layer) => layer.index)).lstat(parentOf(path))?.node.type).toBe('dir');
    });

    test('to a lower file keep the metadata of the folders above them', async () => {
      const layers = [
        tarLayer({ name: 'f', content: 'x' }, { ...dir('t'), mode: '0001777\0', uid: '0000005\0' }),
        tarLayer(hardLink('t/g', 'f')),
      ];
      const { output } = await shell(await open(...layers), 'stat -c "%a %u" /t; stat -c "%a %u" /; cat /t/g');
      expect(output).toBe('1777 5\n755 0\nx');
    });

    test('to a lower file can be changed by a RUN, which leaves the lower file as it is', async () => {
      const opened = await open(tarLayer({ name: 't/f', content: 'x' }), tarLayer(hardLink('t/g', 't/f')));
      expect(await changesOf(opened, 'echo more >> /t/g; cat /t/f')).toEqual(['d 755 0:0 t', 'f 644 0:0 t/g']);
      expect((await shell(opened, 'cat /t/f')).output).toBe('x');
    });

    test('to a file that no layer has are refused', async () => {
      await expect(open(tarLayer(hardLink('t/g', 't/f')))).rejects.toMatchObject({ code: 'LAYER_INVALID' });
    });

    test('to layers of a bind mount are there, too', async () => {
      const layers = [tarLayer({ name: 'f', content: 'bound' }), tarLayer(hardLink('g', 'f'))];
      const tree = stackTree(layers.map((layer) => layer.index));
      const mount = { type: 'layers', target: '/mnt', layers, tree, path: '/', writable: false } as const;
      expect((await shell(await open(), 'cat /mnt/g', { mounts: [mount] })).output).toBe('bound');
    });

    describe('and changes', () => {
      test('hold only the new name of a file that was given one, as for BuildKit', async () => {
        const opened = await open(tarLayer(dir('t'), { name: 't/c', content: 'x', mode: '0000640\0' }, symlink('t/s', 'c')));
        expect(await changesOf(opened, 'ln /t/c /t/d; ln /t/s /t/z')).toEqual(['d 755 0:0 t', 'f 640 0:0 t/d', 'l 777 0:0 t/z -> c']);
        // Of a layer that is not sealed the time has nanoseconds.
        expect(await changesOf(opened, 'ln /t/d /t/e')).toEqual(['d 755 0:0 t', 'f 640 0:0 t/e']);
        expect((await shell(opened, 'cat /t/c /t/d /t/e')).output).toBe('xxx');
      });

      test('hold both names when the file itself was changed', async () => {
        const opened = await open(tarLayer(dir('t'), { name: 't/c', content: 'x' }));
        expect(await changesOf(opened, 'ln /t/c /t/d; chmod 600 /t/d')).toEqual(['d 755 0:0 t', 'f 600 0:0 t/c', 'h 600 0:0 t/d => t/c']);
      });

      test('hold no file that was only given what it had', async () => {
        const opened = await open(tarLayer(dir('t'), { name: 't/c', content: 'x'.repeat(600_000) }, { name: 't/p', flag: '6' }));
        expect(await changesOf(opened, 'chown -R 0:0 /t; chmod 644 /t/c; mv /t/c /t/d; mv /t/d /t/c')).toEqual([]);
      });

      test.each([
        ['owner', 'chown 1:1 /t/c'],
        ['mode', 'chmod 4755 /t/c'],
        ['time', 'touch -d 2001-01-01 /t/c'],
        ['size', 'touch -r /t/c /t/r; printf more >> /t/c; touch -r /t/r /t/c; rm /t/r'],
        ['content, with time and size put back', 'touch -r /t/c /t/r; printf y > /t/c; touch -r /t/r /t/c; rm /t/r'],
        ['type', 'touch -r /t/c /t/r; rm /t/c; mkfifo -m 644 /t/c; touch -r /t/r /t/c; rm /t/r'],
      ])('hold a file of another %s', async (_, script) => {
        const opened = await open(tarLayer(dir('t'), { name: 't/c', content: 'x' }));
        const { status } = await shell(opened, script);
        expect(status).toEqual({ kind: 'code', code: 0 });
        const { entries } = await takeChanges(opened);
        expect(lines(entries).map((line) => line.replace(/^. \d+ \S+ /, ''))).toEqual(['t', 't/c']);
      });
    });
  });
}
