/**
 * What a layer is made of. Every producer (COPY, a RUN's difference, a base's tar) yields LayerEntry; pack() alone
 * writes them. Spec: OCI image-spec layer.md, "File Types" and "Whiteouts".
 */
import type { BytePath, ByteString } from '../bytes/byte-path.ts';

export interface FileMeta {
  /** Permission bits with setuid, setgid and sticky: 0-0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since 1970, may be negative. */
  readonly mtimeNs: bigint;
  /** Name -> value; both bytes. Undefined: none. */
  readonly xattrs?: ReadonlyMap<ByteString, Uint8Array>;
}

/** What a file was when it was looked at, as stat(2) tells it in 64 bits: with the size, one state of it. */
export interface FileStamp {
  readonly device: bigint;
  readonly inode: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/** Where a regular file's bytes are. */
export type FileContent =
  /** A file of this machine, absolute path for fs calls. Read when packed. */
  | {
      readonly at: 'host';
      readonly path: string | Buffer;
      /** Of the file that was looked at: another one in its place is not read, nor one that a replaced folder leads to. */
      readonly inode?: number;
      /** The same and more, where the file may have been seen by earlier builds and may be changed by others meanwhile. */
      readonly stamp?: FileStamp;
    }
  | { readonly at: 'memory'; readonly bytes: Uint8Array }
  /** Not here yet (a layer that is not unpacked): asked for when packed. */
  | { readonly at: 'deferred'; locate(signal: AbortSignal): Promise<Exclude<FileContent, { at: 'deferred' }>> };

export type FileNode =
  | { readonly type: 'file'; readonly size: number; readonly content: FileContent }
  | { readonly type: 'dir' }
  | { readonly type: 'symlink'; readonly target: ByteString }
  /** `target`: path of an earlier entry of the same layer. */
  | { readonly type: 'hardlink'; readonly target: BytePath }
  | { readonly type: 'char' | 'block'; readonly major: number; readonly minor: number }
  | { readonly type: 'fifo' };

export type NodeType = FileNode['type'];

export interface PutEntry {
  readonly kind: 'put';
  readonly path: BytePath;
  readonly meta: FileMeta;
  readonly node: FileNode;
}

export type LayerEntry =
  | PutEntry
  /** Whiteout: the path of a lower layer is gone, with all below it. */
  | { readonly kind: 'remove'; readonly path: BytePath }
  /** Opaque: what lower layers have below this folder is hidden; the entries of this layer are not. */
  | { readonly kind: 'opaque'; readonly path: BytePath };

export type LayerEntries = Iterable<LayerEntry> | AsyncIterable<LayerEntry>;
