/**
 * What a COPY takes of its sources, as one digest: half of the key under which its layer is kept. Whatever changes the
 * layer changes the digest, times and what the stage holds aside. The walk is the copy's own (walk-sources.ts).
 */
import { setImmediate } from 'node:timers/promises';
import { type BytePath, baseName, compareBytes, joinPath } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import type { Digest } from '../image/digest.ts';
import { type FramedDigest, framedDigest } from '../image/framed-digest.ts';
import type { FileContent, FileMeta } from '../layer/entry.ts';
import type { FileTree, TreeEntry } from '../layer/tree.ts';
import type { CopyInput, CopyRequest } from './copy.ts';
import { walkSources } from './walk-sources.ts';

export interface DigestRequest {
  /** Times of inputs that are in no tree do not count: those of a download are the caller's to add. */
  readonly inputs: readonly CopyInput[];
  readonly exclude: readonly string[];
  readonly parents: boolean;
  readonly xattrs: 'keep' | 'drop';
  readonly signal: AbortSignal;
}

/** sha256 of a regular file's content. Throws a TsbuildError when the file cannot be read or is no longer what was looked at. */
export type DigestOf = (content: FileContent, size: number, signal: AbortSignal) => Promise<Digest> | Digest;

type How = Pick<CopyRequest, 'xattrs' | 'signal'>;

/** Hashing keeps the event loop for no longer than this. */
const LONGEST_TURN_MS = 20;

/**
 * Names, types, modes, owners, link targets, hard links, extended attributes (with 'keep'), devices and contents. Null:
 * something is not there or cannot be taken; the copy itself will say what. Throws the signal's reason.
 */
export async function sourceDigest(request: DigestRequest, digestOf: DigestOf): Promise<Digest | null> {
  return unlessFaulty(request.signal, async () => {
    const record = recorder(request);
    await walkSources(request, {
      loose({ name, content, size, mode }) {
        record.mark('loose');
        record.name(name);
        record.file({ mode, uid: 0, gid: 0, mtimeNs: 0n }, { size, content });
      },
      single(path, entry) {
        record.root('single');
        record.name(baseName(path));
        record.entry(entry);
      },
      root: () => record.root('folder'),
      folder(inside, entry) {
        record.name(inside);
        record.entry(entry);
      },
      node(inside, entry) {
        record.name(inside);
        record.entry(entry);
      },
      foreign: () => undefined,
      nothing: () => undefined,
    });
    return record.digest(digestOf);
  });
}

/** One path of a tree with all below it: what a bind mount or a folder context shows. Null and throws as above. */
export async function treeDigest(tree: FileTree, path: BytePath, how: How, digestOf: DigestOf): Promise<Digest | null> {
  return unlessFaulty(how.signal, async () => {
    const record = recorder(how);
    const root = tree.lstat(path);
    if (root === undefined) return null;
    record.root('tree');
    record.entry(root);
    const walk = (inside: BytePath): void => {
      how.signal.throwIfAborted();
      for (const name of tree.list(joinPath(path, inside))) {
        const below = joinPath(inside, name);
        const entry = tree.lstat(joinPath(path, below));
        if (entry === undefined) continue;
        record.name(below);
        record.entry(entry);
        if (entry.node.type === 'dir') walk(below);
      }
    };
    walk('');
    return record.digest(digestOf);
  });
}

async function unlessFaulty(signal: AbortSignal, work: () => Promise<Digest | null>): Promise<Digest | null> {
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof TsbuildError) return null;
    throw error;
  }
}

/** Every record begins with one of these, which says what fields follow. */
const MARKS = { loose: 1, single: 2, folder: 3, tree: 4, name: 5, dir: 6, file: 7, hardlink: 8, symlink: 9, char: 10, block: 11, fifo: 12 };

interface Recorder {
  mark(mark: keyof typeof MARKS): void;
  /** Where hard links begin anew: files of two sources are not one. */
  root(mark: 'single' | 'folder' | 'tree'): void;
  name(path: BytePath): void;
  file(meta: FileMeta, file: PendingFile): void;
  entry(entry: TreeEntry): void;
  /** Asks for the contents, which come last, in the order of their files. */
  digest(digestOf: DigestOf): Promise<Digest>;
}

interface PendingFile {
  readonly size: number;
  readonly content: FileContent;
}

function recorder({ xattrs, signal }: How): Recorder {
  const out = framedDigest();
  const files: PendingFile[] = [];
  let links = new Map<string, number>();

  function metaOf(meta: FileMeta): void {
    out.number(meta.mode);
    out.number(meta.uid);
    out.number(meta.gid);
    writeXattrs(out, xattrs === 'keep' ? meta.xattrs : undefined);
  }

  function file(meta: FileMeta, { size, content }: PendingFile): void {
    out.number(MARKS.file);
    metaOf(meta);
    files.push({ size, content });
  }

  return {
    mark: (mark) => out.number(MARKS[mark]),
    root(mark) {
      links = new Map();
      out.number(MARKS[mark]);
    },
    name(path) {
      out.number(MARKS.name);
      out.text(path);
    },
    file,
    entry({ meta, node, link }) {
      if (node.type === 'file') {
        const first = link === undefined ? undefined : links.get(link);
        if (first !== undefined) {
          out.number(MARKS.hardlink);
          out.number(first);
          return;
        }
        if (link !== undefined) links.set(link, files.length);
        file(meta, node);
        return;
      }
      out.number(MARKS[node.type]);
      metaOf(meta);
      if (node.type === 'symlink') out.text(node.target);
      if (node.type === 'char' || node.type === 'block') {
        out.number(node.major);
        out.number(node.minor);
      }
    },
    async digest(digestOf) {
      out.number(files.length);
      let turn = performance.now();
      for (const { content, size } of files) {
        const digest = digestOf(content, size, signal);
        out.text(typeof digest === 'string' ? digest : await digest);
        if (performance.now() - turn < LONGEST_TURN_MS) continue;
        await setImmediate();
        signal.throwIfAborted();
        turn = performance.now();
      }
      return out.digest();
    },
  };
}

function writeXattrs(out: FramedDigest, xattrs: FileMeta['xattrs']): void {
  out.number(xattrs?.size ?? 0);
  for (const [name, value] of [...(xattrs ?? [])].sort(([a], [b]) => compareBytes(a, b))) {
    out.text(name);
    out.bytes(value);
  }
}
