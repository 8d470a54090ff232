/** A FileTree from an object literal, and layer entries as lines that tests can compare. */
import { type BytePath, bytesOf, parentOf, textOf } from '../../src/bytes/byte-path.ts';
import type { FileMeta, LayerEntry } from '../../src/layer/entry.ts';
import type { FileTree, TreeEntry } from '../../src/layer/tree.ts';

export type TreeLiteral = Readonly<Record<string, string | TreeEntry>>;

const DEFAULT: FileMeta = { mode: 0o644, uid: 0, gid: 0, mtimeNs: 1_000n };

export function file(text: string, meta: Partial<FileMeta> = {}, link?: string): TreeEntry {
  const bytes = Buffer.from(text, 'latin1');
  const entry: TreeEntry = { meta: { ...DEFAULT, ...meta }, node: { type: 'file', size: bytes.length, content: { at: 'memory', bytes } } };
  return link === undefined ? entry : { ...entry, link };
}

export function dir(meta: Partial<FileMeta> = {}): TreeEntry {
  return { meta: { ...DEFAULT, mode: 0o755, ...meta }, node: { type: 'dir' } };
}

export function symlink(target: string, meta: Partial<FileMeta> = {}): TreeEntry {
  return { meta: { ...DEFAULT, mode: 0o777, ...meta }, node: { type: 'symlink', target: bytesOf(target) } };
}

export function fifo(): TreeEntry {
  return { meta: DEFAULT, node: { type: 'fifo' } };
}

export function device(type: 'char' | 'block', major: number, minor: number): TreeEntry {
  return { meta: DEFAULT, node: { type, major, minor } };
}

/** Keys are paths as text; a string is a file's content. Folders above a key exist as 0755 0:0 unless they are keys too. */
export function memoryTree(literal: TreeLiteral): FileTree {
  const entries = new Map<BytePath, TreeEntry>([['', dir()]]);
  for (const [path, value] of Object.entries(literal)) entries.set(bytesOf(path), typeof value === 'string' ? file(value) : value);
  for (const path of [...entries.keys()]) for (let p = parentOf(path); p !== '' && !entries.has(p); p = parentOf(p)) entries.set(p, dir());
  const isThere = (path: BytePath): boolean => path === '' || entries.get(parentOf(path))?.node.type === 'dir';
  return {
    lstat: (path) => (isThere(path) ? entries.get(path) : undefined),
    list: (path) =>
      [...entries.keys()]
        .filter((p) => p !== '' && parentOf(p) === path && isThere(p))
        .map((p) => p.slice(p.lastIndexOf('/') + 1))
        .sort(),
  };
}

/** `dir 0755 0:0 a`, `file 0644 0:0 a/f "text"`, `symlink 0777 0:0 a/l -> f`, `hardlink ... -> a/f`, `opaque a`. */
export function lines(entries: readonly LayerEntry[]): string[] {
  return entries.map((entry) => {
    if (entry.kind !== 'put') return `${entry.kind} ${textOf(entry.path)}`;
    const { node, meta, path } = entry;
    const head = `${node.type} ${meta.mode.toString(8).padStart(4, '0')} ${meta.uid}:${meta.gid} ${textOf(path)}`;
    if (node.type === 'symlink' || node.type === 'hardlink') return `${head} -> ${textOf(node.target)}`;
    if (node.type === 'char' || node.type === 'block') return `${head} ${node.major},${node.minor}`;
    if (node.type === 'file' && node.content.at === 'memory')
      return `${head} ${JSON.stringify(Buffer.from(node.content.bytes).toString())}`;
    return head;
  });
}
