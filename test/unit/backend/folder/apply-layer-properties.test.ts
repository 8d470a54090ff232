/** Whatever layers say, a plain folder that they are laid into is the tree that their indexes say. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import type { LayerMaterial } from '../../../../src/backend/backend.ts';
import { kernelOwnership } from '../../../../src/backend/folder/kernel-ownership.ts';
import { layerFolder } from '../../../../src/backend/folder/layer-folder.ts';
import { TsbuildError } from '../../../../src/errors.ts';
import { stackTree } from '../../../../src/layer/stack-tree.ts';
import { type RawMember, rawPax } from '../../layer/raw-tar.ts';
import {
  canSetXattr,
  dir,
  emptyFolder,
  fifo,
  file,
  hardLink,
  isRoot,
  layerOf,
  linesOfFolder,
  linesOfTree,
  never,
  opaque,
  symlink,
  whiteout,
} from './folder-fixture.ts';

const scratch = mkdtempSync(join(tmpdir(), 'tsbuild-apply-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const hasXattrs = canSetXattr(scratch, 'user.probe');

const path = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const target = fc.oneof(
  path,
  path.map((to) => `/${to}`),
  fc.constantFrom('..', '../b', '../../c', 'a/../b', '.'),
);
const meta = fc.record({
  mode: fc.constantFrom('0000644\0', '0000700\0', '0004755\0', '0001777\0', '0000000\0'),
  uid: fc.constantFrom('0000000\0', '0000007\0'),
  mtime: fc.constantFrom('00000000001\0', '14717452000\0'),
});
const attribute = rawPax([['SCHILY.xattr.user.x', '1']]);
type Member = readonly (RawMember | Buffer)[];
const member: fc.Arbitrary<Member> = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(path, fc.stringMatching(/^[xyz]{0,3}$/), meta).map(([name, text, more]) => [file(name, text, more)]) },
  { weight: 3, arbitrary: fc.tuple(path, meta).map(([name, more]) => [dir(name, more)]) },
  { weight: 1, arbitrary: fc.tuple(path, meta).map(([name, more]) => (hasXattrs ? [attribute, dir(name, more)] : [dir(name, more)])) },
  {
    weight: 1,
    arbitrary: fc.tuple(path, meta).map(([name, more]) => (hasXattrs ? [attribute, file(name, 'a', more)] : [file(name, 'a', more)])),
  },
  { weight: 2, arbitrary: fc.tuple(path, target).map(([name, to]) => [symlink(name, to)]) },
  { weight: 2, arbitrary: fc.tuple(path, path).map(([name, to]) => [hardLink(name, to)]) },
  { weight: 1, arbitrary: path.map((name) => [fifo(name)]) },
  { weight: 2, arbitrary: path.map((name) => [whiteout(name)]) },
  { weight: 1, arbitrary: fc.oneof(path, fc.constant('')).map((name) => [opaque(name)]) },
);
const layers = fc.array(fc.array(member, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 4 });

/** undefined: it is refused. */
function valid(home: string, members: readonly Member[]): LayerMaterial | undefined {
  try {
    return layerOf(home, ...members.flat());
  } catch (error) {
    if (error instanceof TsbuildError) return undefined;
    throw error;
  }
}

describe.skipIf(!isRoot)('layers in a plain folder', () => {
  test('are the tree that their indexes say, or are refused for a hard link to nothing', { timeout: 120_000 }, async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(layers, async (stack) => {
        const home = mkdtempSync(join(scratch, 'case-'));
        try {
          const root = emptyFolder(home, 'root');
          const folder = layerFolder({ root, kept: [], ownership: kernelOwnership() });
          const laid: LayerMaterial[] = [];
          for (const members of stack) {
            const layer = valid(home, members);
            if (layer === undefined) continue;
            const below = stackTree(laid.map((one) => one.index));
            const dangling = [...(layer.index.lowerLinks?.values() ?? [])].some((to) => (below.lstat(to)?.node.type ?? 'dir') === 'dir');
            const laying = folder.lay(layer, never);
            if (dangling) return void (await expect(laying).rejects.toMatchObject({ code: 'LAYER_INVALID' }));
            await laying;
            laid.push(layer);
            expect(linesOfFolder(root, { times: 'all' })).toEqual(linesOfTree(stackTree(laid.map((one) => one.index)), { times: 'all' }));
            compared += 1;
          }
        } finally {
          rmSync(home, { recursive: true, force: true });
        }
      }),
      { seed: 20261124, numRuns: 150 },
    );
    expect(compared).toBeGreaterThan(150);
  });
});
