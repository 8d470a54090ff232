/**
 * Maps of sparse files: which parts of the content the archive stores. All four spellings that GNU tar has written are
 * read (old GNU header, PAX 0.0, 0.1 and 1.0); none is ever written.
 * Spec: GNU tar manual, "Storing Sparse Files".
 */
import type { ByteString } from '../../bytes/byte-path.ts';
import { TsbuildError } from '../../errors.ts';
import { type Field, readNumber } from './header-block.ts';
import { BLOCK, MAX_EXTENSION_BYTES } from './member.ts';
import { type PaxRecords, parsePaxNumber } from './pax.ts';

export interface Extent {
  readonly offset: number;
  readonly length: number;
}

/** `size`: bytes of the whole file. */
export interface SparseFile {
  readonly size: number;
  readonly extents: readonly Extent[];
}

const OLD_GNU_SLOTS = 386;
const OLD_GNU_EXTENDED = 482;
const OLD_GNU_SIZE: Field = { at: 483, length: 12 };
const CONTINUATION_EXTENDED = 504;
const SLOT = 24;

/** Slots of an old-GNU sparse header: the main one, or a continuation block; `more`: another continuation follows. */
export function readOldGnuSlots(block: Buffer, start: number, kind: 'header' | 'continuation'): { extents: Extent[]; more: boolean } {
  const first = kind === 'header' ? OLD_GNU_SLOTS : 0;
  const count = kind === 'header' ? 4 : 21;
  const extents: Extent[] = [];
  for (let i = 0; i < count; i++) {
    const at = first + i * SLOT;
    if (block[start + at] === 0) break;
    extents.push({
      offset: readNumber(block, start, { at, length: 12 }),
      length: readNumber(block, start, { at: at + 12, length: 12 }),
    });
  }
  return { extents, more: block[start + (kind === 'header' ? OLD_GNU_EXTENDED : CONTINUATION_EXTENDED)] !== 0 };
}

export function readOldGnuSize(block: Buffer, start: number): number {
  return readNumber(block, start, OLD_GNU_SIZE);
}

/** What PAX records say about a sparse file. `map: 'in-content'`: format 1.0, the map precedes the content. */
export interface PaxSparse {
  readonly name: ByteString | undefined;
  readonly size: number;
  readonly map: readonly Extent[] | 'in-content';
}

/** undefined: the records describe no sparse file. Throws LAYER_INVALID. */
export function sparseFromPax(records: PaxRecords): PaxSparse | undefined {
  const last = new Map(records);
  if (![...last.keys()].some((key) => key.startsWith('GNU.sparse.'))) return undefined;
  const name = last.get('GNU.sparse.name');
  const number = (key: string): number => parsePaxNumber(key, last.get(key) ?? '');
  const version = `${last.get('GNU.sparse.major') ?? '0'}.${last.get('GNU.sparse.minor') ?? (last.has('GNU.sparse.map') ? '1' : '0')}`;
  if (version === '1.0') return { name, size: number('GNU.sparse.realsize'), map: 'in-content' };
  if (version !== '0.0' && version !== '0.1') throw invalidMap(`format ${version.slice(0, 20)} is not known`);
  const size = last.has('GNU.sparse.size') ? number('GNU.sparse.size') : number('GNU.sparse.realsize');
  const numbers = version === '0.1' ? (last.get('GNU.sparse.map') ?? '').split(',') : repeatedPairs(records);
  if (numbers.length === 1 && numbers[0] === '') numbers.pop();
  return { name, size, map: pairs(numbers.map((text) => parsePaxNumber('GNU.sparse.map', text))) };
}

/** Format 0.0: GNU.sparse.offset and GNU.sparse.numbytes alternate. */
function repeatedPairs(records: PaxRecords): ByteString[] {
  const numbers: ByteString[] = [];
  for (const [key, value] of records) {
    if (key !== 'GNU.sparse.offset' && key !== 'GNU.sparse.numbytes') continue;
    if ((key === 'GNU.sparse.offset') !== (numbers.length % 2 === 0)) throw invalidMap('offsets and lengths do not alternate');
    numbers.push(value);
  }
  return numbers;
}

/** Reads a map of format 1.0, which precedes the content: decimal lines (count, then offset and length of each extent) padded to whole blocks. */
export interface ContentMapReader {
  /** Takes one block at `start`; the extents once the map is complete, the rest of that block being padding. */
  block(bytes: Buffer, start: number): readonly Extent[] | undefined;
}

export function createContentMapReader(): ContentMapReader {
  const numbers: number[] = [];
  let digits = '';
  let read = 0;
  return {
    block(bytes, start) {
      read += BLOCK;
      if (read > MAX_EXTENSION_BYTES) throw invalidMap('it is too long');
      for (let at = start; at < start + BLOCK; at++) {
        if (bytes[at] !== 0x0a) {
          digits += String.fromCharCode(bytes[at] as number);
          continue;
        }
        numbers.push(parsePaxNumber('sparse map', digits));
        digits = '';
        if (numbers.length === 1 + 2 * (numbers[0] as number)) return pairs(numbers.slice(1));
      }
      return undefined;
    },
  };
}

/** The extents in order, within `size`, and together exactly `stored` bytes. Throws LAYER_INVALID. */
export function checkedSparse(size: number, extents: readonly Extent[], stored: number): SparseFile {
  let end = 0;
  let total = 0;
  for (const { offset, length } of extents) {
    if (offset < end || length < 0 || offset + length > size) throw invalidMap('its parts overlap or lie outside the file');
    end = offset + length;
    total += length;
  }
  if (total !== stored) throw invalidMap(`it covers ${total} bytes, the archive holds ${stored}`);
  return { size, extents: extents.filter((extent) => extent.length > 0) };
}

function pairs(numbers: readonly number[]): Extent[] {
  if (numbers.length % 2 !== 0) throw invalidMap('a length is missing');
  const extents: Extent[] = [];
  for (let i = 0; i < numbers.length; i += 2) extents.push({ offset: numbers[i] as number, length: numbers[i + 1] as number });
  return extents;
}

function invalidMap(why: string): TsbuildError {
  return new TsbuildError('LAYER_INVALID', `invalid tar: bad map of a sparse file: ${why}`);
}
