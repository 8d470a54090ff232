/** A whole archive read into values. */

import type { TarHandler, TarMember } from '../../../src/layer/tar/member.ts';
import { createTarReader } from '../../../src/layer/tar/read.ts';

export interface ReadMember extends TarMember {
  /** Holes filled with zeros. */
  readonly content: Buffer;
}

/** Fed in chunks of `step` bytes. */
export function readAll(tar: Buffer, step = tar.length || 1): readonly ReadMember[] {
  const found: { member: TarMember; parts: Buffer[] }[] = [];
  const handler: TarHandler = {
    member: (member) => void found.push({ member, parts: [] }),
    content: (bytes) => void found.at(-1)?.parts.push(Buffer.from(bytes)),
    hole: (bytes) => void found.at(-1)?.parts.push(Buffer.alloc(bytes)),
  };
  feed(handler, tar, step);
  return found.map(({ member, parts }) => ({ ...member, content: Buffer.concat(parts) }));
}

export function feed(handler: TarHandler, tar: Buffer, step = tar.length || 1): void {
  const reader = createTarReader(handler);
  for (let at = 0; at < tar.length; at += step) reader.write(tar.subarray(at, at + step));
  reader.end();
}

/** All chunks of a stream as one Buffer. */
export async function gather(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}
