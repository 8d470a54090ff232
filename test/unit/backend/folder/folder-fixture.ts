/** Layers as tars, folders to lay them into, and trees as lines that are easy to compare. */
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LayerMaterial } from '../../../../src/backend/backend.ts';
import { type BytePath, bytesOf, forFs, joinPath } from '../../../../src/bytes/byte-path.ts';
import { digestOf } from '../../../../src/image/digest.ts';
import { createIndexBuilder } from '../../../../src/layer/build-index.ts';
import type { FileContent, FileMeta } from '../../../../src/layer/entry.ts';
import { createTarReader } from '../../../../src/layer/tar/read.ts';
import type { FileTree, TreeEntry } from '../../../../src/layer/tree.ts';
import { createUnpacker } from '../../../../src/layer/unpack.ts';
import { deviceNumbers } from '../../../../src/sys/device-numbers.ts';
import { readXattrs, setXattr } from '../../../../src/sys/xattr.ts';
import { type RawMember, rawTar } from '../../layer/raw-tar.ts';
import { feed } from '../../layer/read-all.ts';

export const never = new AbortController().signal;
export const isRoot = process.getuid?.() === 0;

export const dir = (name: string, more: Partial<RawMember> = {}): RawMember => ({
  mode: '0000755\0',
  ...more,
  name: `${name}/`,
  flag: '5',
});
export const file = (name: string, content: string, more: Partial<RawMember> = {}): RawMember => ({ ...more, name, content });
export const symlink = (name: string, target: string): RawMember => ({ name, flag: '2', target, mode: '0000777\0' });
export const hardLink = (name: string, target: string): RawMember => ({ name, flag: '1', target });
export const fifo = (name: string): RawMember => ({ name, flag: '6' });
export const whiteout = (path: string): RawMember => ({ name: path.replace(/([^/]*)$/, '.wh.$1') });
export const opaque = (path: string): RawMember => ({ name: joinPath(path, '.wh..wh..opq') });

/** Unpacks the layer below `home`, by the code of the namespaces rung: the index says where each file's content lies there. */
export function tarLayer(home: string, tar: Buffer): LayerMaterial {
  const folder = mkdtempSync(join(home, 'layer-'));
  feed(createUnpacker({ folder, style: overlayStyle(home), owners: isRoot ? 'apply' : 'skip' }), tar, 1000);
  const builder = createIndexBuilder((path) => ({ at: 'host', path: forFs(`${bytesOf(folder)}/${path}`) }));
  feed(builder, tar, 1000);
  return {
    diffId: async () => digestOf(tar),
    index: builder.index(),
    folder: async () => folder,
    async replay(to) {
      const reader = createTarReader(to);
      try {
        for (let at = 0; at < tar.length; at += 700) reader.write(tar.subarray(at, at + 700));
        reader.end();
      } catch (error) {
        reader.abort();
        throw error;
      }
    },
  };
}

export function layerOf(home: string, ...members: readonly (RawMember | Buffer)[]): LayerMaterial {
  return tarLayer(home, rawTar(...members));
}

function overlayStyle(home: string): 'trusted' | 'user' {
  return canSetXattr(home, 'trusted.probe') ? 'trusted' : 'user';
}

export function canSetXattr(home: string, name: string): boolean {
  const probe = join(mkdtempSync(join(home, 'probe-')), 'file');
  writeFileSync(probe, '');
  try {
    setXattr(probe, name, Buffer.from('1'));
    return true;
  } catch {
    return false;
  }
}

/** Makes `name` below `home`. */
export function emptyFolder(home: string, name: string): string {
  const folder = join(home, name);
  mkdirSync(folder, { mode: 0o755 });
  return folder;
}

interface Line {
  readonly path: BytePath;
  readonly meta: FileMeta;
  readonly node: TreeEntry['node'];
  /** Equal for names of one file. */
  readonly link: string | undefined;
  content(): string;
}

export interface LineOptions {
  /** Default: no. */
  readonly times?: 'all' | 'files';
  /** Default: yes. */
  readonly owners?: 'no';
  /** Which names are of one file. Default: yes. */
  readonly links?: 'no';
}

