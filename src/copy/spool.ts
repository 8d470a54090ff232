/** Content of files on their way from an archive into a layer: small ones stay in memory, large ones go to a folder. */
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { FileContent } from '../layer/entry.ts';

export interface ContentSpool {
  /** A file of `size` bytes begins; `write` and `skip` have to add up to it. */
  begin(size: number): void;
  write(bytes: Buffer): void;
  /** Zero bytes, which take no space on disk. */
  skip(bytes: number): void;
  finish(): FileContent;
  /** Closes what is open. */
  abandon(): void;
  /** Removes all files that were written. */
  discard(): void;
}

/** A file up to this size is kept in memory ... */
const SMALL_FILE_BYTES = 64 * 1024;
/** ... as long as all of them together are no more than this. */
const MEMORY_BYTES = 64 * 1024 * 1024;

type Current =
  | { readonly at: 'memory'; readonly bytes: Buffer; filled: number }
  | { readonly at: 'host'; readonly path: string; readonly fd: number; position: number };

export function contentSpool(scratchFolder: string): ContentSpool {
  let folder: string | undefined;
  let files = 0;
  let inMemory = 0;
  let current: Current | null = null;

  function open(): Current {
    folder ??= mkdtempSync(join(scratchFolder, 'add-'));
    const path = join(folder, String(files++));
    return { at: 'host', path, fd: openSync(path, 'wx', 0o600), position: 0 };
  }

  function active(): Current {
    if (current === null) throw new Error('no file has begun');
    return current;
  }

  function abandon(): void {
    if (current?.at === 'host') closeSync(current.fd);
    current = null;
  }

  return {
    begin(size) {
      const small = size <= SMALL_FILE_BYTES && inMemory + size <= MEMORY_BYTES;
      if (small) inMemory += size;
      current = small ? { at: 'memory', bytes: Buffer.alloc(size), filled: 0 } : open();
    },
    write(bytes) {
      const file = active();
      if (file.at === 'memory') {
        bytes.copy(file.bytes, file.filled);
        file.filled += bytes.length;
        return;
      }
      for (let at = 0; at < bytes.length; ) at += writeSync(file.fd, bytes, at, bytes.length - at, file.position + at);
      file.position += bytes.length;
    },
    skip(bytes) {
      const file = active();
      if (file.at === 'memory') file.filled += bytes;
      else file.position += bytes;
    },
    finish() {
      const file = active();
      if (file.at === 'memory') {
        current = null;
        return { at: 'memory', bytes: file.bytes };
      }
      // A hole at the end has written nothing.
      ftruncateSync(file.fd, file.position);
      abandon();
      return { at: 'host', path: file.path };
    },
    abandon,
    discard() {
      abandon();
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}
