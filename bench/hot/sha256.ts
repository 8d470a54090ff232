/** SHA-256 of one large file, as layers and blobs are hashed, beside sha256sum. */
import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { join } from 'node:path';
import { inTemporaryFolder, program, race } from './harness.ts';

await inTemporaryFolder(async (folder) => {
  const input = join(folder, 'input');
  await program(['tar', '-cf', input, 'node_modules']);
  await race({
    title: 'sha256 of a tar of node_modules',
    bytes: statSync(input).size,
    rounds: 5,
    contenders: [
      {
        name: 'node:crypto over chunks of 1 MiB',
        async run() {
          const hash = createHash('sha256');
          for await (const chunk of createReadStream(input, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
          hash.digest('hex');
          return undefined;
        },
      },
      {
        name: 'sha256sum',
        needs: ['sha256sum'],
        run: () => program(['sha256sum', input]).then(() => undefined),
      },
      {
        name: 'openssl dgst',
        needs: ['openssl'],
        run: () => program(['openssl', 'dgst', '-sha256', input]).then(() => undefined),
      },
    ],
  });
});
