/** Compression of a layer's tar, as `compress` does it, beside pigz and gzip. Another file than a tar of node_modules: give its path. */
import { createReadStream, statSync } from 'node:fs';
import { join } from 'node:path';
import { compress, DEFAULT_LEVEL } from '../../src/layer/compress.ts';
import { hasNativeZstd } from '../../src/layer/zstd.ts';
import { type Contender, inTemporaryFolder, program, race } from './harness.ts';

await inTemporaryFolder(async (folder) => {
  const [given] = process.argv.slice(2);
  const input = given ?? join(folder, 'input');
  if (given === undefined) await program(['tar', '-cf', input, 'node_modules']);
  const ours = (compression: 'gzip' | 'zstd', level: number): Contender => ({
    name: `tsbuild ${compression} -${level}`,
    async run() {
      const options = { compression, level, signal: new AbortController().signal };
      let size = 0;
      for await (const chunk of compress(createReadStream(input, { highWaterMark: 1 << 20 }), options)) size += chunk.length;
      return size;
    },
  });
  const theirs = (name: string, ...args: string[]): Contender => ({
    name: [name, ...args].join(' '),
    needs: [name],
    async run() {
      const output = join(folder, 'output');
      await program([name, ...args], { input, output });
      return statSync(output).size;
    },
  });
  await race({
    title: given ?? 'gzip of a tar of node_modules',
    bytes: statSync(input).size,
    rounds: 3,
    contenders: [
      ours('gzip', DEFAULT_LEVEL),
      ours('gzip', 1),
      theirs('pigz', '-nc', `-${DEFAULT_LEVEL}`),
      theirs('pigz', '-nc', '-1'),
      theirs('gzip', '-nc', `-${DEFAULT_LEVEL}`),
      ...(hasNativeZstd() ? [ours('zstd', 3)] : []),
      theirs('zstd', '-c', '-3'),
    ],
  });
});
