/**
 * Header block plus the extension headers before it, made into one TarMember. Pure; what follows in the archive (content,
 * sparse maps) is returned as a plan for the reader.
 * Precedence as in GNU tar and Go: PAX of the member, then PAX global, then GNU long names, then the header itself.
 */
import type { ByteString } from '../../bytes/byte-path.ts';
import { TsbuildError } from '../../errors.ts';
import type { NodeType } from '../entry.ts';
import { FIELD, readBigNumber, readNumber, readText } from './header-block.ts';
import type { TarMember } from './member.ts';
import { type PaxRecords, parsePaxNumber, parsePaxTime } from './pax.ts';
import { type Extent, type PaxSparse, readOldGnuSize, readOldGnuSlots, sparseFromPax } from './sparse.ts';

export interface Extensions {
  /** Undefined: none. */
  readonly longName: ByteString | undefined;
  readonly longLink: ByteString | undefined;
  readonly pax: PaxRecords | undefined;
  readonly globalPax: ReadonlyMap<ByteString, ByteString>;
}

export interface ResolvedMember {
  /** Of sparse files `size` is the whole file's. */
  readonly member: TarMember;
  /** Bytes that follow the header, without padding. */
  readonly stored: number;
  readonly sparse:
    | { readonly kind: 'none' }
    | { readonly kind: 'map'; readonly extents: readonly Extent[] }
    | { readonly kind: 'old-gnu'; readonly extents: readonly Extent[]; readonly more: boolean }
    | { readonly kind: 'in-content' };
}

const TYPES: Readonly<Record<string, NodeType>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'dir',
  '6': 'fifo',
  '7': 'file',
  S: 'file',
};

/** (uid_t)-1 means "leave it" to chown(2), so it cannot be an owner. */
const MAX_ID = 0xffff_fffe;
const NO_RECORDS: ReadonlyMap<ByteString, ByteString> = new Map();

/** Throws LAYER_INVALID. `flag`: the header's type byte as a character, none of the extension types. */
export function resolveMember(block: Buffer, start: number, flag: string, extensions: Extensions): ResolvedMember {
  const kind = TYPES[flag];
  if (kind === undefined) throw invalid(`member type ${JSON.stringify(flag)} is not known`);
  const pax = effectivePax(extensions);
  const paxSparse = extensions.pax === undefined ? undefined : sparseFromPax(extensions.pax);
  // Some archives name their root with nothing at all.
  const name = (paxSparse?.name ?? pax.get('path') ?? extensions.longName ?? headerName(block, start)) || './';
  const paxSize = pax.get('size');
  const declared = paxSize === undefined ? readNumber(block, start, FIELD.size) : parsePaxNumber('size', paxSize);
  if (declared < 0) throw invalid('a member has a negative size');
  const type = kind === 'file' && name.endsWith('/') ? slashedType(declared) : kind;
  // As Go's archive/tar: types without content may carry a size (old archives do for hard links), but never bytes.
  const stored = type === 'file' ? declared : 0;
  const device = type === 'char' || type === 'block';
  const sparse = type === 'file' ? sparseOf(block, start, flag, pax, paxSparse) : NOT_SPARSE;
  return {
    member: {
      name,
      type,
      meta: {
        mode: readNumber(block, start, FIELD.mode) & 0o7777,
        uid: owner('uid', pax.get('uid'), block, start),
        gid: owner('gid', pax.get('gid'), block, start),
        mtimeNs: modified(pax.get('mtime'), block, start),
        ...xattrsOf(pax),
      },
      size: sparse.kind === 'none' ? stored : sparse.size,
      target: type === 'symlink' || type === 'hardlink' ? linkTarget(block, start, pax, extensions) : '',
      major: device ? deviceNumber(block, start, 'major') : 0,
      minor: device ? deviceNumber(block, start, 'minor') : 0,
    },
    stored,
    sparse,
  };
}

function effectivePax({ pax, globalPax }: Extensions): ReadonlyMap<ByteString, ByteString> {
  if (pax === undefined) return globalPax.size === 0 ? NO_RECORDS : globalPax;
  const merged = new Map([...globalPax, ...pax]);
  for (const [key, value] of pax) if (value === '' && !key.startsWith('SCHILY.xattr.')) merged.delete(key);
  return merged;
}

