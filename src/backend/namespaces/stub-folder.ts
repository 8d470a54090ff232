/** Writes the stub folder (see stub-plan.ts), with each folder's metadata exactly as in the image: an overlay shows the topmost folder's. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { bytesOf, forFs } from '../../bytes/byte-path.ts';
import type { FileMeta } from '../../layer/entry.ts';
import { applyMeta } from '../../layer/unpack-meta.ts';
import type { StubPlan } from './stub-plan.ts';

/** `folder` is made by this and becomes the topmost lower folder. */
export function writeStubs(folder: string, plan: StubPlan, root: FileMeta): void {
  mkdirSync(folder, { mode: 0o700 });
  const top = bytesOf(folder);
  for (const [path, stub] of plan) {
    const at = forFs(`${top}/${path}`);
    if (stub.type === 'dir') mkdirSync(at);
    else writeFileSync(at, '', { flag: 'wx' });
  }
  // Last, and children first, since making a child changes its folder's mtime.
  for (const [path, stub] of [...plan].reverse()) applyMeta(forFs(`${top}/${path}`), stub.meta, 'other', 'apply');
  applyMeta(folder, root, 'other', 'apply');
}
