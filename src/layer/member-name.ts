/**
 * What a member's name means in a layer: a path, a whiteout, an opaque mark, or nothing. Also the reverse, for writing.
 * Spec: OCI image-spec layer.md, "Whiteouts". Names that lead out of the root are refused here, once for all readers.
 */
import { type BytePath, type ByteString, baseName, joinPath, parentOf, textOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';

export type MemberName =
  | { readonly kind: 'put'; readonly path: BytePath }
  | { readonly kind: 'remove'; readonly path: BytePath }
  | { readonly kind: 'opaque'; readonly path: BytePath }
  /** Leftovers of aufs (`.wh..wh.plnk` and the like), which Docker skips too. */
  | { readonly kind: 'nothing' };

export const WHITEOUT_PREFIX = '.wh.';
const OPAQUE_NAME = '.wh..wh..opq';
const AUFS_PREFIX = '.wh..wh.';

/** Throws LAYER_PATH_ESCAPE for `..`, LAYER_INVALID for whiteouts that name nothing that could be removed. */
export function parseMemberName(name: ByteString): MemberName {
  const path = memberPath(name, 'name');
  if (!path.includes(WHITEOUT_PREFIX)) return { kind: 'put', path };
  const parts = path.split('/');
  if (parts.slice(0, -1).some((part) => part.startsWith(AUFS_PREFIX) && part !== OPAQUE_NAME)) return { kind: 'nothing' };
  if (parts.slice(0, -1).some((part) => part.startsWith(WHITEOUT_PREFIX))) throw invalid(name, 'a folder in it is a whiteout');
  const base = baseName(path);
  if (!base.startsWith(WHITEOUT_PREFIX)) return { kind: 'put', path };
  if (base === OPAQUE_NAME) return { kind: 'opaque', path: parentOf(path) };
  if (base.startsWith(AUFS_PREFIX)) return { kind: 'nothing' };
  const removed = base.slice(WHITEOUT_PREFIX.length);
  if (removed === '' || removed === '.' || removed === '..') throw invalid(name, 'the whiteout names no file');
  return { kind: 'remove', path: joinPath(parentOf(path), removed) };
}

/** Linux takes no longer path; an image cannot be used anywhere with such a file. */
const MAX_PATH = 4095;

/**
 * The path inside the root of a member's name or hard link target. Leading `/` and `.` parts vanish. Throws
 * LAYER_PATH_ESCAPE for `..`, LAYER_INVALID for what is longer than a path may be.
 */
export function memberPath(name: ByteString, what: 'name' | 'hard link target'): BytePath {
  if (name.length > MAX_PATH) {
    throw new TsbuildError('LAYER_INVALID', `a layer holds a name or link that is too long for Linux: "${textOf(name.slice(0, 300))}"`);
  }
  if (isClean(name)) return name.endsWith('/') ? name.slice(0, -1) : name;
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) {
    throw new TsbuildError(
      'LAYER_PATH_ESCAPE',
      `the ${what} "${textOf(name)}" in a layer holds "..": it could lead out of the image's root`,
    );
  }
  return parts.join('/');
}

/** Most names need no work: no empty, `.` or `..` part. A slash at the end is allowed. */
function isClean(name: ByteString): boolean {
  return name !== '' && !/^\/|\/\/|(?:^|\/)\.{1,2}(?:\/|$)/.test(name);
}

export function whiteoutOf(path: BytePath): ByteString {
  return joinPath(parentOf(path), WHITEOUT_PREFIX + baseName(path));
}

export function opaqueMarkOf(folder: BytePath): ByteString {
  return joinPath(folder, OPAQUE_NAME);
}

export function isWithin(path: BytePath, folder: BytePath): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** The error for a member below something that the same layer makes no folder. */
export function notBelow(path: BytePath, parent: BytePath): TsbuildError {
  return new TsbuildError(
    'LAYER_INVALID',
    `a layer puts "${textOf(path)}" below "${textOf(parent)}", which the same layer makes no folder`,
  );
}

function invalid(name: ByteString, why: string): TsbuildError {
  return new TsbuildError('LAYER_INVALID', `"${textOf(name)}" in a layer is no valid whiteout: ${why}`);
}
