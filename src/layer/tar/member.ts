/**
 * One member of a tar archive as the codec sees it: names as the archive spells them, nothing cleaned, nothing trusted.
 * What a name means in a layer (whiteouts, escapes) is decided in ../member-name.ts.
 */
import type { ByteString } from '../../bytes/byte-path.ts';
import type { FileMeta, NodeType } from '../entry.ts';

export interface TarMember {
  /** As written: may begin with `/` or `./`, hold `..`, end with `/`. Never empty, no NUL. */
  readonly name: ByteString;
  readonly type: NodeType;
  readonly meta: FileMeta;
  /** Bytes of a file's content, holes of sparse files included; 0 for all other types. */
  readonly size: number;
  /** Of a symlink or hard link, as written; else ''. */
  readonly target: ByteString;
  /** Of devices; else 0. */
  readonly major: number;
  readonly minor: number;
}

/** What the reader calls, synchronously and in archive order. Whatever a handler throws ends the reading. */
export interface TarHandler {
  member(member: TarMember): void;
  /** Content of the last member. A view of the chunk given to `write`: copy what is kept if the caller reuses chunks. */
  content(bytes: Buffer): void;
  /** So many zero bytes of a sparse file: may be far more than the archive holds. */
  hole(bytes: number): void;
  /** Every byte of the last member, which is a file, was handed over. */
  contentEnd?(): void;
  /** The archive is complete. */
  end?(): void;
  /** No more will come: frees what is open. Called at most once, perhaps after `end`; must not throw. */
  abort?(): void;
}

/** Archives are whole numbers of these. */
export const BLOCK = 512;

/** Cap on one extension header (PAX records, GNU long name, sparse map): what Go's archive/tar allows. */
export const MAX_EXTENSION_BYTES = 1024 * 1024;
