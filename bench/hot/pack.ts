/** A folder to a tar, as COPY's layers are packed, beside tar. Another folder than node_modules: give its path. */
import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { hostTree } from '../../src/context/host-tree.ts';
import type { LayerEntry } from '../../src/layer/entry.ts';
import { packEntries } from '../../src/layer/pack.ts';
import type { FileTree } from '../../src/layer/tree.ts';
import { inTemporaryFolder, program, race } from './harness.ts';

const folder = resolve(process.argv[2] ?? 'node_modules');

function* entriesOf(tree: FileTree, at: string): Generator<LayerEntry> {
  for (const name of tree.list(at)) {
    const path = at === '' ? name : `${at}/${name}`;
    const found = tree.lstat(path);
    if (found === undefined) continue;
    yield { kind: 'put', path, meta: found.meta, node: found.node };
    if (found.node.type === 'dir') yield* entriesOf(tree, path);
  }
}

async function ours(): Promise<number> {
  const entries = [...entriesOf(hostTree(Buffer.from(folder).toString('latin1'), { owners: 'as-found', xattrs: null }), '')];
  let size = 0;
  for await (const chunk of packEntries(entries, { mtime: 'seconds', signal: new AbortController().signal })) size += chunk.length;
  return size;
}

await inTemporaryFolder(async (scratch) => {
  const tar = join(scratch, 'tar');
  await race({
    title: `walk and tar of ${folder}`,
    bytes: await ours(),
    rounds: 5,
    contenders: [
      { name: 'tsbuild, into nothing', run: ours },
      {
        name: 'tar, through a pipe into nothing',
        needs: ['tar', 'sh'],
        run: () => program(['sh', '-c', 'tar -cf - "$1" | cat > /dev/null', 'sh', folder]).then(() => undefined),
      },
      {
        name: 'tar, into a file',
        needs: ['tar'],
        run: () => program(['tar', '-cf', tar, folder]).then(() => statSync(tar).size),
      },
    ],
  });
});
