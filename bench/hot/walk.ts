/** What changed in a rootfs of 100,000 files after a command touched one, as rungs without mounts find it, beside find. Another number: give it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kernelOwnership } from '../../src/backend/folder/kernel-ownership.ts';
import { layerFolder } from '../../src/backend/folder/layer-folder.ts';
import { inTemporaryFolder, program, race } from './harness.ts';

const files = Number(process.argv[2] ?? 100_000);
const PER_FOLDER = 100;
const { signal } = new AbortController();

await inTemporaryFolder(async (scratch) => {
  const root = join(scratch, 'root');
  for (let made = 0; made < files; made += 1) {
    const folder = join(root, `d${Math.floor(made / PER_FOLDER / 100)}`, `d${Math.floor(made / PER_FOLDER)}`);
    if (made % PER_FOLDER === 0) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `file-${made}`), '');
  }
  const folder = layerFolder({ root, kept: [], ownership: kernelOwnership() });
  await folder.mark(signal);
  await race({
    title: `changes among ${files} files`,
    // For the rates: a file counts as a byte.
    bytes: files,
    rounds: 7,
    contenders: [
      {
        name: 'tsbuild, one file touched',
        async run() {
          writeFileSync(join(root, 'touched'), `${process.hrtime.bigint()}`);
          let entries = 0;
          for await (const _ of folder.changes(signal)) entries += 1;
          if (entries !== 1) throw new Error(`one file was touched, and ${entries} entries were found`);
          return undefined;
        },
      },
      {
        name: 'find, with the times of each',
        needs: ['find'],
        run: () =>
          program(['find', root, '-printf', '%C@ %T@ %i %s %m %U %G\\n'], { output: join(scratch, 'found') }).then(() => undefined),
      },
    ],
  });
});
