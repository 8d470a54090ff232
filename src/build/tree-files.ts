/** Small files of a tree that is not mounted: passwd and group, for USER and --chown. */
import { readFileSync } from 'node:fs';
import { resolvePath } from '../copy/resolve.ts';
import type { FileContent } from '../layer/entry.ts';
import type { FileTree } from '../layer/tree.ts';

/** The bytes of a regular file; symlinks are followed inside the tree. undefined: no such file. `path`: relative byte path. */
export async function readTreeFile(tree: FileTree, path: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
  const entry = tree.lstat(resolvePath(tree, path));
  if (entry === undefined || entry.node.type !== 'file') return undefined;
  return bytesOfContent(entry.node.content, signal);
}

async function bytesOfContent(content: FileContent, signal: AbortSignal): Promise<Uint8Array> {
  if (content.at === 'memory') return content.bytes;
  if (content.at === 'host') return readFileSync(content.path);
  return bytesOfContent(await content.locate(signal), signal);
}

/** /etc/passwd and /etc/group of a tree, for look-ups that cannot wait. */
export async function readAccounts(tree: FileTree, signal: AbortSignal): Promise<(path: string) => Uint8Array | undefined> {
  const files = new Map<string, Uint8Array | undefined>();
  for (const path of ['etc/passwd', 'etc/group']) files.set(path, await readTreeFile(tree, path, signal));
  return (path) => files.get(path.replace(/^\/+/, ''));
}
