/**
 * Header bytes of one tar member: ustar, preceded by a PAX header only where ustar cannot say it. The same member always
 * gives the same bytes: no user names, no atime or ctime, no process id in PAX names.
 * Specs: POSIX.1 pax; Docker writes the same subset (semantics in docs, "Layers").
 */
import { type ByteString, textOf } from '../../bytes/byte-path.ts';
import { TsbuildError } from '../../errors.ts';
import type { NodeType } from '../entry.ts';
import { FIELD, octalLimit, writeChecksum, writeOctal } from './header-block.ts';
import { BLOCK, type TarMember } from './member.ts';
import { encodePax, formatPaxTime } from './pax.ts';

/** Whole seconds, cut towards the past, are what Docker writes; nanoseconds need a PAX header for nearly every file. */
export type MtimePrecision = 'seconds' | 'nanoseconds';

const FLAGS: Readonly<Record<NodeType, number>> = {
  file: 0x30,
  hardlink: 0x31,
  symlink: 0x32,
  char: 0x33,
  block: 0x34,
  dir: 0x35,
  fifo: 0x36,
};

const SECOND = 1_000_000_000n;
const MAX_MTIME = octalLimit(FIELD.mtime);
const NOT_ASCII = /[^\x01-\x7f]/;

/**
 * Everything that precedes the content: one block, or PAX header, its records and the block. The content must be padded
 * to whole blocks by the caller. Folder names should end with `/`. Throws LAYER_INVALID for xattr names that hold `=`.
 */
export function encodeMember(member: TarMember, precision: MtimePrecision): Buffer {
  const block = Buffer.alloc(BLOCK);
  const records = new Map<ByteString, ByteString>();
  const { meta } = member;
  writeName(block, member.name, records);
  writeLink(block, member.target, records);
  writeOctal(block, FIELD.mode, meta.mode);
  writeId(block, 'uid', meta.uid, records);
  writeId(block, 'gid', meta.gid, records);
  if (member.size > octalLimit(FIELD.size)) records.set('size', String(member.size));
  writeOctal(block, FIELD.size, member.size > octalLimit(FIELD.size) ? 0 : member.size);
  writeTime(block, meta.mtimeNs, precision, records);
  for (const [name, value] of meta.xattrs ?? []) {
    if (name.includes('=')) throw unrepresentable(member, name);
    records.set(`SCHILY.xattr.${name}`, Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1'));
  }
  block[FIELD.type.at] = FLAGS[member.type];
  block.write('ustar\x0000', FIELD.magic.at, 'latin1');
  writeOctal(block, FIELD.major, member.major);
  writeOctal(block, FIELD.minor, member.minor);
  writeChecksum(block);
  return records.size === 0 ? block : Buffer.concat([paxMember(member.name, encodePax(records)), block]);
}

function unrepresentable(member: TarMember, xattr: ByteString): TsbuildError {
  return new TsbuildError(
    'LAYER_INVALID',
    `"${textOf(member.name)}" has an extended attribute "${textOf(xattr)}", and a tar cannot keep names with "="`,
  );
}

/** Short names as they are, longer ones split at a slash, what is left in PAX with a readable remainder in the block. */
function writeName(block: Buffer, name: ByteString, records: Map<ByteString, ByteString>): void {
  if (NOT_ASCII.test(name)) {
    records.set('path', name);
    writeFallback(block, name);
    return;
  }
  if (name.length <= FIELD.name.length) {
    block.write(name, FIELD.name.at, 'latin1');
    return;
  }
  const slash = splitPoint(name);
  if (slash > 0) {
    block.write(name.slice(0, slash), FIELD.prefix.at, 'latin1');
    block.write(name.slice(slash + 1), FIELD.name.at, 'latin1');
    return;
  }
  records.set('path', name);
  writeFallback(block, name);
}

/** The first slash that leaves at most 100 bytes behind it and at most 155 before it; 0: there is none. */
function splitPoint(name: ByteString): number {
  const slash = name.indexOf('/', name.length - FIELD.name.length - 1);
  return slash > 0 && slash <= FIELD.prefix.length && slash < name.length - 1 ? slash : 0;
}

function writeFallback(block: Buffer, name: ByteString): void {
  block.write(name.replace(/[^\x20-\x7e]/g, '_').slice(0, FIELD.name.length), FIELD.name.at, 'latin1');
}

function writeLink(block: Buffer, target: ByteString, records: Map<ByteString, ByteString>): void {
  if (target.length <= FIELD.link.length && !NOT_ASCII.test(target)) {
    block.write(target, FIELD.link.at, 'latin1');
    return;
  }
  records.set('linkpath', target);
  block.write(target.replace(/[^\x20-\x7e]/g, '_').slice(0, FIELD.link.length), FIELD.link.at, 'latin1');
}

function writeId(block: Buffer, key: 'uid' | 'gid', id: number, records: Map<ByteString, ByteString>): void {
  const fits = id <= octalLimit(FIELD[key]);
  if (!fits) records.set(key, String(id));
  writeOctal(block, FIELD[key], fits ? id : 0);
}

function writeTime(block: Buffer, mtimeNs: bigint, precision: MtimePrecision, records: Map<ByteString, ByteString>): void {
  const fraction = ((mtimeNs % SECOND) + SECOND) % SECOND;
  const whole = mtimeNs - fraction;
  const seconds = Number(whole / SECOND);
  const fits = seconds >= 0 && seconds <= MAX_MTIME;
  if (!fits || (precision === 'nanoseconds' && fraction !== 0n)) {
    records.set('mtime', formatPaxTime(precision === 'nanoseconds' ? mtimeNs : whole));
  }
  writeOctal(block, FIELD.mtime, fits ? seconds : 0);
}

/** Named like Go does, `dir/PaxHeaders.0/base`, cut to what ustar holds: readers that know PAX never see it. */
function paxMember(name: ByteString, records: Buffer): Buffer {
  const bytes = Buffer.alloc(BLOCK + Math.ceil(records.length / BLOCK) * BLOCK);
  const path = name.endsWith('/') ? name.slice(0, -1) : name;
  const slash = path.lastIndexOf('/');
  writeFallback(bytes, `${path.slice(0, slash + 1)}PaxHeaders.0/${path.slice(slash + 1)}`);
  writeOctal(bytes, FIELD.mode, 0);
  writeOctal(bytes, FIELD.uid, 0);
  writeOctal(bytes, FIELD.gid, 0);
  writeOctal(bytes, FIELD.size, records.length);
  writeOctal(bytes, FIELD.mtime, 0);
  bytes[FIELD.type.at] = 0x78;
  bytes.write('ustar\x0000', FIELD.magic.at, 'latin1');
  writeOctal(bytes, FIELD.major, 0);
  writeOctal(bytes, FIELD.minor, 0);
  writeChecksum(bytes);
  records.copy(bytes, BLOCK);
  return bytes;
}
