/** A layer's tar with one time for every file. All else stays, member by member, so the same files give the same bytes whenever they were made. */
import { createChunks } from './chunks.ts';
import { BLOCK, type TarHandler } from './tar/member.ts';
import { createTarReader } from './tar/read.ts';
import { encodeMember } from './tar/write.ts';

const CHUNK = 1024 * 1024;
const ZEROS = Buffer.alloc(2 * BLOCK);

/** `tar`: as packEntries writes it. Chunks of up to 1 MiB that the caller owns. Throws LAYER_INVALID and the signal's reason. */
export async function* redateTar(
  tar: AsyncIterable<Buffer>,
  { mtimeNs, signal }: { readonly mtimeNs: bigint; readonly signal: AbortSignal },
): AsyncGenerator<Buffer, void, undefined> {
  const out = createChunks(CHUNK);
  let size = 0;
  const handler: TarHandler = {
    member(member) {
      size = member.size;
      out.append(encodeMember({ ...member, meta: { ...member.meta, mtimeNs } }, 'seconds'));
    },
    content: (bytes) => out.append(bytes),
    hole() {
      throw new Error('a layer that was packed here holds no sparse file');
    },
    contentEnd() {
      if (size % BLOCK !== 0) out.append(ZEROS.subarray(0, BLOCK - (size % BLOCK)));
    },
  };
  const reader = createTarReader(handler);
  for await (const chunk of tar) {
    signal.throwIfAborted();
    reader.write(chunk);
    for (let full = out.take(); full !== undefined; full = out.take()) yield full;
  }
  reader.end();
  out.append(ZEROS);
  out.cut();
  for (let full = out.take(); full !== undefined; full = out.take()) yield full;
}