function headerName(block: Buffer, start: number): ByteString {
  const name = readText(block, start, FIELD.name);
  // Only POSIX archives have a prefix; GNU ("ustar  \0") keeps other things there, star ends it 24 bytes earlier.
  if (block.toString('latin1', start + FIELD.magic.at, start + FIELD.magic.at + 6) !== 'ustar\0') return name;
  const star = block.toString('latin1', start + 508, start + 512) === 'tar\0';
  const prefix = readText(block, start, star ? { at: FIELD.prefix.at, length: 131 } : FIELD.prefix);
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** Archives older than ustar mark folders by the slash alone. */
function slashedType(size: number): NodeType {
  if (size > 0) throw invalid('a member is named like a folder but has content');
  return 'dir';
}

type MemberSparse = { readonly kind: 'none' } | (Exclude<ResolvedMember['sparse'], { kind: 'none' }> & { readonly size: number });
const NOT_SPARSE: MemberSparse = { kind: 'none' };

function sparseOf(
  block: Buffer,
  start: number,
  flag: string,
  pax: ReadonlyMap<ByteString, ByteString>,
  paxSparse: PaxSparse | undefined,
): MemberSparse {
  if (paxSparse !== undefined) {
    const { size, map } = paxSparse;
    return map === 'in-content' ? { kind: 'in-content', size } : { kind: 'map', size, extents: map };
  }
  // star marks its own sparse format, whose header differs from GNU's, by this record.
  if (pax.has('SCHILY.realsize')) throw invalid("star's sparse format is not supported");
  if (flag !== 'S') return NOT_SPARSE;
  if (block.toString('latin1', start + FIELD.magic.at, start + FIELD.magic.at + 6) !== 'ustar ') {
    throw invalid('a sparse member in an archive that is not in GNU format');
  }
  return { kind: 'old-gnu', size: readOldGnuSize(block, start), ...readOldGnuSlots(block, start, 'header') };
}

function owner(key: 'uid' | 'gid', value: ByteString | undefined, block: Buffer, start: number): number {
  const id = value === undefined ? readNumber(block, start, FIELD[key]) : parsePaxNumber(key, value);
  if (id < 0 || id > MAX_ID) throw invalid(`${key} ${id} is out of range`);
  return id;
}

/** Linux has 12 bits for the major number and 20 for the minor one. */
function deviceNumber(block: Buffer, start: number, field: 'major' | 'minor'): number {
  const number = readNumber(block, start, FIELD[field]);
  if (number < 0 || number >= (field === 'major' ? 2 ** 12 : 2 ** 20)) throw invalid(`${field} device number ${number} is out of range`);
  return number;
}

function modified(value: ByteString | undefined, block: Buffer, start: number): bigint {
  return value === undefined ? readBigNumber(block, start, FIELD.mtime) * 1_000_000_000n : parsePaxTime(value);
}

function linkTarget(block: Buffer, start: number, pax: ReadonlyMap<ByteString, ByteString>, extensions: Extensions): ByteString {
  const target = pax.get('linkpath') ?? extensions.longLink ?? readText(block, start, FIELD.link);
  if (target === '') throw invalid('a link has no target');
  return target;
}

const SCHILY = 'SCHILY.xattr.';
const LIBARCHIVE = 'LIBARCHIVE.xattr.';

/** star and GNU tar write raw values, libarchive base64 with URL-encoded names, and often both. */
function xattrsOf(pax: ReadonlyMap<ByteString, ByteString>): { xattrs?: ReadonlyMap<ByteString, Uint8Array> } {
  let xattrs: Map<ByteString, Uint8Array> | undefined;
  for (const [key, value] of pax) {
    if (key.startsWith(LIBARCHIVE) && key.length > LIBARCHIVE.length) {
      const name = percentDecoded(key.slice(LIBARCHIVE.length));
      if (!pax.has(SCHILY + name)) (xattrs ??= new Map()).set(name, Buffer.from(value, 'base64'));
    } else if (key.startsWith(SCHILY) && key.length > SCHILY.length) {
      (xattrs ??= new Map()).set(key.slice(SCHILY.length), Buffer.from(value, 'latin1'));
    }
  }
  return xattrs === undefined ? {} : { xattrs };
}

function percentDecoded(name: ByteString): ByteString {
  return name.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function invalid(why: string): TsbuildError {
  return new TsbuildError('LAYER_INVALID', `invalid tar: ${why}`);
}
