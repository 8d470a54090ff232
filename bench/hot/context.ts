/**
 * What it costs to know that a context is unchanged: all of its files looked at, and their digests taken from what the build
 * before has left; then the same with nothing left. Beside it the programs that do no more than look, or read. Another number
 * of files than 40,000: give it.
 */
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bytesOf } from '../../src/bytes/byte-path.ts';
import { contextTree } from '../../src/context/host-tree.ts';
import { statDigests } from '../../src/context/stat-digests.ts';
import { sourceDigest } from '../../src/copy/source-digest.ts';
import { type Contender, inTemporaryFolder, program, race } from './harness.ts';

const FILES = Number(process.argv[2] ?? 40_000);
const BYTES = 4_700;
const IN_A_FOLDER = 20;
/** Long ago: what was written just before is not remembered. */
const LATER = new Date(Date.now() + 3_600_000);

await inTemporaryFolder(async (folder) => {
  const root = join(folder, 'context');
  const signal = new AbortController().signal;
  for (let i = 0; i < FILES; i += IN_A_FOLDER) {
    const inside = join(root, `package-${Math.trunc(i / 400)}`, 'lib', `module-${i}`);
    mkdirSync(inside, { recursive: true });
    for (let j = 0; j < IN_A_FOLDER; j++) writeFileSync(join(inside, `file-${j}.js`), Buffer.alloc(BYTES, `${i + j},`));
    utimesSync(inside, 1, 1);
  }
  const digest = (name: string, cache: string | null): Contender => ({
    name,
    async run() {
      const digests = statDigests({ folder: cache, root, workFolder: folder, now: () => LATER });
      const input = { kind: 'tree', tree: contextTree(bytesOf(root)), pattern: '.', label: 'the context' } as const;
      const found = await sourceDigest({ inputs: [input], exclude: [], parents: false, xattrs: 'drop', signal }, digests.digestOf);
      if (found === null) throw new Error('the context has no digest');
      await digests.save();
      return undefined;
    },
  });
  const theirs = (name: string, script: string): Contender => ({
    name,
    async run() {
      await program(['sh', '-c', script, 'sh', root]);
      return undefined;
    },
  });
  const known = digest('tsbuild, seen before', join(folder, 'contexts'));
  await known.run();
  await race({
    title: `digest of a context of ${FILES} files`,
    bytes: FILES * BYTES,
    rounds: 5,
    contenders: [
      known,
      digest('tsbuild, never seen', null),
      theirs('find -printf, sha256sum', `find "$1" -printf '%P %y %m %s %T@ %l\\n' | sha256sum`),
      theirs('find, sha256sum of each', `find "$1" -type f -print0 | xargs -0 sha256sum | sha256sum`),
      theirs('tar, sha256sum', `tar -C "$1" -cf - . | sha256sum`),
    ],
  });
});
