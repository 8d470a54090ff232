/**
 * ADD of an archive: what is one (by content), and its members staged below dest as if dest were the root. Members can
 * reach nothing outside of dest. Compression is that of layer/decompress.ts. Reference: BuildKit's unpack, moby's archive.
 */
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { type BytePath, type ByteString, cleanPath, joinPath, textOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import { decompress, SNIFF_BYTES, sniffCompression } from '../layer/decompress.ts';
import type { FileContent, FileMeta, FileNode } from '../layer/entry.ts';
import { WHITEOUT_PREFIX } from '../layer/member-name.ts';
import type { TarHandler, TarMember } from '../layer/tar/member.ts';
import { createTarReader } from '../layer/tar/read.ts';
import type { Owner } from './copy.ts';
import { resolvePath } from './resolve.ts';
import { type ContentSpool, contentSpool } from './spool.ts';
import { nameOf, type Staging } from './staging.ts';

export interface ExtractRequest {
  readonly content: FileContent;
  /** For messages. */
  readonly name: ByteString;
  /** An existing folder. */
  readonly into: BytePath;
  readonly stage: Staging;
  /** Null: the owners that the archive says. */
  readonly owner: Owner | null;
  readonly nowNs: bigint;
  readonly scratchFolder: string;
  readonly signal: AbortSignal;
}

/** A tar, maybe compressed, that has at least one member. Zip files, a compressed non-tar and zeros are none. */
export async function isArchive(content: FileContent, signal: AbortSignal): Promise<boolean> {
  let found = false;
  const reader = createTarReader({ ...IGNORE, member: () => (found = true) });
  try {
    for await (const chunk of await plainBytes(content, signal)) {
      reader.write(chunk);
      if (found) return true;
    }
    return false;
  } catch (error) {
    // A fault behind the first header is one of the extraction.
    if (found || (error instanceof TsbuildError && error.code === 'LAYER_INVALID')) return found;
    throw error;
  }
}

/** Throws ADD_FAILED, and STORE_FAILED when what it holds cannot be kept. */
export async function extractArchive(request: ExtractRequest): Promise<void> {
  const spool = contentSpool(request.scratchFolder);
  const reader = createTarReader(extraction(request, spool));
  try {
    for await (const chunk of await plainBytes(request.content, request.signal)) reader.write(chunk);
    reader.end();
  } catch (error) {
    reader.abort();
    spool.discard();
    const { code, message } = error as NodeJS.ErrnoException;
    if (!(error instanceof TsbuildError) && code !== undefined) {
      const why = `"${textOf(request.name)}" cannot be extracted in ${request.scratchFolder}: ${message}`;
      throw new TsbuildError('STORE_FAILED', why, { cause: error });
    }
    if (!(error instanceof TsbuildError) || error.code !== 'LAYER_INVALID') throw error;
    throw new TsbuildError('ADD_FAILED', `"${textOf(request.name)}" cannot be extracted: ${error.message}`, { cause: error });
  }
}

const CAPABILITY = 'security.capability';

const IGNORE: TarHandler = {
  member: () => undefined,
  content: () => undefined,
  hole: () => undefined,
  contentEnd: () => undefined,
  end: () => undefined,
  abort: () => undefined,
};

async function plainBytes(content: FileContent, signal: AbortSignal): Promise<AsyncIterable<Buffer>> {
  const located = content.at === 'deferred' ? await content.locate(signal) : content;
  const open = (end?: number): Readable =>
    located.at === 'memory'
      ? Readable.from([Buffer.from(located.bytes.subarray(0, end === undefined ? undefined : end + 1))])
      : createReadStream(located.path, end === undefined ? {} : { end });
  const head: Buffer[] = [];
  for await (const chunk of open(SNIFF_BYTES - 1)) head.push(chunk as Buffer);
  return decompress(open(), sniffCompression(Buffer.concat(head)), signal);
}

function extraction(request: ExtractRequest, spool: ContentSpool): TarHandler {
  const { stage, into, owner } = request;
  const implied: FileMeta = { mode: 0o755, uid: 0, gid: 0, mtimeNs: request.nowNs };
  /** Dest as a tree of its own: symlinks in it lead nowhere else, as in a chroot. */
  const inside = { lstat: (path: BytePath) => stage.lstat(joinPath(into, path)) };
  let pending: { readonly path: BytePath; readonly meta: FileMeta; readonly size: number } | null = null;

  const fail = (name: ByteString, why: string): TsbuildError =>
    new TsbuildError('ADD_FAILED', `"${textOf(request.name)}" cannot be extracted: its member "${textOf(name)}" ${why}`);

  /** The member's path, symlinks above it followed inside dest; folders above it that are missing are made. */
  function placeOf(name: ByteString, path: BytePath): BytePath {
    let folder: BytePath = '';
    const parts = path.split('/');
    const last = parts.pop() ?? '';
    for (const part of parts) {
      const next = joinPath(folder, part);
      const found = inside.lstat(next);
      if (found === undefined) stage.makeFolders(joinPath(into, next), implied);
      else if (found.node.type === 'symlink') {
        folder = resolvePath(inside, next);
        if (inside.lstat(folder)?.node.type === 'dir') continue;
        throw fail(name, `would be written through the symbolic link "${textOf(next)}", which leads to no folder below the destination`);
      } else if (found.node.type !== 'dir') {
        throw fail(name, `lies below "/${textOf(joinPath(into, next))}", which is a ${nameOf(found)}`);
      }
      folder = next;
    }
    return joinPath(into, joinPath(folder, last));
  }

  function hardlink(member: TarMember, path: BytePath): void {
    const target = placeOf(member.name, cleanPath(member.target));
    const entry = stage.lstat(target);
    if (entry === undefined || entry.node.type === 'dir') {
      throw fail(member.name, `is a hard link to "${textOf(member.target)}", which is ${entry === undefined ? 'not there' : 'a folder'}`);
    }
    if (target === path) return;
    // Both names, so that they are in one layer.
    stage.put(target, entry);
    stage.put(path, entry);
  }

  return {
    member(member) {
      request.signal.throwIfAborted();
      const path = cleanPath(member.name);
      // The archive's own root: dest keeps its metadata.
      if (path === '') {
        if (member.type === 'file') pending = null;
        return;
      }
      if (path.split('/').some((part) => part.startsWith(WHITEOUT_PREFIX))) {
        throw fail(member.name, 'has a name that means "removed" in a layer (.wh.): it would delete files of the image');
      }
      const place = placeOf(member.name, path);
      if (member.type === 'hardlink') return hardlink(member, place);
      const meta = metaOf(member.meta, owner);
      if (member.type === 'file') {
        pending = { path: place, meta, size: member.size };
        spool.begin(member.size);
        return;
      }
      stage.put(place, { meta, node: nodeOf(member) });
    },
    content(bytes) {
      if (pending !== null) spool.write(bytes);
    },
    hole(bytes) {
      if (pending !== null) spool.skip(bytes);
    },
    contentEnd() {
      if (pending === null) return;
      const { path, meta, size } = pending;
      pending = null;
      stage.put(path, { meta, node: { type: 'file', size, content: spool.finish() } });
    },
    end: () => undefined,
    abort: () => spool.abandon(),
  };
}

/** Programs need their file capabilities; other xattrs of archives are dropped, as in BuildKit. */
function metaOf({ mode, uid, gid, mtimeNs, xattrs }: FileMeta, owner: Owner | null): FileMeta {
  const capability = xattrs?.get(CAPABILITY);
  return {
    mode,
    uid: owner?.uid ?? uid,
    gid: owner?.gid ?? gid,
    mtimeNs,
    ...(capability === undefined ? {} : { xattrs: new Map([[CAPABILITY, capability]]) }),
  };
}

function nodeOf(member: TarMember): Exclude<FileNode, { type: 'hardlink' | 'file' }> {
  switch (member.type) {
    case 'symlink':
      return { type: 'symlink', target: member.target };
    case 'char':
    case 'block':
      return { type: member.type, major: member.major, minor: member.minor };
    case 'dir':
    case 'fifo':
      return { type: member.type };
    default:
      throw new Error(`a ${member.type} is not made here`);
  }
}
