/**
 * Layer entries as an uncompressed tar, in the given order. Files are read here, with synchronous calls into large
 * buffers: many small files share one. Spec: OCI image-spec layer.md; docs, "Layers".
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { type BytePath, textOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import { type Chunks, createChunks } from './chunks.ts';
import type { FileMeta, LayerEntries, LayerEntry, PutEntry } from './entry.ts';
import { opaqueMarkOf, WHITEOUT_PREFIX, whiteoutOf } from './member-name.ts';
import { BLOCK, type TarMember } from './tar/member.ts';
import { encodeMember, type MtimePrecision } from './tar/write.ts';

export interface PackOptions {
  readonly mtime: MtimePrecision;
  readonly signal: AbortSignal;
  /** Called once per entry that the tar holds, before its bytes come. */
  onEntry?(entry: LayerEntry): void;
}

/** Large enough that per-chunk costs vanish, small enough to keep several in flight. */
const CHUNK = 1024 * 1024;
/** Files below this are read by one call; a chunk with less room is handed over early. */
const ONE_CALL = 64 * 1024;

const STILLNESS = 'let nothing write to these files while the image is built';

const ZEROS = Buffer.alloc(2 * BLOCK);
const MARK: FileMeta = { mode: 0, uid: 0, gid: 0, mtimeNs: 0n };

/**
 * Chunks of up to 1 MiB that the caller owns. Names have no leading `/`, folders end with `/`; the root itself is left
 * out. Ends with two zero blocks, so nothing packs to 1024 zero bytes. Throws LAYER_INVALID for names that begin with
 * `.wh.`, COPY_FAILED for files that cannot be read or are changed meanwhile, and the signal's reason.
 */
export async function* packEntries(entries: LayerEntries, options: PackOptions): AsyncGenerator<Buffer, void, undefined> {
  const { signal } = options;
  const out = createChunks(CHUNK);
  for await (const entry of entries) {
    signal.throwIfAborted();
    if (entry.kind === 'put' && entry.path === '') continue;
    options.onEntry?.(entry);
    out.append(encodeMember(memberOf(entry), options.mtime));
    if (entry.kind === 'put' && entry.node.type === 'file') {
      const { size, content } = entry.node;
      const found = content.at === 'deferred' ? await content.locate(signal) : content;
      if (found.at === 'memory') {
        if (found.bytes.length !== size) throw new Error(`content of "${textOf(entry.path)}" is not of the size that its entry says`);
        out.append(found.bytes);
      } else {
        for (const chunk of readFile(
          { path: entry.path, size, hostPath: found.path, inode: found.inode, mtimeNs: found.stamp?.mtimeNs },
          out,
        )) {
          signal.throwIfAborted();
          yield chunk;
        }
      }
      if (size % BLOCK !== 0) out.append(ZEROS.subarray(0, BLOCK - (size % BLOCK)));
    }
    for (let chunk = out.take(); chunk !== undefined; chunk = out.take()) yield chunk;
  }
  signal.throwIfAborted();
  out.append(ZEROS);
  out.cut();
  for (let chunk = out.take(); chunk !== undefined; chunk = out.take()) yield chunk;
}

interface HostFile {
  readonly path: BytePath;
  readonly size: number;
  readonly hostPath: string | Buffer;
  readonly inode: number | undefined;
  /** Where known: a file that was written since has not the content that a cache key may have been made of. */
  readonly mtimeNs: bigint | undefined;
}

/**
 * Appends exactly `size` bytes; yields the chunks that fill up meanwhile. Not following symlinks and not waiting for a
 * fifo's writer: the file was looked at before and may have been replaced since.
 */
function* readFile(file: HostFile, out: Chunks): Generator<Buffer, void, undefined> {
  const fd = attempt(file, () => openSync(file.hostPath, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK));
  try {
    requireSame(file, fd);
    if (file.size < ONE_CALL && out.room() <= file.size) out.cut();
    for (let left = file.size; ; ) {
      // One byte more than expected: shows growth, and that the end is reached, without a further call.
      const asked = Math.min(left + 1, out.room());
      const count = out.fill(asked, (into, at, length) => attempt(file, () => readSync(fd, into, at, length, null)));
      if (count > left) throw changed(file, 'more');
      if (count === 0 && left > 0) throw changed(file, 'fewer');
      left -= count;
      for (let chunk = out.take(); chunk !== undefined; chunk = out.take()) yield chunk;
      if (left === 0 && count < asked) return;
    }
  } finally {
    closeSync(fd);
  }
}

function attempt<T>({ path }: HostFile, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new TsbuildError('COPY_FAILED', `"${textOf(path)}" cannot be read: ${why}`, { cause: error });
  }
}

function requireSame(file: HostFile, fd: number): void {
  if (file.inode === undefined) return;
  const { ino, mtimeNs } = fstatSync(fd, { bigint: true });
  if (Number(ino) !== file.inode) throw replaced(file);
  if (file.mtimeNs !== undefined && mtimeNs !== file.mtimeNs) throw written(file);
}

function written({ path }: HostFile): TsbuildError {
  return new TsbuildError('COPY_FAILED', `"${textOf(path)}" was written to after it was found`, { hint: STILLNESS });
}

function replaced({ path }: HostFile): TsbuildError {
  return new TsbuildError('COPY_FAILED', `"${textOf(path)}" was replaced after it was found`, { hint: STILLNESS });
}

function changed({ path, size }: HostFile, now: 'more' | 'fewer'): TsbuildError {
  return new TsbuildError('COPY_FAILED', `"${textOf(path)}" changed while it was read: it had ${size} bytes, now it has ${now}`, {
    hint: STILLNESS,
  });
}

/** The head of an entry in a tar. Throws LAYER_INVALID. */
export function memberOf(entry: LayerEntry): TarMember {
  switch (entry.kind) {
    case 'remove':
      if (entry.path === '') throw new Error('the root cannot be removed');
      return mark(whiteoutOf(entry.path));
    case 'opaque':
      return mark(opaqueMarkOf(entry.path));
    case 'put':
      return putMember(entry);
  }
}

function mark(name: string): TarMember {
  return { name, type: 'file', meta: MARK, size: 0, target: '', major: 0, minor: 0 };
}

function putMember({ path, meta, node }: PutEntry): TarMember {
  if (path.includes(WHITEOUT_PREFIX) && path.split('/').some((part) => part.startsWith(WHITEOUT_PREFIX))) {
    throw new TsbuildError(
      'LAYER_INVALID',
      `"${textOf(path)}" cannot be put into an image: in a layer, names that begin with ".wh." mean that a file is removed`,
    );
  }
  const device = node.type === 'char' || node.type === 'block';
  return {
    name: node.type === 'dir' ? `${path}/` : path,
    type: node.type,
    meta,
    size: node.type === 'file' ? node.size : 0,
    target: node.type === 'symlink' || node.type === 'hardlink' ? node.target : '',
    major: device ? node.major : 0,
    minor: device ? node.minor : 0,
  };
}
