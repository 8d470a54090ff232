/** A layer's archive into a folder and an index, as a base is unpacked, beside tar. Another archive than a tar of node_modules: give its path. */
import { createReadStream, mkdtempSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createIndexBuilder } from '../../src/layer/build-index.ts';
import { decompress } from '../../src/layer/decompress.ts';
import type { TarHandler } from '../../src/layer/tar/member.ts';
import { createTarReader } from '../../src/layer/tar/read.ts';
import { together } from '../../src/layer/tar/together.ts';
import { createUnpacker } from '../../src/layer/unpack.ts';
import { spreadFolders } from '../../src/sys/spread-folders.ts';
import { type Contender, inTemporaryFolder, program, race } from './harness.ts';

const { signal } = new AbortController();

await inTemporaryFolder(async (scratch) => {
  const [given] = process.argv.slice(2);
  const archive = given ?? join(scratch, 'archive');
  if (given === undefined) await program(['tar', '-cf', archive, 'node_modules']);
  const packed = join(scratch, 'archive.gz');
  await program(['gzip', '-nc', archive], { output: packed });
  // As a build does: on ext4, files that were removed just before would count more than anything else.
  spreadFolders(scratch);
  const newFolder = (): string => mkdtempSync(join(scratch, 'unpacked-'));
  const indexed = (): TarHandler => createIndexBuilder((path) => ({ at: 'host', path }));
  const unpacked = (): TarHandler => createUnpacker({ folder: newFolder(), style: 'none', owners: 'skip' });
  const ours = (name: string, compression: 'none' | 'gzip', handlerOf: () => TarHandler): Contender => ({
    name: `tsbuild, ${name}`,
    async run() {
      const reader = createTarReader(handlerOf());
      const source = createReadStream(compression === 'gzip' ? packed : archive, { highWaterMark: 1 << 20 });
      for await (const chunk of decompress(source, compression, signal)) reader.write(chunk);
      reader.end();
      return undefined;
    },
  });
  const theirs = (name: string, input: string): Contender => ({
    name,
    needs: ['tar'],
    run: () => program(['tar', '--no-same-owner', '-xf', input, '-C', newFolder()]).then(() => undefined),
  });
  await race({
    title: given ?? 'unpack a tar of node_modules',
    bytes: statSync(archive).size,
    rounds: 3,
    contenders: [
      ours('folder and index', 'none', () => together([indexed(), unpacked()])),
      ours('folder and index, from gzip', 'gzip', () => together([indexed(), unpacked()])),
      ours('index', 'none', indexed),
      ours('index, from gzip', 'gzip', indexed),
      theirs('tar', archive),
      theirs('tar and gzip', packed),
    ],
  });
});
