/**
 * Where a member's folder lies when the layer itself has a symlink on the way there: inside the root, as containerd, Docker
 * and podman have it when they unpack a layer into a folder of its own. Decided from what the layer has said so far, never
 * from a file system, so nothing can be exchanged meanwhile; the links of lower layers do not count, for them neither.
 */
import { type BytePath, type ByteString, joinPath, parentOf, textOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';

/** As many as Linux follows in one path (MAXSYMLINKS), and as long as a path may be there (PATH_MAX). */
const MAX_SYMLINKS = 40;
const MAX_BYTES = 4096;

/**
 * The folder that `path` leads to, which need not exist. `linkAt`: the target of the symlink that the layer has put there.
 * `..` in a target stops at the root. Throws LAYER_INVALID for loops and for what Linux would not follow either.
 */
export function followLinks(path: BytePath, linkAt: (path: BytePath) => ByteString | undefined): BytePath {
  const rest = partsOf(path).reverse();
  let at: BytePath = '';
  let links = 0;
  for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
    if (name === '..') {
      at = parentOf(at);
      continue;
    }
    const child = joinPath(at, name);
    const target = linkAt(child);
    if (target === undefined) {
      at = child;
      continue;
    }
    links += 1;
    rest.push(...partsOf(target.slice(0, MAX_BYTES)).reverse());
    if (target.startsWith('/')) at = '';
    const bytes = rest.reduce((sum, part) => sum + part.length + 1, at.length);
    if (links > MAX_SYMLINKS || target.length >= MAX_BYTES || bytes >= MAX_BYTES) throw leadsNowhere(path, child);
  }
  return at;
}

function partsOf(path: ByteString): ByteString[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function leadsNowhere(path: BytePath, link: BytePath): TsbuildError {
  return new TsbuildError(
    'LAYER_INVALID',
    `a layer puts files below "${textOf(path).slice(0, 300)}", where its symlink "${textOf(link).slice(0, 300)}" leads in circles or too far`,
  );
}
