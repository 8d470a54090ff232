/** How large an unpacked layer is, noted beside it when it is made: to find out later would be a walk through all of it. */
import { lstatSync, readFileSync, writeFileSync } from 'node:fs';
import type { LayerIndex } from '../layer/layer-index.ts';
import { treeBytes } from '../sys/tree-bytes.ts';

/** What most file systems give a file or a folder at least. */
const BLOCK = 4096;

/** `folder`: of the unpacked layer. */
export function sizeFile(folder: string): string {
  return `${folder}.size`;
}

/** About what the layer takes on the disk when it is unpacked. */
export function unpackedBytes({ puts }: LayerIndex): number {
  const links = new Set<string>();
  let bytes = BLOCK;
  for (const { node, link } of puts.values()) {
    if (node.type === 'dir') bytes += BLOCK;
    if (node.type !== 'file' || (link !== undefined && links.has(link))) continue;
    if (link !== undefined) links.add(link);
    bytes += Math.ceil(node.size / BLOCK) * BLOCK;
  }
  return bytes;
}

/** Found out and noted when nobody has. 0: there is no such folder. */
export async function notedBytes(folder: string): Promise<number> {
  const noted = read(sizeFile(folder));
  if (noted !== null) return noted;
  if (lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return 0;
  const bytes = await treeBytes(folder);
  writeFileSync(sizeFile(folder), String(bytes));
  return bytes;
}

function read(path: string): number | null {
  try {
    const text = readFileSync(path, 'latin1');
    return /^\d{1,15}$/.test(text) ? Number(text) : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
