/** Writes the stub folder (see stub-plan.ts) and copies a folder's metadata exactly: an overlay shows the topmost folder's. */
import { chmodSync, lchownSync, mkdirSync, writeFileSync } from 'node:fs';
import { type ByteString, bytesOf, forFs } from '../../bytes/byte-path.ts';
import type { FileMeta } from '../../layer/entry.ts';
import { setMtime } from '../../sys/times.ts';
import { setXattr } from '../../sys/xattr.ts';
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
  for (const [path, stub] of [...plan].reverse()) applyMeta(forFs(`${top}/${path}`), stub.meta);
  applyMeta(folder, root);
}

/** Owner before mode, because chown takes setuid and setgid off. */
export function applyMeta(path: string | Buffer, { mode, uid, gid, mtimeNs, xattrs }: FileMeta): void {
  lchownSync(path, uid, gid);
  chmodSync(path, mode);
  for (const [name, value] of xattrs ?? []) copyXattr(path, name, value);
  setMtime(path, mtimeNs);
}

/** What this process may not set, or this file system cannot hold, the unpacked layer lacks as well. */
function copyXattr(path: string | Buffer, name: ByteString, value: Uint8Array): void {
  try {
    setXattr(path, name, value);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EPERM' && code !== 'ENOTSUP') throw error;
  }
}