/** Type, mode, owner, path, xattrs, other names, time, and what the file holds. */
function print(lines: readonly Line[], { times, owners, links }: LineOptions): string[] {
  const names = new Map<string, BytePath[]>();
  for (const { link, path } of lines) if (link !== undefined) names.set(link, [...(names.get(link) ?? []), path]);
  return lines.map(({ path, meta, node, link, content }) => {
    const group = link === undefined ? [] : (names.get(link) ?? []);
    const parts = [node.type, meta.mode.toString(8), ...(owners === 'no' ? [] : [`${meta.uid}:${meta.gid}`]), path];
    for (const [name, value] of meta.xattrs ?? []) parts.push(`${name}=${Buffer.from(value).toString('latin1')}`);
    if (group.length > 1 && links !== 'no') parts.push(`(${group.join(' ')})`);
    if (times === 'all' || (times === 'files' && node.type !== 'dir')) parts.push(`@${meta.mtimeNs}`);
    if (node.type === 'symlink') parts.push(`-> ${node.target}`);
    if (node.type === 'char' || node.type === 'block') parts.push(`${node.major},${node.minor}`);
    if (node.type === 'file') parts.push(JSON.stringify(content()));
    return parts.join(' ');
  });
}

export function linesOfTree(tree: FileTree, options: LineOptions = {}): string[] {
  const walk = (folder: BytePath): Line[] =>
    tree.list(folder).flatMap((name) => {
      const path = joinPath(folder, name);
      const { meta, node, link } = tree.lstat(path) as TreeEntry;
      const content = (): string => (node.type === 'file' ? textOfContent(node.content) : '');
      const kept = [...(meta.xattrs ?? [])].filter(([xattr]) => !xattr.startsWith('trusted.'));
      const xattrs = kept.length === 0 ? {} : { xattrs: new Map(kept.sort()) };
      const plain = { mode: node.type === 'symlink' ? 0o777 : meta.mode, uid: meta.uid, gid: meta.gid, mtimeNs: meta.mtimeNs };
      return [{ path, meta: { ...plain, ...xattrs }, node, link: node.type === 'dir' ? undefined : link, content }, ...walk(path)];
    });
  return print(walk(''), options);
}

function textOfContent(content: FileContent): string {
  if (content.at === 'deferred') throw new Error('content is not here');
  return content.at === 'memory' ? Buffer.from(content.bytes).toString('latin1') : readFileSync(content.path, 'latin1');
}

/** Without sockets, which are in no image. */
export function linesOfFolder(root: string, options: LineOptions = {}): string[] {
  const walk = (folder: BytePath): Line[] =>
    readdirSync(forFs(`${bytesOf(root)}/${folder}`), 'latin1')
      .sort()
      .flatMap((name) => {
        const path = joinPath(folder, name);
        const host = forFs(`${bytesOf(root)}/${path}`);
        const stats = lstatSync(host, { bigint: true });
        if (stats.isSocket()) return [];
        const xattrs = new Map([...(readXattrs(host) ?? [])].filter(([xattr]) => xattr !== 'security.selinux'));
        const meta = {
          mode: Number(stats.mode & 0o7777n),
          uid: Number(stats.uid),
          gid: Number(stats.gid),
          mtimeNs: stats.mtimeNs,
          xattrs,
        };
        const link = stats.isDirectory() || stats.nlink === 1n ? undefined : `${stats.dev}:${stats.ino}`;
        const numbers = deviceNumbers(stats.rdev);
        const node = ((): TreeEntry['node'] => {
          if (stats.isDirectory()) return { type: 'dir' };
          if (stats.isSymbolicLink()) return { type: 'symlink', target: readlinkSync(host, 'latin1') };
          if (stats.isFIFO()) return { type: 'fifo' };
          if (stats.isCharacterDevice()) return { type: 'char', ...numbers };
          if (stats.isBlockDevice()) return { type: 'block', ...numbers };
          return { type: 'file', size: Number(stats.size), content: { at: 'host', path: host } };
        })();
        const line: Line = { path, meta, node, link, content: () => readFileSync(host, 'latin1') };
        return [line, ...(stats.isDirectory() ? walk(path) : [])];
      });
  return print(walk(''), options);
}
