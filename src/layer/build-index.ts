/**
 * Makes a LayerIndex from a layer's tar headers as they go by. The last member of a path wins, as when unpacking; what
 * would be refused when unpacking is refused here too, so a layer that is indexed can be unpacked.
 */
import { type BytePath, type ByteString, baseName, joinPath, parentOf, textOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import type { FileContent } from './entry.ts';
import { followLinks } from './follow-links.ts';
import type { LayerIndex } from './layer-index.ts';
import { isWithin, memberPath, notBelow, parseMemberName } from './member-name.ts';
import type { TarHandler, TarMember } from './tar/member.ts';
import type { TreeEntry } from './tree.ts';

export interface IndexBuilder extends TarHandler {
  /** Only after `end`. */
  index(): LayerIndex;
}

/** Where the content of a file is, given its path in the layer. Called once per file while the index is made. */
export type ContentOf = (path: BytePath) => FileContent;

/** Files that user look-ups need: kept in memory, so that they need no unpacked layer. */
const KEPT: ReadonlySet<BytePath> = new Set(['etc/passwd', 'etc/group']);
const MAX_KEPT_BYTES = 1024 * 1024;

/** Its methods throw LAYER_INVALID and LAYER_PATH_ESCAPE. */
export function createIndexBuilder(contentOf: ContentOf): IndexBuilder {
  const puts = new Map<BytePath, TreeEntry>();
  const removes = new Set<BytePath>();
  const opaques = new Set<BytePath>();
  const implied = new Set<BytePath>();
  const lowerLinks = new Map<BytePath, BytePath>();
  let links = 0;
  let kept: { readonly path: BytePath; readonly parts: Buffer[] } | undefined;
  let ended = false;

  function isFolder(path: BytePath): boolean {
    return path === '' || implied.has(path) || puts.get(path)?.node.type === 'dir';
  }

  function symlinkAt(path: BytePath): ByteString | undefined {
    const node = puts.get(path)?.node;
    return node?.type === 'symlink' ? node.target : undefined;
  }

  function folderOf(path: BytePath): BytePath {
    return isFolder(path) ? path : followLinks(path, symlinkAt);
  }

  /** Where a member goes: what it says, but for symlinks on the way. */
  function placeOf(path: BytePath): BytePath {
    return joinPath(folderOf(parentOf(path)), baseName(path));
  }

  function needFolder(folder: BytePath, of: BytePath): void {
    for (let path = folder; !isFolder(path); path = parentOf(path)) {
      if (puts.has(path) || lowerLinks.has(path)) throw notBelow(of, path);
      implied.add(path);
    }
  }

  /** What an earlier member of the same layer put at `path`, with all below it, is gone. */
  function replaceBy(kind: 'dir' | 'other', path: BytePath): void {
    const wasFolder = implied.delete(path) || puts.get(path)?.node.type === 'dir';
    lowerLinks.delete(path);
    if (kind === 'dir' || !wasFolder) return;
    const below = `${path}/`;
    opaques.delete(path);
    for (const all of [puts, removes, opaques, implied, lowerLinks]) {
      for (const known of all.keys()) if (known.startsWith(below)) all.delete(known);
    }
  }

  function put(path: BytePath, member: TarMember): void {
    needFolder(parentOf(path), path);
    if (member.type === 'hardlink') {
      link(path, placeOf(memberPath(member.target, 'hard link target')));
      return;
    }
    replaceBy(member.type === 'dir' ? 'dir' : 'other', path);
    puts.set(path, { meta: member.meta, node: nodeOf(path, member) });
  }

  function nodeOf(path: BytePath, member: TarMember): TreeEntry['node'] {
    switch (member.type) {
      case 'file':
        return { type: 'file', size: member.size, content: contentOf(path) };
      case 'symlink':
        return { type: 'symlink', target: member.target };
      case 'char':
      case 'block':
        return { type: member.type, major: member.major, minor: member.minor };
      case 'dir':
      case 'fifo':
        return { type: member.type };
      case 'hardlink':
        throw new Error('a hard link has no node of its own');
    }
  }

  function link(path: BytePath, target: BytePath): void {
    const file = puts.get(target);
    if (isWithin(target, path) || isFolder(target)) throw badLink(path, target);
    replaceBy('other', path);
    if (file === undefined) {
      puts.delete(path);
      lowerLinks.set(path, lowerLinks.get(target) ?? target);
      return;
    }
    const key = file.link ?? String(links++);
    puts.set(target, { ...file, link: key });
    // Its own content: the target's path may be put anew, with another file.
    const node =
      file.node.type === 'file'
        ? { ...file.node, content: file.node.content.at === 'memory' ? file.node.content : contentOf(path) }
        : file.node;
    puts.set(path, { ...file, node, link: key });
  }

  return {
    member(member) {
      kept = undefined;
      const name = parseMemberName(member.name);
      switch (name.kind) {
        case 'nothing':
          return;
        case 'remove': {
          const path = placeOf(name.path);
          needFolder(parentOf(path), path);
          removes.add(path);
          return;
        }
        case 'opaque': {
          const folder = folderOf(name.path);
          needFolder(folder, folder);
          opaques.add(folder);
          return;
        }
        case 'put': {
          if (name.path === '') return putRoot(puts, member);
          const path = placeOf(name.path);
          put(path, member);
          if (member.type === 'file' && KEPT.has(path) && member.size <= MAX_KEPT_BYTES) kept = { path, parts: [] };
        }
      }
    },
    content(bytes) {
      kept?.parts.push(Buffer.from(bytes));
    },
    hole(bytes) {
      kept?.parts.push(Buffer.alloc(bytes));
    },
    contentEnd() {
      if (kept === undefined) return;
      const entry = puts.get(kept.path);
      if (entry?.node.type !== 'file') throw new Error('the kept file is not in the index');
      const bytes = Buffer.concat(kept.parts);
      puts.set(kept.path, { ...entry, node: { type: 'file', size: bytes.length, content: { at: 'memory', bytes } } });
      kept = undefined;
    },
    end() {
      ended = true;
    },
    index() {
      if (!ended) throw new Error('the layer is not complete');
      return { puts, removes, opaques, implied, ...(lowerLinks.size === 0 ? {} : { lowerLinks }) };
    },
  };
}

function putRoot(puts: Map<BytePath, TreeEntry>, member: TarMember): void {
  if (member.type !== 'dir') throw new TsbuildError('LAYER_INVALID', `a layer makes its root a ${member.type}`);
  puts.set('', { meta: member.meta, node: { type: 'dir' } });
}

function badLink(path: BytePath, target: ByteString): TsbuildError {
  return new TsbuildError(
    'LAYER_INVALID',
    `a layer's hard link "${textOf(path)}" leads to "${textOf(target)}", which is a folder, the link itself or below it`,
  );
}
