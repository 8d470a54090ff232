/**
 * A build context that comes as a tar, compressed or not: unpacked into a folder of its own, where no name and no link of it
 * leads elsewhere. Device nodes and names that mean "removed" in a layer are refused. Reference: Kaniko's `tar://` contexts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { addAbortSignal, Readable } from 'node:stream';
import { type BytePath, bytesOf, joinPath, textOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import { decompress, SNIFF_BYTES, sniffCompression } from '../layer/decompress.ts';
import { WHITEOUT_PREFIX } from '../layer/member-name.ts';
import type { TarHandler, TarMember } from '../layer/tar/member.ts';
import { createTarReader } from '../layer/tar/read.ts';
import type { FileTree } from '../layer/tree.ts';
import { createUnpacker } from '../layer/unpack.ts';
import { contextTree } from './host-tree.ts';
import { folderInTree } from './tree-files.ts';

export interface ArchiveRequest {
  readonly stream: Readable;
  /** For messages: "the archive x.tar". */
  readonly label: string;
  /** A folder inside that stands for the whole; clean, '' is the root. Links on the way are followed inside the archive. */
  readonly subPath: string;
}

export interface ArchiveOptions {
  /** An existing folder of this machine; the files stay there, in a folder of their own. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

/**
 * The files, with owners 0:0. `stream` is read to its end or destroyed. Throws CONTEXT_READ for a stream that fails or is no
 * such archive, CONTEXT_NOT_FOUND for a `subPath` that is no folder of it, STORE_FAILED when it cannot be written.
 */
export async function unpackArchive({ stream, label, subPath }: ArchiveRequest, { folder, signal }: ArchiveOptions): Promise<FileTree> {
  const root = mkdtempSync(join(folder, 'context-'));
  try {
    await unpackInto(root, { stream, label, signal });
    const tree = contextTree(bytesOf(root));
    const below = folderInTree(tree, bytesOf(subPath));
    if ('why' in below) throw new TsbuildError('CONTEXT_NOT_FOUND', `${label} has no folder "${subPath}"${below.why}`);
    return below;
  } catch (error) {
    rmSync(root, { recursive: true, force: true });
    signal.throwIfAborted();
    throw explained(error, label);
  }
}

interface Unpacking {
  readonly stream: Readable;
  readonly label: string;
  readonly signal: AbortSignal;
}

async function unpackInto(root: string, { stream, label, signal }: Unpacking): Promise<void> {
  addAbortSignal(signal, stream);
  const counts = { members: 0, links: 0 };
  const handler = checked(createUnpacker({ folder: root, style: 'user', owners: 'skip' }), counts);
  const reader = createTarReader(handler);
  try {
    const { head, whole } = await withHead(stream);
    for await (const chunk of decompress(whole, sniffCompression(head), signal)) reader.write(chunk);
    reader.end();
  } catch (error) {
    reader.abort();
    throw error;
  } finally {
    stream.destroy();
  }
  if (counts.members === 0) throw new TsbuildError('CONTEXT_READ', `${label} is empty`, { hint: HINT });
  if (counts.links > 0) refuseDangling(contextTree(bytesOf(root)), '');
}

const HINT = 'a context archive is a tar, plain or compressed: tar -cz -C FOLDER .';

/** What a context cannot hold is refused before anything of it is made. */
function checked(unpacker: TarHandler, counts: { members: number; links: number }): TarHandler {
  return {
    ...unpacker,
    member(member) {
      counts.members += 1;
      if (member.type === 'hardlink') counts.links += 1;
      const why = refusal(member);
      if (why !== null) throw new TsbuildError('LAYER_INVALID', `its member "${textOf(member.name).slice(0, 300)}" ${why}`);
      const { xattrs: _, ...meta } = member.meta;
      unpacker.member({ ...member, meta });
    },
  };
}

function refusal({ name, type, target }: TarMember): string | null {
  const parts = name.split('/');
  if (parts.includes('..') || (type === 'hardlink' && target.split('/').includes('..'))) return 'has a name that leads out of the archive';
  if (parts.some((part) => part.startsWith(WHITEOUT_PREFIX))) return 'has a name that means "removed" in a layer (.wh.)';
  return type === 'char' || type === 'block' ? 'is a device node, which no context needs' : null;
}

/** The unpacker leaves a device in place of a hard link whose file the archive does not hold before it. */
function refuseDangling(tree: FileTree, folder: BytePath): void {
  for (const name of tree.list(folder)) {
    const path = joinPath(folder, name);
    const type = tree.lstat(path)?.node.type;
    if (type === 'dir') refuseDangling(tree, path);
    if (type === 'char') throw new TsbuildError('LAYER_INVALID', `its member "${textOf(path)}" is a hard link to nothing in the archive`);
  }
}

/** The first bytes, and a stream of all of them. */
async function withHead(stream: Readable): Promise<{ readonly head: Buffer; readonly whole: Readable }> {
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let head = Buffer.alloc(0);
  while (head.length < SNIFF_BYTES) {
    const { value, done } = await chunks.next();
    if (done === true) break;
    head = Buffer.concat([head, value]);
  }
  async function* all(): AsyncGenerator<Buffer> {
    yield head;
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
  }
  return { head, whole: Readable.from(all()) };
}

function explained(error: unknown, label: string): unknown {
  if (!(error instanceof TsbuildError)) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === undefined ? error : new TsbuildError('CONTEXT_READ', `${label} cannot be read: ${message}`, { cause: error });
  }
  switch (error.code) {
    case 'LAYER_INVALID':
    case 'LAYER_PATH_ESCAPE':
      return new TsbuildError('CONTEXT_READ', `${label} cannot be unpacked: ${error.message}`, { hint: HINT, cause: error });
    case 'STORE_FAILED':
      return new TsbuildError('STORE_FAILED', `${label} cannot be unpacked: ${error.message}`, { hint: error.hint, cause: error });
    default:
      return error;
  }
}
